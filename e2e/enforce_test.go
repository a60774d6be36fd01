package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// enforcing moves each call where its feature says.
const enforcing = `
version: 1
mode: enforce
providers:
  openai: {}
  anthropic: {}
  google: {}
  second: {vendor: openai, hosts: [second.test], credential: file:DIR/second.key}
dimensions:
  feature: [header:x-farebox-feature]
tiers:
  longer: [openai/gpt-4.1-nano]
  shorter: [openai/o3]
  reasoning: [openai/gpt-6-luna]
  small: [anthropic/claude-haiku-4-5, google/gemini-2.5-flash-lite]
  elsewhere: [second/gpt-4o-mini]
rules:
  - {when: {feature: longer}, tier: longer, name: to a longer name}
  - {when: {feature: shorter}, tier: shorter}
  - {when: {feature: reasoning}, tier: reasoning}
  - {when: {feature: small}, tier: small}
  - {when: {feature: elsewhere}, tier: elsewhere}
  - {when: {feature: brief}, max_output: 5 tokens}
`

func newEnforcing(t *testing.T, r release) *stack {
	t.Helper()
	// The key has to be there before farebox is.
	key := filepath.Join(t.TempDir(), "second.key")
	if err := os.WriteFile(key, []byte("sk-second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return newStack(t, setup{envoy: r, policy: strings.ReplaceAll(enforcing, "DIR/second.key", key), routes: []string{"second"}})
}

// rewrite is a call and what the provider receives of it.
type rewrite struct {
	name     string
	feature  string
	call     call
	path     string // at the provider; "" is the call's own
	body     string // at the provider; "" is the call's own
	decision string // in the headers of the answer
	model    string
}

var rewrites = []rewrite{
	{
		name: "a longer name", feature: "longer", decision: "tier", model: "gpt-4.1-nano",
		call: chat(`{"stream" : false, "model": "gpt-4o" ,"messages":[{"role":"user","content":"model \"gpt-4o\""}], "seed":1.50e1}`),
		body: `{"stream" : false, "model": "gpt-4.1-nano" ,"messages":[{"role":"user","content":"model \"gpt-4o\""}], "seed":1.50e1}`,
	},
	{
		name: "a shorter name", feature: "shorter", decision: "tier", model: "o3",
		call: chat(`{"messages":[{"role":"user","content":"Hi"}],"model":"gpt-4.1-mini"}`),
		body: `{"messages":[{"role":"user","content":"Hi"}],"model":"o3"}`,
	},
	{
		name: "a stream", feature: "longer", decision: "tier", model: "gpt-4.1-nano",
		call: chat(askStream("gpt-4o", "Hi")), body: askStream("gpt-4.1-nano", "Hi"),
	},
	{
		name: "the old output cap becomes the new one", feature: "reasoning", decision: "tier", model: "gpt-6-luna",
		call: chat(`{"model":"gpt-4o","max_tokens": 300,"messages":[{"role":"user","content":"Hi"}]}`),
		body: `{"model":"gpt-6-luna","max_completion_tokens": 300,"messages":[{"role":"user","content":"Hi"}]}`,
	},
	{
		name: "responses", feature: "longer", decision: "tier", model: "gpt-4.1-nano",
		call: responses(`{"model":"gpt-4o","input":"Hi","store":false}`), body: `{"model":"gpt-4.1-nano","input":"Hi","store":false}`,
	},
	{
		name: "messages", feature: "small", decision: "tier", model: "claude-haiku-4-5",
		call: messages(`{"model":"claude-opus-4-6","max_tokens":50,"messages":[{"role":"user","content":"Hi"}]}`),
		body: `{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":"Hi"}]}`,
	},
	{
		name: "Gemini, in the path", feature: "small", decision: "tier", model: "gemini-2.5-flash-lite",
		call: gemini("gemini-2.5-pro", `{"contents":[{"parts":[{"text":"Hi"}]}]}`), path: "/v1beta/models/gemini-2.5-flash-lite:generateContent",
	},
	{
		name: "a Gemini stream, in the path", feature: "small", decision: "tier", model: "gemini-2.5-flash-lite",
		call: geminiStream("gemini-2.5-pro", `{"contents":[{"parts":[{"text":"Hi"}]}]}`),
		path: "/v1beta/models/gemini-2.5-flash-lite:streamGenerateContent?alt=sse",
	},
	{
		name: "an output cap where there is none", feature: "brief", decision: "asked", model: "gpt-4o",
		call: chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}`),
		body: `{"max_tokens":5,"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}`,
	},
	{
		name: "an output cap in place of a larger one", feature: "brief", decision: "asked", model: "gpt-4o",
		call: chat(`{"model":"gpt-4o","max_tokens":2000,"messages":[{"role":"user","content":"Hi"}]}`),
		body: `{"model":"gpt-4o","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}`,
	},
	{
		name: "a smaller output cap stays", feature: "brief", decision: "asked", model: "gpt-4o",
		call: chat(`{"model":"gpt-4o","max_tokens":3,"messages":[{"role":"user","content":"Hi"}]}`),
	},
	{
		name: "no rule, no edit", decision: "asked", model: "gpt-4o",
		call: chat("{ \"messages\" :[{\"role\":\"user\",\"content\":\"\\u0048i\"}] ,\t\"model\":\"gpt-4o\"}\r\n"),
	},
	{
		name: "a temperature that the target rejects", feature: "reasoning", decision: "asked", model: "gpt-4o",
		call: chat(`{"model":"gpt-4o","temperature":0.3,"messages":[{"role":"user","content":"Hi"}]}`),
	},
	{
		name: "an output cap that the target rejects", feature: "longer", decision: "asked", model: "gpt-5",
		call: chat(`{"model":"gpt-5","max_completion_tokens":100000,"messages":[{"role":"user","content":"Hi"}]}`),
	},
	{
		name: "an effort that the target does not know", feature: "longer", decision: "asked", model: "gpt-5",
		call: chat(`{"model":"gpt-5","reasoning_effort":"low","messages":[{"role":"user","content":"Hi"}]}`),
	},
	{
		name: "a cap below the target's minimum is not written", feature: "brief", decision: "asked", model: "gpt-4o",
		call: responses(`{"model":"gpt-4o","input":"Hi","max_output_tokens":16}`),
	},
}

func TestRewritesKeepEveryOtherByte(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newEnforcing(t, r)
		for i, tt := range rewrites {
			t.Run(tt.name, func(t *testing.T) {
				a := s.ok(t, tt.call.with("x-farebox-feature", tt.feature))
				got := s.provider.last(t)
				want := cmp.Or(tt.body, string(tt.call.body))
				if diff := gocmp.Diff(want, string(got.Body)); diff != "" {
					t.Errorf("body at the provider (-want +got):\n%s", diff)
				}
				if n := strconv.Itoa(len(got.Body)); got.Headers["content-length"] != n {
					t.Errorf("content-length %q at the provider, want %s", got.Headers["content-length"], n)
				}
				if path := cmp.Or(tt.path, tt.call.path); got.Path != path {
					t.Errorf("path %q at the provider, want %q", got.Path, path)
				}
				wantDecision(t, a, tt.decision, tt.model)
				sum, total := s.settled(t, int64(i+1)), s.provider.total(t)
				if sum.Cost != total.CostNanos || sum.Estimated != 0 {
					t.Errorf("ledger %s USD, %d estimated; invoice %s USD", sum.Cost, sum.Estimated, total.CostNanos)
				}
			})
		}
		s.quiet(t)
	})
}

func wantDecision(t *testing.T, a answer, decision, model string) {
	t.Helper()
	if got := a.header.Get("x-farebox-decision"); got != decision {
		t.Errorf("x-farebox-decision %q, want %q", got, decision)
	}
	if got := a.header.Get("x-farebox-model"); got != model {
		t.Errorf("x-farebox-model %q, want %q", got, model)
	}
}

func TestADecisionShowsInTheAnswerAndInTheAccessLog(t *testing.T) {
	s := newEnforcing(t, pinned)
	a := s.ok(t, chat(ask("gpt-4o", "Hi")).with("x-farebox-feature", "longer"))
	if got := a.header.Get("x-farebox-rule"); got != "to a longer name" {
		t.Errorf("x-farebox-rule %q, want the rule's name", got)
	}
	line := s.logged(t, 1)[0]
	cost := s.provider.total(t).CostNanos.String()
	got := fmt.Sprint(line["route"], line["decision"], line["rule"], line["tier"], line["requested_model"], line["model"], line["cost_usd"], line["details"])
	want := fmt.Sprint("openai", "tier", "to a longer name", "longer", "gpt-4o", "gpt-4.1-nano", cost, "via_upstream")
	if got != want {
		t.Errorf("access log %v\ngot  %s\nwant %s", line, got, want)
	}
}

func TestASavingIsWhatTheModelAskedForWouldHaveCost(t *testing.T) {
	s := newEnforcing(t, pinned)
	a := s.ok(t, chat(ask("gpt-4o", "Hi")).with("x-farebox-feature", "longer"))
	var body struct {
		Usage struct {
			In  nanos `json:"prompt_tokens"`
			Out nanos `json:"completion_tokens"`
		}
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Fatal(err)
	}
	sum := s.settled(t, 1)
	// gpt-4o is 2.50 and 10 USD per million tokens.
	if want := body.Usage.In*2500 + body.Usage.Out*10_000; sum.Baseline != want {
		t.Errorf("baseline %s USD, want %s", sum.Baseline, want)
	}
	if sum.lever("tier") != sum.Baseline-sum.Cost || sum.Saved != sum.Baseline-sum.Cost {
		t.Errorf("saved %s USD, of it by tier %s, want %s", sum.Saved, sum.lever("tier"), sum.Baseline-sum.Cost)
	}
}

// conversation is a second turn that leans on the first.
type conversation struct {
	name  string
	first call
	next  func(t *testing.T, first answer) call
}

var conversations = []conversation{
	{
		name: "a stored response", first: responses(`{"model":"gpt-5","input":"Hi"}`),
		next: func(t *testing.T, first answer) call {
			return responses(fmt.Sprintf(`{"model":"gpt-5","input":"Go on","previous_response_id":%s}`, field(t, first, "id")))
		},
	},
	{
		name:  "encrypted reasoning",
		first: responses(`{"model":"gpt-5","input":"Hi [[reasoning=50]]","store":false,"include":["reasoning.encrypted_content"]}`),
		next: func(t *testing.T, first answer) call {
			return responses(fmt.Sprintf(`{"model":"gpt-5","store":false,"input":%s}`, strings.TrimSuffix(field(t, first, "output"), "]")+`,{"role":"user","content":"Go on"}]`))
		},
	},
	{
		name: "signed thinking", first: messages(thinking(`{"role":"user","content":"Hi [[reasoning=50]]"}`)),
		next: func(t *testing.T, first answer) call {
			return messages(thinking(fmt.Sprintf(`{"role":"user","content":"Hi"},{"role":"assistant","content":%s},{"role":"user","content":"Go on"}`, field(t, first, "content"))))
		},
	},
	{
		name: "open tool results of messages", first: messages(tooled(`{"role":"user","content":"[[tool]]"}`)),
		next: func(t *testing.T, first answer) call {
			var blocks []struct{ ID string }
			decode(t, field(t, first, "content"), &blocks)
			return messages(tooled(fmt.Sprintf(`{"role":"user","content":"[[tool]]"},{"role":"assistant","content":%s},{"role":"user","content":[{"type":"tool_result","tool_use_id":%q,"content":"42"}]}`,
				field(t, first, "content"), blocks[len(blocks)-1].ID)))
		},
	},
	{
		name: "open tool results of chat", first: chat(chatTooled(`{"role":"user","content":"[[tool]]"}`)),
		next: func(t *testing.T, first answer) call {
			var choices []struct {
				Message struct {
					ToolCalls []struct{ ID string } `json:"tool_calls"`
				}
			}
			raw := field(t, first, "choices")
			decode(t, raw, &choices)
			var messages []struct{ Message json.RawMessage }
			decode(t, raw, &messages)
			return chat(chatTooled(fmt.Sprintf(`{"role":"user","content":"[[tool]]"},%s,{"role":"tool","tool_call_id":%q,"content":"42"}`,
				messages[0].Message, choices[0].Message.ToolCalls[0].ID)))
		},
	},
}

func thinking(list string) string {
	return fmt.Sprintf(`{"model":"claude-sonnet-4-6","max_tokens":3000,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[%s]}`, list)
}

func tooled(list string) string {
	return fmt.Sprintf(`{"model":"claude-sonnet-4-6","max_tokens":300,"tools":[{"name":"find","input_schema":{"type":"object"}}],"messages":[%s]}`, list)
}

func chatTooled(list string) string {
	return fmt.Sprintf(`{"model":"gpt-4o","tools":[{"type":"function","function":{"name":"find","parameters":{"type":"object"}}}],"messages":[%s]}`, list)
}

// field is a member of a JSON answer, as it was spelled.
func field(t *testing.T, a answer, name string) string {
	t.Helper()
	var body map[string]json.RawMessage
	decode(t, string(a.body), &body)
	return string(body[name])
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// secondFeature is a rule that would move the second turn to a model of another family.
var secondFeature = map[bool]string{true: "small", false: "shorter"}

func TestWhatLeansOnTheProviderStaysWithTheModel(t *testing.T) {
	s := newEnforcing(t, pinned)
	for _, tt := range conversations {
		t.Run(tt.name, func(t *testing.T) {
			next := tt.next(t, s.ok(t, tt.first))
			a := s.ok(t, next.with("x-farebox-feature", secondFeature[next.path == "/v1/messages"]))
			if diff := gocmp.Diff(string(next.body), string(s.provider.last(t).Body)); diff != "" {
				t.Errorf("body at the provider (-want +got):\n%s", diff)
			}
			if got := a.header.Get("x-farebox-decision"); got != "asked" {
				t.Errorf("x-farebox-decision %q, want asked", got)
			}
		})
	}
}

func TestForgedHeadersDoNotSteerAndDoNotTravel(t *testing.T) {
	s := newEnforcing(t, pinned)
	c := chat(ask("gpt-4o", "Hi")).with("x-farebox-feature", "unheard of")
	for _, name := range []string{"route", "decision", "model", "rule", "tier", "cache", "cost", "id", "anything"} {
		c = c.with("x-farebox-"+name, "second")
	}
	a := s.ok(t, c)
	wantDecision(t, a, "asked", "gpt-4o")
	if got := a.header.Get("x-farebox-rule"); got != "" {
		t.Errorf("x-farebox-rule %q, want none", got)
	}
	for name, value := range s.provider.last(t).Headers {
		// The label is the policy's own.
		if strings.HasPrefix(name, "x-farebox-") && name != "x-farebox-feature" {
			t.Errorf("the provider was told %s: %s", name, value)
		}
	}
	if got := s.logged(t, 1)[0]["route"]; got != "openai" {
		t.Errorf("route %v, want openai", got)
	}
}

func TestCredentialsDoNotTravel(t *testing.T) {
	s := newEnforcing(t, pinned)
	c := chat(ask("gpt-4o", "Hi")).with("openai-organization", "org-1").with("cookie", "a=b").with("api-key", "k").with("x-farebox-feature", "elsewhere")
	a := s.ok(t, c)
	wantDecision(t, a, "tier", "gpt-4o-mini")
	got := s.provider.last(t)
	if got.Headers["authorization"] != "Bearer sk-second" {
		t.Errorf("authorization %q at the provider, want the one of the file", got.Headers["authorization"])
	}
	for _, name := range []string{"openai-organization", "cookie", "api-key"} {
		if v, ok := got.Headers[name]; ok {
			t.Errorf("the caller's %s: %s travelled", name, v)
		}
	}
	if line := s.logged(t, 1)[0]; line["upstream"] != "second" {
		t.Errorf("the call went to %v, want second", line["upstream"])
	}
	own := s.ok(t, chat(ask("gpt-4o", "Hi")).with("openai-organization", "org-1"))
	wantDecision(t, own, "asked", "gpt-4o")
	if got := s.provider.last(t); got.Headers["authorization"] != "Bearer sk-caller" || got.Headers["openai-organization"] != "org-1" {
		t.Errorf("a call that stays lost its credential: %v", got.Headers)
	}
}

func TestEnforceCarriesTheTrafficOfRealClients(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newEnforcing(t, r)
		for _, tt := range append(sdkTraffic(), agentTraffic()...) {
			t.Run(tt.name, func(t *testing.T) {
				a := s.send(t, tt.call)
				if a.status != http.StatusOK || a.err != nil {
					t.Fatalf("status %d, %v: %s", a.status, a.err, a.body)
				}
				if tt.call.path == "/" {
					return // answered by farebox: see TestAProbeOfTheRootIsAnswered
				}
				got := s.provider.last(t)
				if diff := gocmp.Diff(string(tt.call.body), string(got.Body)); diff != "" {
					t.Errorf("body at the provider (-want +got):\n%s", diff)
				}
				if enc := got.Headers["accept-encoding"]; enc != "identity" && tt.call.method == "POST" && !strings.Contains(tt.call.path, "count_tokens") {
					t.Errorf("accept-encoding %q at the provider, want identity", enc)
				}
			})
		}
		if sum, total := s.settled(t, s.provider.total(t).Calls), s.provider.total(t); sum.Cost != total.CostNanos {
			t.Errorf("ledger %s USD, invoice %s USD", sum.Cost, total.CostNanos)
		}
		s.quiet(t)
	})
}

func TestPassiveMeteringPinsNoEncoding(t *testing.T) {
	s := newStack(t, setup{policy: "version: 1\nmode: enforce\nmetering: passive\n"})
	a := s.ok(t, chat(ask("gpt-4o", "Hi")).with("accept-encoding", "gzip").with("x-test-gzip", "1"))
	if got := a.header.Get("content-encoding"); got != "gzip" {
		t.Errorf("content-encoding %q, want gzip", got)
	}
	if sum, total := s.settled(t, 1), s.provider.total(t); sum.Cost != total.CostNanos || sum.Estimated != 0 {
		t.Errorf("ledger %s USD, %d estimated; invoice %s USD", sum.Cost, sum.Estimated, total.CostNanos)
	}
}

func TestAGzipBodyIsSentOnPlain(t *testing.T) {
	s := newEnforcing(t, pinned)
	plain := `{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"max_tokens":20}`
	c := chat("").with("content-encoding", "gzip").with("x-farebox-feature", "longer")
	c.body = zip([]byte(plain))
	s.ok(t, c)
	got := s.provider.last(t)
	if diff := gocmp.Diff(strings.Replace(plain, "gpt-4o", "gpt-4.1-nano", 1), string(got.Body)); diff != "" {
		t.Errorf("body at the provider (-want +got):\n%s", diff)
	}
	if enc, ok := got.Headers["content-encoding"]; ok {
		t.Errorf("content-encoding %q at the provider, want none", enc)
	}
}

// TestAProbeOfTheRootIsAnswered sends what clients send to see whether their base URL is there. Where nothing tells
// whose client it is, no provider is asked.
func TestAProbeOfTheRootIsAnswered(t *testing.T) {
	s := newEnforcing(t, pinned)
	for _, method := range []string{"HEAD", "GET"} {
		probe := call{method: method, path: "/"}
		for _, tt := range []struct {
			name, upstream string
			call           call
		}{
			{"of nobody", "farebox_unrouted", probe},
			{"with Anthropic's key", "anthropic", probe.with("x-api-key", "k")},
			{"with Anthropic's version", "anthropic", probe.with("anthropic-version", "2023-06-01")},
		} {
			t.Run(method+" "+tt.name, func(t *testing.T) {
				s.provider.reset(t)
				if a := s.send(t, tt.call); a.status != http.StatusOK {
					t.Errorf("status %d, want 200", a.status)
				}
				s.lines++
				upstream, _ := s.logged(t, s.lines)[s.lines-1]["upstream"].(string)
				if asked := len(s.provider.requests(t)) > 0; upstream != tt.upstream || asked != (tt.upstream == "anthropic") {
					t.Errorf("upstream %q, provider asked: %t; want upstream %q", upstream, asked, tt.upstream)
				}
			})
		}
	}
}

// TestWhatIsNoCallPasses sends what clients send besides calls. Where the host is not a vendor's own, the path tells
// whose it is.
func TestWhatIsNoCallPasses(t *testing.T) {
	s := newEnforcing(t, pinned)
	twin := startVendor(t, "twin")
	count := `{"model":"claude-sonnet-5","messages":[{"role":"user","content":"Hello"}]}`
	for _, tt := range []traffic{
		{"a probe of the root", call{method: "HEAD", path: "/", host: "api.anthropic.com"}},
		{"a token count", post("/v1/messages/count_tokens", count, "x-api-key", "k", "anthropic-version", "2023-06-01")},
		{"a token count of Google", post("/v1beta/models/gemini-2.5-flash:countTokens", `{"contents":[{"parts":[{"text":"Hi"}]}]}`, "x-goog-api-key", "k")},
		{"models", call{method: "GET", path: "/v1/models"}.with("authorization", "Bearer sk-caller")},
		{"models of Anthropic", call{method: "GET", path: "/v1/models"}.with("x-api-key", "k").with("anthropic-version", "2023-06-01")},
		{"models of Google", call{method: "GET", path: "/v1beta/models"}.with("x-goog-api-key", "k")},
		{"embeddings", post("/v1/embeddings", `{"model":"text-embedding-3-small","input":"Hello","dimensions":8}`, "authorization", "Bearer sk-caller")},
		{"an endpoint that nobody knows", func() call {
			c := post("/unheard/of?a=%20b", "\x00\xff", "authorization", "Bearer sk-caller")
			c.host = "api.openai.com"
			return c
		}()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, got := sendTo(t, twin.url, tt.call), s.send(t, tt.call)
			if got.status != want.status || string(got.body) != string(want.body) {
				t.Fatalf("status %d: %s\nwithout farebox %d: %s", got.status, got.body, want.status, want.body)
			}
			if diff := gocmp.Diff(string(tt.call.body), string(s.provider.last(t).Body)); diff != "" {
				t.Errorf("body at the provider (-want +got):\n%s", diff)
			}
		})
	}
}
