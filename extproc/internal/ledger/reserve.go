package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// Reserve holds r.Charge on every budget or on none, and returns nil when that is in the journal. A call that
// charges nothing passes while a budget has anything left, or is FreeOnly. Errors are a *LimitError, or wrap
// ErrJournal (nothing is held), ErrInvalid or ErrClosed. The call counts in the windows that contain now.
func (l *Ledger) Reserve(r Reservation, now time.Time) error {
	r.Observed = false
	o, refusal, err := l.hold(r, now, true)
	if err != nil {
		return err
	}
	if refusal != nil {
		return refusal
	}
	if err := l.journalReservation(&o.Reservation); err != nil {
		l.forget(o)
		return err
	}
	return nil
}

// Book holds r.Charge on every budget, whether or not they have it left, and returns the refusal that Reserve
// would have given, nil for none. If the journal cannot be written it holds in memory only, and Healthy says so.
// Errors wrap ErrInvalid or ErrClosed; nothing is held then.
func (l *Ledger) Book(r Reservation, now time.Time) (*LimitError, error) {
	r.Observed = true
	o, refusal, err := l.hold(r, now, false)
	if err != nil {
		return nil, err
	}
	// The journal keeps its own fault for Healthy, and a settlement is whole without its reservation.
	if err := l.journalReservation(&o.Reservation); err != nil && !errors.Is(err, ErrJournal) {
		l.forget(o)
		return nil, err
	}
	return refusal, nil
}

// Admit reports whether Reserve would take a call of that cost, without holding or writing anything. It returns
// nil or a *LimitError.
func (l *Ledger) Admit(dims []Dim, need pricing.Money, now time.Time) error {
	dims = validDims(dims)
	l.mu.Lock()
	defer l.mu.Unlock()
	if refusal := l.refusalLocked(dims, need, now); refusal != nil {
		return refusal
	}
	return nil
}

// hold books a reservation in memory. If it may be refused and is, nothing is held.
func (l *Ledger) hold(r Reservation, now time.Time, refusable bool) (*open, *LimitError, error) {
	if r.Charge < 0 || r.Charge > r.Bound || r.Estimate < 0 || (r.Bound > 0 && r.Estimate > r.Bound) || r.ID == (ID{}) {
		return nil, nil, fmt.Errorf("%w: reservation %s of %s USD, of it charged %s USD, estimated at %s USD",
			ErrInvalid, r.ID, r.Bound, r.Charge, r.Estimate)
	}
	r.At = now
	r.normalize()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, ErrClosed
	}
	if l.open[r.ID] != nil {
		return nil, nil, fmt.Errorf("%w: reservation %s is open already", ErrInvalid, r.ID)
	}
	refusal := l.refusalLocked(r.Dims, r.Charge, r.At)
	if refusal != nil && refusable {
		return nil, refusal, nil
	}
	o := &open{Reservation: r, held: make([]*balance, len(l.meters))}
	for i, m := range l.meters {
		o.held[i] = m.find(r.Dims, r.At, true)
		if !o.held[i].fits(r.Charge) {
			return nil, nil, fmt.Errorf("%w: reservation %s: %w", ErrInvalid, r.ID, pricing.ErrOverflow)
		}
	}
	for _, b := range o.held {
		b.reserved += r.Charge
	}
	l.open[r.ID] = o
	return o, refusal, nil
}

// refusalLocked returns the refusal of the budget that refills last, nil if none refuses.
func (l *Ledger) refusalLocked(dims []Dim, need pricing.Money, now time.Time) *LimitError {
	var refusal *LimitError
	for _, m := range l.meters {
		r := m.refusal(m.find(dims, now, false), need, dims)
		if r != nil && (refusal == nil || r.Refills.After(refusal.Refills)) {
			refusal = r
		}
	}
	return refusal
}

// journalReservation writes the reservation's record.
func (l *Ledger) journalReservation(r *Reservation) error {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	frame, err := appendRecord(*buf, kindReservation, r)
	if err != nil {
		return err
	}
	*buf = frame
	return l.journal.reserve(r.ID, frame)
}

// forget frees a reservation that never reached the journal.
func (l *Ledger) forget(o *open) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.freeLocked(o)
}

// freeLocked takes a reservation out of the balances.
func (l *Ledger) freeLocked(o *open) {
	for _, b := range o.held {
		b.reserved -= o.Charge
	}
	delete(l.open, o.ID)
}

// Balances returns the state of every budget at a moment, in the order of the policy and then of scopes. A budget
// with dimensions has a row for every scope that was seen in its window.
func (l *Ledger) Balances(now time.Time) []Balance {
	l.mu.Lock()
	defer l.mu.Unlock()
	var rows []Balance
	for i := range l.budgets {
		rows = append(rows, l.budgets[i].meter.rows(&l.budgets[i].budget, now)...)
	}
	return slices.Clip(rows)
}
