package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/pricing"
)

// column is a column of the table that entries are copied to before they are sorted into the others.
type column struct {
	name, kind string
	value      func(r *row) any
}

// row is an entry with what is worked out of it once.
type row struct {
	*ledger.Entry
	dims, full  []byte
	scope, hash [sha256.Size]byte
	more        any // nil or text
}

// Columns of the tables that incoming entries are sorted into.
var (
	labelColumns = []column{
		text("provider", func(r *row) string { return string(r.Provider) }),
		text("api", func(r *row) string { return string(r.API) }),
		text("route", func(r *row) string { return string(r.Route) }),
		text("asked", func(r *row) string { return string(r.Asked) }),
		text("model", func(r *row) string { return string(r.Model) }),
		text("responded", func(r *row) string { return string(r.Responded) }),
		text("rule", func(r *row) string { return string(r.Rule) }),
		text("tier", func(r *row) string { return string(r.Tier) }),
		text("pool", func(r *row) string { return string(r.Pool) }),
		text("service", func(r *row) string { return string(r.Service) }),
		text("region", func(r *row) string { return r.Region }),
		text("outcome", func(r *row) string { return string(r.Outcome) }),
		text("price_source", func(r *row) string { return r.PriceSource }),
		text("would", func(r *row) string { return r.Would }),
		text("would_model", func(r *row) string { return string(r.WouldModel) }),
		{"status", "integer", func(r *row) any { return int32(r.Status) }},
		{"attempts", "integer", func(r *row) any { return int32(r.Attempts) }},
		{"observed", "boolean", func(r *row) any { return r.Observed }},
		{"estimated", "boolean", func(r *row) any { return r.Estimated }},
		{"stated", "boolean", func(r *row) any { return r.Stated }},
	}
	keyColumns = []column{
		{"id", "uuid", func(r *row) any { return [16]byte(r.ID) }},
		{"at", "timestamptz", func(r *row) any { return r.At.Truncate(time.Microsecond) }},
		{"settled", "timestamptz", func(r *row) any { return r.Settled.Truncate(time.Microsecond) }},
		{"scope_hash", "bytea", func(r *row) any { return r.scope[:] }},
		{"label_hash", "bytea", func(r *row) any { return r.hash[:] }},
		{"dims", "jsonb", func(r *row) any { return r.dims }},
		{"full_dims", "jsonb", func(r *row) any { return r.full }},
		{"more", "jsonb", func(r *row) any { return r.more }},
	}
	// entryColumns are numbers of an entry that totals may add up too.
	entryColumns = []column{
		count("input", func(r *row) int64 { return r.Usage.Input }),
		count("cache_read", func(r *row) int64 { return r.Usage.CacheRead }),
		count("output", func(r *row) int64 { return r.Usage.Output }),
		money("cost", func(r *row) pricing.Money { return r.Cost }),
		money("baseline", func(r *row) pricing.Money { return r.Baseline }),
		money("charge", func(r *row) pricing.Money { return r.Charge }),
		money("bound", func(r *row) pricing.Money { return r.Bound }),
		money("counted", func(r *row) pricing.Money { return r.Counted }),
	}
	// otherColumns are those that only totals have.
	otherColumns = append([]column{
		count("calls", func(r *row) int64 {
			if r.IsCall() {
				return 1
			}
			return 0
		}),
		count("overruns", func(r *row) int64 {
			if r.Overrun {
				return 1
			}
			return 0
		}),
		money("eligible", func(r *row) pricing.Money { return r.Eligible }),
		money("would_cost", func(r *row) pricing.Money { return r.WouldCost }),
	}, append(usageColumns(), leverColumns()...)...)
)

func text(name string, value func(*row) string) column {
	return column{name, "text", func(r *row) any { return value(r) }}
}

func count(name string, value func(*row) int64) column {
	return column{name, "bigint", func(r *row) any { return value(r) }}
}

func money(name string, value func(*row) pricing.Money) column {
	return column{name, "bigint", func(r *row) any { return int64(value(r)) }}
}

// usageColumns are the counts that entries have no columns for.
func usageColumns() []column {
	var columns []column
	for name := range (pricing.Usage{}).All() {
		if name == "input" || name == "cache_read" || name == "output" {
			continue
		}
		columns = append(columns, count(name, func(r *row) int64 {
			for kind, n := range r.Usage.All() {
				if kind == name {
					return n
				}
			}
			return 0
		}))
	}
	return columns
}

func leverColumns() []column {
	columns := make([]column, pricing.NumLevers)
	for i := range columns {
		columns[i] = money("save_"+pricing.Lever(i).String(), func(r *row) pricing.Money { return r.Savings[i] })
	}
	return columns
}

// names lists columns, each with something before and after it.
func names(columns []column, before, after string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = before + c.name + after
	}
	return strings.Join(list, ", ")
}

// incoming is the order in which entries are copied.
var incoming = join(keyColumns, labelColumns, entryColumns, otherColumns)

// join puts columns after one another.
func join(lists ...[]column) []column {
	var all []column
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// summed are the columns that totals add up.
func summed() []column {
	var columns []column
	for _, c := range join(entryColumns, otherColumns) {
		if c.name != "bound" {
			columns = append(columns, c)
		}
	}
	return columns
}

// capped stops a sum, which is a numeric, at the largest bigint, and below zero at as much.
func capped(sum string) string {
	return fmt.Sprintf("greatest(%d, least(%d, %s))::bigint", -math.MaxInt64, math.MaxInt64, sum)
}

var createIncoming = func() string {
	list := make([]string, len(incoming))
	for i, c := range incoming {
		list[i] = c.name + " " + c.kind
	}
	return "CREATE TEMPORARY TABLE IF NOT EXISTS farebox_incoming (" + strings.Join(list, ", ") + ") ON COMMIT DELETE ROWS"
}()

// Rows are made in the order of their hashes, so that replicas that make the same ones wait for each other in turn and
// never in a ring.
var (
	addScopes = `INSERT INTO farebox.scopes (hash, dims, full_dims)
		SELECT DISTINCT ON (scope_hash) scope_hash, dims, full_dims FROM farebox_incoming AS i
		WHERE NOT EXISTS (SELECT FROM farebox.scopes AS s WHERE s.hash = i.scope_hash) ORDER BY scope_hash
		ON CONFLICT DO NOTHING`
	addLabels = fmt.Sprintf(`INSERT INTO farebox.labels (hash, %s)
		SELECT DISTINCT ON (label_hash) label_hash, %[1]s FROM farebox_incoming AS i
		WHERE NOT EXISTS (SELECT FROM farebox.labels AS l WHERE l.hash = i.label_hash) ORDER BY label_hash
		ON CONFLICT DO NOTHING`, names(labelColumns, "", ""))

	// addEntries adds the entries that are new, and only those to the totals. $1 is the replica.
	addEntries = func() string {
		sums := summed()
		added, updates := make([]string, len(sums)), make([]string, len(sums))
		for i, c := range sums {
			updates[i] = c.name + " = " + capped("t."+c.name+"::numeric + excluded."+c.name)
			added[i] = capped("sum(" + c.name + ")")
		}
		return fmt.Sprintf(`WITH sorted AS MATERIALIZED (
			SELECT DISTINCT ON (i.id) i.*, s.number AS scope, l.number AS label FROM farebox_incoming AS i
			JOIN farebox.scopes AS s ON s.hash = i.scope_hash JOIN farebox.labels AS l ON l.hash = i.label_hash ORDER BY i.id
		), fresh AS (
			INSERT INTO farebox.entries (id, at, settled, replica, scope, label, %[1]s, more)
			SELECT id, at, settled, $1, scope, label, %[1]s, more FROM sorted ON CONFLICT DO NOTHING RETURNING id
		)
		INSERT INTO farebox.totals AS t (day, scope, label, replica, %[2]s)
		SELECT (at AT TIME ZONE 'UTC')::date, scope, label, $1, %[3]s FROM fresh JOIN sorted USING (id)
		GROUP BY 1, 2, 3
		ON CONFLICT (day, scope, label, replica) DO UPDATE SET %[4]s`,
			names(entryColumns, "", ""), names(sums, "", ""), strings.Join(added, ", "), strings.Join(updates, ", "))
	}()
)

// Apply implements ledger.Sink.
func (s *Sink) Apply(ctx context.Context, entries []ledger.Numbered, next ledger.Position) error {
	ctx, stop := context.WithTimeout(ctx, applyWithin)
	defer stop()
	if err := s.makePartitions(ctx, entries); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	s.tried = next
	err := pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if err := addAll(ctx, tx, s.number, entries); err != nil {
			return err
		}
		return s.move(ctx, tx, next)
	})
	if noPartition(err) {
		clear(s.months)
	}
	if err != nil {
		return fmt.Errorf("postgres: write entries: %w", refused(err))
	}
	s.pos = next
	return nil
}

// addAll adds the entries that are new.
func addAll(ctx context.Context, tx pgx.Tx, replica int32, entries []ledger.Numbered) error {
	if len(entries) == 0 {
		return nil
	}
	columns := make([]string, len(incoming))
	for i, c := range incoming {
		columns[i] = c.name
	}
	rows := pgx.CopyFromSlice(len(entries), func(i int) ([]any, error) { return values(entries[i].Entry) })
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"farebox_incoming"}, columns, rows); err != nil {
		return err
	}
	for _, query := range [...]string{addScopes, addLabels} {
		if _, err := tx.Exec(ctx, query); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, addEntries, replica)
	return err
}

// move moves the replica's position, if it is where this sink left it.
func (s *Sink) move(ctx context.Context, tx pgx.Tx, next ledger.Position) error {
	tag, err := tx.Exec(ctx, "UPDATE farebox.replicas SET segment = $1, place = $2, seq = $3, last = $4, fed = now() "+
		"WHERE number = $5 AND seq = $6 AND last = $7",
		next.Segment, next.Offset, next.Seq, [16]byte(next.Last), s.number, s.pos.Seq, [16]byte(s.pos.Last))
	if err == nil && tag.RowsAffected() == 0 {
		s.twin = true
		return ErrTwin
	}
	return err
}

// values returns an entry's row of farebox_incoming.
func values(e *ledger.Entry) ([]any, error) {
	r, err := newRow(withoutNUL(e))
	if err != nil {
		return nil, err
	}
	all := make([]any, len(incoming))
	for i, c := range incoming {
		all[i] = c.value(r)
	}
	return all, nil
}

func newRow(e *ledger.Entry) (*row, error) {
	r := &row{Entry: e}
	byName := map[string]string{}
	for _, d := range e.Dims {
		byName[string(d.Name)] = d.Value
	}
	var err error
	if r.dims, err = json.Marshal(byName); err != nil {
		return nil, err
	}
	dims := e.Dims
	if dims == nil {
		dims = []ledger.Dim{}
	}
	if r.full, err = json.Marshal(dims); err != nil {
		return nil, err
	}
	r.scope = sha256.Sum256(r.full)
	if more := e.AppendMore(nil); len(more) > 0 {
		r.more = more
	}
	labels := make([]any, len(labelColumns))
	for i, c := range labelColumns {
		labels[i] = c.value(r)
	}
	text, err := json.Marshal(labels)
	r.hash = sha256.Sum256(text)
	return r, err
}

// withoutNUL returns an entry that PostgreSQL can keep: its text may hold any character but U+0000.
func withoutNUL(e *ledger.Entry) *ledger.Entry {
	clean := *e
	for _, s := range []*string{
		(*string)(&clean.Provider), (*string)(&clean.API), (*string)(&clean.Route), (*string)(&clean.Asked), (*string)(&clean.Model),
		(*string)(&clean.Responded), (*string)(&clean.Rule), (*string)(&clean.Tier), (*string)(&clean.Pool), (*string)(&clean.Service),
		&clean.Region, (*string)(&clean.Outcome), &clean.PriceSource, &clean.Would, (*string)(&clean.WouldModel), &clean.Detail,
	} {
		*s = strings.ReplaceAll(*s, "\x00", "\uFFFD")
	}
	clean.Dims = make([]ledger.Dim, len(e.Dims))
	for i, d := range e.Dims {
		d.Value = strings.ReplaceAll(d.Value, "\x00", "\uFFFD")
		clean.Dims[i] = d
	}
	return &clean
}
