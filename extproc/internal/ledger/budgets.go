package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/policies"
)

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
	return l.setBudgets(ctx, budgets, now)
}

// setBudgets does it. Where balances are shared, all of them are counted anew when the store's clock, which windows
// follow, is known for the first time. Its caller has the lock setting.
func (l *Ledger) setBudgets(ctx context.Context, budgets []policies.Budget, now time.Time) error {
	reached := l.reached()
	now = l.at(now)
	l.mu.Lock()
	joins := reached && l.books.shared == nil
	// With the lock: what is journaled later is applied when the fresh meters count already. Of the journal's own lock it
	// takes none, which a rotation may hold while the disk works.
	layout := l.books.layOut(budgets, l.journal.seq.Load(), joins)
	l.mu.Unlock()
	if err := l.build(ctx, layout.fresh, now); err != nil {
		l.mu.Lock()
		l.books.building = nil
		l.mu.Unlock()
		return fmt.Errorf("set budgets: %w", err)
	}
	l.publish(layout, joins, now)
	if reached && len(layout.fresh) > 0 {
		// What this replica spent before counts for the others from now on, not from the next beat on. While the store is
		// away nobody gets anything from it, and the holder logs that.
		_ = l.shared.holder.Beat(ctx)
	}
	return nil
}

// publish puts a layout in force, on leases if the store has been reached.
func (l *Ledger) publish(layout *layout, joins bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.books.building = nil
	if joins {
		l.books.shared = l.shared.holder
	}
	l.books.publish(layout, now)
	for _, o := range l.open {
		o.held = l.books.recount(&o.Reservation)
	}
	l.books.lease(now)
	if joins {
		l.shared.holder.Open()
	}
	l.books.settleIn(now)
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
		sums, err := l.store.spent(ctx, m.query(now))
		if err != nil {
			return err
		}
		l.mu.Lock()
		m.enter(now)
		m.add(sums)
		l.mu.Unlock()
	}
	return nil
}

// query selects what counts in the present window of a meter.
func (m *meter) query(now time.Time) spentQuery {
	q := spentQuery{from: m.period.Start(now), until: m.period.End(now), last: m.base, names: m.named()}
	if m.rolling() {
		q.grain = m.period.Grain()
		q.from = q.from.Add(-m.period.Length - q.grain) // in a grain that counts no more
	}
	return q
}

// named reports whether the meter looks at the model or the provider of a call.
func (m *meter) named() bool {
	byName := func(name policies.DimensionName) bool {
		return name == policies.DimModel || name == policies.DimProvider
	}
	return slices.ContainsFunc(m.per, byName) ||
		slices.ContainsFunc(m.period.Only, func(c policies.Condition) bool { return byName(policies.DimensionName(c.Key)) })
}

// add counts sums of the database.
func (m *meter) add(sums []spentSum) {
	for i := range sums {
		s := &sums[i]
		amount := s.counted
		if m.key.aborted || m.key.soft {
			amount = s.charged
		}
		if amount != 0 && m.covers(&s.Call) {
			m.spend(&s.Call, s.At, amount)
		}
	}
}
