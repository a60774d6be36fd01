package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

// Database is the entries of all replicas, for tools. It is for one goroutine.
type Database struct {
	config *pgx.ConnConfig
	writer *Sink
}

// Open connects to a database and brings its schema up to date. Errors do not show the password.
func Open(ctx context.Context, connection string) (*Database, error) {
	sink, err := New(connection)
	if err != nil {
		return nil, err
	}
	// What tools write has the replica of the zero id.
	if _, err := sink.Resume(ctx, ledger.ID{}); err != nil {
		return nil, err
	}
	return &Database{config: sink.config, writer: sink}, nil
}

// Close gives the connection back.
func (d *Database) Close() error { return d.writer.Close() }

// fetch is how many rows are read at a time.
const fetch = 2000

// Between iterates over the entries from one moment up to another, by rising At. Entries that are added meanwhile are
// not among them.
func (d *Database) Between(ctx context.Context, from, until time.Time) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		if err := d.between(ctx, from, until, yield); err != nil && !errors.Is(err, errStopped) {
			yield(nil, fmt.Errorf("postgres: read entries: %w", err))
		}
	}
}

// errStopped says that whoever iterates wants no more.
var errStopped = errors.New("stopped")

// between reads by a cursor on a connection of its own, so that entries can be written meanwhile.
func (d *Database) between(ctx context.Context, from, until time.Time, yield func(*ledger.Entry, error) bool) (err error) {
	conn, err := pgx.ConnectConfig(ctx, d.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "DECLARE entry NO SCROLL CURSOR FOR "+selectEntries, pgx.QueryExecModeSimpleProtocol, from, until); err != nil {
			return err
		}
		for {
			n, err := fetchEntries(ctx, tx, yield)
			if err != nil || n < fetch {
				return err
			}
		}
	})
}

// fetchEntries hands on the next rows of the cursor and returns how many there were.
func fetchEntries(ctx context.Context, tx pgx.Tx, yield func(*ledger.Entry, error) bool) (int, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf("FETCH %d FROM entry", fetch))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		e, err := scanEntry(rows)
		if err != nil {
			return n, err
		}
		if !yield(e, nil) {
			return n, errStopped
		}
	}
	return n, rows.Err()
}

var selectEntries = fmt.Sprintf(`SELECT e.id, e.at, e.settled, s.full_dims, coalesce(e.more, '{}'), %s, %s
	FROM farebox.entries AS e JOIN farebox.scopes AS s ON s.number = e.scope JOIN farebox.labels AS l ON l.number = e.label
	WHERE e.at >= $1 AND e.at < $2 ORDER BY e.at, e.id`, names(labelColumns, "l.", ""), names(entryColumns, "e.", ""))

// scanEntry reads a row of selectEntries. Of moments it knows the microseconds.
func scanEntry(rows pgx.Rows) (*ledger.Entry, error) {
	e := new(ledger.Entry)
	var id [16]byte
	var dims, more []byte
	err := rows.Scan(&id, &e.At, &e.Settled, &dims, &more,
		&e.Provider, &e.API, &e.Route, &e.Asked, &e.Model, &e.Responded, &e.Rule, &e.Tier, &e.Pool, &e.Service, &e.Region,
		&e.Outcome, &e.PriceSource, &e.Would, &e.WouldModel, &e.Status, &e.Attempts, &e.Observed, &e.Estimated, &e.Stated,
		&e.Usage.Input, &e.Usage.CacheRead, &e.Usage.Output, &e.Cost, &e.Baseline, &e.Charge, &e.Bound, &e.Counted)
	if err != nil {
		return nil, err
	}
	e.ID, e.At, e.Settled = id, e.At.UTC(), e.Settled.UTC()
	if err := json.Unmarshal(dims, &e.Dims); err != nil {
		return nil, fmt.Errorf("entry %s: %w", e.ID, err)
	}
	if err := json.Unmarshal(more, e); err != nil {
		return nil, fmt.Errorf("entry %s: %w", e.ID, err)
	}
	return e, nil
}

// Adjust adds corrections, all or none; those whose ids are known are skipped. Balances of replicas, which each keeps in
// its own state folder, do not hear of them.
func (d *Database) Adjust(ctx context.Context, corrections []ledger.Entry) error {
	entries := make([]ledger.Numbered, len(corrections))
	for i := range corrections {
		entries[i].Entry = &corrections[i]
	}
	if err := d.writer.Apply(ctx, entries, ledger.Position{}); err != nil {
		return fmt.Errorf("adjust: %w", err)
	}
	return nil
}
