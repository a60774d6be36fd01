package ledger

import (
	"context"
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
	grain       time.Duration // and by grains of that length, if it is not 0
}

// spentSum is what calls that budgets do not tell apart came to. Of Call it has Dims, At, and if asked for Model and
// Route.
type spentSum struct {
	Call
	charged pricing.Money // with estimates as such
	counted pricing.Money // with estimates at their bound
}

// sql returns the statement and its parameters. Grains begin where time.Time.Truncate has them begin.
func (q *spentQuery) sql() (string, []any) {
	grain, offset := q.until.UnixNano(), int64(0)
	if q.grain > 0 {
		epoch := time.Unix(0, 0)
		grain, offset = int64(q.grain), int64(epoch.Sub(epoch.Truncate(q.grain)))
	}
	values := []any{offset, grain, q.from.UnixNano(), q.until.UnixNano(), q.last}
	if !q.names {
		return `SELECT s.dims, '', '', t.first, t.charge, t.counted
			FROM (SELECT scope, MIN(at) AS first, SUM(charge) AS charge, SUM(counted) AS counted, (at + ?) / ? AS grain
				FROM entries WHERE at >= ? AND at < ? AND seq <= ? GROUP BY scope, grain) AS t
			JOIN scopes AS s ON s.id = t.scope`, values
	}
	return `SELECT s.dims, l.model, l.route, t.first, t.charge, t.counted
		FROM (SELECT scope, label, MIN(at) AS first, SUM(charge) AS charge, SUM(counted) AS counted, (at + ?) / ? AS grain
			FROM entries WHERE at >= ? AND at < ? AND seq <= ? GROUP BY scope, label, grain) AS t
		JOIN scopes AS s ON s.id = t.scope JOIN labels AS l ON l.id = t.label`, values
}

// spent adds up the entries that a query selects.
func (st *store) spent(ctx context.Context, q spentQuery) ([]spentSum, error) {
	text, values := q.sql()
	rows, err := st.reader.QueryContext(ctx, text, values...)
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	defer rows.Close()
	var sums []spentSum
	for rows.Next() {
		var s spentSum
		var dims string
		var at int64
		if err := rows.Scan(&dims, &s.Model, &s.Route, &at, &s.charged, &s.counted); err != nil {
			return nil, fmt.Errorf("read balances: %w", err)
		}
		s.At = time.Unix(0, at).UTC()
		if err := json.Unmarshal([]byte(dims), &s.Dims); err != nil {
			return nil, fmt.Errorf("read balances: %w", err)
		}
		sums = append(sums, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	return sums, nil
}
