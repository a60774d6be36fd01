package policies

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// spending is a state in which a part of every budget is spent, in cents of its dollars.
type spending struct {
	state
	cents map[BudgetName]int64
}

func (s spending) Left(b *Budget) (left, limit pricing.Money, covered bool) {
	return b.Limit - b.Limit/100*pricing.Money(s.cents[b.Name]), b.Limit, true
}

// stepped is the test policy with heavy above its tiers, and a budget of 100 dollars.
func stepped(steps ...Step) Policy {
	p := testPolicy()
	p.Tiers = append([]Tier{{Name: "heavy", Models: []ModelRef{{"anthropic", "claude-opus-5-5"}, {"openai", "gpt-6-sol"}}}}, p.Tiers...)
	p.Rules = append(p.Rules, Rule{Name: "to heavy", Tier: "heavy", When: Match{Headers: []Condition{{Key: "x-tier", Values: []string{"heavy"}}}}})
	p.Budgets = []Budget{{Name: "company", Limit: 100 * pricing.Dollar, Window: Month, Steps: steps}}
	return p
}

func TestStepsAct(t *testing.T) {
	const sol = `{"model":"gpt-6-sol","max_completion_tokens":100,"messages":[{"role":"user","content":"hi"}]}`
	const luna = `{"model":"gpt-6-luna","max_completion_tokens":100,"messages":[{"role":"user","content":"hi"}]}`
	alert := Step{Percent: 80, Do: StepAlert}
	medium := Step{Percent: 90, Do: StepCapTier, Tier: "medium"}
	routing := Step{Percent: 92, Do: StepCapTier, Tier: "routing"}
	pools := Step{Percent: 95, Do: StepPools}
	refuse := Step{Percent: 98, Do: StepRefuse}
	all := []Step{alert, medium, pools, refuse}
	for _, tt := range []struct {
		name, tier, body string
		steps            []Step
		cents            int64
		free             bool
		want             string
		step             Step
	}{
		{"below the first step", "heavy", sol, all, 79, false, "asked openai/gpt-6-sol, refuse budget", Step{}},
		{"an alert changes nothing", "heavy", sol, all, 80, false, "asked openai/gpt-6-sol, refuse budget", alert},
		{"a cap lowers the rule's tier", "heavy", sol, all, 90, false, "tier openai/gpt-6-luna, refuse budget", medium},
		{"a cap lowers the tier of the model that was asked for", "", sol, all, 90, false, "tier openai/gpt-6-luna, refuse budget", medium},
		{"a tier at the cap stays", "medium", sol, all, 90, false, "tier openai/gpt-6-luna, refuse budget", alert},
		{"a tier below the cap stays", "routing", sol, all, 90, false, "tier openai/gpt-6-luna, refuse budget", alert},
		{"the lowest of two caps", "heavy", sol, []Step{medium, routing}, 92, false, "tier openai/gpt-6-luna, refuse budget", routing},
		{"pools come first", "routing", sol, all, 95, false, "pool gpu/llama, refuse budget", pools},
		{"pools of the tier of the model that was asked for", "", luna, []Step{pools}, 95, false, "pool gpu/llama, refuse budget", pools},
		{"a tier without a pool", "heavy", sol, []Step{pools}, 95, false, "asked openai/gpt-6-sol, refuse budget", Step{}},
		{"the rest is kept in reserve", "heavy", sol, all, 98, false, "refuse budget_step", refuse},
		{"pools cost nothing of it", "routing", sol, all, 98, false, "pool gpu/llama, refuse budget", pools},
		{"nor where they are the fallback", "routing", sol, []Step{refuse}, 98, true, "pool gpu/llama, refuse budget_step", refuse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := stepped(tt.steps...)
			p.Budgets[0].FreeOnly = tt.free
			if tt.name == "pools of the tier of the model that was asked for" {
				p.Tiers[1].Models = p.Tiers[1].Models[:1] // luna is routing's only
			}
			s := mustCompile(t, p)
			d := s.Decide(request(t, s, chat, tt.tier, tt.body), spending{cents: map[BudgetName]int64{"company": tt.cents}}, testNow)
			if got := describe(d); got != tt.want || d.Step != tt.step {
				t.Errorf("decision %q at step %+v, want %q at %+v", got, d.Step, tt.want, tt.step)
			}
		})
	}
}

func TestACapNeverMakesACallDearer(t *testing.T) {
	for _, tt := range []struct{ name, model, want string }{
		{"a model of no tier that is dearer than the cap's", "gpt-6-sol", "tier openai/gpt-6-luna, refuse budget"},
		{"one that is cheaper", "gpt-6-nano", "asked openai/gpt-6-nano, refuse budget"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := stepped(Step{Percent: 90, Do: StepCapTier, Tier: "medium"})
			p.Tiers[0].Models = p.Tiers[0].Models[:1]
			prices := append(testPrices.Listings(), pricing.Listing{
				Provider: provider.OpenAI, Model: "gpt-6-nano", Price: pricing.Price{Rates: pricing.Rates{Input: 1, Output: 1}}, Limits: pricing.Limits{Context: 9999},
			})
			s, err := Compile(p, pricing.NewTable(prices))
			if err != nil {
				t.Fatal(err)
			}
			r := request(t, s, chat, "", `{"model":"`+tt.model+`","max_completion_tokens":100,"messages":[]}`)
			d := s.Decide(r, spending{cents: map[BudgetName]int64{"company": 90}}, testNow)
			if got := describe(d); got != tt.want {
				t.Errorf("decision %q, want %q", got, tt.want)
			}
		})
	}
}

// What is left bears some answer, but not the longest: the largest cap that fits is found exactly.
func TestTheOutputIsFittedToWhatIsLeft(t *testing.T) {
	const body = `{"model":"gpt-6-sol","n":3,"max_completion_tokens":900,"messages":[{"role":"user","content":"hi"}]}`
	for _, tt := range []struct {
		name       string
		change     func(*Budget)
		left, room pricing.Money
		want       int64 // cap that is written, 0 for none
		percent    int64
	}{
		{"enough for all of it", func(*Budget) {}, pricing.Dollar, 0, 0, 0},
		{"enough for a part", func(*Budget) {}, 10_000_000, 10_000_000, 318, 0},
		{"a little less", func(*Budget) {}, 9_987_499, 9_987_499, 317, 0},
		{"not enough for the floor", func(*Budget) {}, 3_000_000, 0, 0, 0},
		{"a soft budget never holds a call back", func(b *Budget) { b.Soft = true }, 10_000_000, 0, 0, 0},
		{"before its step", func(b *Budget) { b.Steps = []Step{{Percent: 100, Do: StepFit}} }, 10_000_000, 0, 0, 0},
		{"from its step on", func(b *Budget) { b.Steps = []Step{{Percent: 90, Do: StepFit}} }, 10_000_000, 10_000_000, 318, 90},
		{"a reserve is not touched", func(b *Budget) {
			b.Limit = 50_000_000
			b.Steps = []Step{{Percent: 90, Do: StepRefuse}}
		}, 15_000_000, 10_000_000, 318, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := stepped()
			b := &p.Budgets[0]
			b.Limit, b.FitOutput = 20*pricing.Dollar, 200
			tt.change(b)
			s := mustCompile(t, p)
			r := request(t, s, chat, "", body)
			d := s.Decide(r, fixed(tt.left), testNow)
			o := d.First()
			if o.Edit.MaxOutput != tt.want {
				t.Fatalf("cap %d at a bound of %s USD, want %d", o.Edit.MaxOutput, o.Bound, tt.want)
			}
			if tt.want == 0 {
				return
			}
			if diff := cmp.Diff(Step{Percent: tt.percent, Do: StepFit}, d.Step); diff != "" {
				t.Errorf("step (-want +got):\n%s", diff)
			}
			more, err := o.Listing.Price.Bound(pricing.Exposure{Input: r.Call.InputBound(), Output: 3 * (tt.want + 1)})
			if err != nil || o.Bound > tt.room || more <= tt.room || o.Output != 3*tt.want {
				t.Errorf("bound %s USD, with a token more %s USD, error %v: want the largest cap that fits %s USD", o.Bound, more, err, tt.room)
			}
		})
	}
}

// A cap of 0 caps nothing: where a cap is reserved the body that leaves states it, whoever wanted it.
func TestACapOfZeroLeavesAsTheCapThatIsReserved(t *testing.T) {
	for _, tt := range []struct{ name, path, config string }{
		{"chat", chat, `"model":"gpt-6-sol","messages":[{"role":"user","content":"hi"}],"max_tokens":0`},
		{"chat with reasoning", chat, `"model":"gpt-6-sol","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":0`},
		{"two caps, one of them 0", chat, `"model":"gpt-6-sol","messages":[{"role":"user","content":"hi"}],"max_tokens":100,"max_completion_tokens":0`},
		{"responses", "/v1/responses", `"model":"gpt-6-sol","input":"hi","store":false,"max_output_tokens":0`},
	} {
		for name, change := range map[string]func(*Policy){
			"fitted": func(p *Policy) { p.Budgets[0].Limit, p.Budgets[0].FitOutput = 20*pricing.Dollar, 200 },
			"a rule's": func(p *Policy) {
				p.Rules = append([]Rule{{Name: "thirty", MaxOutput: 30}}, p.Rules...)
			},
		} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				p := stepped()
				change(&p)
				s := mustCompile(t, p)
				body := []byte("{" + tt.config + "}")
				r := request(t, s, tt.path, "", string(body))
				d := s.Decide(r, fixed(10_000_000), testNow)
				o := d.First()
				edits, err := r.Call.Rewrite(nil, o.Edit)
				if err != nil {
					t.Fatal(err)
				}
				left := request(t, s, tt.path, "", string(provider.Apply(nil, body, edits)))
				if o.Output == 0 || left.Call.MaxOutput != o.Output {
					t.Errorf("reserved %d tokens of output, the body that leaves says %d", o.Output, left.Call.MaxOutput)
				}
			})
		}
	}
}

// fixed is a state in which every budget has so much left.
type fixed pricing.Money

func (fixed) Cheaper(RouteName) bool                                        { return false }
func (fixed) PrefixSeen(RouteName, pricing.ModelName, provider.Prefix) bool { return false }
func (f fixed) Left(b *Budget) (left, limit pricing.Money, covered bool) {
	return pricing.Money(f), b.Limit, true
}
func (fixed) ExpectedOutput(RouteName, pricing.ModelName) int64 { return 0 }
