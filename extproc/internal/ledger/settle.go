package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// maxQueue is how many entries wait for a journal that cannot be written, about a kilobyte each.
const maxQueue = 1 << 15

// unwritten is an entry that the journal has not taken.
type unwritten struct {
	kind  kind
	frame []byte
	entry Entry
}

// Settle books what a reserved call came to, in the windows in which it was reserved, and returns nil when that
// is in the journal. Only e.ID says which call it is: Call and Bound are taken from the reservation, Counted and
// Overrun are worked out. A call that is settled already is counted as a duplicate and ignored; one that has
// expired is corrected by an entry with what this one changes about it. Errors wrap ErrInvalid (the reservation stays
// open) or ErrJournal (the entry is kept and written later).
func (l *Ledger) Settle(e Entry) error {
	if err := e.check(); err != nil {
		return err
	}
	return l.settle(e)
}

func (l *Ledger) settle(e Entry) error {
	o, late := l.claim(e.ID)
	switch {
	case late != nil:
		return l.adjust(*late, e)
	case o == nil:
		return nil
	}
	e.bookOn(&o.Reservation)
	return l.finish(o, e)
}

// Release frees the reservation of a call that is proven not to be billed: never forwarded, connection failed, an
// error status of the provider. It leaves an entry without cost, with the Status, Detail, Settled and Took of e. Errors
// and duplicates are those of Settle.
func (l *Ledger) Release(e Entry) error {
	return l.settle(Entry{
		Call: Call{ID: e.ID}, Outcome: Released, Status: e.Status, Detail: e.Detail, Settled: e.Settled, Took: e.Took,
	})
}

// Record notes a call that nobody was charged for and that reserved nothing, such as a cache hit: its cost must
// be zero. The caller must not record an ID twice. Errors are those of Settle.
func (l *Ledger) Record(e Entry, now time.Time) error {
	e.At = now
	e.Counted, e.Bound, e.Overrun = 0, 0, false
	if err := e.check(); err != nil {
		return err
	}
	if e.Cost != 0 {
		return fmt.Errorf("%w: entry %s of %s USD without a reservation", ErrInvalid, e.ID, e.Cost)
	}
	return l.write(kindEntry, e)
}

// claim returns an open reservation to the one caller that may finish it, or an expired one to the one that may
// correct it, and nothing to all others.
func (l *Ledger) claim(id ID) (*open, *expired) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if was, ok := l.expired[id]; ok {
		delete(l.expired, id)
		l.stats.Adjusted++
		return nil, &was
	}
	o := l.open[id]
	if o == nil || o.settling {
		l.stats.Duplicates++
		return nil, nil
	}
	o.settling = true
	return o, nil
}

// finish writes the entry of a claimed reservation.
func (l *Ledger) finish(o *open, e Entry) error {
	err := l.write(kindSettlement, e)
	if err != nil && !errors.Is(err, ErrJournal) {
		l.mu.Lock()
		o.settling = false
		delete(l.expired, o.ID)
		l.mu.Unlock()
		return err
	}
	l.settled(&e)
	return err
}

// settled tells of a call that is settled.
func (l *Ledger) settled(e *Entry) {
	l.countOverrun(e)
	if l.options.OnSettle != nil {
		l.options.OnSettle(e)
	}
}

// overrunEvery is how often at most a call that overran its reservation is logged.
const overrunEvery = 5 * time.Second

// countOverrun counts a call that came to more than was reserved, and warns of it now and then: a provider can have
// all calls do so.
func (l *Ledger) countOverrun(e *Entry) {
	if !e.Overrun {
		return
	}
	l.mu.Lock()
	l.stats.Overruns++
	l.mu.Unlock()
	others, ok := l.overruns.Pass(l.options.Now(), overrunEvery)
	if !ok {
		return
	}
	l.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, "call came to more than was reserved",
		slog.Int64("not_logged", others),
		slog.String("request_id", e.ID.String()), slog.String("provider", string(e.Route)), slog.String("model", string(e.Model)),
		slog.String("scope", ScopeText(e.Dims)), slog.String("cost_usd", e.Cost.String()),
		slog.String("charged_usd", e.Charge.String()), slog.String("bound_usd", e.Bound.String()))
}

// write puts an entry into the journal and the balances. If the journal does not take it, it waits in the queue.
func (l *Ledger) write(k kind, e Entry) error {
	e.normalize()
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	frame, err := appendRecord(*buf, k, &e)
	if err != nil {
		return err
	}
	*buf = frame
	seq, err := l.journal.book(k, frame, &e)
	if err != nil {
		l.enqueue(unwritten{k, bytes.Clone(frame), e})
		return err
	}
	l.apply(&e, seq)
	return nil
}

// writeLater puts an entry behind those that wait for the journal, and returns why they do. It corrects one of them,
// which balances must see first.
func (l *Ledger) writeLater(k kind, e Entry) error {
	e.normalize()
	frame, err := encodeRecord(k, &e)
	if err != nil {
		return err
	}
	l.enqueue(unwritten{k, frame, e})
	return fmt.Errorf("%w: entries wait for it", ErrJournal)
}

// apply moves a settled call from reserved to spent.
func (l *Ledger) apply(e *Entry, seq int64) {
	l.mu.Lock()
	l.applyLocked(e, seq)
	events := l.books.takeEvents()
	l.mu.Unlock()
	l.tell(events)
}

func (l *Ledger) applyLocked(e *Entry, seq int64) {
	if o := l.open[e.ID]; o != nil {
		l.stats.compare(e, o.Estimate)
		l.freeLocked(o)
	}
	l.books.spend(e, seq)
	l.moveLocked()
	l.learned.learn(e)
}

// enqueue keeps an entry until the journal takes it. The reservation stays in the balances meanwhile.
func (l *Ledger) enqueue(u unwritten) {
	l.mu.Lock()
	if len(l.queue) < maxQueue {
		l.queue = append(l.queue, u)
	} else {
		l.stats.Dropped++
		l.applyLocked(&u.entry, math.MaxInt64)
	}
	events := l.books.takeEvents()
	l.mu.Unlock()
	l.tell(events)
}

// retryQueue writes the entries that wait, until the journal refuses again.
func (l *Ledger) retryQueue() {
	for {
		l.mu.Lock()
		if len(l.queue) == 0 {
			l.mu.Unlock()
			return
		}
		u := l.queue[0]
		l.mu.Unlock()
		seq, err := l.journal.book(u.kind, u.frame, &u.entry)
		if err != nil {
			return
		}
		l.mu.Lock()
		l.queue = l.queue[1:]
		l.applyLocked(&u.entry, seq)
		events := l.books.takeEvents()
		l.mu.Unlock()
		l.tell(events)
	}
}
