package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// stepped has two tiers, a pool and a budget whose steps are STEPS.
const stepped = `
version: 1
mode: enforce
dimensions:
  feature: [header:x-farebox-feature]
tiers:
  heavy: [openai/gpt-4o]
  medium: [openai/gpt-4.1-nano]
  shared: [openai/gpt-4o, gpu/pool-model]
rules:
  - {when: {feature: heavy}, tier: heavy}
  - {when: {feature: shared}, tier: shared}
pools:
  gpu:
    endpoints: [http://127.0.0.1:1]
    cost: $2 per gpu-hour
    throughput: 2500 tokens per second
budgets:
  - name: company
    limit: $LIMIT per day
    steps: {STEPS}
`

func steps(limit nanos, list string) string {
	return strings.NewReplacer("LIMIT", limit.String(), "STEPS", list).Replace(stepped)
}

// TestAStepChangesWhatACallGets: the first calls get what they ask for, and once a part of the budget is spent, later
// ones what the step leaves.
func TestAStepChangesWhatACallGets(t *testing.T) {
	for _, tt := range []struct {
		name, steps, feature   string
		decision, model        string // before
		then, thenModel, after string // after; of calls without a feature: their model
	}{
		{"cap the tier", "30%: cap at medium", "heavy", "asked", "gpt-4o", "tier", "gpt-4.1-nano", "gpt-4.1-nano"},
		{"prefer pools", "30%: prefer pools", "shared", "asked", "gpt-4o", "pool", "pool-model", "gpt-4o"},
		{"both, the pool first", "25%: cap at medium, 30%: prefer pools", "shared", "asked", "gpt-4o", "pool", "pool-model", "gpt-4.1-nano"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := chat(ask("gpt-4o", "Hi"))
			limit := bound(t, c) * 8
			s := newStack(t, setup{policy: steps(limit, tt.steps), pool: true})
			wantDecision(t, s.ok(t, c.with("x-farebox-feature", tt.feature)), tt.decision, tt.model)
			for range 20 { // to the step
				s.ok(t, chat(ask("gpt-4o", "Spend")))
				if s.summary(t).budget(t).Spent*100 > limit*30 {
					break
				}
			}
			wantDecision(t, s.ok(t, c.with("x-farebox-feature", tt.feature)), tt.then, tt.thenModel)
			if got := s.ok(t, c).header.Get("x-farebox-model"); got != tt.after {
				t.Errorf("a call without a tier got model %q, want %q", got, tt.after)
			}
			s.quiet(t)
		})
	}
}

// TestAStepThatRefusesKeepsTheRestInReserve: a hard limit below the limit.
func TestAStepThatRefusesKeepsTheRestInReserve(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi"))
	limit := bound(t, c) * 8
	s := newStack(t, setup{policy: steps(limit, "50%: refuse")})
	admitted := 0
	for ; admitted < 50; admitted++ {
		if a := s.send(t, c); a.status != http.StatusOK {
			wantRefused(t, a)
			break
		}
	}
	b := s.summary(t).budget(t)
	if b.Spent == 0 || b.Spent > limit/2 || b.Reserved != 0 || admitted == 50 {
		t.Errorf("%d calls admitted, budget %+v; want at most half of it spent", admitted, b)
	}
}

func TestTheOutputIsFittedToWhatIsLeft(t *testing.T) {
	const floor = 20
	for _, tt := range []struct {
		name   string
		call   call
		member string
	}{
		{"chat", chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"[[tokens=150]]"}]}`), "max_tokens"},
		{"chat with a cap", chat(`{"model":"gpt-4o","max_tokens":9000,"messages":[{"role":"user","content":"[[tokens=150]]"}]}`), "max_tokens"},
		{"responses", responses(`{"model":"gpt-4.1","input":"[[tokens=150]]"}`), "max_output_tokens"},
		{"messages that stream", messages(`{"model":"claude-sonnet-5","stream":true,"max_tokens":9000,"messages":[{"role":"user","content":"[[tokens=150]]"}]}`), "max_tokens"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const limit = 4_000_000
			policy := limitedTo(limit) + fmt.Sprintf("    fit_output: down to %d tokens\n", floor)
			s := newStack(t, setup{policy: policy})
			last := 1 << 30
			for range 100 {
				a := s.send(t, tt.call)
				if a.status != http.StatusOK {
					wantRefused(t, a)
					break
				}
				var body map[string]json.RawMessage
				decode(t, string(s.provider.last(t).Body), &body)
				var fitted int
				decode(t, string(body[tt.member]), &fitted)
				if fitted < floor || fitted > last {
					t.Errorf("cap %d after %d, want one that falls to %d at least", fitted, last, floor)
				}
				last = fitted
			}
			b, total := s.summary(t).budget(t), s.provider.total(t)
			if last > 200 || b.Spent != total.CostNanos || b.Spent > limit || b.Reserved != 0 {
				t.Errorf("last cap %d, budget %+v, invoice %s USD", last, b, total.CostNanos)
			}
			s.quiet(t)
		})
	}
}

// TestASoftBudgetRefusesNobody: it counts, and that is all.
func TestASoftBudgetRefusesNobody(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(1) + "    soft: true\n    steps: {50%: alert}\n"})
	for range 3 {
		s.ok(t, chat(ask("gpt-4o", "Hi")))
	}
	sum, total := s.settled(t, 3), s.provider.total(t)
	if b := sum.budget(t); b.Spent != total.CostNanos || b.Reserved != 0 {
		t.Errorf("budget %+v, invoice %s USD", b, total.CostNanos)
	}
}

// TestSeveralBudgetsReserveTogetherOrNotAtAll: a call that one budget refuses leaves nothing on another.
func TestSeveralBudgetsReserveTogetherOrNotAtAll(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi"))
	policy := limitedTo(bound(t, c)*100) + fmt.Sprintf("  - name: every team\n    per: team\n    limit: $%s per hour\n  - name: this model\n    per: [team, model]\n    limit: $%s per week\n",
		bound(t, c)*2, bound(t, c))
	s := newStack(t, setup{policy: policy})
	s.ok(t, c.with("x-team", "search"))
	for range 5 {
		a := s.send(t, c.with("x-team", "search"))
		if a.status != http.StatusTooManyRequests || !strings.Contains(messageOf(t, a), "this model") {
			t.Errorf("status %d: %s; want a refusal that names the budget", a.status, a.body)
		}
	}
	s.ok(t, c.with("x-team", "shop"))
	total := s.provider.total(t)
	for _, b := range s.summary(t).Budgets {
		if b.Reserved != 0 || b.Budget == "company" && b.Spent != total.CostNanos {
			t.Errorf("budget %+v, invoice %s USD", b, total.CostNanos)
		}
	}
}
