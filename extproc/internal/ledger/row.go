package ledger

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// usageColumns are the token counts of an entry, in the order of usageFields.
var usageColumns = []string{"input", "cache_read", "cache_write_short", "cache_write_long", "output", "reasoning"}

// usageFields returns the counts in the order of usageColumns.
func usageFields(u *pricing.Usage) []any {
	return []any{&u.Input, &u.CacheRead, &u.CacheWriteShort, &u.CacheWriteLong, &u.Output, &u.Reasoning}
}

// plainColumns are the columns that a field of Entry maps to as it is, in the order of plainFields.
var plainColumns = append([]string{
	"provider", "api", "route", "asked", "model", "responded", "rule", "tier", "pool", "observed",
	"status", "outcome", "detail", "attempts", "cost", "baseline", "eligible", "price_source", "estimated",
	"charge", "bound", "counted", "overrun",
}, append(usageColumns[:len(usageColumns):len(usageColumns)], leverColumns()...)...)

// plainFields returns pointers to the fields in the order of plainColumns.
func plainFields(e *Entry) []any {
	fields := append([]any{
		&e.Provider, &e.API, &e.Route, &e.Asked, &e.Model, &e.Responded, &e.Rule, &e.Tier, &e.Pool, &e.Observed,
		&e.Status, &e.Outcome, &e.Detail, &e.Attempts, &e.Cost, &e.Baseline, &e.Eligible, &e.PriceSource, &e.Estimated,
		&e.Charge, &e.Bound, &e.Counted, &e.Overrun,
	}, usageFields(&e.Usage)...)
	for i := range e.Savings {
		fields = append(fields, &e.Savings[i])
	}
	return fields
}

// insertEntry takes what entryValues returns.
var insertEntry = fmt.Sprintf("INSERT INTO entries (seq, id, at, settled, scope, %s) VALUES (?, ?, ?, ?, ?%s) ON CONFLICT DO NOTHING",
	list(plainColumns), strings.Repeat(", ?", len(plainColumns)))

// entryValues returns the parameters of insertEntry.
func entryValues(e *numbered, scope int64) []any {
	values := make([]any, 0, 5+len(plainColumns))
	values = append(values, e.seq, e.ID[:], e.At.UnixNano(), e.Settled.UnixNano(), scope)
	return append(values, plainFields(&e.Entry)...)
}

// selectEntries begins a query whose rows scanEntry reads.
var selectEntries = fmt.Sprintf("SELECT e.id, e.at, e.settled, s.dims, e.%s FROM entries AS e JOIN scopes AS s ON s.id = e.scope",
	strings.Join(plainColumns, ", e."))

// scanEntry reads a row of selectEntries.
func scanEntry(rows *sql.Rows) (Entry, error) {
	var e Entry
	var id []byte
	var at, settled int64
	var dims string
	if err := rows.Scan(append([]any{&id, &at, &settled, &dims}, plainFields(&e)...)...); err != nil {
		return e, fmt.Errorf("read entry: %w", err)
	}
	copy(e.ID[:], id)
	e.At, e.Settled = time.Unix(0, at).UTC(), time.Unix(0, settled).UTC()
	if err := json.Unmarshal([]byte(dims), &e.Dims); err != nil {
		return e, fmt.Errorf("read entry %s: %w", e.ID, err)
	}
	return e, nil
}
