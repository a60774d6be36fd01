package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/farebox-mesh/farebox/policies"
)

// placed is a budget with the meter that counts for it.
type placed struct {
	budget policies.Budget
	meter  *meter
}

// SetBudgets puts budgets into force, at start and when a policy is reloaded. Balances of scopes and windows that
// were in force before go on; others are what the entries of the window that contains now add up to. Until it
// returns, the old budgets hold; if it returns an error, they stay.
func (l *Ledger) SetBudgets(ctx context.Context, budgets []policies.Budget, now time.Time) error {
	for i := range budgets {
		if err := checkBudget(&budgets[i]); err != nil {
			return err
		}
	}
	l.setting.Lock()
	defer l.setting.Unlock()
	layout := l.layOut(budgets)
	defer func() {
		l.mu.Lock()
		l.building = nil
		l.mu.Unlock()
	}()
	if err := l.build(ctx, layout.fresh, now); err != nil {
		return fmt.Errorf("set budgets: %w", err)
	}
	l.publish(layout)
	return nil
}

// layout is a set of budgets with their meters.
type layout struct {
	budgets []placed
	meters  []*meter                     // those in force and fresh ones
	limits  map[*meter][]policies.Budget // the budgets of each
	fresh   []*meter
}

// layOut finds or makes the meter of every budget. Fresh ones count from now on what is settled after the
// journal's present end.
func (l *Ledger) layOut(budgets []policies.Budget) *layout {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := map[meterKey]*meter{}
	for _, m := range l.meters {
		known[m.key] = m
	}
	out := &layout{limits: map[*meter][]policies.Budget{}}
	base := l.journal.end().Seq
	for i := range budgets {
		b := &budgets[i]
		m := known[keyOf(b)]
		if m == nil {
			m = newMeter(b)
			m.base, m.budgets = base, []policies.Budget{*b}
			known[m.key] = m
			out.fresh = append(out.fresh, m)
		}
		if out.limits[m] == nil {
			out.meters = append(out.meters, m)
		}
		out.limits[m] = append(out.limits[m], *b)
		out.budgets = append(out.budgets, placed{*b, m})
	}
	l.building = out.fresh
	return out
}

// build adds to fresh meters what the database has of their current windows.
func (l *Ledger) build(ctx context.Context, fresh []*meter, now time.Time) error {
	if len(fresh) == 0 {
		return nil
	}
	if err := l.sink.waitFor(ctx, fresh[0].base); err != nil {
		return err
	}
	for _, m := range fresh {
		b := &m.budgets[0]
		sums, err := l.store.spent(ctx, b.Start(now), b.End(now), m.base)
		if err != nil {
			return err
		}
		l.mu.Lock()
		for _, s := range sums {
			amount := s.counted
			if m.key.aborted {
				amount = s.charged
			}
			if amount > 0 {
				m.find(s.dims, b.Start(now), true).spend(amount)
			}
		}
		l.mu.Unlock()
	}
	return nil
}

// publish puts a layout into force and counts the open reservations in it.
func (l *Ledger) publish(next *layout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range next.meters {
		m.budgets = next.limits[m]
		for _, balances := range m.windows {
			for _, b := range balances {
				b.reserved = 0
			}
		}
	}
	l.meters, l.budgets = next.meters, next.budgets
	for _, o := range l.open {
		o.held = make([]*balance, len(l.meters))
		for i, m := range l.meters {
			o.held[i] = m.find(o.Dims, o.At, true)
			o.held[i].reserved += o.Charge
		}
	}
}
