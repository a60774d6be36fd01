package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// get returns the lines of a control endpoint, decoded.
func get[T any](t *testing.T, url string) []T {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out []T
	sc := bufio.NewScanner(resp.Body)
	for sc.Scan() {
		var v T
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatalf("line %q: %v", sc.Text(), err)
		}
		out = append(out, v)
	}
	return out
}

func (b *bench) steer(t *testing.T, path string) {
	t.Helper()
	resp, err := http.Post(b.url+path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("POST %s: status %d", path, resp.StatusCode)
	}
}

func TestControl(t *testing.T) {
	b := newBench(t, config{})
	const body = "{ \"model\" : \"gpt-4o-mini\",\n\"max_tokens\":2, \"messages\":[{\"role\":\"user\",\"content\":\"\\u0068i\"}] }"
	b.steer(t, "/_/fault?next=2&fault=status%3D503")
	for i, want := range []int{503, 503, 200} {
		if status, _ := b.post(t, "/v1/chat/completions?a=b%20c", body, "x-test-id", "t1"); status != want {
			t.Errorf("call %d: status %d, want %d", i+1, status, want)
		}
	}
	requests := get[received](t, b.url+"/_/requests")
	if len(requests) != 3 {
		t.Fatalf("%d requests, want 3", len(requests))
	}
	got := requests[2]
	if got.Method != "POST" || got.Path != "/v1/chat/completions?a=b%20c" || string(got.Body) != body || got.Headers["x-test-id"] != "t1" {
		t.Errorf("recorded %+v with body %q", got, got.Body)
	}
	lines := get[billed](t, b.url+"/_/invoice")
	want := []billed{{ID: lines[0].ID, API: "openai.chat", Model: "gpt-4o-mini-2024-07-18", Usage: usage{Input: 8, Output: 2}, CostNanos: 2400, RequestID: "t1"}}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("invoice (-want +got):\n%s", diff)
	}
	b.steer(t, "/_/advance?by=10m")
	b.steer(t, "/_/reset")
	if diff := cmp.Diff([]totals{{}}, get[totals](t, b.url+"/_/total")); diff != "" {
		t.Errorf("total after reset (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/_/advance?by=soon", "/_/fault?next=x", "/_/fault?fault=explode", "/_/nothing"} {
		resp, err := http.Post(b.url+path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("POST %s: status %d, want an error", path, resp.StatusCode)
		}
	}
}

func TestPool(t *testing.T) {
	b := newBench(t, config{role: rolePool})
	none := []string{"authorization", "", "x-api-key", "", "x-goog-api-key", "", "anthropic-version", ""}
	for _, tt := range []struct {
		name    string
		headers []string
		leak    int
	}{
		{"no credential", nil, 0},
		{"the pool's own", []string{"authorization", "Bearer " + poolKey}, 0},
		{"a caller's", []string{"authorization", "Bearer sk-1"}, 1},
		{"a key", []string{"api-key", "k"}, 1},
		{"a cookie", []string{"cookie", "a=b"}, 1},
		{"an organisation", []string{"authorization", "Bearer " + poolKey, "openai-organization", "o"}, 1},
		{"a version", []string{"anthropic-beta", "b"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, before := b.invoice.read()
			got := b.bill(t, "/v1/chat/completions", `{"model":"any/name","max_tokens":3,"temperature":0.1,"messages":[{"role":"user","content":"x"}]}`,
				append(append([]string{}, none...), tt.headers...)...)
			_, after := b.invoice.read()
			if got.CostNanos != 0 || got.Model != "any/name" || got.Usage.Output != 3 || after.Leaks-before.Leaks != tt.leak {
				t.Errorf("billed %+v, %d leaks, want a free call and %d", got, after.Leaks-before.Leaks, tt.leak)
			}
		})
	}
	if status, _ := b.post(t, "/v1/messages", `{}`, none...); status != 404 {
		t.Errorf("a pool answers /v1/messages with %d, want 404", status)
	}
}

func TestModelsAndProbes(t *testing.T) {
	b := newBench(t, config{})
	for _, tt := range []struct{ method, path, version, want string }{
		{"GET", "/v1/models", "", `"object": "list"`},
		{"GET", "/v1/models", "2023-06-01", `"has_more":false`},
		{"GET", "/v1beta/models", "", `"models/gemini-2.5-pro"`},
		{"HEAD", "/", "", ``},
	} {
		r := b.request(t, t.Context(), tt.path, "", "anthropic-version", tt.version)
		r.Method = tt.method
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), tt.want) {
			t.Errorf("%s %s: status %d, %v, body %s, want %s", tt.method, tt.path, resp.StatusCode, err, body, tt.want)
		}
	}
	_, body := b.post(t, "/v1/messages/count_tokens", `{"model":"claude-opus-5-5","messages":[{"role":"user","content":"hello world"}]}`)
	if got := object(t, body)["input_tokens"]; got != 9.0 {
		t.Errorf("count_tokens = %v, want 9", got)
	}
	if _, sum := b.invoice.read(); sum.Calls != 0 {
		t.Errorf("free calls were billed: %+v", sum)
	}
}

func TestLargeBody(t *testing.T) {
	b := newBench(t, config{})
	image := `{"model":"gpt-4o","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
		strings.Repeat("A", 20<<20) + `"}}]}]}`
	if got := b.bill(t, "/v1/chat/completions", image).Usage.Input; got != 1006 {
		t.Errorf("a large image counts %d tokens, want 1006", got)
	}
	status, body := b.post(t, "/v1/chat/completions", strings.Repeat(" ", maxBody+1))
	if status != http.StatusRequestEntityTooLarge || dig(object(t, body), "error", "type") != "invalid_request_error" {
		t.Errorf("a body above the limit gets %d: %.200s", status, body)
	}
}
