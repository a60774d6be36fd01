package exchange

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// moving sends each feature's calls somewhere else.
const moving = `mode: enforce
providers:
  openai: {}
  anthropic: {}
  google: {}
  second: {vendor: openai, hosts: [second.test], credential: "file:DIR/second.key"}
  claude: {vendor: anthropic, hosts: [claude.test], credential: "file:DIR/second.key"}
dimensions:
  feature: [header:x-farebox-feature]
pools:
  gpu: {endpoints: [http://127.0.0.1:8000], cost: $2 per gpu-hour, gpus: 1, throughput: 2500 tokens per second, use: always}
tiers:
  small: [openai/gpt-4.1-nano, anthropic/claude-haiku-4-5, google/gemini-2.5-flash-lite]
  second: [second/gpt-4o-mini]
  claude: [claude/claude-haiku-4-5]
  own: [gpu/llama]
rules:
  - {when: {feature: small}, tier: small}
  - {when: {feature: second}, tier: second}
  - {when: {feature: claude}, tier: claude}
  - {when: {feature: own}, tier: own}
  - {when: {feature: brief}, max_output: 5 tokens}
`

func feature(name string) Header { return Header{"x-farebox-feature", name} }

func TestEdits(t *testing.T) {
	for _, tt := range []struct {
		name     string
		call     call
		body     string // "" is untouched
		path     string // "" is untouched
		decision string
		route    string
		model    string
	}{
		{
			name: "no rule, no edit", call: chat(" {\"model\" :\"gpt-4o\",\"messages\":[]}\r\n"),
			decision: "asked", route: "openai", model: "gpt-4o",
		},
		{
			name: "another model", call: chat(ask, feature("small")), body: strings.Replace(ask, "gpt-4o", "gpt-4.1-nano", 1),
			decision: "tier", route: "openai", model: "gpt-4.1-nano",
		},
		{
			name: "a cap", call: chat(ask, feature("brief")), body: strings.Replace(ask, ":100", ":5", 1),
			decision: "asked", route: "openai", model: "gpt-4o",
		},
		{
			name:     "a model in the path",
			call:     call{path: "/v1beta/models/gemini-2.5-pro:generateContent?key=k&alt=json", body: `{"contents":[]}`, headers: []Header{feature("small")}},
			path:     "/v1beta/models/gemini-2.5-flash-lite:generateContent?key=k&alt=json",
			decision: "tier", route: "google", model: "gemini-2.5-flash-lite",
		},
		{
			name: "an own pool", call: chat(ask, feature("own")), body: strings.Replace(ask, "gpt-4o", "llama", 1),
			decision: "pool", route: "gpu", model: "llama",
		},
		{
			name:     "a path of another host",
			call:     call{path: "/openai/v1/chat/completions?a=1&%6bey=k", host: "api.groq.com", body: ask, headers: []Header{feature("own")}},
			body:     strings.Replace(ask, "gpt-4o", "llama", 1),
			path:     "/v1/chat/completions?a=1",
			decision: "pool", route: "gpu", model: "llama",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, moving)
			_, reply := w.send(t, tt.call)
			if reply.Answer != nil {
				t.Fatalf("answered: %s", reply.Answer.Body)
			}
			if diff := cmp.Diff(tt.body, string(reply.Body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			set := fields(reply.Set)
			if set[":path"] != tt.path || set["accept-encoding"] != "identity" {
				t.Errorf("headers set: %v, want path %q", set, tt.path)
			}
			m := fields(reply.Metadata)
			if got, want := m["decision"]+" "+m["route"]+" "+m["model"], tt.decision+" "+tt.route+" "+tt.model; got != want {
				t.Errorf("decided %q, want %q", got, want)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	account := []Header{
		{"authorization", "Bearer sk-caller"}, {"cookie", "a=b"}, {"x-api-key", "k"}, {"api-key", "k"}, {"x-goog-api-key", "k"},
		{"openai-organization", "org"}, {"openai-beta", "b"}, {"anthropic-version", "2023-06-01"}, {"anthropic-beta", "b"},
		{"x-goog-user-project", "p"}, {"user-agent", "u"},
	}
	for _, tt := range []struct {
		name    string
		call    call
		removed []string
		set     Header // of the credential
	}{
		{"a call that stays", chat(ask), nil, Header{}},
		{
			"another provider of the vendor", chat(ask, feature("second")),
			[]string{"anthropic-beta", "anthropic-version", "api-key", "cookie", "openai-organization", "x-api-key", "x-goog-api-key", "x-goog-user-project"},
			Header{"authorization", "Bearer sk-second"},
		},
		{
			"a provider with a key of its own", call{host: "second.test", body: ask},
			[]string{"api-key", "cookie", "openai-organization", "x-api-key", "x-goog-api-key"}, Header{"authorization", "Bearer sk-second"},
		},
		{
			"messages to another provider", call{
				path: "/v1/messages", headers: []Header{feature("claude")},
				body: `{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`,
			},
			[]string{"api-key", "authorization", "cookie", "openai-beta", "openai-organization", "x-goog-api-key", "x-goog-user-project"},
			Header{"x-api-key", "sk-second"},
		},
		{
			"an own pool", chat(ask, feature("own")),
			[]string{
				"anthropic-beta", "anthropic-version", "api-key", "authorization", "cookie", "openai-beta", "openai-organization",
				"x-api-key", "x-goog-api-key", "x-goog-user-project",
			}, Header{},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.call.headers = append(slices.Clone(account), tt.call.headers...)
			_, reply := newWorld(t, moving).send(t, tt.call)
			slices.Sort(reply.Remove)
			// x-farebox-feature is a label of the policy's and stays.
			if diff := cmp.Diff(tt.removed, reply.Remove); diff != "" {
				t.Errorf("removed (-want +got):\n%s", diff)
			}
			if got := fields(reply.Set)[tt.set.Name]; got != tt.set.Value {
				t.Errorf("%s is %q, want %q", tt.set.Name, got, tt.set.Value)
			}
		})
	}
}

func TestGzipBodies(t *testing.T) {
	gzipped := Header{"content-encoding", "GZIP"}
	plain := ask + strings.Repeat(" ", 900_000)
	for _, tt := range []struct {
		name   string
		body   string
		status int // 0: it leaves as plain
		plain  string
	}{
		{"a call", zip(ask), 0, ask},
		{"a small body that shrinks a lot", zip(plain), 0, plain},
		{"two members", zip(ask[:20]) + zip(ask[20:]), 0, ask},
		{"a bomb", zip(strings.Repeat(" ", 10<<20)), 413, ""},
		{"plain", ask, 400, ""},
		{"damaged", zip(ask)[:40], 400, ""},
		{"bytes behind it", zip(ask) + "x", 400, ""},
		{"nothing in it", zip(""), 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "mode: enforce\n")
			_, reply := w.send(t, chat(tt.body, gzipped))
			if tt.status == 0 {
				if reply.Answer != nil || string(reply.Body) != tt.plain || !slices.Contains(reply.Remove, "content-encoding") {
					t.Errorf("answer %+v, %d bytes, removed %v", reply.Answer, len(reply.Body), reply.Remove)
				}
				return
			}
			if a := reply.Answer; a == nil || a.Status != tt.status || !json.Valid(a.Body) {
				t.Errorf("got %+v, want status %d", a, tt.status)
			}
			if n := len(w.entries(t)); n != 0 {
				t.Errorf("%d entries, want none", n)
			}
		})
	}
}

func TestTheBodyIsNotKept(t *testing.T) {
	w := newWorld(t, moving+"caches:\n  exact: {ttl: 1h, per: all}\n")
	body := []byte(ask)
	x := w.Begin()
	_, err := x.RequestHeaders(chat("", feature("small")).incoming())
	must(t, err)
	reply, err := x.RequestBody(body)
	must(t, err)
	want := bytes.Clone(reply.Body)
	for i := range body {
		body[i] = '#' // a transport uses its buffers again
	}
	x.ResponseStatus(Status{Code: 200, Details: "via_upstream"})
	_, err = x.ResponseBody([]byte(said), true)
	must(t, err)
	if e := w.entry(t); e.Asked != "gpt-4o" || e.Model != "gpt-4.1-nano" || !bytes.Equal(reply.Body, want) {
		t.Errorf("entry %+v, body %s", e, reply.Body)
	}
	if x.call.Prefix.Bytes != 0 || x.in.Headers != nil {
		t.Error("the request is still there")
	}
}

func TestMetadataOfAClientsTextIsSafe(t *testing.T) {
	w := newWorld(t, "mode: enforce\n")
	long := strings.Repeat("m", 100_000)
	for model, want := range map[string]string{`a\r\nset-cookie: b`: "a??set-cookie: b", "\u00e9": "??", long: long[:maxLabel]} {
		x, reply := w.send(t, chat(`{"model":"`+model+`","messages":[],"max_tokens":1}`))
		if reply.Answer != nil {
			t.Fatalf("answered: %s", reply.Answer.Body)
		}
		if got := fields(reply.Metadata)["requested_model"]; got != want {
			t.Errorf("requested_model %q, want %q", got, want)
		}
		x.End(StreamEnded)
	}
	for _, e := range w.entries(t) {
		if len(e.Asked) > maxLabel || e.Outcome != "cancelled" {
			t.Errorf("entry of a model of %d bytes, outcome %s", len(e.Asked), e.Outcome)
		}
	}
}
