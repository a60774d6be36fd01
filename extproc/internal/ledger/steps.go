package ledger

import (
	"math"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// StepEvent says that a scope of a budget has passed a step on the way up. There is one for a step in each scope and
// window, and none for what was passed before the budget was put into force.
type StepEvent struct {
	Budget  policies.BudgetName
	Scope   []Dim // not to be changed
	Step    policies.Step
	Limit   pricing.Money // with top-ups
	Taken   pricing.Money // spent and reserved
	Refills time.Time
	Soft    bool
}

// limit is a budget of a meter, with what its steps come to.
type limit struct {
	policies.Budget
	alerts []policies.Step // by rising percentage
}

func newLimit(b *policies.Budget) limit {
	l := limit{Budget: *b, alerts: b.Steps}
	full := func(s policies.Step) bool { return s.Percent == 100 }
	if b.Soft && !slices.ContainsFunc(b.Steps, full) {
		// It refuses nothing, so that somebody must be told.
		l.alerts = append(slices.Clip(b.Steps), policies.Step{Percent: 100, Do: policies.StepAlert})
	}
	return l
}

// room is what calls may still reserve, never negative. A nil balance is untouched.
func (l *limit) room(b *balance, now time.Time) pricing.Money {
	if l.Soft {
		return math.MaxInt64
	}
	return max(0, l.Ceiling(b.limitOf(&l.Budget, now))-b.claimed())
}

// Passed reports whether what is taken has reached a step, where it is shared with what other replicas hold.
func (b *Balance) Passed(s policies.Step) bool {
	taken := pricing.AddCapped(b.Spent, b.Reserved)
	if b.Shared && b.Known {
		taken = b.Granted - b.Leased
	}
	return taken > 0 && s.Reached(taken, b.Limit)
}

// stepKey is a step of a budget.
type stepKey struct {
	budget policies.BudgetName
	step   policies.Step
}

// crossings appends the events of steps that a balance has passed since it was looked at last.
func (m *meter) crossings(events []StepEvent, b *balance, now time.Time) []StepEvent {
	for i := range m.limits {
		l := &m.limits[i]
		whole, taken := b.limitOf(&l.Budget, now), b.claimed()
		for _, s := range l.alerts {
			if taken == 0 || !s.Reached(taken, whole) {
				break
			}
			key := stepKey{l.Name, s}
			if again, ok := b.crossed[key]; ok && now.Before(again) {
				continue
			}
			if b.crossed == nil {
				b.crossed = map[stepKey]time.Time{}
			}
			b.crossed[key] = m.end
			events = append(events, StepEvent{
				Budget: l.Name, Scope: b.scope, Step: s, Limit: whole, Taken: taken, Refills: m.refills(b, 0), Soft: l.Soft,
			})
		}
	}
	return events
}
