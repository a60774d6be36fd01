package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	sinkBatch   = 1024            // how many entries one transaction takes
	maxBackoff  = 2 * time.Second // the longest wait between two tries of a sink that fails
	retainEvery = time.Hour       // how often a sink is asked to forget
)

// feed brings the journal into one sink: from its tail in memory, or from its files up to there. One goroutine at a
// time may call run, drain, retain and step.
type feed struct {
	sink    Sink
	replica ID
	journal *journal
	tail    *tail // of the journal, for this sink
	reader  reader
	first   int64 // sequence number at which this process began to write
	logger  *slog.Logger

	// backfill returns entries that the files have no more: those with a number above after and below before. It is
	// nil for the sink that never needs it.
	backfill func(ctx context.Context, after, before int64, limit int) ([]Numbered, error)

	// lastUpTo returns the last entry with a number up to seq that the folder's own database has, the zero ID for none.
	// It is nil for the sink that is that database.
	lastUpTo func(ctx context.Context, seq int64) (ID, error)

	resumed  bool // pos is what the sink says
	known    bool // it has been once
	retainAt time.Time
	kick     chan struct{}
	done     chan struct{} // closed by close

	mu       sync.Mutex    // guards what follows
	pos      Position      // what the sink has
	placed   bool          // it has said so ever; pos is the start of the journal otherwise
	err      error         // of the last step
	refused  int64         // entries that it would not take
	attempts int64         // steps that ended
	changed  chan struct{} // closed and replaced when a step ends
}

func newFeed(s Sink, replica ID, j *journal, logger *slog.Logger) *feed {
	f := &feed{
		sink: s, replica: replica, journal: j, tail: j.newTail(), first: j.end().Seq, logger: logger,
		reader: reader{dir: j.dir}, kick: make(chan struct{}, 1), done: make(chan struct{}), changed: make(chan struct{}),
	}
	f.reader.refuse = f.keep
	return f
}

// run feeds the sink at intervals and when somebody waits, until ctx is done. A sink that fails is tried again after
// a wait that doubles each time.
func (f *feed) run(ctx context.Context, interval time.Duration, keepFrom func() time.Time, now func() time.Time) {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for wait := interval; ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-f.kick:
		}
		before := f.lastFault()
		err := f.drain(ctx)
		if err == nil {
			err = f.retain(ctx, keepFrom(), now())
		}
		f.logChange(before, err)
		wait = min(2*wait, max(interval, maxBackoff))
		if err == nil {
			wait = interval
		}
		timer.Reset(wait)
	}
}

// logChange says once that the sink fails, and once that it works again.
func (f *feed) logChange(before, now error) {
	switch name := slog.String("sink", f.sink.Name()); {
	case now != nil && before == nil && !errors.Is(now, context.Canceled):
		f.logger.LogAttrs(context.Background(), slog.LevelError, "ledger database not written", name, slog.Any("err", now))
	case now == nil && before != nil:
		f.logger.LogAttrs(context.Background(), slog.LevelInfo, "ledger database written again", name)
	}
}

// drain steps until the sink has what the journal had when it was called.
func (f *feed) drain(ctx context.Context) error {
	end := f.journal.end()
	for !f.resumed || f.behind(end) {
		next, err := f.step(ctx)
		if err == nil {
			err = f.tidy(ctx, next.Segment)
		}
		f.ended(next, err)
		if err != nil {
			return err
		}
	}
	// A query may have been in the way of tidying up after the last step.
	err := f.tidy(ctx, f.pos.Segment)
	if err != nil || f.lastFault() != nil {
		f.ended(f.pos, err)
	}
	return err
}

func (f *feed) behind(end Position) bool { return f.pos.Seq < end.Seq || f.pos.Segment < end.Segment }

// step moves one batch into the sink and returns the position after it.
func (f *feed) step(ctx context.Context) (Position, error) {
	if !f.resumed {
		return f.resume(ctx)
	}
	entries, next, err := f.pending(ctx)
	next.Last = f.pos.Last
	if n := len(entries); n > 0 {
		next.Last = entries[n-1].ID
	}
	if err == nil && next == f.pos {
		err = fmt.Errorf("journal %q ends before its last record", segmentName(f.reader.number))
	}
	if err == nil {
		err = f.apply(ctx, entries, next)
	}
	if err != nil {
		f.reader.close()
		f.resumed = false
		return f.pos, err
	}
	return next, nil
}

// resume asks the sink where it stands. A place that is not of this journal was left by another one with the same
// replica id, of which this folder is an earlier or a diverged copy: the sink gets all that there is once more, and
// skips what it knows.
func (f *feed) resume(ctx context.Context) (Position, error) {
	pos, err := f.sink.Resume(ctx, f.replica)
	if err != nil {
		return f.pos, err
	}
	if !f.known {
		ours, err := f.ours(ctx, pos)
		if err != nil {
			return f.pos, err
		}
		if !ours {
			f.logger.LogAttrs(ctx, slog.LevelWarn, "ledger database was fed from another copy of the state folder: feeding all of this one again",
				slog.String("sink", f.sink.Name()), slog.Int64("seq", pos.Seq), slog.String("last_entry", pos.Last.String()))
			pos = Position{}
		}
	}
	f.resumed, f.known = true, true
	return pos, nil
}

// ours reports whether a position that an earlier process left is one of this journal: not after its end, and after the
// entry that the folder's own database has there, which has all that earlier processes wrote. Where that has forgotten
// everything up to there, nothing can be missed. Without Last, as before it was kept, the position is believed: the
// one upgrade would feed millions of entries again, for a mix-up that hardly anybody has.
func (f *feed) ours(ctx context.Context, pos Position) (bool, error) {
	if pos.Seq > f.first || pos.Last == (ID{}) || f.lastUpTo == nil {
		return pos.Seq <= f.first, nil
	}
	last, err := f.lastUpTo(ctx, pos.Seq)
	return last == pos.Last || last == ID{}, err
}

// pending returns what follows the sink's position: from memory, from the files, or from where old entries are.
func (f *feed) pending(ctx context.Context) ([]Numbered, Position, error) {
	entries, next, ok := f.journal.recent(f.tail, f.pos, sinkBatch)
	if ok {
		return entries, next, nil
	}
	if f.backfill != nil {
		first, gone, err := f.reader.firstAfter(f.pos, next)
		if err != nil {
			return nil, f.pos, err
		}
		if gone {
			if old, next, err := f.older(ctx, first); err != nil || len(old) > 0 {
				return old, next, err
			}
		}
	}
	return f.reader.read(f.pos, next, sinkBatch)
}

// older returns entries before the first one of the files. While those are fed, the sink's place in the files stays.
func (f *feed) older(ctx context.Context, first int64) ([]Numbered, Position, error) {
	entries, err := f.backfill(ctx, f.pos.Seq, first, sinkBatch)
	if err != nil || len(entries) == 0 {
		return nil, f.pos, err
	}
	for i := range entries {
		entries[i].After.Segment, entries[i].After.Offset = f.pos.Segment, f.pos.Offset
	}
	return entries, entries[len(entries)-1].After, nil
}

// apply hands entries to the sink, one by one if it refuses them together. What it refuses alone is kept in a file.
func (f *feed) apply(ctx context.Context, entries []Numbered, next Position) error {
	err := f.sink.Apply(ctx, entries, next)
	if !errors.Is(err, ErrRefused) {
		return err
	}
	for i := range entries {
		after := entries[i].After
		after.Last = entries[i].ID
		err := f.sink.Apply(ctx, entries[i:i+1], after)
		if errors.Is(err, ErrRefused) {
			err = f.keepEntry(entries[i], err)
		}
		if err != nil {
			return err
		}
	}
	return f.sink.Apply(ctx, nil, next)
}

// keepEntry keeps an entry that the sink refuses.
func (f *feed) keepEntry(e Numbered, why error) error {
	text, err := e.appendJSON(nil)
	if err != nil {
		return err
	}
	return f.keep(refusal{Seq: e.After.Seq, Reason: why.Error(), Text: string(text)})
}

// keep writes down what the sink cannot have, counts it and says so.
func (f *feed) keep(r refusal) error {
	r.At, r.Sink = time.Now().UTC(), f.sink.Name()
	if err := keepRefusal(f.journal.dir, r); err != nil {
		return err
	}
	f.mu.Lock()
	f.refused++
	f.mu.Unlock()
	f.logger.LogAttrs(context.Background(), slog.LevelError, "entry refused by ledger database, kept in "+Refusals,
		slog.String("sink", r.Sink), slog.Int64("seq", r.Seq), slog.String("err", r.Reason))
	return nil
}

// ended publishes the outcome of a step.
func (f *feed) ended(next Position, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pos, f.err = next, err
	f.placed = f.placed || f.resumed
	f.attempts++
	close(f.changed)
	f.changed = make(chan struct{})
}

// tidy gives up the segments before the given one once the sink has all of them, on the disk.
func (f *feed) tidy(ctx context.Context, segment int64) error {
	if !f.journal.needs(f.tail, segment) {
		return nil
	}
	if durable, err := f.sink.Durable(ctx); err != nil || !durable {
		return err
	}
	return f.journal.release(f.tail, segment)
}

// retain lets the sink forget entries from before a moment, a step at a time, now and then. The zero moment is never.
func (f *feed) retain(ctx context.Context, before, now time.Time) error {
	if before.IsZero() || now.Before(f.retainAt) {
		return nil
	}
	more, err := f.sink.Forget(ctx, before)
	if err != nil {
		f.resumed = false
		f.ended(f.pos, err)
		return err
	}
	if !more {
		f.retainAt = now.Add(retainEvery)
	}
	return nil
}

// state returns how the sink stands.
func (f *feed) state() SinkState {
	end := f.journal.end()
	f.mu.Lock()
	defer f.mu.Unlock()
	return SinkState{Name: f.sink.Name(), Known: f.placed, Behind: max(0, end.Seq-f.pos.Seq), Refused: f.refused, Err: f.err}
}

// lastFault returns why the last step went wrong, nil if it did not.
func (f *feed) lastFault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// waitFor returns when the sink has everything up to seq, or with the reason why it cannot.
func (f *feed) waitFor(ctx context.Context, seq int64) error {
	for first := int64(-1); ; {
		f.mu.Lock()
		applied, attempts, err, changed := f.pos.Seq, f.attempts, f.err, f.changed
		f.mu.Unlock()
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
		case f.kick <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-f.done:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// close ends all waiting.
func (f *feed) close() {
	f.reader.close()
	close(f.done)
}
