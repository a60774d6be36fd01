package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// scopeSum is what the calls of one set of dimensions came to.
type scopeSum struct {
	dims    []Dim
	charged pricing.Money // with estimates as such
	counted pricing.Money // with estimates at their bound
}

// sumScopes adds up whole days from totals, less what was added to them after a record of the journal, and the rest
// from entries.
const sumScopes = `
	SELECT s.dims, t.charge, t.counted
	FROM (SELECT scope, SUM(charge) AS charge, SUM(counted) AS counted FROM (
			SELECT scope, charge, counted FROM totals WHERE day >= ?1 AND day < ?2
			UNION ALL
			SELECT scope, -charge, -counted FROM entries WHERE seq > ?3 AND at >= ?4 AND at < ?5
			UNION ALL
			SELECT scope, charge, counted FROM entries WHERE at >= ?6 AND at < ?4 AND seq <= ?3
			UNION ALL
			SELECT scope, charge, counted FROM entries WHERE at >= ?5 AND at < ?7 AND seq <= ?3)
		GROUP BY scope) AS t
	JOIN scopes AS s ON s.id = t.scope`

// spent adds up the entries in a stretch of time, up to a record of the journal. Of a day whose entries are forgotten
// it counts all, even if the stretch begins in the middle of it: a budget then counts too much, never too little.
func (st *store) spent(ctx context.Context, from, until time.Time, last int64) ([]scopeSum, error) {
	var sums []scopeSum
	err := st.read(ctx, func(tx *sql.Tx) error {
		kept, err := keptSince(ctx, tx)
		if err != nil {
			return err
		}
		s := split(from, until, kept, true)
		rows, err := tx.QueryContext(ctx, sumScopes, dayNumber(s.first), dayNumber(s.last), last,
			s.first.UnixNano(), s.last.UnixNano(), s.from.UnixNano(), s.until.UnixNano())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s scopeSum
			var text sql.RawBytes
			if err := rows.Scan(&text, &s.charged, &s.counted); err != nil {
				return err
			}
			if err := json.Unmarshal(text, &s.dims); err != nil {
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
