package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// day is the length of the stretches that totals are kept for. They start at midnight UTC.
const day = 24 * time.Hour

// dayOf returns the start of the day that contains a moment.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(day) }

// dayNumber counts days since 1970.
func dayNumber(t time.Time) int64 { return int64(pricing.DayOf(t)) }

// total is what the entries of one day, scope and label came to. Its sums stop at full.
type total struct {
	calls, overruns                                      int64
	cost, baseline, eligible, charge, counted, wouldCost pricing.Money
	usage                                                pricing.Usage
	savings                                              pricing.Savings
}

// totalKey says whose total it is.
type totalKey struct{ day, scope, label int64 }

// totalColumns are the sums in a row of totals, in the order of fields.
var totalColumns = append(append([]string{"calls", "overruns", "cost", "baseline", "eligible", "charge", "counted", "would_cost"},
	usageNames()...), leverColumns()...)

// usageNames returns the columns of the counts of a usage.
func usageNames() []string {
	var names []string
	for name := range (pricing.Usage{}).All() {
		names = append(names, name)
	}
	return names
}

// leverColumns returns the columns of the savings.
func leverColumns() []string {
	columns := make([]string, pricing.NumLevers)
	for i := range columns {
		columns[i] = "save_" + pricing.Lever(i).String()
	}
	return columns
}

// add adds an entry.
func (t *total) add(e *Entry) {
	if e.IsCall() {
		t.calls++
	}
	if e.Overrun {
		t.overruns++
	}
	t.cost = pricing.AddCapped(t.cost, e.Cost)
	t.baseline = pricing.AddCapped(t.baseline, e.Baseline)
	t.eligible = pricing.AddCapped(t.eligible, e.Eligible)
	t.charge = pricing.AddCapped(t.charge, e.Charge)
	t.counted = pricing.AddCapped(t.counted, e.Counted)
	t.wouldCost = pricing.AddCapped(t.wouldCost, e.WouldCost)
	t.usage = addUsage(t.usage, e.Usage)
	addSavings(&t.savings, &e.Savings)
}

// addUsage adds the counts of two usages. The longest prompt is no sum and stays zero.
func addUsage(a, b pricing.Usage) pricing.Usage {
	sum := a.Plus(b)
	sum.LongestPrompt = 0
	return sum
}

// addSavings adds savings to a sum.
func addSavings(sum, more *pricing.Savings) {
	for i, m := range more {
		sum[i] = pricing.AddCapped(sum[i], m)
	}
}

// fields returns pointers to the sums in the order of totalColumns.
func (t *total) fields() []any {
	fields := []any{&t.calls, &t.overruns, &t.cost, &t.baseline, &t.eligible, &t.charge, &t.counted, &t.wouldCost}
	for _, count := range t.usage.Counts() {
		fields = append(fields, count)
	}
	for i := range t.savings {
		fields = append(fields, &t.savings[i])
	}
	return fields
}

// addTotal adds a total to its row. Where a sum does not fit, SQLite makes it a floating-point number, which the cast
// stops at the largest integer. One that is full stays so.
var addTotal = func() string {
	sums := make([]string, len(totalColumns))
	for i, c := range totalColumns {
		sums[i] = fmt.Sprintf("%s = iif(%[1]s >= %d, %[2]d, CAST(%[1]s + excluded.%[1]s AS INTEGER))", c, full)
	}
	return fmt.Sprintf("INSERT INTO totals (day, scope, label, %s) VALUES (?, ?, ?%s) ON CONFLICT DO UPDATE SET %s",
		list(totalColumns), strings.Repeat(", ?", len(totalColumns)), list(sums))
}()

// writeTotals adds what a transaction's entries came to.
func writeTotals(ctx context.Context, tx *sql.Tx, totals map[totalKey]*total) error {
	for key, t := range totals {
		values := []any{key.day, key.scope, key.label}
		for _, field := range t.fields() {
			switch p := field.(type) {
			case *int64:
				values = append(values, *p)
			case *pricing.Money:
				values = append(values, int64(*p))
			}
		}
		if _, err := tx.ExecContext(ctx, addTotal, values...); err != nil {
			return err
		}
	}
	return nil
}

// stretch is a stretch of time, split into days that totals answer for and the rest, for which entries are read.
type stretch struct {
	from, until time.Time // the rest is from up to first and last up to until, where those are not empty
	first, last time.Time // totals of the days from first up to last
}

// split returns the stretch from one moment up to another. The parts of days before kept, whose entries may be gone,
// are of no use; whole says whether the first of them counts as a whole day, or not at all.
func split(from, until, kept time.Time, whole bool) stretch {
	s := stretch{from: from, until: until, first: dayOf(from), last: dayOf(until)}
	switch {
	case s.first.Equal(from):
	case from.Before(kept) && whole:
		s.from = s.first
	case from.Before(kept):
		s.first = s.first.Add(day)
		s.from = s.first
	default:
		s.first = s.first.Add(day)
	}
	if until.Before(kept) && !s.last.Equal(until) {
		s.last = s.last.Add(day)
		s.until = s.last
	}
	if s.last.Before(s.first) {
		// All of it is in one day.
		s.first, s.last = s.until, s.until
	}
	return s
}
