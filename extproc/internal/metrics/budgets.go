package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// BudgetState is how one scope of a budget stands in its current window.
type BudgetState struct {
	Budget                 policies.BudgetName
	Limit, Spent, Reserved pricing.Money
}

// taken is what of the limit can no longer be reserved.
func (s BudgetState) taken() pricing.Money { return s.Spent + s.Reserved }

// Budgets exports farebox_budget_{limit,spent,reserved}_dollars. A budget that is counted per team has as many
// states as teams, whose names do not belong into labels: of those the fullest one is exported, which is the
// one that will refuse next.
type Budgets struct {
	states                 func() []BudgetState
	limit, spent, reserved *prometheus.Desc
}

// NewBudgets returns a collector that calls states at every scrape. It may be called from several goroutines.
func NewBudgets(states func() []BudgetState) *Budgets {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"budget"}, nil)
	}
	return &Budgets{
		states:   states,
		limit:    desc("farebox_budget_limit_dollars", "What a budget allows per window, in US dollars."),
		spent:    desc("farebox_budget_spent_dollars", "What the fullest scope of a budget has spent in its window, in US dollars."),
		reserved: desc("farebox_budget_reserved_dollars", "What calls in flight may still cost in the same scope, in US dollars."),
	}
}

// Describe implements prometheus.Collector.
func (b *Budgets) Describe(ch chan<- *prometheus.Desc) {
	ch <- b.limit
	ch <- b.spent
	ch <- b.reserved
}

// Collect implements prometheus.Collector.
func (b *Budgets) Collect(ch chan<- prometheus.Metric) {
	fullest := map[policies.BudgetName]BudgetState{}
	for _, s := range b.states() {
		if have, ok := fullest[s.Budget]; !ok || s.taken() > have.taken() {
			fullest[s.Budget] = s
		}
	}
	for name, s := range fullest {
		ch <- prometheus.MustNewConstMetric(b.limit, prometheus.GaugeValue, dollars(s.Limit), string(name))
		ch <- prometheus.MustNewConstMetric(b.spent, prometheus.GaugeValue, dollars(s.Spent), string(name))
		ch <- prometheus.MustNewConstMetric(b.reserved, prometheus.GaugeValue, dollars(s.Reserved), string(name))
	}
}
