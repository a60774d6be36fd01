package main

import (
	"errors"
	"math"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/farebox-mesh/farebox/wasm/internal/filter"
)

var _ filter.Host = (*stream)(nil)

// stateName becomes the filter state wasm.farebox: Envoy puts the prefix before it.
var stateName = []string{"farebox"}

// claimsAt is where Envoy's jwt_authn filter leaves the claims of tokens that it verified, by issuer.
var claimsAt = []string{"metadata", "filter_metadata", "envoy.filters.http.jwt_authn"}

func (s *stream) RequestHeaders() ([][2]string, error) { return proxywasm.GetHttpRequestHeaders() }

// SetRequestHeader takes all values away before it adds one, as Envoy replaces the first of several only. A
// pseudo-header has one value, and cannot be away.
func (s *stream) SetRequestHeader(name, value string) error {
	if name[0] == ':' {
		return proxywasm.ReplaceHttpRequestHeader(name, value)
	}
	if err := s.RemoveRequestHeader(name); err != nil {
		return err
	}
	return proxywasm.AddHttpRequestHeader(name, value)
}

func (s *stream) RemoveRequestHeader(name string) error {
	return proxywasm.RemoveHttpRequestHeader(name)
}

func (s *stream) RequestBody() ([]byte, error) {
	body, err := proxywasm.GetHttpRequestBody(0, math.MaxInt32)
	if errors.Is(err, types.ErrorStatusNotFound) {
		return nil, nil // there is none
	}
	return body, err
}

func (s *stream) SetRequestBody(body []byte) error { return proxywasm.ReplaceHttpRequestBody(body) }

func (s *stream) Answer(status int, headers [][2]string, body []byte) error {
	const notGRPC = -1
	return proxywasm.SendHttpResponse(uint32(status), headers, body, notGRPC)
}

func (s *stream) ResponseStatus() int {
	text, err := proxywasm.GetHttpResponseHeader(":status")
	if err != nil {
		return 0
	}
	status, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return status
}

func (s *stream) ResponseDetails() string { return property("response", "code_details") }

func (s *stream) ResponseBody(size int) ([]byte, error) {
	return proxywasm.GetHttpResponseBody(0, size)
}

// Claim looks for a claim in the payloads of all issuers. Only text is a value: Envoy hands out numbers as the
// bytes of a float, which look like nothing that a policy could name.
func (s *stream) Claim(name string) string {
	issuers, err := proxywasm.GetPropertyMap(claimsAt)
	if err != nil {
		return ""
	}
	for _, issuer := range issuers {
		if v := property(claimsAt[0], claimsAt[1], claimsAt[2], issuer[0], name); v != "" && isText(v) {
			return v
		}
	}
	return ""
}

func isText(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return false
		}
	}
	return true
}

func (s *stream) PeerURI() string { return property("connection", "uri_san_peer_certificate") }

func (s *stream) Publish(record []byte) error { return proxywasm.SetProperty(stateName, record) }

func (s *stream) Log(message string) { proxywasm.LogError(message) }

func (s *stream) Now() time.Time { return time.Now() }

// property returns an attribute of the stream, "" if it has none.
func property(path ...string) string {
	value, err := proxywasm.GetProperty(path)
	if err != nil {
		return ""
	}
	return string(value)
}
