package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// Top-ups and steps that refuse come to the same calls with a store as without.
func TestAStoreAdmitsWhatOneProcessDoes(t *testing.T) {
	t.Parallel()
	early := company(100 * cent)
	early.Name, early.Steps = "early", []policies.Step{{Percent: 80, Do: policies.StepRefuse}}
	type topUp struct {
		budget policies.BudgetName
		amount pricing.Money
	}
	for _, tt := range []struct {
		name    string
		budgets []policies.Budget
		topUps  []topUp
		want    int // calls of a cent
		refuses policies.BudgetName
		left    pricing.Money
	}{
		{"a step that refuses", []policies.Budget{early}, nil, 80, "early", 0},
		{"a top-up counts by the percentage", []policies.Budget{early}, []topUp{{"early", 11 * cent}, {"early", 2 * cent}}, 90, "early", 4 * cent / 10},
		{"the tighter of two budgets", []policies.Budget{company(79 * cent), early}, nil, 79, "company", 0},
		{"the other one is topped up", []policies.Budget{company(90 * cent), early}, []topUp{{"company", 50 * cent}}, 80, "early", 0},
		{"the tighter one becomes the other", []policies.Budget{company(90 * cent), early}, []topUp{{"early", 50 * cent}}, 90, "company", 0},
	} {
		s := startRedis(t)
		for where, l := range map[string]*Ledger{
			"one process": openAt(t, t.TempDir(), Options{}, tt.budgets...),
			"a store":     openShared(t, t.TempDir(), s.URL(), tt.budgets...),
		} {
			t.Run(tt.name+" in "+where, func(t *testing.T) {
				t.Parallel()
				for _, up := range tt.topUps {
					_, err := l.TopUp(TopUp{Budget: up.budget, Amount: up.amount, Who: "ann", Reason: "launch"}, time.Now())
					must(t, err)
				}
				if got := admits(t, tt.want, cent, l); got != tt.want {
					t.Errorf("%d calls of a cent admitted, want %d", got, tt.want)
				}
				var limit *LimitError
				if _, err := reserveNow(l, cent); !errors.As(err, &limit) || limit.Budget != tt.refuses || limit.Left != tt.left {
					t.Errorf("got %v, want a refusal by %q with %s left", err, tt.refuses, tt.left)
				}
			})
		}
	}
}
