package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// forgetBatch is how many entries one step of Forget removes: some tens of milliseconds.
const forgetBatch = 4096

// keptSince returns the moment from which on all entries are there.
func keptSince(ctx context.Context, tx *sql.Tx) (time.Time, error) {
	var since int64
	err := tx.QueryRowContext(ctx, "SELECT since FROM kept").Scan(&since)
	return time.Unix(0, since).UTC(), err
}

// Forget implements Sink. The pages of what goes are used for what comes, so that the file grows no more; it does not
// shrink by itself either, see Compact.
func (st *store) Forget(ctx context.Context, before time.Time) (bool, error) {
	ctx = context.WithoutCancel(ctx)
	tx, err := st.writer.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("forget entries: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // of what was not committed
	// Who adds up a stretch has to know that its entries may be gone before they are.
	if _, err := tx.ExecContext(ctx, "UPDATE kept SET since = ?1 WHERE since < ?1", before.UnixNano()); err != nil {
		return false, fmt.Errorf("forget entries: %w", err)
	}
	result, err := tx.ExecContext(ctx, "DELETE FROM entries WHERE seq IN (SELECT seq FROM entries WHERE at < ? LIMIT ?)",
		before.UnixNano(), forgetBatch)
	if err != nil {
		return false, fmt.Errorf("forget entries: %w", err)
	}
	gone, err := result.RowsAffected()
	if err = errors.Join(err, tx.Commit()); err != nil {
		return false, fmt.Errorf("forget entries: %w", err)
	}
	return gone == forgetBatch, nil
}

// Compact gives the space of forgotten entries in a state folder's database back to the disk. It takes as long as
// copying what is left, needs as much space meanwhile, and the folder to itself. Errors wrap ErrInUse where that is
// the cause.
func Compact(ctx context.Context, dir string, now time.Time) (err error) {
	if _, err := os.Stat(filepath.Join(dir, "ledger.db")); err != nil {
		return fmt.Errorf("compact ledger: %w", err)
	}
	lock, err := lockDir(dir, now)
	if err != nil {
		return fmt.Errorf("compact ledger: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	st, err := openStore(dir)
	if err != nil {
		return fmt.Errorf("compact ledger: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if _, err := st.writer.ExecContext(ctx, "VACUUM"); err != nil {
		return fmt.Errorf("compact ledger: %w", err)
	}
	return nil
}

// SetKeep says how long entries are kept, 0 for ever. Older ones go day by day, except those that a budget in force
// or of the current month needs; what they add up to per day, scope and label stays.
func (l *Ledger) SetKeep(keep time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep = keep
}

// keepFrom returns the start of the first day whose entries are to stay, the zero moment if all are.
func (l *Ledger) keepFrom() time.Time {
	now := l.options.Now().UTC()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keep <= 0 {
		return time.Time{}
	}
	// A budget that is added in mid-month, in whatever time zone, counts what was spent since the month began; a clock
	// that is set back may still charge the window before the present one.
	from := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC).Add(-day)
	if kept := now.Add(-l.keep); kept.Before(from) {
		from = kept
	}
	for _, m := range l.books.meters {
		if start := m.query(now).from; start.Before(from) {
			from = start
		}
	}
	return dayOf(from)
}
