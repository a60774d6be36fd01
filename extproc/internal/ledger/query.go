package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// topValues is how many values of a dimension a summary names.
const topValues = 20

// Sums is what a number of calls came to.
type Sums struct {
	Calls    int64
	Cost     pricing.Money
	Baseline pricing.Money
}

// add adds b to a.
func (a *Sums) add(b Sums) {
	a.Calls += b.Calls
	a.Cost = pricing.AddCapped(a.Cost, b.Cost)
	a.Baseline = pricing.AddCapped(a.Baseline, b.Baseline)
}

// Share is the part of the calls that one name stands for; "" is none.
type Share struct {
	Name string
	Sums
}

// Summary is what the calls of a stretch of time came to. Shares are in descending order of cost.
type Summary struct {
	Since, Until time.Time
	Sums                         // calls that were released or hit a cache included
	Usage        pricing.Usage   // as settled; a hit counts what it answered with, if the entry said so
	Savings      pricing.Savings // adds up to Baseline - Cost
	Estimated    int64           // calls whose cost the provider did not report
	Bound        pricing.Money   // what budgets count of those
	Overruns     int64           // calls that came to more than was reserved
	Observed     Sums            // of the calls that were only observed
	Would        pricing.Money   // what those would have cost if the policy had been in force
	Outcomes     map[Outcome]int64
	Models       []Share // as served
	Asked        []Share // as asked for
	Tiers        []Share
	Rules        []Share
	Routes       []Share
	Dims         map[policies.DimensionName][]Share // the costliest values of each dimension, labels included
}

// Summary adds up the calls that were reserved or recorded from since up to, not including, until. It brings the
// database up to date first. A day whose entries are forgotten counts as a whole in the stretch that holds its start.
func (l *Ledger) Summary(ctx context.Context, since, until time.Time) (*Summary, error) {
	if err := l.Flush(ctx); err != nil {
		return nil, fmt.Errorf("summary: %w", err)
	}
	s := &Summary{Since: since, Until: until, Outcomes: map[Outcome]int64{}, Dims: map[policies.DimensionName][]Share{}}
	err := l.store.read(ctx, func(tx *sql.Tx) error { return s.read(ctx, tx) })
	if err != nil {
		return nil, fmt.Errorf("summary: %w", err)
	}
	return s, nil
}

func (s *Summary) read(ctx context.Context, tx *sql.Tx) error {
	kept, err := keptSince(ctx, tx)
	if err != nil {
		return err
	}
	var latest sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT MAX(at) FROM entries").Scan(&latest); err != nil {
		return err
	}
	until := s.Until
	if !latest.Valid || until.UnixNano() > latest.Int64 {
		// Nothing has happened since: the day that is under way is as good as over.
		until = dayOf(until.Add(day - 1))
	}
	r := newReport(s)
	days := split(s.Since, until, kept, false)
	if err := r.addTotals(ctx, tx, days); err != nil {
		return err
	}
	for _, rest := range [][2]time.Time{{days.from, days.first}, {days.last, days.until}} {
		if err := r.addEntries(ctx, tx, rest[0], rest[1]); err != nil {
			return err
		}
	}
	r.finish()
	return nil
}

func addTo(sums map[string]*Sums, name string, part Sums) {
	if sums[name] == nil {
		sums[name] = &Sums{}
	}
	sums[name].add(part)
}

// shares returns the costliest names, all of them for top 0.
func shares(sums map[string]*Sums, top int) []Share {
	out := make([]Share, 0, len(sums))
	for name, s := range sums {
		out = append(out, Share{name, *s})
	}
	slices.SortFunc(out, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Baseline, a.Baseline), cmp.Compare(a.Name, b.Name))
	})
	if top > 0 && len(out) > top {
		out = out[:top]
	}
	return out
}

// Filter selects entries; its zero value selects all.
type Filter struct {
	Since, Until time.Time // reserved or recorded from Since up to, not including, Until; zero: no bound
	ID           ID
	Model        pricing.ModelName // as served
	Outcome      Outcome
	Estimated    bool // only those
	Calls        bool // only those, without top-ups and corrections
}

// where returns the condition and its parameters.
func (f *Filter) where() (string, []any) {
	terms, values := []string{"1"}, []any{}
	add := func(wanted bool, term string, value any) {
		if wanted {
			terms, values = append(terms, term), append(values, value)
		}
	}
	add(!f.Since.IsZero(), "e.at >= ?", f.Since.UnixNano())
	add(!f.Until.IsZero(), "e.at < ?", f.Until.UnixNano())
	add(f.ID != ID{}, "e.id = ?", f.ID[:])
	add(f.Model != "", "l.model = ?", string(f.Model))
	add(f.Outcome != "", "l.outcome = ?", string(f.Outcome))
	add(f.Estimated, "l.estimated = ?", true)
	if f.Calls {
		terms, values = append(terms, "l.outcome NOT IN (?, ?)"), append(values, string(Adjusted), string(ToppedUp))
	}
	return strings.Join(terms, " AND "), values
}

// Entries returns the latest entries that a filter selects, newest first, at most limit. It brings the database
// up to date first.
func (l *Ledger) Entries(ctx context.Context, f Filter, limit int) ([]Entry, error) {
	if err := l.Flush(ctx); err != nil {
		return nil, fmt.Errorf("list entries: %w", err)
	}
	where, values := f.where()
	rows, err := l.store.entries(ctx, " WHERE "+where+" ORDER BY e.at DESC, e.seq DESC LIMIT ?", append(values, limit)...)
	if err != nil {
		return nil, fmt.Errorf("list entries: %w", err)
	}
	var entries []Entry
	for i := range rows {
		entries = append(entries, *rows[i].Entry)
	}
	return entries, nil
}

// entries returns those that the end of a query selects.
func (st *store) entries(ctx context.Context, query string, values ...any) ([]Numbered, error) {
	rows, err := st.reader.QueryContext(ctx, selectEntries+query, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var entries []Numbered
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// older returns entries by the numbers of their records: those above after and below before, in that order.
func (st *store) older(ctx context.Context, after, before int64, limit int) ([]Numbered, error) {
	entries, err := st.entries(ctx, " WHERE e.seq > ? AND e.seq < ? ORDER BY e.seq LIMIT ?", after, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read entries that the journal has no more: %w", err)
	}
	return entries, nil
}

// lastUpTo returns the last entry with a number up to seq, the zero ID for none.
func (st *store) lastUpTo(ctx context.Context, seq int64) (ID, error) {
	entries, err := st.entries(ctx, " WHERE e.seq <= ? ORDER BY e.seq DESC LIMIT 1", seq)
	if err != nil {
		return ID{}, fmt.Errorf("read last entry of the database: %w", err)
	}
	if len(entries) == 0 {
		return ID{}, nil
	}
	return entries[0].ID, nil
}
