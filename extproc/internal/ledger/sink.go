package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

// sinkBatch is how many entries one transaction takes.
const sinkBatch = 1024

// sink feeds the database from the journal: from its tail in memory, or from its files up to there. One goroutine
// at a time may call run, drain and step.
type sink struct {
	journal *journal
	store   *store
	logger  *slog.Logger

	segment *segment // that is read, nil for none
	number  int64    // its number
	kick    chan struct{}
	done    chan struct{} // closed by close

	mu       sync.Mutex    // guards what follows
	pos      position      // what the database has
	err      error         // of the last step
	attempts int64         // steps that ended
	changed  chan struct{} // closed and replaced when a step ends
}

func newSink(j *journal, st *store, applied position, logger *slog.Logger) *sink {
	return &sink{
		journal: j, store: st, logger: logger, pos: applied,
		kick: make(chan struct{}, 1), done: make(chan struct{}), changed: make(chan struct{}),
	}
}

// run feeds the database at intervals and when somebody waits, until ctx is done.
func (s *sink) run(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.kick:
		}
		before := s.lastFault()
		s.logChange(before, s.drain(ctx))
	}
}

// logChange says once that the database fails, and once that it works again.
func (s *sink) logChange(before, now error) {
	switch {
	case now != nil && before == nil && !errors.Is(now, context.Canceled):
		s.logger.LogAttrs(context.Background(), slog.LevelError, "ledger database not written", slog.Any("err", now))
	case now == nil && before != nil:
		s.logger.LogAttrs(context.Background(), slog.LevelInfo, "ledger database written again")
	}
}

// drain steps until the database has what the journal had when it was called.
func (s *sink) drain(ctx context.Context) error {
	end := s.journal.end()
	for s.behind(end) {
		next, err := s.step(ctx)
		if err == nil {
			err = s.tidy(ctx, next.segment)
		}
		s.ended(next, err)
		if err != nil {
			return err
		}
	}
	// A query may have been in the way of tidying up after the last step.
	err := s.tidy(ctx, s.pos.segment)
	if err != nil || s.lastFault() != nil {
		s.ended(s.pos, err)
	}
	return err
}

func (s *sink) behind(end position) bool {
	return s.pos.seq < end.seq || s.pos.segment < end.segment
}

// step moves one batch into the database and returns the position after it.
func (s *sink) step(ctx context.Context) (position, error) {
	var err error
	entries, next, ok := s.journal.recent(s.pos, sinkBatch)
	if !ok {
		entries, next, err = s.read(next)
	}
	if err == nil && next == s.pos {
		err = fmt.Errorf("journal %q ends before its last record", segmentName(s.number))
	}
	if err == nil {
		// A transaction is short; a context that can end costs a goroutine per statement.
		err = s.store.apply(context.WithoutCancel(ctx), entries, next)
	}
	if err != nil {
		s.closeSegment()
		return s.pos, err
	}
	return next, nil
}

// ended publishes the outcome of a step.
func (s *sink) ended(next position, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pos, s.err = next, err
	s.attempts++
	close(s.changed)
	s.changed = make(chan struct{})
}

// tidy removes the segments before the given one once the database has all of them, on the disk.
func (s *sink) tidy(ctx context.Context, segment int64) error {
	if !s.journal.hasBefore(segment) {
		return nil
	}
	if durable, err := s.store.checkpoint(ctx); err != nil || !durable {
		return err
	}
	return s.journal.removeBefore(segment)
}

// read returns the next entries in the files up to end, and the position after them.
func (s *sink) read(end position) ([]numbered, position, error) {
	next := s.pos
	if err := s.open(next, end); err != nil {
		return nil, next, err
	}
	next = s.here(next)
	var entries []numbered
	for len(entries) < sinkBatch {
		frame, err := s.segment.next()
		if errors.Is(err, io.EOF) && s.number < end.segment {
			if err := s.openNext(end); err != nil {
				return nil, next, err
			}
			next = s.here(next)
			continue
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, next, s.damage(err)
		}
		next = s.here(next)
		if k := frameKind(frame); k != kindSettlement && k != kindEntry {
			continue
		}
		e := numbered{new(Entry), next}
		if err := decodeRecord(frame, e.Entry); err != nil {
			return nil, next, s.damage(err)
		}
		entries = append(entries, e)
	}
	return entries, next, nil
}

// here is the position after what was read last. Sequence numbers never go back.
func (s *sink) here(before position) position {
	return position{s.number, s.segment.offset, max(before.seq, s.segment.seq)}
}

// damage says where reading went wrong.
func (s *sink) damage(err error) error {
	return &CorruptError{
		File: filepath.Join(s.journal.dir, segmentName(s.number)), Offset: s.segment.offset, Reason: err.Error(),
	}
}

// open makes the segment of a position readable from there. What is not written whole yet is out of its reach.
func (s *sink) open(at, end position) error {
	if s.segment == nil || s.number != at.segment {
		s.closeSegment()
		seg, err := openSegment(s.journal.dir, at.segment)
		if err != nil {
			// The position is before the first segment, or in one that is gone: the next one goes on from there.
			s.number = at.segment
			return s.openNext(end)
		}
		s.segment, s.number = seg, at.segment
	}
	s.segment.seek(at.offset, max(at.offset, s.limit(end)), at.seq)
	return nil
}

// openNext opens the segment after the present one at its start.
func (s *sink) openNext(end position) error {
	after := s.number
	s.closeSegment()
	numbers, err := listSegments(s.journal.dir)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n <= after {
			continue
		}
		if s.segment, err = openSegment(s.journal.dir, n); err != nil {
			return fmt.Errorf("journal %q: %w", segmentName(n), err)
		}
		s.number = n
		s.segment.seek(s.segment.offset, s.limit(end), s.segment.seq)
		return nil
	}
	return fmt.Errorf("journal %q is gone", segmentName(end.segment))
}

// limit is up to where the present segment may be read.
func (s *sink) limit(end position) int64 {
	if s.number == end.segment {
		return end.offset
	}
	return unlimited
}

func (s *sink) closeSegment() {
	if s.segment != nil {
		s.segment.close()
		s.segment = nil
	}
}

// appliedSeq returns the sequence number up to which the database has everything.
func (s *sink) appliedSeq() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pos.seq
}

// lastFault returns why the last step went wrong, nil if it did not.
func (s *sink) lastFault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// waitFor returns when the database has everything up to seq, or with the reason why it cannot.
func (s *sink) waitFor(ctx context.Context, seq int64) error {
	for first := int64(-1); ; {
		s.mu.Lock()
		applied, attempts, err, changed := s.pos.seq, s.attempts, s.err, s.changed
		s.mu.Unlock()
		if applied >= seq {
			return nil
		}
		if first < 0 {
			first = attempts
		}
		if err != nil && attempts > first {
			return err
		}
		select {
		case s.kick <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-s.done:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// close ends all waiting.
func (s *sink) close() {
	s.closeSegment()
	close(s.done)
}
