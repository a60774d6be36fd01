package exchange

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const limited = "mode: enforce\nbudgets:\n  - {name: company, limit: $10 per day}\n"

func TestWhatIsNoCallPassesUnread(t *testing.T) {
	websocket := []Header{{"upgrade", "websocket"}}
	for _, tt := range []struct {
		name    string
		call    call
		covered bool // passes where a budget covers the caller
		route   string
	}{
		{"a list of models", call{method: "GET", path: "/v1/models"}, true, "openai"},
		{"the probe of an agent", call{method: "HEAD", path: "/", headers: []Header{{"x-api-key", "k"}}}, true, "anthropic"},
		{"a token count", call{path: "/v1/messages/count_tokens"}, true, "anthropic"},
		{"a preflight of a call", call{method: "OPTIONS", path: "/v1/chat/completions"}, true, "openai"},
		{"moderations", call{path: "/v1/moderations"}, false, "openai"},
		{"an endpoint that nobody knows", call{path: "/unheard/of"}, false, ""},
		{"an upgrade", call{method: "GET", path: "/v1/responses", headers: websocket}, false, "openai"},
		{"an upgrade of a free probe", call{method: "GET", path: "/v1/models", headers: websocket}, false, "openai"},
		{"a call by another method", call{method: "GET", path: "/v1beta/models/gemini-2.5-pro:generateContent"}, false, "google"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, policy := range []string{"mode: observe\nbudgets:\n  - {name: company, limit: $10 per day}\n", "mode: enforce\n", limited} {
				w := newWorld(t, policy)
				x, reply := w.send(t, tt.call)
				if refused := reply.Answer != nil; refused != (policy == limited && !tt.covered) {
					t.Errorf("policy %q: answer %+v", policy, reply.Answer)
				}
				if reply.Answer != nil {
					if reply.Answer.Status != 403 || reply.Answer.Details != "farebox_unpriced" {
						t.Errorf("status %d, details %q", reply.Answer.Status, reply.Answer.Details)
					}
					continue
				}
				if got := fields(reply.Metadata); got["route"] != tt.route || got["decision"] != "uncovered" || !reply.Reroute {
					t.Errorf("policy %q: metadata %v, want route %q", policy, got, tt.route)
				}
				x.End(StreamEnded)
				if n := len(w.entries(t)); n != 0 {
					t.Errorf("%d entries, want none", n)
				}
			}
		})
	}
}

func TestAPrefixOfOursDoesNotGoOn(t *testing.T) {
	const prefixed = "providers:\n  eu: {vendor: openai, prefix: /eu}\n  groq: {hosts: [api.groq.com]}\n"
	for _, tt := range []struct {
		name string
		call call
		path string // that is set in enforce mode; "" if it stays
	}{
		{"a call", call{path: "/eu/v1/chat/completions?a=b", body: ask}, "/v1/chat/completions?a=b"},
		{"a list of models", call{method: "GET", path: "/eu/v1/models"}, "/v1/models"},
		{"nothing behind it", call{method: "GET", path: "/eu?a=b"}, "/?a=b"},
		{"a longer name", call{method: "GET", path: "/europe/v1/models"}, ""},
		{"a path of a known host", call{host: "api.groq.com", path: "/eu/v1/chat/completions", body: ask}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, reply := newWorld(t, "mode: enforce\n"+prefixed).send(t, tt.call)
			if got := fields(reply.Set)[":path"]; got != tt.path || reply.Answer != nil {
				t.Errorf("path %q, want %q; answer %+v", got, tt.path, reply.Answer)
			}
			_, reply = newWorld(t, "mode: observe\n"+prefixed).send(t, tt.call)
			if len(reply.Set) > 0 {
				t.Errorf("observe mode set %v", reply.Set)
			}
		})
	}
}

func TestTheGatewaysOwnRootAnswers(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		w := newWorld(t, limited)
		_, reply := w.send(t, call{method: method, path: "/"})
		if a := reply.Answer; a == nil || a.Status != 200 || a.Details != "farebox_root" {
			t.Errorf("%s: got %+v, want status 200", method, a)
		}
		w = newWorld(t, "mode: observe\n")
		if _, reply = w.send(t, call{method: method, path: "/"}); reply.Answer != nil {
			t.Errorf("%s: observe mode answers %+v", method, reply.Answer)
		}
	}
}

func TestHeadersThatEnforceModeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		call    call
		status  int
		details string
	}{
		{"no body", call{noBody: true}, 400, "farebox_empty_body"},
		{"brotli", chat(ask, Header{"content-encoding", "br"}), 415, "farebox_encoding"},
		{"gzip twice", chat(ask, Header{"content-encoding", "gzip"}, Header{"content-encoding", "gzip"}), 415, "farebox_encoding"},
		{"gzip hidden behind identity", chat(ask, Header{"content-encoding", "identity"}, Header{"content-encoding", "gzip"}), 400, "farebox_bad_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, reply := newWorld(t, "mode: enforce\n").send(t, tt.call)
			if a := reply.Answer; a == nil || a.Status != tt.status || a.Details != tt.details {
				t.Errorf("got %+v, want status %d, %s", a, tt.status, tt.details)
			}
			_, reply = newWorld(t, "mode: observe\n").send(t, tt.call)
			if reply.Answer != nil {
				t.Errorf("observe mode answered: %+v", reply.Answer)
			}
		})
	}
}

func TestForgedHeadersDoNotGoOn(t *testing.T) {
	policy := "dimensions:\n  feature: [header:x-farebox-feature]\n"
	c := chat(ask, Header{"x-farebox-route", "gpu"}, Header{"x-farebox-feature", "intent"}, Header{"x-http-method-override", "PUT"}, Header{"x-other", "1"})
	_, reply := newWorld(t, "mode: enforce\n"+policy).send(t, c)
	slices.Sort(reply.Remove)
	if diff := cmp.Diff([]string{"x-farebox-route", "x-http-method-override"}, reply.Remove); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	_, reply = newWorld(t, "mode: observe\n"+policy).send(t, c)
	if len(reply.Remove) > 0 {
		t.Errorf("observe mode removed %v", reply.Remove)
	}
}

func TestPhasesOutOfOrderAreRefused(t *testing.T) {
	w := newWorld(t, "mode: enforce\n")
	headers := func(x *Exchange) error { _, err := x.RequestHeaders(chat(ask).incoming()); return err }
	body := func(x *Exchange) error { _, err := x.RequestBody([]byte(ask)); return err }
	piece := func(x *Exchange) error { _, err := x.ResponseBody([]byte(said), false); return err }
	last := func(x *Exchange) error { _, err := x.ResponseBody(nil, true); return err }
	for _, tt := range []struct {
		name   string
		phases []func(*Exchange) error // the last one is wrong
	}{
		{"a body first", []func(*Exchange) error{body}},
		{"a response first", []func(*Exchange) error{piece}},
		{"headers twice", []func(*Exchange) error{headers, headers}},
		{"a body twice", []func(*Exchange) error{headers, body, body}},
		{"headers after the response began", []func(*Exchange) error{headers, body, piece, headers}},
		{"a response after its end", []func(*Exchange) error{headers, body, last, piece}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := w.Begin()
			for i, phase := range tt.phases {
				if err := phase(x); (i == len(tt.phases)-1) != errors.Is(err, ErrOrder) {
					t.Fatalf("phase %d: %v", i, err)
				}
			}
			x.End(StreamEnded)
			if open := w.books.Stats().Open; open != 0 {
				t.Errorf("%d reservations left open", open)
			}
		})
	}
}

func TestTheProxysOwnAnswerToAnUndecidedRequestIsNotRead(t *testing.T) {
	w := newWorld(t, limited)
	x := w.Begin()
	_, err := x.RequestHeaders(chat("").incoming())
	must(t, err)
	x.ResponseStatus(Status{Code: 413, Details: "request_payload_too_large"})
	for _, last := range []bool{false, true} {
		if p, err := x.ResponseBody([]byte("too large"), last); err != nil || p.Edited || p.Metadata != nil {
			t.Errorf("got %v, %v", p, err)
		}
	}
	x.End(StreamEnded)
	if n := len(w.entries(t)); n != 0 {
		t.Errorf("%d entries, want none", n)
	}
}
