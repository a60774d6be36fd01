package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/farebox-mesh/farebox/policies"
)

// maxExpired is how many calls that nobody renewed in time are remembered, about a kilobyte each. Those beyond count at
// their bound for good.
const maxExpired = 1 << 12

// rememberFor is how long a settlement may come after the call has expired.
const rememberFor = 24 * time.Hour

// expired is a reservation that nobody settled in time, and the entry that it got.
type expired struct {
	Reservation
	entry   Entry
	written chan struct{} // closed when the entry is in the journal, or waits for it
}

// Renew says that the owner of a reservation is still at it: it has Options.RenewWithin from now on. It writes nothing, so
// it may be called for every piece of an answer. A call that is not open, or parked, is left alone.
func (l *Ledger) Renew(id ID, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.open[id]; o != nil && o.key == "" {
		if until := l.at(now).Add(l.options.RenewWithin); until.After(o.until) {
			o.until = until
		}
	}
}

// parked is the record of a reservation that is kept for an answer that is fetched later.
type parked struct {
	Reservation
	Key   string    `json:"key"`
	Until time.Time `json:"until"`
}

// appendJSON implements payload.
func (p *parked) appendJSON(b []byte) ([]byte, error) {
	text, err := json.Marshal(p)
	return append(b, text...), err
}

// Parking is what is known of a call whose answer will be fetched.
type Parking struct {
	Key      string // that the answer will be known by
	Attempts int    // how often the call was sent
	Facts    policies.BillFacts
	Until    time.Time // when it is given up
}

// Park keeps a reservation open, across restarts, and returns nil when that is in the journal. Errors wrap ErrInvalid
// (the call is not open, or the key is in use) or ErrJournal; the reservation stays as it was. Who owns the reservation
// does nothing else to it meanwhile.
func (l *Ledger) Park(id ID, c Parking) error {
	l.mu.Lock()
	o := l.open[id]
	other, taken := l.parked[c.Key]
	if o == nil || o.settling || c.Key == "" || (taken && other != id) {
		l.mu.Unlock()
		return fmt.Errorf("%w: call %s cannot be parked under %q", ErrInvalid, id, c.Key)
	}
	o.settling = true // nobody else writes a record of it meanwhile
	l.mu.Unlock()
	p := parked{Reservation: o.Reservation, Key: c.Key, Until: c.Until.Round(0).UTC()}
	p.Attempts, p.Facts = c.Attempts, c.Facts
	frame, err := encodeRecord(kindParked, &p)
	if err == nil {
		err = l.journal.reserve(id, frame)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	o.settling = false
	if err == nil {
		o.Reservation, o.key, o.until = p.Reservation, c.Key, l.parkedUntil(p.Until, p.At)
		l.parked[c.Key] = id
	}
	return err
}

// Parked returns the reservation that is parked under a key, whose fetched answer settles it. It stays parked until
// then: an answer that is not ready yet is fetched again, and of several that are settled one counts.
func (l *Ledger) Parked(key string) (ID, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, ok := l.parked[key]
	return id, ok
}

// Reservation returns a reservation that is open and that nobody is about to settle.
func (l *Ledger) Reservation(id ID) (Reservation, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.open[id]; o != nil && !o.settling {
		return o.Reservation, true
	}
	return Reservation{}, false
}

// keepRenewed settles what nobody renews, until ctx is done.
func (l *Ledger) keepRenewed(ctx context.Context) {
	ticker := time.NewTicker(max(l.options.RenewWithin/20, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.expire(l.options.Now())
		}
	}
}

// expire settles the reservations that nobody renewed as lost, and forgets top-ups that are over.
func (l *Ledger) expire(now time.Time) {
	now = l.at(now)
	for _, o := range l.claimExpired(now) {
		e := lost(&o.Reservation, now, "nobody renewed it")
		err := l.finish(o, e)
		close(o.expired)
		if err != nil {
			l.options.Logger.LogAttrs(context.Background(), slog.LevelError, "expired call not settled",
				slog.String("request_id", o.ID.String()), slog.Any("err", err))
			continue
		}
		l.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, "call settled that nobody renewed",
			slog.String("request_id", o.ID.String()), slog.String("cost_usd", e.Cost.String()))
	}
	l.mu.Lock()
	over := l.books.dropTopUps(now)
	l.mu.Unlock()
	for _, id := range over {
		l.journal.drop(id)
	}
}

// claimExpired takes the reservations that nobody renewed from their owners.
func (l *Ledger) claimExpired(now time.Time) []*open {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, e := range l.expired {
		if now.Sub(e.entry.Settled) > rememberFor {
			delete(l.expired, id)
		}
	}
	var out []*open
	for id, o := range l.open {
		if o.settling || now.Before(o.until) {
			continue
		}
		o.settling, o.expired = true, make(chan struct{})
		if len(l.expired) < maxExpired {
			l.expired[id] = expired{o.Reservation, lost(&o.Reservation, now, ""), o.expired}
		}
		l.stats.Expired++
		out = append(out, o)
	}
	return out
}

// adjust books what the settlement of an expired call changes about the entry that it got, after that one. Sums over
// both are those of the settlement alone.
func (l *Ledger) adjust(was expired, e Entry) error {
	<-was.written
	if _, again := l.Reservation(was.ID); again {
		return l.settle(e) // its entry could not be made
	}
	e.bookOn(&was.Reservation)
	e.Overrun = e.Overrun && !was.entry.Overrun // which was counted
	l.countOverrun(&e)
	e.Detail = fmt.Sprintf("corrects %s: %s", was.ID, e.Outcome)
	e.ID, e.Adjusts, e.Outcome = NewID(e.Settled), was.ID, Adjusted
	e.Cost -= was.entry.Cost
	e.Baseline -= was.entry.Baseline
	e.Charge -= was.entry.Charge
	e.Extra -= was.entry.Extra
	e.Counted -= was.entry.Counted
	e.Bound = 0
	if l.options.OnSettle != nil {
		l.options.OnSettle(&e)
	}
	if l.waits(was.ID) {
		return l.writeLater(kindEntry, e)
	}
	return l.write(kindEntry, e)
}

// waits reports whether the entry of a call that was claimed is not in the journal yet.
func (l *Ledger) waits(id ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[id] != nil
}

// drop forgets the record of a top-up that is over.
func (j *journal) drop(id ID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.open, id)
}
