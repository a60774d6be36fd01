package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// migrations bring a database of version i to version i+1, in the order of their names; PRAGMA user_version holds the
// version. From the first release on, a change of the schema is a new file.
//
//go:embed migrations/*.sql
var migrations embed.FS

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
		_ = st.Close() // the first cause is the one to tell
		return nil, fmt.Errorf("open database %q: %w", path, err)
	}
	return st, nil
}

// common is what all connections are opened with.
const common = "_pragma=busy_timeout(5000)&_pragma=foreign_keys(0)"

func (st *store) open(path string) error {
	if err := st.openWriter(path); err != nil {
		return err
	}
	if err := st.migrate(); err != nil {
		return err
	}
	var err error
	if st.insert, err = st.writer.Prepare(insertEntry); err != nil {
		return err
	}
	return st.openReaders(path)
}

// openWriter opens the one connection that writes.
func (st *store) openWriter(path string) (err error) {
	if st.writer, err = sql.Open("sqlite", dsn(path, common+"&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")); err != nil {
		return err
	}
	st.writer.SetMaxOpenConns(1)
	return nil
}

// openReaders opens the connections for queries. They do not make a database.
func (st *store) openReaders(path string) (err error) {
	if st.reader, err = sql.Open("sqlite", dsn(path, "mode=rw&"+common+"&_pragma=query_only(1)")); err != nil {
		return err
	}
	st.reader.SetMaxOpenConns(4)
	return nil
}

// dsn spells a path as SQLite reads file names, https://sqlite.org/uri.html.
func dsn(path, query string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String()
}

// migrationSteps returns the files of the migrations in order.
func migrationSteps() ([]string, error) { return fs.Glob(migrations, "migrations/*.sql") }

// migrate brings the schema up to date, a version per transaction.
func (st *store) migrate() error {
	steps, err := migrationSteps()
	if err != nil {
		return err
	}
	var version int
	if err := st.writer.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("version %d is of a newer farebox, this one knows %d", version, len(steps))
	}
	for ; version < len(steps); version++ {
		text, err := migrations.ReadFile(steps[version])
		if err != nil {
			return err
		}
		step := fmt.Sprintf("BEGIN;\n%s\nPRAGMA user_version = %d;\nCOMMIT;", text, version+1)
		if _, err := st.writer.Exec(step); err != nil {
			// The writer has one connection, which must not stay in the transaction.
			_, _ = st.writer.Exec("ROLLBACK")
			return fmt.Errorf("migrate to version %d: %w", version+1, err)
		}
	}
	return nil
}

// Name implements Sink.
func (st *store) Name() string { return "sqlite" }

// Resume implements Sink: the folder is the replica.
func (st *store) Resume(_ context.Context, _ ID) (Position, error) {
	var p Position
	err := st.writer.QueryRow("SELECT segment, place, seq FROM position").Scan(&p.Segment, &p.Offset, &p.Seq)
	if err != nil {
		return p, fmt.Errorf("read position: %w", err)
	}
	return p, nil
}

// Apply implements Sink. It heeds no context: a transaction is short, and a context that can end costs a goroutine
// per statement.
func (st *store) Apply(ctx context.Context, entries []Numbered, next Position) error {
	ctx = context.WithoutCancel(ctx)
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

func (st *store) applyTo(ctx context.Context, tx *sql.Tx, entries []Numbered, next Position) error {
	insert := tx.StmtContext(ctx, st.insert)
	defer insert.Close()
	totals := map[totalKey]*total{}
	for i := range entries {
		e := entries[i]
		scope, err := st.scope(ctx, tx, e.Dims)
		if err != nil {
			return err
		}
		label, err := st.label(ctx, tx, e.Entry)
		if err != nil {
			return err
		}
		st.text = e.AppendMore(st.text[:0])
		st.values = appendValues(st.values[:0], e, scope, label, string(st.text))
		result, err := insert.ExecContext(ctx, st.values...)
		if err != nil {
			return err
		}
		if fresh, err := result.RowsAffected(); err != nil {
			return err
		} else if fresh == 0 {
			continue
		}
		key := totalKey{dayNumber(e.At), scope, label}
		if totals[key] == nil {
			totals[key] = &total{}
		}
		totals[key].add(e.Entry)
	}
	if err := writeTotals(ctx, tx, totals); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE position SET segment = ?, place = ?, seq = ?", next.Segment, next.Offset, next.Seq)
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
	values := names.values()
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

// Durable implements Sink. A long query may be in the way.
func (st *store) Durable(ctx context.Context) (bool, error) {
	var busy, logged, moved int64
	err := st.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(FULL)").Scan(&busy, &logged, &moved)
	if err != nil {
		return false, fmt.Errorf("checkpoint ledger: %w", err)
	}
	return busy == 0 && logged == moved, nil
}

// Close implements Sink.
func (st *store) Close() error {
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

// list joins names with commas.
func list(names []string) string { return strings.Join(names, ", ") }
