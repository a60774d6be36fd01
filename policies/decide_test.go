package policies

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

var testNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// listing prices a model at input and output dollars per million tokens.
func listing(vendor pricing.ProviderName, model pricing.ModelName, input, output int64) pricing.Listing {
	in, out := pricing.Rate(input)*1e9, pricing.Rate(output)*1e9
	return pricing.Listing{
		Provider: vendor, Model: model,
		Price:  pricing.Price{Rates: pricing.Rates{Input: in, CacheRead: in / 10, CacheWriteShort: in * 5 / 4, CacheWriteLong: in * 2, Output: out}},
		Limits: pricing.Limits{Context: 200_000, MaxOutput: 1000, CacheMinimum: 512}, Source: "test", AsOf: "2026-11-22",
	}
}

// testPrices knows a dear and a cheap model of two vendors.
var testPrices = pricing.NewTable([]pricing.Listing{
	listing(provider.OpenAI, "gpt-6-sol", 2, 10), listing(provider.OpenAI, "gpt-6-luna", 1, 5),
	listing(provider.Anthropic, "claude-opus-5-5", 4, 20), listing(provider.Anthropic, "claude-haiku-5-5", 1, 5),
})

// testPolicy has a rule for each tier, chosen by the header x-tier.
func testPolicy() Policy {
	p := Policy{
		Mode: Enforce,
		Providers: []Provider{
			{Name: "openai", Hosts: []string{"api.openai.com"}, Credential: Credential{Caller: true}},
			{Name: "anthropic", Hosts: []string{"api.anthropic.com"}, Credential: Credential{Caller: true}},
			{Name: "second", Vendor: provider.OpenAI, Hosts: []string{"second.example"}, Credential: Credential{File: "/key"}},
		},
		Pools: []Pool{{Name: "gpu", Endpoints: []string{"http://gpu"}, GPUHour: pricing.Dollar, GPUs: 1, Throughput: 1000, Context: 32_000, Use: WhenCheaper}},
		Tiers: []Tier{
			{Name: "medium", Models: []ModelRef{{"anthropic", "claude-haiku-5-5"}, {"openai", "gpt-6-luna"}}},
			{Name: "routing", Models: []ModelRef{{"gpu", "llama"}, {"openai", "gpt-6-luna"}, {"anthropic", "claude-haiku-5-5"}}},
			{Name: "moved", Models: []ModelRef{{"second", "gpt-6-luna"}}},
			{Name: "elsewhere", Models: []ModelRef{{"anthropic", "claude-haiku-5-5"}}},
		},
		Unknown: UnknownModel{Charge: 30e9, Alert: true},
	}
	for _, t := range p.Tiers {
		p.Rules = append(p.Rules, Rule{
			Name: RuleName("to " + t.Name), Tier: t.Name,
			When: Match{Headers: []Condition{{Key: "x-tier", Values: []string{string(t.Name)}}}},
		})
	}
	p.Rules = append(p.Rules, Rule{
		Name: "short", MaxOutput: 10, When: Match{Headers: []Condition{{Key: "x-tier", Values: []string{"short"}}}},
	})
	return p
}

func mustCompile(t testing.TB, p Policy) *Set {
	t.Helper()
	s, err := Compile(p, testPrices)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// request reads a body that came to path with the header x-tier.
func request(t testing.TB, s *Set, path, tier, body string) Request {
	t.Helper()
	endpoint := provider.ParsePath(path)
	call, err := provider.ParseRequest(endpoint, path, []byte(body))
	if err != nil {
		t.Fatalf("parse %s: %v", body, err)
	}
	r := Request{Call: &call, Path: path, Header: func(name string) string {
		return map[string]string{"x-tier": tier}[name]
	}}
	r.Route, r.Vendor = s.Identify("127.0.0.1:10000", path, endpoint.API, nil)
	return r
}

// state answers what it holds.
type state struct {
	NoState
	cheaper, seen bool
}

func (s state) Cheaper(RouteName) bool                                        { return s.cheaper }
func (s state) PrefixSeen(RouteName, pricing.ModelName, provider.Prefix) bool { return s.seen }

const (
	chat     = "/v1/chat/completions"
	messages = "/v1/messages"
)

// describe prints the options of a decision.
func describe(d Decision) string {
	var parts []string
	for _, o := range d.Options() {
		if o.Kind == Refuse {
			parts = append(parts, "refuse "+o.Refusal.String())
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %s/%s", o.Kind, o.Route, o.Model))
	}
	if d.Kept != "" {
		parts = append(parts, "("+d.Kept+")")
	}
	return strings.Join(parts, ", ")
}

func TestDecideServesTheFirstModelThatTakesTheCall(t *testing.T) {
	const opus = `{"model":"claude-opus-5-5","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`
	const sol = `{"model":"gpt-6-sol","max_completion_tokens":100,"messages":[{"role":"user","content":"hi"}]}`
	for _, tt := range []struct {
		name, path, tier, body string
		state                  state
		want                   string
	}{
		{"no rule matches", chat, "", sol, state{}, "asked openai/gpt-6-sol, refuse budget"},
		{"the tier's model of the caller's API", chat, "medium", sol, state{}, "tier openai/gpt-6-luna, refuse budget"},
		{"the tier's first model where it fits", messages, "medium", opus, state{}, "tier anthropic/claude-haiku-5-5, refuse budget"},
		{"a pool that is dearer is passed over", chat, "routing", sol, state{}, "tier openai/gpt-6-luna, refuse budget"},
		{"a pool that is cheaper", chat, "routing", sol, state{cheaper: true}, "pool gpu/llama, refuse budget"},
		{"a pool does not speak Anthropic", messages, "routing", opus, state{cheaper: true}, "tier anthropic/claude-haiku-5-5, refuse budget"},
		{"another provider with a key of ours", chat, "moved", sol, state{}, "tier second/gpt-6-luna, refuse budget"},
		{
			"a tier without a model for the call", chat, "elsewhere", sol, state{},
			"asked openai/gpt-6-sol, refuse budget, (the caller's credential does not go to another provider)",
		},
		{
			"a cap above the target's maximum", messages, "medium", strings.Replace(opus, "100", "2000", 1), state{},
			"asked anthropic/claude-opus-5-5, refuse budget, (the output cap is above the model's maximum)",
		},
		{
			"the model that was asked for", chat, "medium", strings.Replace(sol, "sol", "luna", 1), state{},
			"asked openai/gpt-6-luna, refuse budget",
		},
		{"an unknown model", chat, "", strings.Replace(sol, "sol", "nova", 1), state{}, "asked openai/gpt-6-nova, refuse budget"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mustCompile(t, testPolicy())
			d := s.Decide(request(t, s, tt.path, tt.tier, tt.body), tt.state, testNow)
			if diff := cmp.Diff(tt.want, describe(d)); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideKeepsAPoolAsideWhereABudgetIsFreeOnly(t *testing.T) {
	p := testPolicy()
	p.Budgets = []Budget{{Name: "company", Limit: pricing.Dollar, Window: Month, FreeOnly: true}}
	s := mustCompile(t, p)
	r := request(t, s, chat, "routing", `{"model":"gpt-6-sol","messages":[{"role":"user","content":"hi"}]}`)
	want := "tier openai/gpt-6-luna, pool gpu/llama, refuse budget"
	if got := describe(s.Decide(r, NoState{}, testNow)); got != want {
		t.Errorf("decision %q, want %q", got, want)
	}
}

func TestDecideUsesTheFirstPoolThatMayBeUsed(t *testing.T) {
	const sol = `{"model":"gpt-6-sol","messages":[{"role":"user","content":"hi"}]}`
	off, on, maybe := ModelRef{"off", "m"}, ModelRef{"on", "m"}, ModelRef{"gpu", "m"}
	luna := ModelRef{"openai", "gpt-6-luna"}
	for _, tt := range []struct {
		name   string
		models []ModelRef
		state  state
		free   bool
		want   string
		pool   RouteName
	}{
		{"one that is never used", []ModelRef{off, luna}, state{}, false, "tier openai/gpt-6-luna, refuse budget", ""},
		{"not even when it is cheaper", []ModelRef{off, luna}, state{cheaper: true}, false, "tier openai/gpt-6-luna, refuse budget", ""},
		{"nor when the money is gone", []ModelRef{off, luna}, state{}, true, "tier openai/gpt-6-luna, refuse budget", ""},
		{"it hides none behind it", []ModelRef{off, on, luna}, state{}, false, "pool on/m, refuse budget", "on"},
		{"one that is dearer hides none either", []ModelRef{maybe, on, luna}, state{}, false, "pool on/m, refuse budget", "on"},
		{"the first of two", []ModelRef{on, maybe, luna}, state{cheaper: true}, false, "pool on/m, refuse budget", "on"},
		{"none behind an API model", []ModelRef{luna, on}, state{}, false, "tier openai/gpt-6-luna, refuse budget", "on"},
		{"it stays the first choice when the money is gone", []ModelRef{maybe, luna, on}, state{}, true, "tier openai/gpt-6-luna, pool gpu/m, refuse budget", "gpu"},
		{"nothing but one that is never used", []ModelRef{off}, state{}, false, "asked openai/gpt-6-sol, refuse budget, (the tier's pool is not in use)", ""},
		{"nothing but one that is dearer", []ModelRef{maybe}, state{}, false, "asked openai/gpt-6-sol, refuse budget, (the tier's pool is not cheaper now)", "gpu"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := testPolicy()
			for name, use := range map[RouteName]PoolUse{"off": Never, "on": Always} {
				pool := p.Pools[0]
				pool.Name, pool.Use = name, use
				p.Pools = append(p.Pools, pool)
			}
			p.Tiers[1].Models = tt.models
			if tt.free {
				p.Budgets = []Budget{{Name: "company", Limit: pricing.Dollar, Window: Month, FreeOnly: true}}
			}
			s := mustCompile(t, p)
			d := s.Decide(request(t, s, chat, "routing", sol), tt.state, testNow)
			if got := describe(d); got != tt.want || d.Pool != tt.pool {
				t.Errorf("decision %q, eligible for %q, want %q and %q", got, d.Pool, tt.want, tt.pool)
			}
		})
	}
}

func TestSearchesWithoutAListedFeeAreNotFree(t *testing.T) {
	p := testPolicy()
	p.Budgets = []Budget{{Name: "company", Limit: pricing.Dollar, Window: Month}}
	for path, body := range map[string]string{
		chat:     `{"model":"gpt-6-sol","max_completion_tokens":9,"messages":[{"role":"user","content":"hi"}],"web_search_options":{}}`,
		messages: `{"model":"claude-opus-5-5","max_tokens":9,"messages":[],"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}]}`,
	} {
		s := mustCompile(t, testPolicy())
		d := s.Decide(request(t, s, path, "", body), NoState{}, testNow)
		if !d.First().Unbounded {
			t.Errorf("%s: bounded at %s USD, want no bound", path, d.First().Bound)
		}
		for searches, estimated := range map[int64]bool{0: false, 1: true} {
			stated := provider.Reading{HasUsage: true, Usage: pricing.Usage{Input: 3, Output: 2, WebSearches: searches}}
			b, err := d.Bill(d.First(), stated.Usage, s.Charged(d.First(), &stated, testNow))
			if err != nil || b.Estimated != estimated {
				t.Errorf("%s, %d searches: bill %+v, error %v, want an estimate: %t", path, searches, b, err, estimated)
			}
		}
		s = mustCompile(t, p)
		d = s.Decide(request(t, s, path, "", body), NoState{}, testNow)
		if o := d.First(); o.Kind != Refuse || o.Refusal != RefuseUnpriced || o.Lack != LackRate {
			t.Errorf("%s under a budget: %q, lack %d", path, describe(d), o.Lack)
		}
	}
}

func TestTheFeeOfARequestPaysForItsSearches(t *testing.T) {
	p := testPolicy()
	p.Providers = append(p.Providers, Provider{Name: "perplexity", Prefix: "/sonar", Credential: Credential{Caller: true}})
	for fee, unbounded := range map[pricing.Rate]bool{0: true, 12_000 * 1e9: false} {
		sonar := listing("perplexity", "sonar", 1, 1)
		sonar.Price.Fees.Request = fee
		s, err := Compile(p, pricing.NewTable([]pricing.Listing{sonar}))
		if err != nil {
			t.Fatal(err)
		}
		r := request(t, s, "/sonar/chat/completions", "", `{"model":"sonar","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)
		d := s.Decide(r, NoState{}, testNow)
		if o := d.First(); o.Route != "perplexity" || o.Unbounded != unbounded {
			t.Errorf("fee %d: %s, unbounded %t, want %t", fee, o.Route, o.Unbounded, unbounded)
		}
	}
}

func TestFeesThatNobodyKnowsLeaveACallUnbounded(t *testing.T) {
	chatWith := func(more string) string {
		return `{"model":"gpt-6-sol","max_completion_tokens":9,"messages":[{"role":"user","content":"hi"}]` + more + `}`
	}
	messageWith := func(more string) string {
		return `{"model":"claude-opus-5-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}]` + more + `}`
	}
	for _, tt := range []struct {
		name, path, body string
		unknown          bool
	}{
		{"plain", chat, chatWith(""), false},
		{"the default class", chat, chatWith(`,"service_tier":"default"`), false},
		{"the project's class", chat, chatWith(`,"service_tier":"auto"`), false},
		{"no priority", messages, messageWith(`,"service_tier":"standard_only"`), false},
		{"the usual speed", messages, messageWith(`,"speed":"standard"`), false},
		{"a tool of the client's", chat, chatWith(`,"tools":[{"type":"function","function":{"name":"f"}}]`), false},
		{"a cheaper class", chat, chatWith(`,"service_tier":"flex"`), true},
		{"a dearer class", chat, chatWith(`,"service_tier":"priority"`), true},
		{"a dearer speed", messages, messageWith(`,"speed":"fast"`), true},
		{"a place that nobody lists another price for", messages, messageWith(`,"inference_geo":"us"`), false},
		{"a search of Alibaba's", chat, chatWith(`,"enable_search":true`), true},
		{"fields of the provider's own beside a search", chat, chatWith(`,"web_search_options":{},"extra_body":{"x":1}`), true},
		{"an adviser", messages, messageWith(`,"tools":[{"type":"advisor_20260301","name":"advisor","model":"claude-opus-5-5","max_uses":2}]`), true},
		{"pictures of another model", "/v1/responses", chatWith(`,"max_tool_calls":1,"tools":[{"type":"image_generation"}]`), true},
		{"a preset", chat, chatWith(`,"preset":"p"`), true},
		{"models to choose from", chat, chatWith(`,"models":["gpt-6-astra"]`), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mustCompile(t, testPolicy())
			d := s.Decide(request(t, s, tt.path, "", tt.body), NoState{}, testNow)
			if o := d.First(); o.Unbounded != tt.unknown || o.Bound <= 0 {
				t.Errorf("unbounded %t, bound %s USD, want %t and what its tokens cost", o.Unbounded, o.Bound, tt.unknown)
			}
			stated := provider.Reading{HasUsage: true, Usage: pricing.Usage{Input: 3, Output: 2}}
			if u, estimated := d.Usage(d.First(), &stated, 100); u != stated.Usage || estimated {
				t.Errorf("usage %+v, estimated %t, want %+v as stated", u, estimated, stated.Usage)
			}
			b, err := d.Bill(d.First(), stated.Usage, s.Charged(d.First(), &stated, testNow))
			if err != nil || b.Estimated != tt.unknown {
				t.Errorf("bill %+v, error %v, want an estimate: %t", b, err, tt.unknown)
			}
			p := testPolicy()
			p.Budgets = []Budget{{Name: "company", Limit: pricing.Dollar, Window: Month}}
			s = mustCompile(t, p)
			d = s.Decide(request(t, s, tt.path, "", tt.body), NoState{}, testNow)
			if refused := d.First().Kind == Refuse && d.First().Refusal == RefuseUnpriced; refused != tt.unknown {
				t.Errorf("under a budget: %q, want refused as unpriced: %t", describe(d), tt.unknown)
			}
		})
	}
}

func TestAbsurdCapsAreBoundByTheContextOrNotAtAll(t *testing.T) {
	body := func(n, most string) string {
		return `{"model":"gpt-6-sol","n":` + n + `,"max_completion_tokens":` + most + `,"messages":[{"role":"user","content":"hi"}]}`
	}
	s := mustCompile(t, testPolicy())
	for _, tt := range []struct {
		name, n, most string
		contexts      int64 // 0: unbounded
	}{
		{"a product that wraps around", "4", "4611686018427388004", 4},
		{"a cap at the largest number", "1", "9223372036854775807", 1},
		{"many answers with half a million million tokens each", "1000", "500000000000", 1000},
		{"more answers than a million dollars pay for", "1000000", "500000000000", 0},
		{"a product beyond counting", "9223372036854775807", "9223372036854775807", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := s.Decide(request(t, s, chat, "", body(tt.n, tt.most)), NoState{}, testNow)
			got, context := d.First(), d.First().Listing.Limits.Context
			if tt.contexts == 0 {
				if !got.Unbounded || got.Bound != 0 || got.Expected > pricing.MaxCost {
					t.Errorf("bound %s USD, expected %s, unbounded %t, want no bound", got.Bound, got.Expected, got.Unbounded)
				}
			} else if got.Unbounded || got.Output != tt.contexts*context || got.Bound <= 0 || got.Bound > pricing.MaxCost {
				t.Errorf("bound %s USD for %d tokens, unbounded %t, want those of %d contexts", got.Bound, got.Output, got.Unbounded, tt.contexts)
			}
		})
	}
	d := s.Decide(request(t, s, chat, "routing", body("1", "9223372036854775807")), state{cheaper: true}, testNow)
	if got := d.First().Kind; got != Asked {
		t.Errorf("served as %s, want it as asked: no pool has room for the answer", got)
	}
}

func TestDecideRefusesWhatItCannotPrice(t *testing.T) {
	body := `{"model":"gpt-6-nova","messages":[{"role":"user","content":"hi"}]}`
	budget := []Budget{{Name: "company", Limit: pricing.Dollar, Window: Month}}
	for _, tt := range []struct {
		name    string
		unknown UnknownModel
		budgets []Budget
		want    string
	}{
		{"the policy refuses unknown models", UnknownModel{Refuse: true}, nil, "refuse unknown_model"},
		{"a budget covers a call without any bound", UnknownModel{Charge: 30e9}, budget, "refuse unpriced"},
		{"nothing limits it", UnknownModel{Charge: 30e9}, nil, "asked openai/gpt-6-nova, refuse budget"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := testPolicy()
			p.Unknown, p.Budgets = tt.unknown, tt.budgets
			s := mustCompile(t, p)
			if got := describe(s.Decide(request(t, s, chat, "", body), NoState{}, testNow)); got != tt.want {
				t.Errorf("decision %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheBoundIsWhatTheCallCanCostAtMost(t *testing.T) {
	p := testPolicy()
	s := mustCompile(t, p)
	for _, tt := range []struct {
		name, tier, body string
		output           int64
	}{
		{"the caller's cap", "", `{"model":"gpt-6-sol","max_completion_tokens":7,"messages":[{"role":"user","content":"hi"}]}`, 7},
		{"three answers", "", `{"model":"gpt-6-sol","max_completion_tokens":7,"n":3,"messages":[{"role":"user","content":"hi"}]}`, 21},
		{"the model's maximum", "", `{"model":"gpt-6-sol","messages":[{"role":"user","content":"hi"}]}`, 1000},
		{"the rule's cap", "short", `{"model":"gpt-6-sol","messages":[{"role":"user","content":"hi"}]}`, 10},
		{"a smaller cap than the rule's", "short", `{"model":"gpt-6-sol","max_completion_tokens":4,"messages":[{"role":"user","content":"hi"}]}`, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, s, chat, tt.tier, tt.body)
			d := s.Decide(r, NoState{}, testNow)
			want, err := d.First().Listing.Price.Bound(pricing.Exposure{Input: r.Call.InputBound(), Output: tt.output})
			if err != nil {
				t.Fatal(err)
			}
			if got := d.First().Bound; got != want {
				t.Errorf("bound %s USD, want %s USD", got, want)
			}
		})
	}
}

func TestMarkersArePlacedWhereTheyPay(t *testing.T) {
	long := strings.Repeat("word ", 600)
	marked := func(system, extra string) string {
		return fmt.Sprintf(`{"model":"claude-opus-5-5","max_tokens":100,"system":%q,"messages":[{"role":"user","content":"hi"}]%s}`, system, extra)
	}
	for _, tt := range []struct {
		name, body string
		off, seen  bool
		want       bool
	}{
		{"a long prefix that was seen", marked(long, ""), false, true, true},
		{"never seen", marked(long, ""), false, false, false},
		{"too short for the model's cache", marked("be brief", ""), false, true, false},
		{"the client has a marker of its own", marked(long, `,"cache_control":{"type":"ephemeral"}`), false, true, false},
		{"the policy does not ask for it", marked(long, ""), true, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := testPolicy()
			p.Prompt = !tt.off
			s := mustCompile(t, p)
			d := s.Decide(request(t, s, messages, "", tt.body), state{seen: tt.seen}, testNow)
			if got := d.First().Edit.MarkPrefix; got != tt.want {
				t.Errorf("markers %t, want %t", got, tt.want)
			}
		})
	}
}

func TestChooseTakesTheFirstOptionThatCanBeReserved(t *testing.T) {
	p := testPolicy()
	p.Budgets = []Budget{{Name: "company", Limit: pricing.Dollar, Window: Month, FreeOnly: true}}
	s := mustCompile(t, p)
	d := s.Decide(request(t, s, chat, "routing", `{"model":"gpt-6-sol","messages":[]}`), NoState{}, testNow)
	spent := fmt.Errorf("spent")
	o, err := d.Choose(func(o *Option) error {
		if o.Charge() > 0 {
			return spent
		}
		return nil
	})
	if o.Kind != Pooled || err != nil {
		t.Errorf("chose %s with error %v, want the pool", o.Kind, err)
	}
	o, err = d.Choose(func(*Option) error { return spent })
	if o.Kind != Refuse || !errors.Is(err, spent) {
		t.Errorf("chose %s with error %v, want a refusal with the first error", o.Kind, err)
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	plain := testPolicy()
	plain.Prompt = true
	busy := stepped(Step{Percent: 80, Do: StepAlert}, Step{Percent: 90, Do: StepCapTier, Tier: "medium"}, Step{Percent: 95, Do: StepPools})
	busy.Budgets[0].FitOutput = 10
	busy.Budgets[0].Only = []Condition{{"provider", []string{"anthropic"}}}
	for name, p := range map[string]Policy{"plain": plain, "steps": busy} {
		s := mustCompile(t, p)
		r := request(t, s, messages, "medium", `{"model":"claude-opus-5-5","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`)
		r.Header = func(string) string { return "medium" }
		st := State(fixed(1_000_000)) // boxed once, as an exchange is
		if n := testing.AllocsPerRun(100, func() { s.Decide(r, st, testNow) }); n != 0 {
			t.Errorf("%s: %.0f allocations, want none", name, n)
		}
	}
}

// BenchmarkDecideAtAStep lowers the tier and fits the output.
func BenchmarkDecideAtAStep(b *testing.B) {
	p := stepped(Step{Percent: 90, Do: StepCapTier, Tier: "medium"})
	p.Budgets[0].FitOutput = 10
	s := mustCompile(b, p)
	r := request(b, s, messages, "", `{"model":"claude-opus-5-5","max_tokens":1000,"messages":[{"role":"user","content":"hi"}]}`)
	r.Header = func(string) string { return "" }
	d := s.Decide(r, fixed(1_000_000), testNow)
	if o := d.First(); o.Kind != Tiered || o.Edit.MaxOutput == 0 {
		b.Fatalf("decision %s with a cap of %d, want another tier and a cap", describe(d), o.Edit.MaxOutput)
	}
	st := State(fixed(1_000_000))
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(r, st, testNow)
	}
}

func BenchmarkDecide(b *testing.B) {
	s := mustCompile(b, testPolicy())
	r := request(b, s, messages, "medium", `{"model":"claude-opus-5-5","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`)
	r.Header = func(string) string { return "medium" }
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(r, NoState{}, testNow)
	}
}
