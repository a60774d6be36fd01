package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
)

// migrations bring a database of version i to version i+1, in the order of their names. From the first release on, a
// change of the schema is a new file.
//
//go:embed migrations/*.sql
var migrations embed.FS

// turn is the key of the advisory lock that replicas take turns by: "farebox" in ASCII.
const turn = 0x66617265626f78

// migrate brings the schema up to date. Several may do so at once.
func migrate(ctx context.Context, conn *pgx.Conn) error { return migrateTo(ctx, conn, -1) }

// migrateTo does so up to a version; -1 is the latest.
func migrateTo(ctx context.Context, conn *pgx.Conn, limit int) error {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	if limit < 0 {
		limit = len(steps)
	}
	// Most of the time there is nothing to do, and no lock to wait for.
	if version, err := schemaVersion(ctx, conn); err != nil || version == limit {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", turn); err != nil {
			return err
		}
		version, err := schemaVersion(ctx, tx)
		if err != nil {
			return err
		}
		if version > len(steps) {
			return fmt.Errorf("schema version %d is of a newer farebox, this one knows %d", version, len(steps))
		}
		for ; version < limit; version++ {
			if err := migrateStep(ctx, tx, steps[version], version+1); err != nil {
				return fmt.Errorf("migrate to version %d: %w", version+1, err)
			}
		}
		return nil
	})
}

func migrateStep(ctx context.Context, tx pgx.Tx, file string, version int) error {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, string(text)); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO farebox.schema_version (version) VALUES ($1)", version)
	return err
}

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, query string, values ...any) pgx.Row
}

// schemaVersion returns the version that the database has. In a transaction, which has its turn, it makes the table
// that says so.
func schemaVersion(ctx context.Context, q querier) (int, error) {
	made, err := tableExists(ctx, q, "schema_version")
	if err != nil {
		return 0, err
	}
	if !made {
		if tx, ok := q.(pgx.Tx); ok {
			return 0, makeSchema(ctx, tx)
		}
		return 0, nil
	}
	var version int
	err = q.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM farebox.schema_version").Scan(&version)
	return version, err
}

// tableExists looks into the catalogue. It does not ask to_regclass, which after waiting for an advisory lock may still
// answer from what the session had in its cache before.
func tableExists(ctx context.Context, q querier, name string) (bool, error) {
	var there bool
	err := q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'farebox' AND tablename = $1)", name).Scan(&there)
	return there, err
}

// makeSchema makes the schema unless somebody did who may.
func makeSchema(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'farebox')").Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := tx.Exec(ctx, "CREATE SCHEMA farebox"); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "CREATE TABLE farebox.schema_version (version integer PRIMARY KEY, made timestamptz NOT NULL DEFAULT now())")
	return err
}
