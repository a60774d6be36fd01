package ledger

import (
	"cmp"
	"context"
	"encoding/json"
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
	a.Cost += b.Cost
	a.Baseline += b.Baseline
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
// database up to date first.
func (l *Ledger) Summary(ctx context.Context, since, until time.Time) (*Summary, error) {
	if err := l.Flush(ctx); err != nil {
		return nil, fmt.Errorf("summary: %w", err)
	}
	s := &Summary{Since: since, Until: until, Outcomes: map[Outcome]int64{}, Dims: map[policies.DimensionName][]Share{}}
	if err := l.store.sumCalls(ctx, s); err != nil {
		return nil, fmt.Errorf("summary: %w", err)
	}
	if err := l.store.sumDims(ctx, s); err != nil {
		return nil, fmt.Errorf("summary: %w", err)
	}
	return s, nil
}

// sumCalls fills in all but the dimensions.
func (st *store) sumCalls(ctx context.Context, s *Summary) error {
	sums := append(append([]string{"cost", "baseline", "estimated", "overrun"}, usageColumns...), leverColumns()...)
	query := fmt.Sprintf(`SELECT l.asked, l.model, l.tier, l.rule, l.route, l.outcome, COUNT(*),
		SUM(CASE WHEN estimated THEN counted ELSE 0 END),
		SUM(l.would <> ''), SUM(CASE WHEN l.would <> '' THEN cost ELSE 0 END),
		SUM(CASE WHEN l.would <> '' THEN baseline ELSE 0 END), SUM(would_cost), SUM(%s)
		FROM entries CROSS JOIN labels AS l ON l.id = label WHERE at >= ? AND at < ? GROUP BY label`, strings.Join(sums, "), SUM("))
	rows, err := st.reader.QueryContext(ctx, query, s.Since.UnixNano(), s.Until.UnixNano())
	if err != nil {
		return err
	}
	defer rows.Close()
	parts := [...]struct {
		out  *[]Share
		sums map[string]*Sums
	}{{out: &s.Asked}, {out: &s.Models}, {out: &s.Tiers}, {out: &s.Rules}, {out: &s.Routes}}
	for i := range parts {
		parts[i].sums = map[string]*Sums{}
	}
	for rows.Next() {
		var names [len(parts)]string
		var part Summary
		var outcome Outcome
		fields := []any{
			&names[0], &names[1], &names[2], &names[3], &names[4], &outcome, &part.Calls, &part.Bound,
			&part.Observed.Calls, &part.Observed.Cost, &part.Observed.Baseline, &part.Would,
			&part.Cost, &part.Baseline, &part.Estimated, &part.Overruns,
		}
		fields = append(fields, usageFields(&part.Usage)...)
		for i := range part.Savings {
			fields = append(fields, &part.Savings[i])
		}
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		s.add(&part)
		s.Outcomes[outcome] += part.Calls
		for i := range parts {
			addTo(parts[i].sums, names[i], part.Sums)
		}
	}
	for _, p := range parts {
		*p.out = shares(p.sums, 0)
	}
	return rows.Err()
}

// add adds the totals of part.
func (s *Summary) add(part *Summary) {
	s.Sums.add(part.Sums)
	s.Estimated += part.Estimated
	s.Bound += part.Bound
	s.Overruns += part.Overruns
	s.Observed.add(part.Observed)
	s.Would += part.Would
	s.Usage.Input += part.Usage.Input
	s.Usage.CacheRead += part.Usage.CacheRead
	s.Usage.CacheWriteShort += part.Usage.CacheWriteShort
	s.Usage.CacheWriteLong += part.Usage.CacheWriteLong
	s.Usage.Output += part.Usage.Output
	s.Usage.Reasoning += part.Usage.Reasoning
	for i, m := range part.Savings {
		s.Savings[i] += m
	}
}

// sumDims fills in the dimensions.
func (st *store) sumDims(ctx context.Context, s *Summary) error {
	rows, err := st.reader.QueryContext(ctx, `
		SELECT s.dims, t.calls, t.cost, t.baseline
		FROM (SELECT scope, COUNT(*) AS calls, SUM(cost) AS cost, SUM(baseline) AS baseline
			FROM entries WHERE at >= ? AND at < ? GROUP BY scope) AS t
		JOIN scopes AS s ON s.id = t.scope`, s.Since.UnixNano(), s.Until.UnixNano())
	if err != nil {
		return err
	}
	defer rows.Close()
	sums := map[policies.DimensionName]map[string]*Sums{}
	for rows.Next() {
		var text string
		var part Sums
		if err := rows.Scan(&text, &part.Calls, &part.Cost, &part.Baseline); err != nil {
			return err
		}
		var dims []Dim
		if err := json.Unmarshal([]byte(text), &dims); err != nil {
			return err
		}
		for _, d := range dims {
			if sums[d.Name] == nil {
				sums[d.Name] = map[string]*Sums{}
			}
			addTo(sums[d.Name], d.Value, part)
		}
	}
	for name, values := range sums {
		s.Dims[name] = shares(values, topValues)
	}
	return rows.Err()
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
	add(f.Estimated, "e.estimated = ?", true)
	return strings.Join(terms, " AND "), values
}

// Entries returns the latest entries that a filter selects, newest first, at most limit. It brings the database
// up to date first.
func (l *Ledger) Entries(ctx context.Context, f Filter, limit int) ([]Entry, error) {
	if err := l.Flush(ctx); err != nil {
		return nil, fmt.Errorf("list entries: %w", err)
	}
	where, values := f.where()
	query := selectEntries + " WHERE " + where + " ORDER BY e.at DESC, e.seq DESC LIMIT ?"
	rows, err := l.store.reader.QueryContext(ctx, query, append(values, limit)...)
	if err != nil {
		return nil, fmt.Errorf("list entries: %w", err)
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, fmt.Errorf("list entries: %w", err)
		}
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list entries: %w", err)
	}
	return entries, nil
}
