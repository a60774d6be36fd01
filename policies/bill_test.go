package policies

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// servedPrices knows classes of service, a region and a fee.
func servedPrices() *pricing.Table {
	sol := listing(provider.OpenAI, "gpt-6-sol", 2, 10)
	sol.Variants = []pricing.Variant{
		{Service: pricing.Flex, Price: pricing.Price{Rates: pricing.Rates{Input: 1e9, Output: 5e9}}},
		{Service: pricing.Priority, Price: pricing.Price{Rates: pricing.Rates{Input: 4e9, Output: 20e9}}},
	}
	opus := listing(provider.Anthropic, "claude-opus-5-5", 4, 20)
	opus.Uplifts = []pricing.Uplift{{Region: "us", PPM: 1_100_000}}
	opus.Price.Fees.WebSearch = 10_000 * 1e9 // $10 a thousand
	return pricing.NewTable([]pricing.Listing{sol, opus, listing("openrouter", "gpt-6-sol", 3, 12), listing(provider.OpenAI, "gpt-6-luna", 1, 5)})
}

const router = "/router/v1/chat/completions" // at OpenRouter

func servedSet(t *testing.T, change func(*Policy)) *Set {
	t.Helper()
	p := testPolicy()
	p.Providers = append(p.Providers, Provider{Name: "openrouter", Prefix: "/router", Credential: Credential{Caller: true}})
	if change != nil {
		change(&p)
	}
	s, err := Compile(p, servedPrices())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBoundsAreAtTheRatesThatACallAsksFor(t *testing.T) {
	sol := func(more string) string {
		return `{"model":"gpt-6-sol","max_completion_tokens":1000,"messages":[]` + more + `}`
	}
	opus := func(more string) string {
		return `{"model":"claude-opus-5-5","max_tokens":1000,"messages":[{"role":"user","content":"hi"}]` + more + `}`
	}
	for _, tt := range []struct {
		name, path, body string
		output           int64 // nano-dollars for 1,000 tokens
		input            pricing.Rate
		fees             pricing.Money
		unbounded        bool
	}{
		{"the standard class", chat, sol(``), 10_000_000, 2.5e9, 0, false},
		{"a cheaper class", chat, sol(`,"service_tier":"flex"`), 5_000_000, 1e9, 0, false},
		{"a dearer class", chat, sol(`,"service_tier":"priority"`), 20_000_000, 4e9, 0, false},
		{"the account's class", chat, sol(`,"service_tier":"auto"`), 20_000_000, 4e9, 0, false},
		{"the account's class of several models", chat, sol(`,"service_tier":"auto","models":["m"]`), 20_000_000, 4e9, 0, true},
		{"a host of a router", router, sol(`,"provider":{"order":["together"]}`), 12_000_000, 3.75e9, 0, true},
		{"the fastest host of a router", router, strings.Replace(sol(``), "sol", "sol:nitro", 1), 12_000_000, 3.75e9, 0, true},
		{"the cheapest host of a router", router, sol(`,"provider":{"sort":"price"}`), 12_000_000, 3.75e9, 0, false},
		{"the cheapest host by the name", router, strings.Replace(sol(``), "sol", "sol:floor", 1), 12_000_000, 3.75e9, 0, false},
		{"a provider at another vendor", chat, sol(`,"provider":{"order":["together"]}`), 10_000_000, 2.5e9, 0, false},
		{"a class that nobody lists", chat, sol(`,"service_tier":"scale"`), 20_000_000, 4e9, 0, true},
		{"a region", messages, opus(`,"inference_geo":"us"`), 22_000_000, 5.5e9, 0, false},
		{"a context that is compacted, by a further answer", messages, opus(`,"context_management":{"edits":[{"type":"compact_20260112"}]}`), 40_000_000, 0, 0, false},
		{"a context that is cleared", messages, opus(`,"context_management":{"edits":[{"type":"clear_thinking_20251015"}]}`), 20_000_000, 5e9, 0, false},
		{"searches", messages, opus(`,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3}]`), 20_000_000, 0, 30_000_000, false},
		{"searches without a limit", messages, opus(`,"tools":[{"type":"web_search_20250305","name":"web_search"}]`), 20_000_000, 0, 100_000_000, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := servedSet(t, nil)
			r := request(t, s, tt.path, "", tt.body)
			d := s.Decide(r, NoState{}, testNow)
			input := int64(200_000) * 5_000 // the whole context, where tools of the provider's add to the prompt
			if tt.input > 0 {
				input = r.Call.InputBound() * int64(tt.input) / 1_000_000
			}
			want := pricing.Money(tt.output+input) + tt.fees
			if o := d.First(); o.Bound != want || o.Unbounded != tt.unbounded {
				t.Errorf("bound %s USD, unbounded %t, want %s USD and %t", o.Bound, o.Unbounded, want, tt.unbounded)
			}
		})
	}
}

// The settings of a project may serve what names no class with priority.
func TestBoundsAreAtTheRatesThatAProviderIsSetTo(t *testing.T) {
	s := servedSet(t, func(p *Policy) {
		for i := range p.Providers {
			p.Providers[i].Priority = true
		}
	})
	for _, tt := range []struct {
		model, more   string
		output, input pricing.Rate
	}{
		{"gpt-6-sol", ``, 20e9, 4e9},
		{"gpt-6-sol", `,"service_tier":"default"`, 20e9, 4e9},
		{"gpt-6-sol", `,"service_tier":"flex"`, 5e9, 1e9},
		{"gpt-6-luna", ``, 5e9, 1.25e9}, // has one class
	} {
		r := request(t, s, chat, "", `{"model":"`+tt.model+`","max_completion_tokens":1000,"messages":[]`+tt.more+`}`)
		d := s.Decide(r, NoState{}, testNow)
		want := pricing.Money((1000*int64(tt.output) + r.Call.InputBound()*int64(tt.input)) / 1_000_000)
		if o := d.First(); o.Bound != want || o.Unbounded {
			t.Errorf("%s%s: bound %s USD, unbounded %t, want %s USD", tt.model, tt.more, o.Bound, o.Unbounded, want)
		}
	}
}

func TestBillsFollowTheTermsOfTheResponse(t *testing.T) {
	const asked = `{"model":"gpt-6-sol","service_tier":"priority","max_completion_tokens":1000,"messages":[]}`
	million := pricing.Usage{Input: 1_000_000}
	for _, tt := range []struct {
		name, path, body string
		reading          provider.Reading
		want             Bill
	}{
		{"the class that was asked for", chat, asked, provider.Reading{}, Bill{Cost: 4e9, ListCost: 4e9, Baseline: 4e9}},
		{"another class was billed", chat, asked, provider.Reading{HasTerms: true}, Bill{Cost: 2e9, ListCost: 2e9, Baseline: 2e9}},
		{
			"a class that nobody lists, at the dearest", chat, asked, provider.Reading{HasTerms: true, Service: "scale"},
			Bill{Cost: 4e9, ListCost: 4e9, Baseline: 4e9, Estimated: true},
		},
		{
			"another model had a part in it", chat, `{"model":"gpt-6-sol","messages":[]}`,
			provider.Reading{OtherModels: true}, Bill{Cost: 2e9, ListCost: 2e9, Baseline: 2e9, Estimated: true},
		},
		{
			"a host that the call chose", router, `{"model":"gpt-6-sol","messages":[],"provider":{"only":["x"]}}`,
			provider.Reading{Model: "gpt-6-sol"}, Bill{Cost: 3e9, ListCost: 3e9, Baseline: 3e9, Estimated: true},
		},
		{
			"a host that the name chose", router, `{"model":"gpt-6-sol:exacto","messages":[]}`,
			provider.Reading{Model: "gpt-6-sol"}, Bill{Cost: 3e9, ListCost: 3e9, Baseline: 3e9, Estimated: true},
		},
		{
			"the router's own charge for that host", router, `{"model":"gpt-6-sol:nitro","messages":[],"provider":{"only":["x"]}}`,
			provider.Reading{HasStated: true, Stated: 9_000_000_000}, Bill{Cost: 9e9, ListCost: 3e9, Baseline: 9e9},
		},
		{
			"the provider's own charge for several models", router, `{"model":"gpt-6-sol","messages":[]}`,
			provider.Reading{HasStated: true, Stated: 2_500_000_000, OtherModels: true}, Bill{Cost: 2.5e9, ListCost: 3e9, Baseline: 2.5e9},
		},
		{
			"the provider's own charge", router, `{"model":"gpt-6-sol","messages":[]}`,
			provider.Reading{HasStated: true, Stated: 2_500_000_000}, Bill{Cost: 2.5e9, ListCost: 3e9, Baseline: 2.5e9},
		},
		{
			"a charge from one who states none", chat, `{"model":"gpt-6-sol","messages":[]}`,
			provider.Reading{HasStated: true, Stated: 1}, Bill{Cost: 2e9, ListCost: 2e9, Baseline: 2e9},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := servedSet(t, nil)
			d := s.Decide(request(t, s, tt.path, "", tt.body), NoState{}, testNow)
			tt.reading.Usage, tt.reading.HasUsage = million, true
			got, err := d.Bill(d.First(), million, s.Charged(d.First(), &tt.reading, testNow))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("bill (-want +got):\n%s", diff)
			}
			if got.Savings.Total() != got.Baseline-got.Cost {
				t.Errorf("savings of %s USD, want the baseline less the cost: %s", got.Savings.Total(), got.Baseline-got.Cost)
			}
		})
	}
}

func TestAUsageBeyondTheModelIsNotBelieved(t *testing.T) {
	const one = `{"model":"gpt-6-sol","max_completion_tokens":100,"messages":[]}`
	for _, tt := range []struct {
		name, body string
		stated     pricing.Usage
		want       pricing.Usage
		estimated  bool
	}{
		{"many contexts", one, pricing.Usage{Input: 3_199_999, Output: 3_199_999}, pricing.Usage{Input: 3_199_999, Output: 3_199_999}, false},
		{"a prompt of too many", one, pricing.Usage{Input: 3_000_000, CacheRead: 200_000}, pricing.Usage{Input: 7, Output: 2}, true},
		{"an answer of too many", one, pricing.Usage{Output: 3_200_000}, pricing.Usage{Input: 7, Output: 2}, true},
		{"several answers", `{"model":"gpt-6-sol","n":2,"messages":[]}`, pricing.Usage{Output: 3_200_000}, pricing.Usage{Output: 3_200_000}, false},
		{"searches", `{"model":"gpt-6-sol","web_search_options":{},"messages":[]}`, pricing.Usage{Input: 9_000_000}, pricing.Usage{Input: 9_000_000}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := servedSet(t, nil)
			d := s.Decide(request(t, s, chat, "", tt.body), NoState{}, testNow)
			got, estimated := d.Usage(d.First(), &provider.Reading{HasUsage: true, Usage: tt.stated, TextBytes: 8}, 7)
			if got != tt.want || estimated != tt.estimated {
				t.Errorf("usage %+v, estimated %t, want %+v and %t", got, estimated, tt.want, tt.estimated)
			}
		})
	}
}

func TestDiscountsAreOnTokens(t *testing.T) {
	s := servedSet(t, func(p *Policy) {
		p.Discounts = []Discount{
			{Vendor: provider.OpenAI, Models: []string{"gpt-6-l*"}, PPM: 500_000},
			{Vendor: provider.OpenAI, PPM: 925_000},
			{Vendor: provider.Anthropic, PPM: 0},
		}
	})
	for _, tt := range []struct {
		vendor pricing.ProviderName
		model  pricing.ModelName
		input  pricing.Rate
		source string
	}{
		{provider.OpenAI, "gpt-6-luna", 0.5e9, "test, discount 50%"},
		{provider.OpenAI, "gpt-6-sol-2026-01-02", 1.85e9, "test, discount 7.5%"},
		{provider.Anthropic, "claude-opus-5-5", 0, "test, discount 100%"},
		{"openrouter", "gpt-6-sol", 3e9, "test"},
	} {
		l := s.Lookup(tt.vendor, tt.model, testNow)
		if l == nil || l.Price.Input != tt.input || l.Source != tt.source {
			t.Errorf("%s/%s is listed as %+v, want %s by %q", tt.vendor, tt.model, l, tt.input, tt.source)
		}
		if again := s.Lookup(tt.vendor, tt.model, testNow); again != l {
			t.Errorf("%s/%s is computed again", tt.vendor, tt.model)
		}
	}
	if sol := s.Lookup(provider.OpenAI, "gpt-6-sol", testNow); sol.Variants[1].Price.Input != 3.7e9 {
		t.Errorf("priority at %s, want the discount on it too", sol.Variants[1].Price.Input)
	}
	if opus := s.Lookup(provider.Anthropic, "claude-opus-5-5", testNow); opus.Price.Fees.WebSearch != 10_000*1e9 {
		t.Errorf("searches at %s, want no discount on fees", opus.Price.Fees.WebSearch)
	}
}

func TestAnAllowedUnknownModelIsChargedAtTheDearestRates(t *testing.T) {
	s := servedSet(t, func(p *Policy) { p.Unknown = UnknownModel{Alert: true} })
	d := s.Decide(request(t, s, chat, "", `{"model":"gpt-9","max_completion_tokens":10,"messages":[]}`), NoState{}, testNow)
	got, err := d.First().Cost(pricing.Usage{Input: 1_000_000, Output: 1_000_000})
	if err != nil || got != 24e9 {
		t.Errorf("cost %s USD, error %v, want 24: 4 of priority or Opus and 20 of the same", got, err)
	}
	if o := d.First(); o.Bound == 0 || o.Listing != nil {
		t.Errorf("bound %s USD by %v, want one at those rates", o.Bound, o.Listing)
	}
}

// TestAnswersWithoutUsage: a cap is believed as far as words may be long.
func TestAnswersWithoutUsage(t *testing.T) {
	s := servedSet(t, nil)
	r := request(t, s, chat, "", `{"model":"gpt-6-sol","max_completion_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`)
	d := s.Decide(r, NoState{}, testNow)
	for _, tt := range []struct{ text, want int64 }{{0, 0}, {399, 100}, {404, 100}, {800, 100}, {1600, 200}, {400_000, 50_000}} {
		u, estimated := d.Usage(d.First(), &provider.Reading{TextBytes: tt.text}, 7)
		if u.Output != tt.want || u.Input != 7 || !estimated {
			t.Errorf("%d bytes of text under a cap of 100: %+v, estimated %t, want %d tokens out", tt.text, u, estimated, tt.want)
		}
	}
}

// The expectation prices what such calls were answered with, and is never above the bound.
func TestCallsHaveAnExpectation(t *testing.T) {
	body := `{"model":"gpt-6-sol","max_completion_tokens":800,"messages":[]}`
	for _, tt := range []struct {
		name   string
		output int64 // learned
		want   int64
	}{{"nothing learned", 0, 512}, {"short answers", 40, 40}, {"beyond the cap", 5000, 800}} {
		t.Run(tt.name, func(t *testing.T) {
			s := servedSet(t, nil)
			r := request(t, s, chat, "", body)
			o := *s.decided(r, learned(tt.output))
			want, err := o.Cost(pricing.Usage{Input: r.Call.InputEstimate(), Output: tt.want})
			if err != nil || o.Expected != want || o.Expected > o.Bound {
				t.Errorf("expected %s USD of at most %s, want %s", o.Expected, o.Bound, want)
			}
		})
	}
}

func (s *Set) decided(r Request, st State) *Option {
	d := s.Decide(r, st, testNow)
	return d.First()
}

// learned is a state in which every answer had so many tokens.
type learned int64

func (learned) Cheaper(RouteName) bool                                        { return false }
func (learned) PrefixSeen(RouteName, pricing.ModelName, provider.Prefix) bool { return false }
func (learned) Left(b *Budget) (left, limit pricing.Money, covered bool) {
	return b.Limit, b.Limit, true
}
func (l learned) ExpectedOutput(RouteName, pricing.ModelName) int64 { return int64(l) }

func TestBudgetsCoverTheCallsOfTheirConditions(t *testing.T) {
	b := Budget{Only: []Condition{{"team", []string{"research*", "ops"}}, {"provider", []string{"openai"}}}}
	value := func(team string, verified bool) func(DimensionName) (string, bool) {
		return func(d DimensionName) (string, bool) {
			if d == DimProvider {
				return "openai", true
			}
			return team, verified
		}
	}
	for _, tt := range []struct {
		name, team     string
		verified, soft bool
		want           bool
	}{
		{"a value that matches", "research-eu", true, false, true},
		{"another value", "sales", true, false, false},
		{"a label", "research-eu", false, false, false},
		{"a label in a soft budget", "research-eu", false, true, true},
		{"none", "", true, false, false},
	} {
		b.Soft = tt.soft
		if got := b.Covers(value(tt.team, tt.verified)); got != tt.want {
			t.Errorf("%s: covered %t, want %t", tt.name, got, tt.want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { b.Covers(value("research-eu", true)) }); n > 1 { // the closure of the test
		t.Errorf("%.0f allocations", n)
	}
}

// A call without a price is refused only where a hard budget covers it.
func TestOnlyCoveredCallsNeedABound(t *testing.T) {
	s := servedSet(t, func(p *Policy) {
		p.Budgets = []Budget{
			{Name: "soft", Limit: pricing.Dollar, Window: Hour, Soft: true},
			{Name: "luna", Limit: pricing.Dollar, Window: Hour, Only: []Condition{{"model", []string{"gpt-6-nova", "x"}}}},
		}
	})
	for model, want := range map[string]string{
		"gpt-6-nova":  "refuse unpriced",
		"gpt-6-other": "asked openai/gpt-6-other, refuse budget",
	} {
		d := s.Decide(request(t, s, chat, "", `{"model":"`+model+`","messages":[]}`), NoState{}, testNow)
		if got := describe(d); got != want {
			t.Errorf("%s: %q, want %q", model, got, want)
		}
	}
	if !s.Limits(nil, ModelRef{Route: "openai"}) {
		t.Error("a call for any model is taken to be free of limits")
	}
}

func TestPayersIncludeWhatBudgetsAskFor(t *testing.T) {
	p := testPolicy()
	p.Dimensions = []Dimension{{Name: "workload", Sources: []Source{{FromJWT, "azp"}}}}
	p.Budgets = []Budget{{Name: "b", Limit: 1, Window: Rolling, Length: time.Hour,
		Per: []DimensionName{"key", "workload"}, Only: []Condition{{"namespace", []string{"*"}}, {"model", []string{"m"}}}}}
	from := signals{headers: map[string]string{"authorization": "k"}, claims: map[string]string{"azp": "app"}, peer: "spiffe://td/ns/shop/sa/checkout"}
	want := []Value{
		{Name: "workload", Value: "app", Verified: true}, // the policy's own
		{Name: "key", Value: "k", Verified: true}, {Name: "namespace", Value: "shop", Verified: true},
	}
	if diff := cmp.Diff(want, mustCompile(t, p).Payers(from)); diff != "" {
		t.Errorf("payers (-want +got):\n%s", diff)
	}
}

// TestAUsageOfWhatHasNoPriceIsAnEstimate: pictures are counted where tokens are billed, and the other way round.
func TestAUsageOfWhatHasNoPriceIsAnEstimate(t *testing.T) {
	byTokens := pricing.Price{Rates: pricing.Rates{Input: 5e9, Output: 40e9}}
	bySecond := pricing.Price{Fees: pricing.Fees{Second: 1e14}}
	d := Decision{Facts: BillFacts{Seconds: 7}}
	for _, tt := range []struct {
		name  string
		price pricing.Price
		r     provider.Reading
		want  pricing.Usage
		guess bool
	}{
		{"pictures for tokens", byTokens, provider.Reading{HasUsage: true, Usage: pricing.Usage{Images: 2}}, pricing.Usage{Input: 3, Output: 900, Images: 2}, true},
		{"seconds for tokens", byTokens, provider.Reading{HasUsage: true, Usage: pricing.Usage{Seconds: 600}}, pricing.Usage{Input: 3, Output: 900, Seconds: 600}, true},
		{"tokens for seconds", bySecond, provider.Reading{HasUsage: true, Usage: pricing.Usage{Input: 5}}, pricing.Usage{Input: 5, Output: 900, Seconds: 7}, true},
		{"tokens", byTokens, provider.Reading{HasUsage: true, Usage: pricing.Usage{Input: 5, Images: 1}}, pricing.Usage{Input: 5, Images: 1}, false},
		{"nothing", byTokens, provider.Reading{HasUsage: true}, pricing.Usage{}, false},
		{"what is free", pricing.Price{}, provider.Reading{HasUsage: true, Usage: pricing.Usage{Images: 2}}, pricing.Usage{Images: 2}, false},
		{"a stated charge", byTokens, provider.Reading{HasUsage: true, HasStated: true, Stated: 4, Usage: pricing.Usage{Images: 2}}, pricing.Usage{Images: 2}, false},
	} {
		o := Option{Kind: Asked, Output: 900, Listing: &pricing.Listing{Model: "m", Price: tt.price}}
		if got, guess := d.Usage(&o, &tt.r, 3); got != tt.want || guess != tt.guess {
			t.Errorf("%s: %+v, estimated %t, want %+v, %t", tt.name, got, guess, tt.want, tt.guess)
		}
	}
}
