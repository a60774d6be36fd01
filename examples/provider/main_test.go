package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A bench is a provider behind HTTP.
type bench struct {
	*server
	url string
}

func newBench(t *testing.T, cfg config) *bench {
	t.Helper()
	if cfg.role == "" {
		cfg.role = roleVendor
	}
	srv, err := newServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewServer(srv)
	t.Cleanup(hs.Close)
	return &bench{srv, hs.URL}
}

// request makes one with every vendor's credentials; headers are pairs that add to them or replace them, an empty
// value deletes.
func (b *bench) request(t *testing.T, ctx context.Context, path, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]string{{"content-type", "application/json"}, {"authorization", "Bearer test"}, {"x-api-key", "test"},
		{"x-goog-api-key", "test"}, {"anthropic-version", "2023-06-01"}} {
		r.Header.Set(pair[0], pair[1])
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

// post returns status and body.
func (b *bench) post(t *testing.T, path, body string, headers ...string) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(b.request(t, t.Context(), path, body, headers...))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read the answer of %s: %v", path, err)
	}
	return resp.StatusCode, string(got)
}

// bill posts a call that must succeed and returns its line on the invoice.
func (b *bench) bill(t *testing.T, path, body string, headers ...string) billed {
	t.Helper()
	if status, got := b.post(t, path, body, headers...); status != http.StatusOK {
		t.Fatalf("POST %s: status %d: %s", path, status, got)
	}
	calls, _ := b.invoice.read()
	return calls[len(calls)-1]
}

// awaitBill waits until the invoice has n lines and returns the last one.
func (b *bench) awaitBill(t *testing.T, n int) billed {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if calls, _ := b.invoice.read(); len(calls) >= n {
			return calls[n-1]
		}
	}
	t.Fatalf("the invoice did not reach %d lines", n)
	return billed{}
}

// filler is a text of exactly n tokens; seed makes it differ from the first word on.
func filler(n, seed int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = words[(i*7+seed)%len(words)]
	}
	return strings.Join(out, " ")
}

// object decodes an answer.
func object(t *testing.T, body string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("answer is not an object: %v: %.200s", err, body)
	}
	return v
}

// dig follows keys and indices into a decoded value; nil if there is nothing.
func dig(v any, path ...any) any {
	for _, step := range path {
		switch key := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[key]
		case int:
			list, _ := v.([]any)
			if key >= len(list) {
				return nil
			}
			v = list[key]
		}
	}
	return v
}

// An event is one server-sent event.
type event struct{ name, data string }

func parseEvents(t *testing.T, body string) []event {
	t.Helper()
	var out []event
	var e event
	sc := bufio.NewScanner(bytes.NewBufferString(body))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		switch line := sc.Text(); {
		case line == "":
			out = append(out, e)
			e = event{}
		case strings.HasPrefix(line, "event: "):
			e.name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			e.data = line[len("data: "):]
		default:
			t.Fatalf("line %q is no field of an event", line)
		}
	}
	return out
}
