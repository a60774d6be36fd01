package ledger

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// labels is the names of an entry that many calls have in common.
type labels [12]string

// labelColumns are the columns of labels, in its order.
var labelColumns = []string{
	"provider", "api", "route", "asked", "model", "responded", "rule", "tier", "outcome", "price_source", "would", "would_model",
}

func labelsOf(e *Entry) labels {
	return labels{
		string(e.Provider), string(e.API), string(e.Route), string(e.Asked), string(e.Model), string(e.Responded),
		string(e.Rule), string(e.Tier), string(e.Outcome), e.PriceSource, e.Would, string(e.WouldModel),
	}
}

// labelFields returns pointers to the fields in the order of labelColumns.
func labelFields(e *Entry) []any {
	return []any{
		&e.Provider, &e.API, &e.Route, &e.Asked, &e.Model, &e.Responded,
		&e.Rule, &e.Tier, &e.Outcome, &e.PriceSource, &e.Would, &e.WouldModel,
	}
}

// usageColumns are the token counts of an entry, in the order of usageFields.
var usageColumns = []string{"input", "cache_read", "cache_write_short", "cache_write_long", "output", "reasoning"}

// usageFields returns the counts in the order of usageColumns.
func usageFields(u *pricing.Usage) []any {
	return []any{&u.Input, &u.CacheRead, &u.CacheWriteShort, &u.CacheWriteLong, &u.Output, &u.Reasoning}
}

// plainColumns are the columns of entries that a field of Entry maps to as it is, in the order of plainFields.
var plainColumns = append([]string{
	"pool", "observed", "status", "detail", "attempts", "cost", "baseline", "eligible", "estimated",
	"charge", "bound", "counted", "overrun", "would_cost",
}, append(usageColumns[:len(usageColumns):len(usageColumns)], leverColumns()...)...)

// plainFields returns pointers to the fields in the order of plainColumns.
func plainFields(e *Entry) []any {
	fields := make([]any, 0, len(plainColumns))
	fields = append(fields,
		&e.Pool, &e.Observed, &e.Status, &e.Detail, &e.Attempts, &e.Cost, &e.Baseline, &e.Eligible, &e.Estimated,
		&e.Charge, &e.Bound, &e.Counted, &e.Overrun, &e.WouldCost)
	fields = append(fields, usageFields(&e.Usage)...)
	for i := range e.Savings {
		fields = append(fields, &e.Savings[i])
	}
	return fields
}

// keyColumns are the columns of entries before plainColumns.
const keyColumns = "seq, id, at, settled, scope, label"

// insertEntries returns a statement that takes what appendValues made of a number of entries.
func insertEntries(rows int) string {
	row := "(?, ?, ?, ?, ?, ?" + strings.Repeat(", ?", len(plainColumns)) + ")"
	return fmt.Sprintf("INSERT INTO entries (%s, %s) VALUES %s%s ON CONFLICT (id) DO NOTHING",
		keyColumns, list(plainColumns), row, strings.Repeat(", "+row, rows-1))
}

// appendValues appends the parameters of an entry to those of insertEntries.
func appendValues(values []any, e numbered, scope, label int64) []any {
	values = append(values, e.at.seq, e.ID[:], e.At.UnixNano(), e.Settled.UnixNano(), scope, label)
	for _, field := range plainFields(e.Entry) {
		values = append(values, plainValue(field))
	}
	return values
}

// plainValue returns what a field of plainFields points to as one of the types that database/sql need not convert.
func plainValue(field any) any {
	switch p := field.(type) {
	case *int64:
		return *p
	case *pricing.Money:
		return int64(*p)
	case *int:
		return int64(*p)
	case *bool:
		return *p
	case *string:
		return *p
	case *policies.RouteName:
		return string(*p)
	}
	return field
}

// selectEntries begins a query whose rows scanEntry reads. The order of its joins is fixed, so that the latest
// entries are found by time whatever the condition on labels.
var selectEntries = fmt.Sprintf("SELECT e.id, e.at, e.settled, s.dims, l.%s, e.%s FROM entries AS e "+
	"CROSS JOIN scopes AS s ON s.id = e.scope CROSS JOIN labels AS l ON l.id = e.label",
	strings.Join(labelColumns, ", l."), strings.Join(plainColumns, ", e."))

// scanEntry reads a row of selectEntries.
func scanEntry(rows *sql.Rows) (Entry, error) {
	var e Entry
	var id []byte
	var at, settled int64
	var dims string
	fields := append([]any{&id, &at, &settled, &dims}, labelFields(&e)...)
	if err := rows.Scan(append(fields, plainFields(&e)...)...); err != nil {
		return e, fmt.Errorf("read entry: %w", err)
	}
	copy(e.ID[:], id)
	e.At, e.Settled = time.Unix(0, at).UTC(), time.Unix(0, settled).UTC()
	if err := json.Unmarshal([]byte(dims), &e.Dims); err != nil {
		return e, fmt.Errorf("read entry %s: %w", e.ID, err)
	}
	return e, nil
}
