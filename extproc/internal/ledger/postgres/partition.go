package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

// month is a month in UTC, whose entries are in one partition.
type month struct {
	year  int
	month time.Month
}

func monthOf(t time.Time) month {
	t = t.UTC()
	return month{t.Year(), t.Month()}
}

// start is the first moment of the month.
func (m month) start() time.Time { return time.Date(m.year, m.month, 1, 0, 0, 0, 0, time.UTC) }

func (m month) next() month { return monthOf(m.start().AddDate(0, 1, 0)) }

// table is the name of the partition.
func (m month) table() string { return fmt.Sprintf("entries_%04d_%02d", m.year, m.month) }

// makePartitions makes the partitions that entries need, and the one for the month after, so that the first calls of
// a month need not wait for it.
func (s *Sink) makePartitions(ctx context.Context, entries []ledger.Numbered) error {
	wanted := map[month]bool{}
	for i := range entries {
		m := monthOf(entries[i].At)
		if !s.months[m] {
			wanted[m], wanted[m.next()] = true, true
		}
	}
	for m := range wanted {
		if err := makePartition(ctx, s.conn, m); err != nil {
			return fmt.Errorf("make partition %s: %w", m.table(), err)
		}
		s.months[m] = true
	}
	return nil
}

func makePartition(ctx context.Context, conn *pgx.Conn, m month) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// Two who make the same table at once do not both find it missing.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", turn); err != nil {
			return err
		}
		there, err := tableExists(ctx, tx, m.table())
		if err != nil || there {
			return err
		}
		_, err = tx.Exec(ctx, fmt.Sprintf("CREATE TABLE farebox.%s PARTITION OF farebox.entries FOR VALUES FROM ('%s') TO ('%s')",
			m.table(), m.start().Format(time.RFC3339), m.next().start().Format(time.RFC3339)))
		return err
	})
}

// Forget implements ledger.Sink: a step drops one month, once all of it is from before the moment. Of replicas that keep
// entries for different times, the shortest time holds for all.
func (s *Sink) Forget(ctx context.Context, before time.Time) (bool, error) {
	ctx, stop := context.WithTimeout(ctx, applyWithin)
	defer stop()
	more := false
	err := pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) (err error) {
		more, err = dropOldest(ctx, tx, monthOf(before))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("postgres: drop partition: %w", err)
	}
	return more, nil
}

// dropOldest drops the oldest partition if it is of a month before the given one, and reports whether it was.
func dropOldest(ctx context.Context, tx pgx.Tx, limit month) (bool, error) {
	// A transaction that holds the table for long is let through first: this one is tried again in an hour.
	if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '2s'"); err != nil {
		return false, err
	}
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", turn); err != nil {
		return false, err
	}
	var table string
	err := tx.QueryRow(ctx, `SELECT coalesce(min(c.relname), '') FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'farebox.entries'::regclass AND c.relname ~ '^entries_\d{4}_\d{2}$'`).Scan(&table)
	if err != nil || table == "" || table >= limit.table() {
		return false, err
	}
	name := pgx.Identifier{"farebox", table}.Sanitize()
	if _, err := tx.Exec(ctx, "ALTER TABLE farebox.entries DETACH PARTITION "+name); err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, "DROP TABLE "+name)
	return true, err
}
