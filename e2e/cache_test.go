package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const cachingPolicy = `
version: 1
mode: enforce
dimensions:
  team: {from: [header:x-team], trusted: true}
  label: [header:x-label]
caches:
  exact: {ttl: 1h, per: team, temperature: up to 1}
`

// cacheable are calls that may be answered from the cache, in every form.
func cacheable() []traffic {
	return []traffic{
		{"chat", chat(ask("gpt-4o", "What is a fare box?"))},
		{"chat that streams", chat(askStream("gpt-4o", "What is a fare box?"))},
		{"chat at the highest temperature", chat(`{"model":"gpt-4o","temperature":1.0,"messages":[{"role":"user","content":"Hi"}]}`)},
		{"responses that are not stored", responses(`{"model":"gpt-5","input":"Hi","store":false}`)},
		{"responses that stream", responses(`{"model":"gpt-5","input":"Hi","store":false,"stream":true}`)},
		{"messages", messages(`{"model":"claude-sonnet-5","max_tokens":300,"messages":[{"role":"user","content":"Hi"}]}`)},
		{"messages that stream", messages(`{"model":"claude-sonnet-5","max_tokens":300,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`)},
		{"Gemini", gemini("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"Hi"}]}]}`)},
		{"Gemini that streams", geminiStream("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"Hi"}]}]}`)},
	}
}

func TestAHitIsTheFirstAnswerByteForByte(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: cachingPolicy})
		for _, tt := range cacheable() {
			t.Run(tt.name, func(t *testing.T) {
				before, spent := s.provider.total(t), s.summary(t)
				c := tt.call.with("x-team", "search")
				first, second := s.ok(t, c), s.ok(t, c)
				if diff := cmp.Diff(string(first.body), string(second.body)); diff != "" {
					t.Errorf("answers (-first +second):\n%s", diff)
				}
				wantHit(t, first, false)
				wantHit(t, second, true)
				kind, _, _ := strings.Cut(first.header.Get("content-type"), ";")
				if got, _, _ := strings.Cut(second.header.Get("content-type"), ";"); got != kind {
					t.Errorf("content-type %q, the first answer's is %q", got, kind)
				}
				after := s.provider.total(t)
				if n := after.Calls - before.Calls; n != 1 {
					t.Errorf("the provider served %d calls, want 1", n)
				}
				sum := s.settled(t, spent.Calls+2)
				cost := after.CostNanos - before.CostNanos
				if got := sum.Cost - spent.Cost; got != cost {
					t.Errorf("ledger %s USD, invoice %s USD", got, cost)
				}
				if got := sum.lever("exact_cache") - spent.lever("exact_cache"); got != cost {
					t.Errorf("the cache saved %s USD, want %s", got, cost)
				}
			})
		}
		s.quiet(t)
	})
}

func wantHit(t *testing.T, a answer, hit bool) {
	t.Helper()
	want := map[bool]string{true: "hit"}[hit]
	if got := a.header.Get("x-farebox-cache"); got != want {
		t.Errorf("x-farebox-cache %q, want %q", got, want)
	}
	if decision := a.header.Get("x-farebox-decision"); (decision == "replay") != hit {
		t.Errorf("x-farebox-decision %q with hit %t", decision, hit)
	}
}

func TestAHitShowsInTheAccessLog(t *testing.T) {
	s := newStack(t, setup{policy: cachingPolicy})
	for range 2 {
		s.ok(t, chat(ask("gpt-4o", "Hi")).with("x-team", "search"))
	}
	line := s.logged(t, 2)[1]
	got := fmt.Sprint(line["cache"], line["decision"], line["details"], line["cost_usd"])
	if want := fmt.Sprint("hit", "replay", "farebox_cache_hit", "0.000000000"); got != want {
		t.Errorf("access log %v: got %s, want %s", line, got, want)
	}
}

func TestWhatIsNotTheSameCallIsNoHit(t *testing.T) {
	s := newStack(t, setup{policy: cachingPolicy})
	base := chat(ask("gpt-4o", "Hi")).with("x-team", "search")
	s.ok(t, base)
	for _, tt := range []traffic{
		{"another team", base.with("x-team", "shop")},
		{"no team", chat(ask("gpt-4o", "Hi"))},
		{"an empty team", base.with("x-team", "")},
		{"another model", chat(ask("gpt-4o-mini", "Hi")).with("x-team", "search")},
		{"another text", chat(ask("gpt-4o", "Hi!")).with("x-team", "search")},
		{"another form", chat(askStream("gpt-4o", "Hi")).with("x-team", "search")},
		{"another query", func() call { c := base; c.path += "?version=2"; return c }()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := s.provider.total(t).Calls
			wantHit(t, s.ok(t, tt.call), false)
			if n := s.provider.total(t).Calls - before; n != 1 {
				t.Errorf("the provider served %d calls, want 1", n)
			}
		})
	}
	wantHit(t, s.ok(t, base), true)
}

func TestALabelDividesNoCache(t *testing.T) {
	dir := tempDir(t)
	s := &stack{dir: dir, policy: dir + "/policy.yaml"}
	s.setPolicy(t, strings.Replace(cachingPolicy, "per: team", "per: label", 1))
	p := start(t, "farebox", bin+"/farebox", "check", s.policy)
	<-p.done
	if p.err == nil || !strings.Contains(p.log.String(), "policy.yaml:8:") {
		t.Errorf("farebox check: %v, want an error at line 8:\n%s", p.err, p.log)
	}
}

// uncacheable are calls whose answers must not be replayed. The fault befalls the first of two.
var uncacheable = []struct {
	name, fault string
	call        call
	status      int // of the first answer
}{
	{name: "a temperature above the limit", call: chat(`{"model":"gpt-4o","temperature":1.5,"messages":[{"role":"user","content":"Hi"}]}`)},
	{name: "an error", fault: "status=500", status: 500, call: chat(ask("gpt-4o", "Error"))},
	{name: "a rate limit", fault: "status=429", status: 429, call: messages(`{"model":"claude-sonnet-5","max_tokens":300,"messages":[{"role":"user","content":"Limit"}]}`)},
	{name: "an answer that its cap cut", call: chat(`{"model":"gpt-4o","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}`)},
	{name: "a stream that its cap cut", call: messages(`{"model":"claude-sonnet-5","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`)},
	{name: "a stream that broke", fault: "cut=4", call: chat(askStream("gpt-4o", "Broken"))},
	{name: "what is not JSON", fault: "garbage", call: chat(ask("gpt-4o", "Garbage"))},
	{name: "no-store", call: chat(ask("gpt-4o", "Secret")).with("cache-control", "no-store")},
	{name: "a stored response", call: responses(`{"model":"gpt-5","input":"Stored"}`)},
	{name: "a tool call", call: chat(chatTooled(`{"role":"user","content":"[[tool]]"}`))},
	{name: "a server tool", call: responses(`{"model":"gpt-5","input":"Search","store":false,"tools":[{"type":"web_search"}]}`)},
}

func TestWhatMustNotBeReplayedIsNot(t *testing.T) {
	s := newStack(t, setup{policy: cachingPolicy})
	for _, tt := range uncacheable {
		t.Run(tt.name, func(t *testing.T) {
			if tt.fault != "" {
				s.provider.fail(t, 1, tt.fault)
			}
			received := len(s.provider.requests(t))
			c := tt.call.with("x-team", "search")
			first := s.send(t, c)
			if tt.status != 0 && first.status != tt.status {
				t.Errorf("status %d, want %d: the test tests nothing", first.status, tt.status)
			}
			second := s.ok(t, c)
			wantHit(t, second, false)
			if n := len(s.provider.requests(t)) - received; n != 2 {
				t.Errorf("the provider received %d calls, want 2", n)
			}
		})
	}
}
