package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// restore takes over what earlier processes left open: parked reservations and top-ups go on, other reservations are
// settled as lost.
func (l *Ledger) restore() error {
	now := l.options.Now().Round(0).UTC()
	for id, frame := range l.journal.openFrames() {
		var err error
		switch frameKind(frame) {
		case kindTopUp:
			err = l.restoreTopUp(id, frame, now)
		case kindParked:
			err = l.restoreParked(frame, now)
		default:
			var r Reservation
			if err = decodeRecord(frame, &r); err == nil {
				err = l.settleLost(&r, now)
			}
		}
		if err != nil {
			return fmt.Errorf("restore call %s: %w", id, err)
		}
	}
	if l.stats.Lost > 0 {
		l.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, "settled calls that were cut off",
			slog.Int64("calls", l.stats.Lost))
	}
	return nil
}

// settleLost settles the reservation of a process that died.
func (l *Ledger) settleLost(r *Reservation, now time.Time) error {
	e := lost(r, now, "farebox ended before the answer did")
	l.stats.Lost++
	if err := l.bookNow(kindSettlement, &e); err != nil {
		return err
	}
	l.settled(&e)
	return nil
}

// restoreParked keeps a parked reservation open until its time is over.
func (l *Ledger) restoreParked(frame []byte, now time.Time) error {
	var p parked
	if err := decodeRecord(frame, &p); err != nil {
		return err
	}
	until := l.parkedUntil(p.Until, now)
	if !now.Before(until) {
		return l.settleLost(&p.Reservation, now)
	}
	l.open[p.ID] = &open{Reservation: p.Reservation, key: p.Key, until: until}
	l.parked[p.Key] = p.ID
	return nil
}

// restoreTopUp takes over a top-up. Its entry, which may be missing, is written again: the database takes it once.
func (l *Ledger) restoreTopUp(id ID, frame []byte, now time.Time) error {
	var t TopUp
	if err := decodeRecord(frame, &t); err != nil {
		return err
	}
	if !now.Before(t.Until) {
		l.journal.drop(id)
		return nil
	}
	l.books.topUps = append(l.books.topUps, t)
	e := t.entry()
	return l.bookNow(kindEntry, &e)
}

// bookNow writes an entry to the journal while nobody else uses the ledger yet.
func (l *Ledger) bookNow(k kind, e *Entry) error {
	e.normalize()
	frame, err := encodeRecord(k, e)
	if err != nil {
		return err
	}
	_, err = l.journal.book(k, frame, e)
	return err
}
