package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// spentQuery selects what budgets count of a stretch of time, up to a record of the journal.
type spentQuery struct {
	from, until time.Time     // until is exclusive
	last        int64         // sequence number of the record
	names       bool          // sums are by model and route as well as by dimensions
	grain       time.Duration // and by steps of that length, if it is not 0
}

// spentSum is what calls that budgets do not tell apart came to. Of Call it has Dims, if asked for Model and Route, and
// as At a moment of the grain.
type spentSum struct {
	Call
	charged pricing.Money // with estimates as such
	counted pricing.Money // with estimates at their bound
}

// What is summed, by scope, label where that matters, and moment: a day's totals, less what was added to them after a
// record of the journal, and entries.
const (
	sumDays = `
		SELECT scope, label, ?8 AS at, charge, counted FROM totals WHERE day >= ?1 AND day < ?2
		UNION ALL
		SELECT scope, label, ?8, -charge, -counted FROM entries WHERE seq > ?3 AND at >= ?4 AND at < ?5
		UNION ALL
		SELECT scope, label, ?8, charge, counted FROM entries WHERE at >= ?6 AND at < ?4 AND seq <= ?3
		UNION ALL
		SELECT scope, label, ?8, charge, counted FROM entries WHERE at >= ?5 AND at < ?7 AND seq <= ?3`
	// Of days whose entries are forgotten, everything is taken to have happened at their end.
	sumGrains = `
		SELECT scope, label, (day + 1) * 86400000000000 - 1 AS at, charge, counted FROM totals WHERE day >= ?1 AND day < ?2
		UNION ALL
		SELECT scope, label, at, charge, counted FROM entries WHERE at >= ?4 AND at < ?5 AND seq <= ?3`
	sumByScope = `SELECT s.dims, '', '', t.at, t.charge, t.counted
		FROM (SELECT scope, MIN(at) AS at, SUM(charge) AS charge, SUM(counted) AS counted FROM (%s) GROUP BY scope%s) AS t
		JOIN scopes AS s ON s.id = t.scope`
	sumByName = `SELECT s.dims, l.model, l.route, t.at, t.charge, t.counted
		FROM (SELECT scope, label, MIN(at) AS at, SUM(charge) AS charge, SUM(counted) AS counted FROM (%s) GROUP BY scope, label%s) AS t
		JOIN scopes AS s ON s.id = t.scope JOIN labels AS l ON l.id = t.label`
)

// sql returns the statement and its parameters for a database that has all entries since kept.
func (q *spentQuery) sql(kept time.Time) (string, []any) {
	sums := sumByScope
	if q.names {
		sums = sumByName
	}
	if q.grain == 0 {
		s := split(q.from, q.until, kept, true)
		return fmt.Sprintf(sums, sumDays, ""), []any{
			dayNumber(s.first), dayNumber(s.last), q.last, s.first.UnixNano(), s.last.UnixNano(), s.from.UnixNano(), s.until.UnixNano(),
			q.from.UnixNano(),
		}
	}
	first, entries := dayOf(q.from), q.from
	days := first
	if q.from.Before(kept) {
		days = dayOf(kept.Add(day - 1)) // the first whose entries are all there
		entries = days
	}
	// Grains begin where time.Time.Truncate has them begin.
	offset := time.Unix(0, 0).Sub(time.Unix(0, 0).Truncate(q.grain))
	return fmt.Sprintf(sums, sumGrains, ", (at + ?6) / ?7"), []any{
		dayNumber(first), dayNumber(days), q.last, entries.UnixNano(), q.until.UnixNano(), int64(offset), int64(q.grain),
	}
}

// spent adds up the entries that a query selects. Of days whose entries are forgotten it counts all, even if the
// stretch begins in the middle of one: a budget then counts too much, never too little.
func (st *store) spent(ctx context.Context, q spentQuery) ([]spentSum, error) {
	var sums []spentSum
	err := st.read(ctx, func(tx *sql.Tx) error {
		kept, err := keptSince(ctx, tx)
		if err != nil {
			return err
		}
		text, values := q.sql(kept)
		rows, err := tx.QueryContext(ctx, text, values...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s spentSum
			var dims sql.RawBytes
			var at int64
			if err := rows.Scan(&dims, &s.Model, &s.Route, &at, &s.charged, &s.counted); err != nil {
				return err
			}
			s.At = time.Unix(0, at).UTC()
			if err := json.Unmarshal(dims, &s.Dims); err != nil {
				return err
			}
			sums = append(sums, s)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	return sums, nil
}

// read runs queries that see one state of the database.
func (st *store) read(ctx context.Context, queries func(*sql.Tx) error) error {
	tx, err := st.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was changed
	return queries(tx)
}
