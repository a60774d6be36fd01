package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// spentQuery selects what budgets count of a stretch of time, up to a record of the journal.
type spentQuery struct {
	from, until time.Time     // until is exclusive
	last        int64         // sequence number of the record
	names       bool          // sums are by model and route as well as by dimensions
	grain       time.Duration // and by grains of that length, if it is not 0
}

// spentSum is what calls that budgets do not tell apart came to. Of Call it has Dims, At, and if asked for Model and
// Route.
type spentSum struct {
	Call
	charged pricing.Money // with estimates as such
	counted pricing.Money // with estimates at their bound
}

// days splits the stretch: totals answer for whole days, and for all of those whose entries are forgotten. Grains are
// shorter than days, so that they are made of entries wherever there are any.
func (q *spentQuery) days(kept time.Time) stretch {
	s := split(q.from, q.until, kept, true)
	if q.grain > 0 && s.last.After(kept) {
		s.last = kept
	}
	if q.grain > 0 && !q.from.Before(kept) {
		s.first, s.last = s.from, s.from
	}
	return s
}

// spentRows are what budgets count: totals of whole days, less what was added to them after a record of the journal,
// and the other entries up to that record. A total stands at the end of its day, from where it counts longest.
const spentRows = `(
	SELECT scope, label, (day + 1) * 86400000000000 - 1 AS at, CAST(charge AS INTEGER) AS charge,
		CAST(counted AS INTEGER) AS counted FROM totals WHERE day >= ?1 AND day < ?2
	UNION ALL
	SELECT scope, label, at, -charge, -counted FROM entries WHERE seq > ?3 AND at >= ?4 AND at < ?5
	UNION ALL
	SELECT scope, label, at, charge, counted FROM entries WHERE at >= ?6 AND at < ?4 AND seq <= ?3
	UNION ALL
	SELECT scope, label, at, charge, counted FROM entries WHERE at >= ?5 AND at < ?7 AND seq <= ?3)`

var spentSums = spentOf("charge") + ", " + spentOf("counted")

// sql returns the statement and its parameters. Grains begin where time.Time.Truncate has them begin.
func (q *spentQuery) sql(kept time.Time) (string, []any) {
	grain, offset := int64(math.MaxInt64), int64(0)
	if q.grain > 0 {
		epoch := time.Unix(0, 0)
		grain, offset = int64(q.grain), int64(epoch.Sub(epoch.Truncate(q.grain)))
	}
	s := q.days(kept)
	values := []any{
		dayNumber(s.first), dayNumber(s.last), q.last, s.first.UnixNano(), s.last.UnixNano(), s.from.UnixNano(), s.until.UnixNano(),
		offset, grain,
	}
	if !q.names {
		return `SELECT s.dims, '', '', t.first, t.charge, t.counted
			FROM (SELECT scope, MIN(at) AS first, ` + spentSums + `, (at + ?8) / ?9 AS grain
				FROM ` + spentRows + ` GROUP BY scope, grain) AS t
			JOIN scopes AS s ON s.id = t.scope`, values
	}
	return `SELECT s.dims, l.model, l.route, t.first, t.charge, t.counted
		FROM (SELECT scope, label, MIN(at) AS first, ` + spentSums + `, (at + ?8) / ?9 AS grain
			FROM ` + spentRows + ` GROUP BY scope, label, grain) AS t
		JOIN scopes AS s ON s.id = t.scope JOIN labels AS l ON l.id = t.label`, values
}

// spent adds up the entries that a query selects. Of a day whose entries are forgotten it counts all, even if the
// stretch begins in the middle of it: a budget then counts too much, never too little.
func (st *store) spent(ctx context.Context, q spentQuery) ([]spentSum, error) {
	var sums []spentSum
	err := st.read(ctx, func(tx *sql.Tx) (err error) {
		kept, err := keptSince(ctx, tx)
		if err != nil {
			return err
		}
		sums, err = q.read(ctx, tx, kept)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	return sums, nil
}

func (q *spentQuery) read(ctx context.Context, tx *sql.Tx, kept time.Time) ([]spentSum, error) {
	text, values := q.sql(kept)
	rows, err := tx.QueryContext(ctx, text, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var sums []spentSum
	for rows.Next() {
		var s spentSum
		var dims sql.RawBytes
		var at int64
		if err := rows.Scan(&dims, &s.Model, &s.Route, &at, &s.charged, &s.counted); err != nil {
			return nil, err
		}
		s.At = time.Unix(0, at).UTC()
		if err := json.Unmarshal(dims, &s.Dims); err != nil {
			return nil, err
		}
		sums = append(sums, s)
	}
	return sums, rows.Err()
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
