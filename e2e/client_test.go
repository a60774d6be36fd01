package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// call is a request of a client.
type call struct {
	method, path string
	host         string // of the Host header; "" is the listener's address
	header       http.Header
	body         []byte
	chunked      bool // without content-length
}

// answer is the response to a call, whole.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error // what cut the body short
}

// with returns the call with a header more.
func (c call) with(name, value string) call {
	c.header = c.header.Clone()
	if c.header == nil {
		c.header = http.Header{}
	}
	c.header.Set(name, value)
	return c
}

func post(path, body string, headers ...string) call {
	c := call{method: "POST", path: path, body: []byte(body), header: http.Header{}}
	for i := 0; i+1 < len(headers); i += 2 {
		c.header.Set(headers[i], headers[i+1])
	}
	return c.with("content-type", "application/json")
}

// Calls of the APIs, with the credentials that their clients send.

func chat(body string) call {
	return post("/v1/chat/completions", body, "authorization", "Bearer sk-caller")
}

func responses(body string) call {
	return post("/v1/responses", body, "authorization", "Bearer sk-caller")
}

func messages(body string) call {
	return post("/v1/messages", body, "x-api-key", "sk-ant-caller", "anthropic-version", "2023-06-01")
}

func gemini(model, body string) call {
	return post("/v1beta/models/"+model+":generateContent", body, "x-goog-api-key", "AIza-caller")
}

func geminiStream(model, body string) call {
	return post("/v1beta/models/"+model+":streamGenerateContent?alt=sse", body, "x-goog-api-key", "AIza-caller")
}

// ask is the body of a small chat call.
func ask(model, text string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}],"max_tokens":200}`, model, text)
}

// askStream is the body of a streamed chat call that reports its usage.
func askStream(model, text string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}],"max_tokens":200,"stream":true,"stream_options":{"include_usage":true}}`, model, text)
}

// client sends what it is told to send, and shows what comes back as it is.
var client = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, ExpectContinueTimeout: time.Second}}

// open sends a call and returns the response when its headers have come.
func (s *stack) open(ctx context.Context, c call) (*http.Response, error) {
	return open(ctx, client, s.url, c)
}

func open(ctx context.Context, hc *http.Client, base string, c call) (*http.Response, error) {
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	if c.chunked {
		body = struct{ io.Reader }{body} // hides the length
	}
	req, err := http.NewRequestWithContext(ctx, c.method, base+c.path, body)
	if err != nil {
		return nil, err
	}
	if c.header != nil {
		req.Header = c.header.Clone()
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header.Set("User-Agent", "e2e")
	}
	if c.host != "" {
		req.Host = c.host
	}
	return hc.Do(req)
}

// send sends a call and reads the answer to its end, in at most a minute.
func (s *stack) send(t *testing.T, c call) answer {
	t.Helper()
	return sendTo(t, s.url, c)
}

func sendTo(t *testing.T, base string, c call) answer {
	t.Helper()
	a := try(base, c)
	if a.status == 0 {
		t.Fatalf("%s %s: %v", c.method, c.path, a.err)
	}
	return a
}

// try is send for goroutines other than the test's: an answer with status 0 has an error only.
func try(base string, c call) answer {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := open(ctx, client, base, c)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	a.body, a.err = io.ReadAll(res.Body)
	return a
}

// ok sends a call that must succeed.
func (s *stack) ok(t *testing.T, c call) answer {
	t.Helper()
	a := s.send(t, c)
	if a.status != http.StatusOK || a.err != nil {
		t.Fatalf("%s %s: status %d, %v: %s", c.method, c.path, a.status, a.err, a.body)
	}
	return a
}

// abort sends a streaming call, reads so many bytes of the answer at least and goes away. It returns the status.
func (s *stack) abort(c call, bytesSeen int) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := s.open(ctx, c)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.ReadFull(res.Body, make([]byte, bytesSeen))
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	return res.StatusCode, err
}

// zip is the gzip of a body.
func zip(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// prose is about n words of English that a tokenizer reads as one token each.
func prose(n int, seed string) string {
	words := []string{"order", "account", "customer", "payment", "support", "team", "service", "report", "plan", "value"}
	var b strings.Builder
	b.WriteString(seed)
	for i := range n {
		b.WriteByte(' ')
		b.WriteString(words[(i*7+i/10)%len(words)])
	}
	return b.String()
}
