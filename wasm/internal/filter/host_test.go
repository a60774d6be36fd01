package filter

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeHost is a proxy that carries out what the filter asks for, and does what else a proxy may do.
type fakeHost struct {
	headers  [][2]string
	body     []byte
	claims   map[string]string
	peer     string
	status   int
	details  string
	piece    string // of the response
	answer   *answer
	records  []string
	log      []string
	breaks   string // the method that returns an error
	panics   string // the method that panics
	touched  bool   // something of the request was changed
	panicked int
}

// answer is a response that the filter made.
type answer struct {
	Status  int
	Headers map[string]string
	Body    string
}

var errBroken = errors.New("the host is broken")

func (h *fakeHost) call(method string) error {
	if h.panics == method {
		h.panicked++
		panic("bug in " + method)
	}
	if h.breaks == method {
		return errBroken
	}
	return nil
}

func (h *fakeHost) RequestHeaders() ([][2]string, error) {
	return slices.Clone(h.headers), h.call("RequestHeaders")
}

func (h *fakeHost) RemoveRequestHeader(name string) error {
	h.touched = true
	h.headers = slices.DeleteFunc(h.headers, func(f [2]string) bool { return f[0] == name })
	return h.call("RemoveRequestHeader")
}

func (h *fakeHost) SetRequestHeader(name, value string) error {
	if err := h.call("SetRequestHeader"); err != nil {
		return err
	}
	h.headers = slices.DeleteFunc(h.headers, func(f [2]string) bool { return f[0] == name })
	h.headers = append(h.headers, [2]string{name, value})
	return nil
}

func (h *fakeHost) RequestBody() ([]byte, error) {
	return slices.Clone(h.body), h.call("RequestBody")
}

func (h *fakeHost) SetRequestBody(body []byte) error {
	h.touched = true
	h.body = slices.Clone(body)
	return h.call("SetRequestBody")
}

func (h *fakeHost) Answer(status int, headers [][2]string, body []byte) error {
	h.answer = &answer{Status: status, Headers: fields(headers), Body: string(body)}
	return h.call("Answer")
}

func (h *fakeHost) ResponseStatus() int     { return h.status }
func (h *fakeHost) ResponseDetails() string { return h.details }

func (h *fakeHost) ResponseBody(size int) ([]byte, error) {
	return []byte(h.piece[:size]), h.call("ResponseBody")
}

func (h *fakeHost) Claim(name string) string { return h.claims[name] }
func (h *fakeHost) PeerURI() string          { return h.peer }

func (h *fakeHost) Publish(record []byte) error {
	h.records = append(h.records, string(record))
	return h.call("Publish")
}

func (h *fakeHost) Log(message string) { h.log = append(h.log, message) }
func (h *fakeHost) Now() time.Time     { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// request is what a client sends.
type request struct {
	method  string // POST if empty
	path    string
	headers [][2]string
	body    string
	// trailers follow the body: then no piece of it is the last one.
	trailers bool
	empty    bool // the request ends with its headers
}

// response is what the upstream sends, piece by piece. The zero response is a client that went away.
type response struct {
	status  int
	details string
	pieces  []string
}

// outcome is what became of a request.
type outcome struct {
	headers map[string]string // as sent upstream
	body    string
	answer  *answer // instead of the upstream
	record  record  // the last one published
	action  Action  // of the last callback of the request
	host    *fakeHost
}

// record is what the access log gets.
type record struct {
	Decision, Route, Rule, Tier, Model, Would string
	RequestedModel                            string `json:"requested_model"`
	CostUSD                                   string `json:"cost_usd"`
	BaselineUSD                               string `json:"baseline_usd"`
	Usage                                     map[string]int64
	Estimated                                 bool
}

// exchange sends a request and its response through a filter as Envoy would: the last piece of a body comes twice.
func exchange(t *testing.T, f *Filter, host *fakeHost, req request, res response) outcome {
	t.Helper()
	host.headers = [][2]string{{":method", "POST"}, {":path", req.path}, {":authority", "llm.example"}}
	if req.method != "" {
		host.headers[0][1] = req.method
	}
	host.headers = append(host.headers, req.headers...)
	x := f.Begin(host)
	out := outcome{host: host}
	out.action = x.RequestHeaders(req.empty)
	if !req.empty && host.answer == nil {
		host.body = []byte(req.body[:len(req.body)/2])
		out.action = x.RequestBody(false)
		host.body = []byte(req.body)
		out.action = x.RequestBody(false)
		if req.trailers {
			out.action = x.RequestTrailers()
		} else {
			out.action = x.RequestBody(true)
		}
	}
	if res.status != 0 || host.answer != nil {
		host.status, host.details = res.status, res.details
		x.ResponseHeaders()
		for _, p := range res.pieces {
			host.piece = p
			x.ResponseBody(len(p))
		}
		x.ResponseBody(0)
	}
	x.Done()
	out.headers, out.body, out.answer = fields(host.headers), string(host.body), host.answer
	if n := len(host.records); n > 0 {
		if err := json.Unmarshal([]byte(host.records[n-1]), &out.record); err != nil {
			t.Fatalf("record %s: %v", host.records[n-1], err)
		}
	}
	return out
}

// fields joins the values of each header.
func fields(list [][2]string) map[string]string {
	m := map[string]string{}
	for _, f := range list {
		if v, ok := m[f[0]]; ok {
			f[1] = strings.Join([]string{v, f[1]}, ",")
		}
		m[f[0]] = f[1]
	}
	return m
}
