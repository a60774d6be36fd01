package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// Reprice says what the usage of a call costs by a price list, and where that was read. It returns false for a call
// that the list does not price.
type Reprice func(e *Entry) (cost pricing.Money, source string, ok bool)

// Kept says why a call is not re-rated.
type Kept string

// The reasons.
const (
	Rerated  Kept = ""              // it is
	KeptPool Kept = "own pool"      // it cost what the pool's hardware costs
	KeptSaid Kept = "stated"        // the provider said what it cost
	KeptBare Kept = "no usage"      // what it used is not known
	Unpriced Kept = "unknown model" // the price list does not have it
)

// Correction is what re-rating makes of one call.
type Correction struct {
	Call Entry         // as it stands, with all earlier corrections
	Cost pricing.Money // by the price list; that of Call where it was kept
	Kept Kept

	source string
	number int // of corrections before
}

// Corrections re-rates calls. Entries come by rising At, so that corrections, which have the At of what they correct,
// come with it. What is no call of its own, or was not billed, is left out.
func Corrections(entries iter.Seq2[*Entry, error], reprice Reprice) iter.Seq2[*Correction, error] {
	return func(yield func(*Correction, error) bool) {
		var at time.Time
		var moment []*Entry // those of one moment
		flush := func() bool {
			for _, c := range correct(moment, reprice) {
				if !yield(c, nil) {
					return false
				}
			}
			moment = moment[:0]
			return true
		}
		for e, err := range entries {
			if err != nil {
				yield(nil, err)
				return
			}
			if !e.At.Equal(at) && !flush() {
				return
			}
			at = e.At
			moment = append(moment, e)
		}
		flush()
	}
}

// correct re-rates the calls among entries of one moment.
func correct(moment []*Entry, reprice Reprice) []*Correction {
	var calls []*Correction
	byID := map[ID]*Correction{}
	for _, e := range moment {
		if e.IsCall() && e.Outcome != CacheHit && e.Outcome != Released {
			c := &Correction{Call: *e}
			calls, byID[e.ID] = append(calls, c), c
		}
	}
	for _, e := range moment {
		if c := byID[e.Adjusts]; c != nil {
			c.merge(e)
		}
	}
	for _, c := range calls {
		c.rate(reprice)
	}
	return calls
}

// merge takes in an earlier correction: sums are of both, and what it says last holds.
func (c *Correction) merge(e *Entry) {
	call := &c.Call
	c.number++
	call.Cost = pricing.AddCapped(call.Cost, e.Cost)
	call.Charge = pricing.AddCapped(call.Charge, e.Charge)
	call.Counted = pricing.AddCapped(call.Counted, e.Counted)
	call.Baseline = pricing.AddCapped(call.Baseline, e.Baseline)
	call.Extra = pricing.AddCapped(call.Extra, e.Extra)
	call.Usage = call.Usage.Plus(e.Usage)
	call.Estimated, call.Stated = e.Estimated, e.Stated
	call.Responded, call.Service, call.Region = e.Responded, e.Service, e.Region
}

func (c *Correction) rate(reprice Reprice) {
	call := &c.Call
	c.Cost = call.Cost
	switch {
	case call.Pool != "" && call.Route == call.Pool:
		c.Kept = KeptPool
	case call.Stated:
		c.Kept = KeptSaid
	case call.Usage == (pricing.Usage{}):
		c.Kept = KeptBare
	default:
		cost, source, ok := reprice(call)
		if !ok {
			c.Kept = Unpriced
			return
		}
		c.Cost, c.source = pricing.AddCapped(cost, call.Extra), source
	}
}

// Changed reports whether the call costs something else than the ledger says.
func (c *Correction) Changed() bool { return c.Cost != c.Call.Cost }

// Entry is what corrects the ledger. It counts in the window of the call, in which a lower cost gives money back. Its
// id follows from the call and the correction, so that one that is written twice, or by two at once, counts once.
func (c *Correction) Entry(now time.Time) Entry {
	call := &c.Call
	more := c.Cost - call.Cost
	e := Entry{
		Call: call.Call, Settled: now, Responded: call.Responded, Service: call.Service, Region: call.Region, Outcome: Adjusted,
		Detail: fmt.Sprintf("re-rated from %s to %s USD", call.Cost, c.Cost), Adjusts: call.ID,
		Cost: more, PriceSource: c.source, Estimated: call.Estimated,
	}
	e.ID = c.id()
	if call.Charge == call.Cost {
		e.Charge, e.Counted = more, more
	}
	if call.Estimated {
		// An estimate counts at least what was reserved, whatever it is re-rated to.
		e.Counted = max(0, call.Charge+e.Charge-call.Counted)
	}
	if call.Asked == call.Model || call.Asked == "" {
		e.Baseline = more
	} else {
		e.Savings[pricing.LeverTier] = -more
	}
	return e
}

// id is a UUID of version 8 (RFC 9562, section 5.8) from what is corrected and to what.
func (c *Correction) id() ID {
	text := binary.BigEndian.AppendUint64(append([]byte("farebox rerate "), c.Call.ID[:]...), uint64(c.number))
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(text, uint64(c.Cost)))
	id := ID(sum[:16])
	id[6] = 0x80 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// Adjust books corrections, in the windows of the calls that they correct. Errors are those of Settle.
func (l *Ledger) Adjust(e Entry) error {
	if e.Outcome != Adjusted || e.Adjusts == (ID{}) || e.Savings.Total() != e.Baseline-e.Cost {
		return fmt.Errorf("%w: entry %s is no correction", ErrInvalid, e.ID)
	}
	return l.write(kindEntry, e)
}

// Entries are those of a state folder, to be read only, whether or not a process has the folder open.
type Entries struct{ store *store }

// ReadEntries opens the entries of a state folder as far as its database has them.
func ReadEntries(dir string) (*Entries, error) {
	path, err := filepath.Abs(filepath.Join(dir, "ledger.db"))
	if err != nil {
		return nil, err
	}
	st := &store{}
	if err := st.openReader(path); err != nil {
		return nil, fmt.Errorf("open database %q: %w", path, err)
	}
	return &Entries{st}, nil
}

// Between iterates over the entries from one moment up to another, by rising At.
func (x *Entries) Between(ctx context.Context, from, until time.Time) iter.Seq2[*Entry, error] {
	return x.store.between(ctx, from, until)
}

// Close closes the database.
func (x *Entries) Close() error { return x.store.Close() }

// Between iterates over the entries from one moment up to another, by rising At. It brings the database up to date
// first; entries that are written meanwhile may not be among them.
func (l *Ledger) Between(ctx context.Context, from, until time.Time) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		if err := l.Flush(ctx); err != nil {
			yield(nil, fmt.Errorf("read entries: %w", err))
			return
		}
		l.store.between(ctx, from, until)(yield)
	}
}

func (st *store) between(ctx context.Context, from, until time.Time) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		rows, err := st.reader.QueryContext(ctx, selectEntries+" WHERE e.at >= ? AND e.at < ? ORDER BY e.at, e.seq",
			from.UnixNano(), until.UnixNano())
		if err != nil {
			yield(nil, fmt.Errorf("read entries: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			e, err := scanEntry(rows)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(e.Entry, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, fmt.Errorf("read entries: %w", err))
		}
	}
}

// openReader opens a database for reading only. It must be of this version.
func (st *store) openReader(path string) error {
	if err := st.openReaders(path); err != nil {
		return err
	}
	var version int
	if err := st.reader.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return errors.Join(err, st.Close())
	}
	if steps, err := migrationSteps(); err != nil || version != len(steps) {
		return errors.Join(fmt.Errorf("version %d, want %d: start farebox on the folder once", version, len(steps)), err, st.Close())
	}
	return nil
}
