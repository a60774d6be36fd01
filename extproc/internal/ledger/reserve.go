package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// Reserve holds r.Charge on every hard budget that covers the call, and on soft ones what it is expected to cost, or
// nothing on any, and returns nil when that is in the journal. A call that charges nothing passes while a budget has
// anything left, or is FreeOnly. Errors are a *LimitError, or wrap ErrJournal (nothing is held), ErrInvalid or
// ErrClosed. The call counts in the windows that contain now. Its owner settles or releases it, or renews it within
// Options.RenewWithin.
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

// Book holds as Reserve does whether or not the budgets have it left, and returns the refusal that Reserve would have
// given, nil for none. If the journal cannot be written it holds in memory only, and Healthy says so. Errors wrap
// ErrInvalid or ErrClosed; nothing is held then.
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

// Admit reports whether Reserve would take a call of that cost, without holding or writing anything. Of the call its
// Dims, Model and Route count. It returns nil or a *LimitError.
func (l *Ledger) Admit(c *Call, need pricing.Money, now time.Time) error {
	r := Reservation{Call: *c, Bound: need, Charge: need}
	r.normalize()
	now = l.at(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	if refusal := l.books.refusal(&r, now); refusal != nil {
		return refusal
	}
	return nil
}

// Left returns what a budget of the policy has left for a call, never negative, of which limit, top-ups included, and
// whether it covers the call; one that is not in force covers none. Of the call its Dims, Model and Route count.
func (l *Ledger) Left(b *policies.Budget, c *Call, now time.Time) (left, limit pricing.Money, covered bool) {
	call := *c
	call.normalize()
	now = l.at(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.books.left(b, &call, now)
}

// hold books a reservation in memory. If it may be refused and is, nothing is held.
func (l *Ledger) hold(r Reservation, now time.Time, refusable bool) (*open, *LimitError, error) {
	if r.Charge < 0 || r.Charge > r.Bound || r.Estimate < 0 || (r.Bound > 0 && r.Estimate > r.Bound) || r.ID == (ID{}) {
		return nil, nil, fmt.Errorf("%w: reservation %s of %s USD, of it charged %s USD, estimated at %s USD",
			ErrInvalid, r.ID, r.Bound, r.Charge, r.Estimate)
	}
	r.At = l.at(now)
	r.normalize()
	if l.shared != nil && refusable && r.Charge > 0 {
		return l.holdShared(r, now)
	}
	l.mu.Lock()
	o, refusal, err := l.holdLocked(r, refusable)
	l.moveLocked()
	events := l.books.takeEvents()
	l.mu.Unlock()
	l.tell(events)
	return o, refusal, err
}

func (l *Ledger) holdLocked(r Reservation, refusable bool) (*open, *LimitError, error) {
	if err := l.checkNewLocked(&r); err != nil {
		return nil, nil, err
	}
	holds, refusal := l.books.hold(&r, r.At, refusable)
	if refusal != nil && refusable {
		return nil, refusal, nil
	}
	o := &open{Reservation: r, held: holds, until: r.At.Add(l.options.RenewWithin)}
	l.open[r.ID] = o
	return o, refusal, nil
}

// checkNewLocked returns an error unless the reservation may be opened.
func (l *Ledger) checkNewLocked(r *Reservation) error {
	if l.closed {
		return ErrClosed
	}
	if l.open[r.ID] != nil {
		return fmt.Errorf("%w: reservation %s is open already", ErrInvalid, r.ID)
	}
	return nil
}

// tell passes on what steps were passed.
func (l *Ledger) tell(events []StepEvent) {
	for i := range events {
		e := &events[i]
		level := slog.LevelInfo
		if e.Step.Do == policies.StepAlert {
			level = slog.LevelWarn
		}
		l.options.Logger.LogAttrs(context.Background(), level, "budget step passed",
			slog.String("budget", string(e.Budget)), slog.String("scope", ScopeText(e.Scope)),
			slog.Int64("percent", e.Step.Percent), slog.String("step", string(e.Step.Do)),
			slog.String("taken_usd", e.Taken.String()), slog.String("limit_usd", e.Limit.String()))
		if l.options.OnStep != nil {
			l.options.OnStep(*e)
		}
	}
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
	l.moveLocked()
}

// freeLocked takes a reservation out of the balances.
func (l *Ledger) freeLocked(o *open) {
	l.books.free(o.held)
	delete(l.open, o.ID)
	if o.key != "" && l.parked[o.key] == o.ID {
		delete(l.parked, o.key)
	}
}

// Balances returns the state of every budget at a moment, in the order of the policy and then of scopes. A budget
// with dimensions has a row for every scope that was seen in its window. Where balances are shared, it has the store
// asked how they stand, which later calls show.
func (l *Ledger) Balances(now time.Time) []Balance {
	now = l.at(now)
	l.mu.Lock()
	rows := l.books.rows(now)
	l.mu.Unlock()
	for i := range rows {
		rows[i].Shared = l.shared != nil && !rows[i].Soft
	}
	sortBalances(rows)
	return rows
}

// sortBalances sorts the rows of each budget by scope.
func sortBalances(rows []Balance) {
	for len(rows) > 0 {
		n := slices.IndexFunc(rows, func(b Balance) bool { return b.Budget != rows[0].Budget })
		if n < 0 {
			n = len(rows)
		}
		slices.SortFunc(rows[:n], compareBalances)
		rows = rows[n:]
	}
}

// Fullest returns for each budget, in the order of the policy, the scope that has taken most in its window.
// It costs less than Balances where there are many scopes.
func (l *Ledger) Fullest(now time.Time) []Balance {
	now = l.at(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := make([]Balance, 0, len(l.books.budgets))
	for i := range l.books.budgets {
		p := &l.books.budgets[i]
		rows = append(rows, p.meter.row(&p.budget, p.meter.fullest(now), now))
	}
	return rows
}
