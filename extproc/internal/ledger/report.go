package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// report builds a summary from totals and entries.
type report struct {
	summary *Summary
	parts   [5]part
	dims    map[policies.DimensionName]map[string]*Sums
}

// part is one way of sharing the sums out among names.
type part struct {
	out  *[]Share
	sums map[string]*Sums
}

func newReport(s *Summary) *report {
	r := &report{summary: s, dims: map[policies.DimensionName]map[string]*Sums{}}
	for i, out := range [...]*[]Share{&s.Asked, &s.Models, &s.Tiers, &s.Rules, &s.Routes} {
		r.parts[i] = part{out, map[string]*Sums{}}
	}
	return r
}

// add adds a total of entries with the labels of e.
func (r *report) add(e *Entry, t *total) {
	s, sums := r.summary, Sums{t.calls, t.cost, t.baseline}
	s.Sums.add(sums)
	s.Outcomes[e.Outcome] += t.calls
	s.Overruns += t.overruns
	if e.Estimated {
		s.Estimated += t.calls
		s.Bound = pricing.AddCapped(s.Bound, t.counted)
	}
	if e.Would != "" {
		s.Observed.add(sums)
	}
	s.Would = pricing.AddCapped(s.Would, t.wouldCost)
	s.Usage = addUsage(s.Usage, t.usage)
	addSavings(&s.Savings, &t.savings)
	for i, name := range [...]string{string(e.Asked), string(e.Model), string(e.Tier), string(e.Rule), string(e.Route)} {
		addTo(r.parts[i].sums, name, sums)
	}
}

// addDims adds what calls with a set of dimensions came to.
func (r *report) addDims(dims []Dim, sums Sums) {
	for _, d := range dims {
		if r.dims[d.Name] == nil {
			r.dims[d.Name] = map[string]*Sums{}
		}
		addTo(r.dims[d.Name], d.Value, sums)
	}
}

var (
	labelTotals = fmt.Sprintf("SELECT l.%s, t.* FROM (SELECT label, %s FROM totals WHERE day >= ? AND day < ? GROUP BY label) AS t "+
		"JOIN labels AS l ON l.id = t.label", strings.Join(labelColumns, ", l."), sumsOf(totalColumns...))
	scopeTotals = fmt.Sprintf("SELECT s.dims, t.calls, t.cost, t.baseline FROM (SELECT scope, %s FROM totals WHERE day >= ? AND day < ? GROUP BY scope) AS t "+
		"JOIN scopes AS s ON s.id = t.scope", sumsOf("calls", "cost", "baseline"))
)

// addTotals adds whole days.
func (r *report) addTotals(ctx context.Context, tx *sql.Tx, days stretch) error {
	first, last := dayNumber(days.first), dayNumber(days.last)
	rows, err := tx.QueryContext(ctx, labelTotals, first, last)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e Entry
		var t total
		var label int64
		if err := rows.Scan(append(append(labelFields(&e), &label), t.fields()...)...); err != nil {
			return err
		}
		r.add(&e, &t)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return r.addScopes(ctx, tx, first, last)
}

func (r *report) addScopes(ctx context.Context, tx *sql.Tx, first, last int64) error {
	rows, err := tx.QueryContext(ctx, scopeTotals, first, last)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text sql.RawBytes
		var sums Sums
		if err := rows.Scan(&text, &sums.Calls, &sums.Cost, &sums.Baseline); err != nil {
			return err
		}
		var dims []Dim
		if err := json.Unmarshal(text, &dims); err != nil {
			return err
		}
		r.addDims(dims, sums)
	}
	return rows.Err()
}

// addEntries adds the entries from one moment up to another, less than a day.
func (r *report) addEntries(ctx context.Context, tx *sql.Tx, from, until time.Time) error {
	if !from.Before(until) {
		return nil
	}
	rows, err := tx.QueryContext(ctx, selectEntries+" WHERE e.at >= ? AND e.at < ?", from.UnixNano(), until.UnixNano())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return err
		}
		var t total
		t.add(e.Entry)
		r.add(e.Entry, &t)
		r.addDims(e.Dims, Sums{t.calls, t.cost, t.baseline})
	}
	return rows.Err()
}

// finish puts the shares in order.
func (r *report) finish() {
	for _, p := range r.parts {
		*p.out = shares(p.sums, 0)
	}
	for name, values := range r.dims {
		r.summary.Dims[name] = shares(values, topValues)
	}
}
