package ledger

import (
	"context"
	"errors"
	"time"
)

// ErrRefused says that a sink will never take what it was given, however often it is tried: the data is at fault and
// not the connection or the disk.
var ErrRefused = errors.New("refused by the database")

// Position is a place in the journal: after the record with that sequence number. The zero Position is its start.
type Position struct {
	Segment, Offset, Seq int64

	// Last is the entry that a sink was given last, the zero ID if that is not known: it tells this journal from another
	// one that has as many records. Only positions of sinks have it, and a sink may leave it out.
	Last ID
}

// Numbered is an entry with the position after its record. Nobody may change it.
type Numbered struct {
	*Entry
	After Position
}

// A Sink is a database that the journal feeds, at its own pace and from its own position. One goroutine at a time
// calls its methods.
type Sink interface {
	// Name tells sinks apart in logs, metrics and files: "sqlite", "postgres".
	Name() string

	// Resume connects if needed and returns up to where the sink has the journal of a replica. It is called before
	// the first Apply and after each one that failed, as that may have been committed.
	Resume(ctx context.Context, replica ID) (Position, error)

	// Apply adds entries and moves the replica's position in one transaction. An entry whose id is known is
	// skipped. Errors wrap ErrRefused where the entries are at fault; nothing is applied then.
	Apply(ctx context.Context, entries []Numbered, next Position) error

	// Durable reports whether what was applied survives a power cut, after trying to make it so.
	Durable(ctx context.Context) (bool, error)

	// Forget removes entries that were reserved or recorded before a moment, the start of a day in UTC; what they
	// add up to per day stays. It does so in small steps and returns true while there is more to do.
	Forget(ctx context.Context, before time.Time) (more bool, err error)

	// Close gives the connection back.
	Close() error
}

// SinkState is how one sink stands.
type SinkState struct {
	Name    string
	Known   bool  // it has said where it stands, which takes a connection
	Behind  int64 // journal records that it does not have yet, two for most calls; if not Known, those since the journal began
	Refused int64 // entries that it would not take since the process started; they are in the file of Refusals
	Err     error // of the last try, nil if it went well
}
