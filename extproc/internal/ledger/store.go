package ledger

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/farebox-mesh/farebox/pricing"
)

// schema is the database as it is made. From the first release on, a change of it is a step in migrations.
//
//go:embed schema.sql
var schema string

// migrations brings a database of version i to version i+1; PRAGMA user_version holds the version.
var migrations = []string{schema}

// maxKnown is how many rows of scopes and of labels the writer remembers.
const maxKnown = 1 << 16

// store is the SQLite database. One goroutine writes; any number may read.
type store struct {
	writer *sql.DB
	reader *sql.DB
	insert *sql.Stmt

	// The writer's; what was made in a transaction that ends badly is forgotten.
	scopes map[string]int64 // rows of the table scopes
	labels map[labels]int64 // rows of the table labels
	text   []byte           // of a set of dimensions
	values []any            // of a statement
}

// openStore opens or makes the database in a folder.
func openStore(dir string) (*store, error) {
	path, err := filepath.Abs(filepath.Join(dir, "ledger.db"))
	if err != nil {
		return nil, err
	}
	// SQLite gives its other files the permissions of this one.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	st := &store{scopes: map[string]int64{}, labels: map[labels]int64{}}
	if err := st.open(path); err != nil {
		_ = st.close() // the first cause is the one to tell
		return nil, fmt.Errorf("open database %q: %w", path, err)
	}
	return st, nil
}

func (st *store) open(path string) error {
	const common = "_pragma=busy_timeout(5000)&_pragma=foreign_keys(0)"
	var err error
	if st.writer, err = sql.Open("sqlite", dsn(path, common+"&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")); err != nil {
		return err
	}
	st.writer.SetMaxOpenConns(1)
	if err := st.migrate(); err != nil {
		return err
	}
	if st.insert, err = st.writer.Prepare(insertEntries(1)); err != nil {
		return err
	}
	if st.reader, err = sql.Open("sqlite", dsn(path, common+"&_pragma=query_only(1)")); err != nil {
		return err
	}
	st.reader.SetMaxOpenConns(4)
	return nil
}

// dsn spells a path as SQLite reads file names, https://sqlite.org/uri.html.
func dsn(path, query string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String()
}

// migrate brings the schema up to date, a version per transaction.
func (st *store) migrate() error {
	var version int
	if err := st.writer.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("version %d is of a newer farebox, this one knows %d", version, len(migrations))
	}
	for ; version < len(migrations); version++ {
		step := fmt.Sprintf("BEGIN;\n%s\nPRAGMA user_version = %d;\nCOMMIT;", migrations[version], version+1)
		if _, err := st.writer.Exec(step); err != nil {
			return fmt.Errorf("migrate to version %d: %w", version+1, err)
		}
	}
	return nil
}

// position returns the place in the journal up to which the database has everything.
func (st *store) position() (position, error) {
	var p position
	err := st.writer.QueryRow("SELECT segment, place, seq FROM position").Scan(&p.segment, &p.offset, &p.seq)
	if err != nil {
		return p, fmt.Errorf("read position: %w", err)
	}
	return p, nil
}

// apply adds entries and moves the position in one transaction. An entry whose id is known is skipped.
func (st *store) apply(ctx context.Context, entries []numbered, next position) error {
	tx, err := st.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	if err := st.applyTo(ctx, tx, entries, next); err != nil {
		st.forget()
		return errors.Join(fmt.Errorf("write ledger: %w", err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		st.forget()
		return fmt.Errorf("write ledger: %w", err)
	}
	return nil
}

func (st *store) applyTo(ctx context.Context, tx *sql.Tx, entries []numbered, next position) error {
	insert := tx.StmtContext(ctx, st.insert)
	defer insert.Close()
	for i := range entries {
		scope, err := st.scope(ctx, tx, entries[i].Dims)
		if err != nil {
			return err
		}
		label, err := st.label(ctx, tx, entries[i].Entry)
		if err != nil {
			return err
		}
		st.values = appendValues(st.values[:0], entries[i], scope, label)
		if _, err := insert.ExecContext(ctx, st.values...); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "UPDATE position SET segment = ?, place = ?, seq = ?", next.segment, next.offset, next.seq)
	return err
}

// scope returns the row of a set of dimensions, which it makes if needed.
func (st *store) scope(ctx context.Context, tx *sql.Tx, dims []Dim) (int64, error) {
	text := appendDims(st.text[:0], dims)
	st.text = text
	if row, ok := st.scopes[string(text)]; ok {
		return row, nil
	}
	if len(st.scopes) >= maxKnown {
		clear(st.scopes)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO scopes (dims) VALUES (?) ON CONFLICT DO NOTHING", string(text)); err != nil {
		return 0, err
	}
	var row int64
	if err := tx.QueryRowContext(ctx, "SELECT id FROM scopes WHERE dims = ?", string(text)).Scan(&row); err != nil {
		return 0, err
	}
	st.scopes[string(text)] = row
	return row, nil
}

var (
	insertLabels = fmt.Sprintf("INSERT INTO labels (%s) VALUES (?%s) ON CONFLICT DO NOTHING",
		list(labelColumns), strings.Repeat(", ?", len(labelColumns)-1))
	selectLabels = fmt.Sprintf("SELECT id FROM labels WHERE %s = ?", strings.Join(labelColumns, " = ? AND "))
)

// label returns the row of the labels of an entry, which it makes if needed.
func (st *store) label(ctx context.Context, tx *sql.Tx, e *Entry) (int64, error) {
	names := labelsOf(e)
	if row, ok := st.labels[names]; ok {
		return row, nil
	}
	if len(st.labels) >= maxKnown {
		clear(st.labels)
	}
	values := make([]any, len(names))
	for i, name := range names {
		values[i] = name
	}
	if _, err := tx.ExecContext(ctx, insertLabels, values...); err != nil {
		return 0, err
	}
	var row int64
	if err := tx.QueryRowContext(ctx, selectLabels, values...).Scan(&row); err != nil {
		return 0, err
	}
	st.labels[names] = row
	return row, nil
}

// forget drops what the writer remembers: rows made in a transaction that was rolled back are gone.
func (st *store) forget() {
	clear(st.scopes)
	clear(st.labels)
}

// checkpoint brings everything to the disk and reports whether it is there. A long query may be in the way.
func (st *store) checkpoint(ctx context.Context) (bool, error) {
	var busy, logged, moved int64
	err := st.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(FULL)").Scan(&busy, &logged, &moved)
	if err != nil {
		return false, fmt.Errorf("checkpoint ledger: %w", err)
	}
	return busy == 0 && logged == moved, nil
}

func (st *store) close() error {
	var errs []error
	if st.insert != nil {
		errs = append(errs, st.insert.Close())
	}
	for _, db := range []*sql.DB{st.reader, st.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// leverColumns returns the columns of the savings.
func leverColumns() []string {
	columns := make([]string, pricing.NumLevers)
	for i := range columns {
		columns[i] = "save_" + pricing.Lever(i).String()
	}
	return columns
}

// list joins names with commas.
func list(names []string) string { return strings.Join(names, ", ") }
