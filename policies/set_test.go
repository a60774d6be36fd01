package policies

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
)

// fullPolicy has an entry in every list and a value behind every pointer.
func fullPolicy() Policy {
	yes := true
	p := testPolicy()
	p.Dimensions = []Dimension{{Name: "team", Sources: []Source{{FromJWT, "team"}}}}
	p.Rules[0].When = Match{
		Dimensions: []Condition{{"team", []string{"a"}}}, Headers: []Condition{{"x-tier", []string{"a"}}},
		Models: []string{"gpt-*"}, Providers: []RouteName{"openai"}, Paths: []string{"/v1/*"}, APIs: []string{"openai_chat"},
		Tools: &yes, Images: &yes, Stream: &yes,
	}
	p.Exact = &ExactCache{TTL: time.Hour, Per: "team"}
	p.Budgets = []Budget{{Name: "company", Limit: pricing.Dollar, Per: []DimensionName{"team"}, Window: Month, Zone: time.UTC}}
	return p
}

func TestASetSharesNothingWithTheCallersPolicy(t *testing.T) {
	p := fullPolicy()
	s := mustCompile(t, p)
	want := *mustCompile(t, fullPolicy()).Policy()
	scramble(reflect.ValueOf(&p).Elem())
	if diff := cmp.Diff(want, *s.Policy(), cmp.Comparer(func(a, b *time.Location) bool { return a == b })); diff != "" {
		t.Errorf("the set after its policy was changed (-want +got):\n%s", diff)
	}
}

// scramble changes every string, number and flag that v leads to, all but time zones, which nobody can change.
func scramble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*time.Location]() {
			scramble(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			scramble(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			scramble(v.Index(i))
		}
	case reflect.String:
		v.SetString("changed")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	}
}

func TestCompileRefusesWhatNoSetCanMean(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(p *Policy)
		want   string
	}{
		{"nothing wrong", func(*Policy) {}, ""},
		{"a mode", func(p *Policy) { p.Mode = "enforced" }, `unknown mode "enforced"`},
		{"a pool's use", func(p *Policy) { p.Pools[0].Use = "sometimes" }, `pool "gpu": unknown use "sometimes"`},
		{"a pool without throughput", func(p *Policy) { p.Pools[0].Throughput = 0 }, `pool "gpu": gpus and throughput must be positive`},
		{"a pool with the caller's key", func(p *Policy) { p.Pools[0].Credential.Caller = true }, `pool "gpu": the caller's credential does not go to a pool`},
		{"a pool named like a provider", func(p *Policy) { p.Pools[0].Name = "openai" }, `provider or pool "openai": declared twice`},
		{"two tiers of a name", func(p *Policy) { p.Tiers = append(p.Tiers, p.Tiers[0]) }, `tier "medium": declared twice`},
		{"two budgets of a name", func(p *Policy) { p.Budgets = append(p.Budgets, p.Budgets[0]) }, `budget "company": declared twice`},
		{"a budget's window", func(p *Policy) { p.Budgets[0].Window = "fortnight" }, `budget "company": unknown window "fortnight"`},
		{"a rolling budget of seconds", func(p *Policy) { p.Budgets[0].Window = Rolling }, `budget "company": rolling over 0s, want a minute or more`},
		{"a step beyond the limit", func(p *Policy) { p.Budgets[0].Steps = []Step{{Percent: 101, Do: StepAlert}} }, `budget "company": a step at 101%, want 1% to 100%`},
		{"a step that does nothing", func(p *Policy) { p.Budgets[0].Steps = []Step{{Percent: 1, Do: "pray"}} }, `budget "company": unknown step "pray"`},
		{"a step's tier", func(p *Policy) { p.Budgets[0].Steps = []Step{{Percent: 1, Do: StepCapTier, Tier: "light"}} }, `budget "company": unknown tier "light"`},
		{"a budget for whom nobody knows", func(p *Policy) { p.Budgets[0].Only = []Condition{{Key: "user"}} }, `budget "company": unknown dimension "user"`},
		{"a discount that adds", func(p *Policy) { p.Discounts = []Discount{{PPM: 1_000_001}} }, `discount 1: a factor of 1000001 parts per million, want 0 to 1000000`},
		{"a status that is none of a refusal", func(p *Policy) { p.Refusal = 200 }, `refusal status 200, want 429, 402 or 403`},
		{"a budget's dimension", func(p *Policy) { p.Budgets[0].Per[0] = "user" }, `budget "company": unknown dimension "user"`},
		{"the cache's dimension", func(p *Policy) { p.Exact.Per = "user" }, `exact cache: unknown dimension "user"`},
		{"a dimension's source", func(p *Policy) { p.Dimensions[0].Sources[0].Kind = "cookie" }, `dimension "team": unknown source "cookie"`},
		{"a tier's route", func(p *Policy) { p.Tiers[0].Models[0].Route = "nowhere" }, `tier "medium": unknown provider or pool "nowhere"`},
		{"a rule's tier", func(p *Policy) { p.Rules[0].Tier = "light" }, `rule "to medium": unknown tier "light"`},
		{"a rule's dimension", func(p *Policy) { p.Rules[0].When.Dimensions[0].Key = "user" }, `rule "to medium": unknown dimension "user"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fullPolicy()
			tt.change(&p)
			got := ""
			if _, err := Compile(p, testPrices); err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("Compile: %q, want %q", got, tt.want)
			}
		})
	}
}
