package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// bad are calls that are refused before they leave, and with which status.
var bad = []struct {
	name   string
	call   call
	status int
}{
	{"malformed JSON", chat(`{"model":"gpt-4o","messages":[`), 400},
	{"no JSON at all", chat("model=gpt-4o"), 400},
	{"an array", chat(`[{"model":"gpt-4o"}]`), 400},
	{"null", chat("null"), 400},
	{"bytes that are no UTF-8", chat("{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}"), 400},
	{"a byte order mark", chat("\ufeff" + ask("gpt-4o", "Hi")), 400},
	{"the model twice", chat(`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}],"model":"gpt-4o"}`), 400},
	{"the stream flag twice", chat(`{"model":"gpt-4o","stream":false,"messages":[{"role":"user","content":"Hi"}],"stream":true}`), 400},
	{"the cap twice", messages(`{"model":"claude-sonnet-5","max_tokens":9,"max_tokens":9000,"messages":[{"role":"user","content":"Hi"}]}`), 400},
	{"the messages twice", chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"messages":[{"role":"user","content":"Hi"}]}`), 400},
	{"an escaped key", chat(`{"mod\u0065l":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}`), 400},
	{"an escaped key beside the plain one", chat(`{"model":"gpt-4o-mini","mod\u0065l":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}`), 400},
	{"a key in capitals", chat(`{"Model":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}`), 400},
	{"a key that folds to another", chat(`{"model":"gpt-4o","me\u017f\u017fages":[],"messages":[{"role":"user","content":"Hi"}]}`), 400},
	{"a cap in capitals", messages(`{"model":"claude-sonnet-5","max_tokens":9,"MAX_TOKENS":9000,"messages":[{"role":"user","content":"Hi"}]}`), 400},
	{"bytes behind the JSON", chat(ask("gpt-4o", "Hi") + `{"model":"o3"}`), 400},
	{"200 levels", chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}"), 400},
	{"a million levels", chat(strings.Repeat("[", 1_000_000)), 400},
	{"no model", chat(`{"messages":[{"role":"user","content":"Hi"}]}`), 400},
	{"a model that is no text", chat(`{"model":["gpt-4o"],"messages":[{"role":"user","content":"Hi"}]}`), 400},
	{"a cap that is no number", messages(`{"model":"claude-sonnet-5","max_tokens":"9","messages":[{"role":"user","content":"Hi"}]}`), 400},
	{"an empty body", chat(""), 400},
	{"an empty body of Anthropic", messages(""), 400},
	{"malformed JSON of Gemini", gemini("gemini-2.5-flash", `{"contents"`), 400},
	{"malformed JSON of responses", responses(`{"model":"gpt-5","input":"Hi"`), 400},
	{"a form with two models", upload("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o-transcribe\r\n--b--\r\n"), 400},
	{"a form without an end", upload("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"), 400},
	{"a form without a model", upload("--b--"), 400},
	{"a form of 17 MB", upload("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + strings.Repeat("x", 17<<20) + "\r\n--b--"), 413},
	{"17 MB", chat(ask("gpt-4o", strings.Repeat("x", 17<<20))), 413},
	{"17 MB of Anthropic", messages(ask("claude-sonnet-5", strings.Repeat("x", 17<<20))), 413},
	{"17 MB without a length", func() call { c := chat(ask("gpt-4o", strings.Repeat("x", 17<<20))); c.chunked = true; return c }(), 413},
	{"Brotli", chat(ask("gpt-4o", "Hi")).with("content-encoding", "br"), 415},
	{"Zstandard of Anthropic", messages(ask("claude-sonnet-5", "Hi")).with("content-encoding", "zstd"), 415},
	{"two encodings", chat(ask("gpt-4o", "Hi")).with("content-encoding", "gzip, br"), 415},
	{"gzip that is none", chat(ask("gpt-4o", "Hi")).with("content-encoding", "gzip"), 400},
	{"damaged gzip", zipped(func(b []byte) []byte { return b[:len(b)-10] }), 400},
	{"bytes behind the gzip", zipped(func(b []byte) []byte { return append(b, "tail"...) }), 400},
	{"a gzip bomb", bomb(), 413},
}

// upload is a form with the boundary b.
func upload(body string) call {
	return post("/v1/audio/transcriptions", body, "authorization", "Bearer k").with("content-type", "multipart/form-data; boundary=b")
}

// zipped is a compressed call that was spoiled.
func zipped(spoil func([]byte) []byte) call {
	c := chat("").with("content-encoding", "gzip")
	c.body = spoil(zip([]byte(ask("gpt-4o", "Hi"))))
	return c
}

// bomb is 64 MB of spaces, which gzip makes tiny.
func bomb() call {
	c := chat("").with("content-encoding", "gzip")
	c.body = zip([]byte(ask("gpt-4o", strings.Repeat(" ", 64<<20))))
	return c
}

func TestBadInputIsRefusedInTheWordsOfTheAPI(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: limitedTo(1_000_000_000_000)})
		for _, tt := range bad {
			t.Run(tt.name, func(t *testing.T) {
				a := s.send(t, tt.call)
				if a.status != tt.status || a.err != nil {
					t.Errorf("status %d, %v, want %d: %s", a.status, a.err, tt.status, a.body)
				}
				native(t, tt.call.path, a)
			})
		}
		if n := len(s.provider.requests(t)); n != 0 {
			t.Errorf("the provider received %d requests, want none", n)
		}
		if sum := s.summary(t); sum.Calls != 0 || sum.budget(t).Reserved != 0 {
			t.Errorf("bad input left something behind: %d calls, %+v", sum.Calls, sum.Budgets)
		}
		s.ok(t, chat(ask("gpt-4o", "Hi")))
	})
}

// native fails the test if an error does not have the shape of the API at the path.
func native(t *testing.T, path string, a answer) {
	t.Helper()
	if kind, _, _ := strings.Cut(a.header.Get("content-type"), ";"); kind != "application/json" {
		t.Errorf("content-type %q, want JSON", a.header.Get("content-type"))
	}
	messageOf(t, a)
	var body struct {
		Type  string
		Error map[string]any
	}
	decode(t, string(a.body), &body)
	var missing []string
	for _, name := range map[string][]string{"/v1/messages": {"type"}, "/v1beta/models/gemini-2.5-flash:generateContent": {"code", "status"}}[path] {
		if body.Error[name] == nil {
			missing = append(missing, name)
		}
	}
	if path == "/v1/messages" && body.Type != "error" || len(missing) > 0 {
		t.Errorf("the error has no %q: %s", missing, a.body)
	}
	if strings.HasPrefix(path, "/v1/chat") || path == "/v1/responses" {
		if _, ok := body.Error["type"].(string); !ok {
			t.Errorf("the error has no type: %s", a.body)
		}
	}
}

func TestWhatIsRareButRightPasses(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: limitedTo(1_000_000_000_000)})
		large := chat(fmt.Sprintf(`{"model":"gpt-4.1","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}]}`, strings.Repeat("QUJD", 3<<18)))
		chunked := chat(ask("gpt-4o", "Hi"))
		chunked.chunked = true
		for _, tt := range []traffic{
			{"127 levels", chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"metadata":{},"x":` + strings.Repeat("[", 126) + strings.Repeat("]", 126) + "}")},
			{"3 MB", large},
			{"a chunked request", chunked},
			{"100 Continue", chat(ask("gpt-4o", "Hi")).with("expect", "100-continue")},
			{"identity", chat(ask("gpt-4o", "Hi")).with("content-encoding", "identity")},
			{"another content-type", chat(ask("gpt-4o", "Hi")).with("content-type", "text/plain")},
			{"gzip", zipped(func(b []byte) []byte { return b })},
		} {
			t.Run(tt.name, func(t *testing.T) { s.ok(t, tt.call) })
		}
		sum, total := s.settled(t, s.provider.total(t).Calls), s.provider.total(t)
		if sum.Cost != total.CostNanos {
			t.Errorf("ledger %s USD, invoice %s USD", sum.Cost, total.CostNanos)
		}
	})
}

func TestAnUpgradeIsRefused(t *testing.T) {
	for name, policy := range map[string]string{"observe": observePolicy, "enforce": limitedTo(1_000_000_000)} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, setup{policy: policy})
			for _, request := range []string{
				"GET /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
				"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
			} {
				a := raw(t, s, request)
				if a.status != http.StatusForbidden && a.status != http.StatusBadRequest && a.status != http.StatusUpgradeRequired {
					t.Errorf("status %d, want a refusal: %s", a.status, a.body)
				}
				messageOf(t, a)
			}
			if n := len(s.provider.requests(t)); n != 0 && name == "enforce" {
				t.Errorf("the provider received %d requests, want none", n)
			}
		})
	}
}

// raw sends bytes as they are and reads one response.
func raw(t *testing.T, s *stack, request string) answer {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.url, "http://"), 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no response to %.200q: %v", request, err)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	a.body, a.err = io.ReadAll(res.Body)
	return a
}

func TestOldAndNewVersionsOfHTTPWork(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(1_000_000_000)})
	t.Run("HTTP/1.0", func(t *testing.T) {
		body := ask("gpt-4o", "Hi")
		a := raw(t, s, fmt.Sprintf("POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer k\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		if a.status != http.StatusOK {
			t.Errorf("status %d: %s", a.status, a.body)
		}
	})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	h2 := &http.Client{Transport: &http.Transport{Protocols: protocols, DisableCompression: true}}
	defer h2.CloseIdleConnections()
	for _, name := range []string{"HTTP/2", "HTTP/2 with trailers"} {
		t.Run(name, func(t *testing.T) {
			c := chat(askStream("gpt-4o", "Hi"))
			req, err := http.NewRequestWithContext(t.Context(), c.method, s.url+c.path, struct{ io.Reader }{bytes.NewReader(c.body)})
			if err != nil {
				t.Fatal(err)
			}
			req.Header = c.header
			if name != "HTTP/2" {
				req.Trailer = http.Header{"X-Checksum": {"1"}, "X-Farebox-Route": {"gpu"}}
			}
			res, err := h2.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK || err != nil || !bytes.HasSuffix(got, []byte("data: [DONE]\n\n")) {
				t.Errorf("HTTP/%d, status %d, %v: %s", res.ProtoMajor, res.StatusCode, err, got)
			}
			if diff := string(s.provider.last(t).Body); diff != string(c.body) {
				t.Errorf("body at the provider %s\nwant %s", diff, c.body)
			}
		})
	}
	sum, total := s.settled(t, s.provider.total(t).Calls), s.provider.total(t)
	if sum.Cost != total.CostNanos || total.Calls != 3 {
		t.Errorf("ledger %s USD, invoice %s USD for %d calls, want 3", sum.Cost, total.CostNanos, total.Calls)
	}
}

// TestHeadersThatContradictEachOther sends what a parser and a provider may understand differently.
func TestHeadersThatContradictEachOther(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(1)})
	body := ask("gpt-4o", "Hi")
	for name, headers := range map[string]string{
		"a length and chunks":      fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked", len(body)),
		"two lengths":              fmt.Sprintf("Content-Length: %d\r\nContent-Length: 0", len(body)),
		"two encodings, gzip last": fmt.Sprintf("Content-Length: %d\r\nContent-Encoding: identity\r\nContent-Encoding: gzip", len(body)),
		"another method":           fmt.Sprintf("Content-Length: %d\r\nX-HTTP-Method-Override: GET", len(body)),
	} {
		t.Run(name, func(t *testing.T) {
			a := raw(t, s, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"+headers+"\r\n\r\n"+body)
			if a.status < 400 {
				t.Errorf("status %d, want a refusal: %s", a.status, a.body)
			}
		})
	}
	if n := len(s.provider.requests(t)); n != 0 {
		t.Errorf("the provider received %d requests, want none", n)
	}
}
