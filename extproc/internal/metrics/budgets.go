package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// BudgetState is how a budget stands: its fullest scope, in the current window.
type BudgetState struct {
	Budget                 policies.BudgetName
	Limit, Spent, Reserved pricing.Money
}

// Budgets exports farebox_budget_{limit,spent,reserved}_dollars. A budget that is counted per team has as many
// scopes as teams, whose names do not belong into labels: of those the fullest one is exported, which is the
// one that will refuse next.
type Budgets struct {
	states                 func() []BudgetState
	limit, spent, reserved *prometheus.Desc
}

// NewBudgets returns a collector that calls states, which has one for each budget, at every scrape. It may be called
// from several goroutines.
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
	for _, s := range b.states() {
		ch <- prometheus.MustNewConstMetric(b.limit, prometheus.GaugeValue, dollars(s.Limit), string(s.Budget))
		ch <- prometheus.MustNewConstMetric(b.spent, prometheus.GaugeValue, dollars(s.Spent), string(s.Budget))
		ch <- prometheus.MustNewConstMetric(b.reserved, prometheus.GaugeValue, dollars(s.Reserved), string(s.Budget))
	}
}

// Steps counts how often budgets passed a step on the way up.
type Steps struct{ passed *prometheus.CounterVec }

// NewSteps registers the counter with reg.
func NewSteps(reg prometheus.Registerer) *Steps {
	return &Steps{promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_budget_steps_total",
		Help: "Scopes of a budget that passed a step, once in each window: an alert, or what the step does.",
	}, []string{"budget", "percent", "step"})}
}

// Passed counts a step that a scope of a budget has passed.
func (s *Steps) Passed(budget policies.BudgetName, step policies.Step) {
	s.passed.WithLabelValues(string(budget), strconv.FormatInt(step.Percent, 10), string(step.Do)).Inc()
}
