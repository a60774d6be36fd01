package ledger

import (
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// books is what budgets have spent and reserved, by scope and window. It does no I/O, reads no clock and locks
// nothing: a Ledger drives it under its mutex, a simulator as it likes. The zero value has no budgets.
type books struct {
	budgets  []placed    // in the order of the policy
	meters   []*meter    // of those, each once
	building []*meter    // being read from the database
	topUps   []TopUp     // that may still be in force
	events   []StepEvent // that nobody has been told of
	shared   sharing     // nil where balances are this process's own
	moves    []move      // on leases, that they have not been told of
}

// placed is a budget with the meter that counts for it.
type placed struct {
	budget policies.Budget
	meter  *meter
}

// refusal returns why the budgets refuse a reservation: of several, the one that refills last.
func (k *books) refusal(r *Reservation, now time.Time) *LimitError {
	var refusal *LimitError
	for _, m := range k.meters {
		if !m.covers(&r.Call) {
			continue
		}
		m.enter(now)
		b, _ := m.find(&r.Call, now, false)
		k.look(m, b, true)
		e := m.refusal(b, m.need(r), &r.Call, now)
		if e != nil && (refusal == nil || e.Refills.After(refusal.Refills)) {
			refusal = e
		}
	}
	return refusal
}

// hold reserves on all budgets that cover a call or on none, in the windows that contain now. Where it is not
// refusable it reserves whatever the budgets say and returns what they would have said.
func (k *books) hold(r *Reservation, now time.Time, refusable bool) ([]held, *LimitError) {
	refusal := k.refusal(r, now)
	if refusal != nil && refusable {
		return nil, refusal
	}
	holds := make([]held, 0, len(k.meters))
	for _, m := range k.meters {
		if !m.covers(&r.Call) {
			continue
		}
		b, grain := m.find(&r.Call, now, true)
		h, change := b.hold(grain, m.need(r))
		holds = append(holds, h)
		k.move(m, b, grain, &r.Call, now, change)
		k.events = m.crossings(k.events, b, now)
	}
	return holds, refusal
}

// free gives back what a reservation holds.
func (k *books) free(holds []held) {
	for _, h := range holds {
		if on, change := h.free(); on != nil {
			k.moves = append(k.moves, move{on, change})
		}
	}
}

// spend counts an entry of a journal record in the windows of its reservation.
func (k *books) spend(e *Entry, seq int64) {
	for _, m := range k.meters {
		if b := k.count(m, e, seq); b != nil {
			k.events = m.crossings(k.events, b, e.Settled)
		}
	}
	for _, m := range k.building { // whose leases are told when it is built
		if counted := m.counted(e, seq); counted != 0 {
			m.spend(&e.Call, e.At, counted)
		}
	}
}

// count counts an entry, and returns the balance if that changed.
func (k *books) count(m *meter, e *Entry, seq int64) *balance {
	counted := m.counted(e, seq)
	if counted == 0 {
		return nil
	}
	b, grain, change := m.spend(&e.Call, e.At, counted)
	if b != nil {
		k.move(m, b, grain, &e.Call, e.At, change)
	}
	return b
}

// counted is what the meter counts of an entry.
func (m *meter) counted(e *Entry, seq int64) pricing.Money {
	counted := e.counts(m.key.aborted || m.key.soft)
	// What the database had when the meter was read from it is not added again.
	if counted == 0 || seq <= m.base || !m.covers(&e.Call) {
		return 0
	}
	return counted
}

// left returns what a budget of the policy has left for a call, of which limit, and whether it covers the call; one that
// is not in force covers none.
func (k *books) left(budget *policies.Budget, c *Call, now time.Time) (left, limit pricing.Money, covered bool) {
	p := k.find(budget.Name)
	if p == nil || !p.meter.covers(c) {
		return budget.Limit, budget.Limit, false
	}
	p.meter.enter(now)
	b, _ := p.meter.find(c, now, false)
	k.look(p.meter, b, true)
	limit = b.limitOf(&p.budget, now)
	return max(0, limit-b.claimed()), limit, true
}

// find returns the budget of a name, nil if there is none.
func (k *books) find(name policies.BudgetName) *placed {
	for i := range k.budgets {
		if k.budgets[i].budget.Name == name {
			return &k.budgets[i]
		}
	}
	return nil
}

// rows returns the state of every budget, in the order of the policy and in none of scopes.
func (k *books) rows(now time.Time) []Balance {
	k.lookAll(now)
	var rows []Balance
	for i := range k.budgets {
		rows = append(rows, k.budgets[i].meter.rows(&k.budgets[i].budget, now)...)
	}
	return rows
}

// takeEvents returns the events that nobody has been told of, nil for none.
func (k *books) takeEvents() []StepEvent {
	events := k.events
	k.events = nil
	return events
}

// layout is a set of budgets with their meters.
type layout struct {
	budgets []placed
	meters  []*meter           // those in force and fresh ones
	limits  map[*meter][]limit // the budgets of each
	fresh   []*meter
}

// layOut finds or makes the meter of every budget. Fresh ones count what is settled after the journal record base
// from now on. With anew, all are fresh.
func (k *books) layOut(budgets []policies.Budget, base int64, anew bool) *layout {
	known := map[meterKey]*meter{}
	for _, m := range k.meters {
		if !anew {
			known[m.key] = m
		}
	}
	out := &layout{limits: map[*meter][]limit{}}
	for i := range budgets {
		b := &budgets[i]
		m := known[keyOf(b)]
		if m == nil {
			m = newMeter(b)
			m.base = base
			known[m.key] = m
			out.fresh = append(out.fresh, m)
		}
		if out.limits[m] == nil {
			out.meters = append(out.meters, m)
		}
		out.limits[m] = append(out.limits[m], newLimit(b))
		out.budgets = append(out.budgets, placed{*b, m})
	}
	k.building = out.fresh
	return out
}

// publish puts a layout into force. The open reservations are to be counted anew with recount, and then settled.
func (k *books) publish(next *layout, now time.Time) {
	k.budgets, k.meters, k.building = next.budgets, next.meters, nil
	for _, m := range k.meters {
		m.limits = next.limits[m]
		m.leases = leaseLimits(m.limits)
		m.enter(now)
		for _, balances := range m.windows {
			for _, b := range balances {
				b.unreserve()
				b.topUps = nil
			}
		}
	}
	for _, t := range k.topUps {
		if now.Before(t.Until) {
			k.attach(t)
		}
	}
}

// recount holds an open reservation in the budgets that are in force now.
func (k *books) recount(r *Reservation) []held {
	holds := make([]held, 0, len(k.meters))
	for _, m := range k.meters {
		if !m.covers(&r.Call) || (m.rolling() && m.period.Start(r.At).UnixNano() <= m.cut) {
			continue
		}
		b, grain := m.find(&r.Call, r.At, true)
		h, _ := b.hold(grain, m.need(r))
		holds = append(holds, h)
	}
	return holds
}

// settleIn takes the steps that are passed by now as known.
func (k *books) settleIn(now time.Time) {
	for _, m := range k.meters {
		start, _ := m.window(now)
		for _, b := range m.windows[start] {
			m.crossings(nil, b, now)
		}
	}
}

// attach adds a top-up to the balance that it is for, unless its budget is not in force.
func (k *books) attach(t TopUp) {
	p := k.find(t.Budget)
	if p == nil {
		return
	}
	c := callIn(t.Scope)
	b, _ := p.meter.find(&c, t.From, true)
	b.topUps = append(b.topUps, t)
}
