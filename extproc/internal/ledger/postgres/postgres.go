// Package postgres feeds the journals of any number of replicas into one PostgreSQL database, version 13 or later.
//
// Everything is in the schema farebox, which the user must own or be allowed to create: entries, partitioned by month;
// scopes and labels, which entries and totals share; totals per day, scope, label and replica, kept up to date by the
// transaction that adds entries; the view daily for people; and replicas, with the position of each in its journal.
//
// An entry is applied once by its id, whoever sends it how often. A transaction adds entries, adds to totals and moves
// the position, so that a crash of either side in the middle of it leaves no trace; afterwards the sink asks for the
// position and goes on from there. A database that a fail-over has set back asks for less than it had, and gets the
// rest again.
//
// Replicas may start together: migrations, new partitions and retention take turns by an advisory lock. A replica is
// the file "replica" in a state folder; two processes with copies of one folder are told from the positions and the
// last entry at each, and the one that comes second reports it and feeds nothing. Once the copy has an id of its own,
// each feeds what the database lacks of its folder.
//
// The connection needs a session of its own: behind PgBouncer, session pooling.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

const (
	connectWithin = 5 * time.Second
	applyWithin   = 60 * time.Second // longer than any batch takes, so that a peer that is gone is noticed
)

// ErrTwin says that another process feeds the database as this replica.
var ErrTwin = errors.New("another process feeds the journal of the same replica: one state folder is a copy of the other; " +
	`stop both, remove the file "replica" from the copy, and start them again: what is missing is fed then`)

// Sink implements ledger.Sink. New is the only way to get one.
type Sink struct {
	config *pgx.ConnConfig

	conn   *pgx.Conn // nil until Resume
	number int32     // of the replica
	pos    ledger.Position
	tried  ledger.Position // where the last Apply was to lead
	twin   bool            // somebody else has moved it
	months map[month]bool  // partitions that are there
}

// New returns a sink for a connection string, either a URL or in words, as libpq reads it. It does not connect. Errors
// do not show the password.
func New(connection string) (*Sink, error) {
	config, err := parse(connection)
	if err != nil {
		return nil, err
	}
	return &Sink{config: config}, nil
}

// parse reads a connection string.
func parse(connection string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(connection)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectWithin
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "farebox"
	}
	return config, nil
}

// Name implements ledger.Sink.
func (s *Sink) Name() string { return "postgres" }

// Resume implements ledger.Sink: it connects, brings the schema up to date and returns the replica's position.
func (s *Sink) Resume(ctx context.Context, replica ledger.ID) (ledger.Position, error) {
	if s.conn == nil || s.conn.IsClosed() {
		if err := s.connect(ctx); err != nil {
			return ledger.Position{}, fmt.Errorf("postgres: %w", err)
		}
	}
	pos, err := s.position(ctx, replica)
	if err != nil {
		return pos, fmt.Errorf("postgres: read position: %w", err)
	}
	if s.twin = s.twin || s.moved(pos); s.twin {
		return pos, ErrTwin
	}
	s.pos, s.tried = pos, pos
	return pos, nil
}

// moved reports whether a position is none that this sink has left: further than the last Apply was to lead, or as far
// with another entry. One that is not so far is what a fail-over has set back.
func (s *Sink) moved(pos ledger.Position) bool {
	switch pos.Seq {
	case s.pos.Seq:
		return pos.Last != s.pos.Last && pos.Last != s.tried.Last
	case s.tried.Seq:
		return pos.Last != s.tried.Last
	}
	return pos.Seq > max(s.pos.Seq, s.tried.Seq)
}

// connect opens a connection and prepares it.
func (s *Sink) connect(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, applyWithin)
	defer stop()
	conn, err := connect(ctx, s.config)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, createIncoming); err != nil {
		_ = conn.Close(ctx) // the first cause is the one to tell
		return err
	}
	s.conn, s.months = conn, map[month]bool{}
	return nil
}

// connect opens a connection to a database whose schema is up to date and whose commits last.
func connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	// The journal gives up what was committed.
	_, err = conn.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
	if err == nil {
		err = migrate(ctx, conn)
	}
	if err != nil {
		_ = conn.Close(ctx) // the first cause is the one to tell
		return nil, err
	}
	return conn, nil
}

// position returns up to where the database has the journal of a replica, which it makes known if needed.
func (s *Sink) position(ctx context.Context, replica ledger.ID) (ledger.Position, error) {
	ctx, stop := context.WithTimeout(ctx, applyWithin)
	defer stop()
	var pos ledger.Position
	if _, err := s.conn.Exec(ctx, "INSERT INTO farebox.replicas (id) SELECT $1 WHERE NOT EXISTS "+
		"(SELECT FROM farebox.replicas WHERE id = $1) ON CONFLICT DO NOTHING", [16]byte(replica)); err != nil {
		return pos, err
	}
	var number int32
	err := s.conn.QueryRow(ctx, "SELECT number, segment, place, seq, last FROM farebox.replicas WHERE id = $1", [16]byte(replica)).
		Scan(&number, &pos.Segment, &pos.Offset, &pos.Seq, (*[16]byte)(&pos.Last))
	if err == nil && s.number == 0 {
		s.pos, s.number = pos, number
	}
	return pos, err
}

// Durable implements ledger.Sink: what is committed lasts.
func (s *Sink) Durable(context.Context) (bool, error) { return true, nil }

// Close implements ledger.Sink.
func (s *Sink) Close() error {
	if s.conn == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	_ = s.conn.Close(ctx) // nothing is under way
	return nil
}

// refused wraps ledger.ErrRefused around errors that say that the data is at fault.
func refused(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	// Class 22 is data exceptions, 23 violated constraints (PostgreSQL, Appendix A). The only check that entries can
	// violate is that of their partition, which may have been dropped a moment ago.
	if strings.HasPrefix(pg.Code, "22") || (strings.HasPrefix(pg.Code, "23") && pg.Code != checkViolation) {
		return fmt.Errorf("%w: %w", ledger.ErrRefused, err)
	}
	return err
}

// checkViolation is what PostgreSQL says of a row that has no partition.
const checkViolation = "23514"

// noPartition reports whether a row found no partition.
func noPartition(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == checkViolation
}
