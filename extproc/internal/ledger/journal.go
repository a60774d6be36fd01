package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// ErrJournal says that the journal could not be written.
var ErrJournal = errors.New("journal not written")

// journalFile is what the journal needs of an *os.File.
type journalFile interface {
	WriteAt(b []byte, offset int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// journal appends records to segments. Its methods are safe for concurrent use.
type journal struct {
	dir     string
	limit   int64 // bytes of new records in a segment
	newFile func(path string) (journalFile, error)

	removing sync.Mutex // held to remove segments; taken before mu
	busy     sync.Mutex // held while records are written; taken with mu, which is free then

	mu       sync.Mutex    // guards what follows
	file     journalFile   // nil after close
	number   int64         // of the segment that is written
	oldest   int64         // segment that is still there
	size     int64         // of the segment, whole records only
	rotateAt int64         // size at which the segment is full
	seq      atomic.Int64  // of the last record; read without mu too
	open     map[ID][]byte // frames of the reservations that a new segment starts with
	tails    []*tail       // entries of the last records, for each sink
	dirty    bool          // written, not synced
	torn     bool          // bytes beyond size may be in the file
	fault    error         // of the last write, nil if it went well
	writing  bool          // somebody writes, and what comes waits
	waiting  []*record     // to be written next
	written  []*record     // memory for the next ones that wait
	frames   []byte        // memory for several frames; of whoever writes
}

// createFile makes a segment. What a failed rotation may have left there goes.
func createFile(path string) (journalFile, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
}

// record is one that is to be written, alone or with those of other callers.
type record struct {
	frame []byte
	id    ID     // of a reservation that is open from now on, zero if none is
	entry *Entry // for sinks; nil for none
	ends  bool   // the reservation of entry is over

	seq  int64
	err  error
	turn chan bool // false: it is written, or will not be; true: its caller writes what waits
}

var records = sync.Pool{New: func() any { return &record{turn: make(chan bool, 1)} }}

// reserve writes the framed record of a reservation. Its bytes are the caller's again when it returns. The record is
// in the file, though not yet on the disk, when it returns nil; errors wrap ErrJournal and leave no trace of it.
func (j *journal) reserve(id ID, frame []byte) error {
	_, err := j.append(bytes.Clone(frame), id, nil, false)
	return err
}

// book writes the framed record of an entry, as reserve does, and returns its sequence number. The entry must not
// change any more.
func (j *journal) book(k kind, frame []byte, e *Entry) (int64, error) {
	return j.append(frame, ID{}, e, k == kindSettlement)
}

// append writes a record and counts it. Of callers that come while one writes, the first writes for all of them when
// that one is done: however many there are, each waits for two writes at most.
func (j *journal) append(frame []byte, id ID, e *Entry, ends bool) (int64, error) {
	r := records.Get().(*record)
	r.frame, r.id, r.entry, r.ends = frame, id, e, ends
	j.mu.Lock()
	j.waiting = append(j.waiting, r)
	if j.writing {
		j.mu.Unlock()
		if lead := <-r.turn; !lead {
			return r.done()
		}
		j.mu.Lock()
	}
	j.writing = true
	batch := j.waiting
	j.waiting, j.written = j.written[:0], batch
	j.writeLocked(batch)
	for _, other := range batch {
		if other != r {
			other.turn <- false
		}
	}
	clear(batch)
	if j.writing = len(j.waiting) > 0; j.writing {
		j.waiting[0].turn <- true
	}
	j.mu.Unlock()
	return r.done()
}

// done gives the record back and returns what came of it.
func (r *record) done() (int64, error) {
	seq, err := r.seq, r.err
	r.frame, r.entry, r.seq, r.err = nil, nil, 0, nil
	records.Put(r)
	return seq, err
}

// writeLocked writes records and counts them, all or none. The lock is free while the file is written; only one caller
// does that at a time.
func (j *journal) writeLocked(batch []*record) {
	err := j.writeFramesLocked(batch)
	j.fault = nil
	if err != nil {
		j.fault = fmt.Errorf("%w: %w", ErrJournal, err)
	}
	for _, r := range batch {
		if r.err = j.fault; r.err == nil {
			j.countLocked(r)
		}
	}
}

// countLocked takes note of a record that is in the file.
func (j *journal) countLocked(r *record) {
	before := j.endLocked()
	j.size += int64(len(r.frame))
	r.seq = j.seq.Add(1)
	if r.id != (ID{}) {
		j.open[r.id] = r.frame
	}
	if r.entry == nil {
		return
	}
	if r.ends {
		delete(j.open, r.entry.ID)
	}
	for _, t := range j.tails {
		t.add(r.entry, before, j.endLocked())
	}
}

// newTail returns a tail that starts at the present end. All segments are kept for it.
func (j *journal) newTail() *tail {
	j.mu.Lock()
	defer j.mu.Unlock()
	t := &tail{limit: maxTail, from: j.endLocked(), released: j.oldest}
	j.tails = append(j.tails, t)
	return t
}

// recent returns what follows a position up to which the sink of a tail has everything: entries, at most limit, and
// the position after them. It returns false if they have to be read from the files, up to the position that it
// returns. The entries may be used until the next call for the tail; only one goroutine may call it for each.
func (j *journal) recent(t *tail, after Position, limit int) ([]Numbered, Position, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return t.after(after, limit, j.endLocked())
}

// writeFramesLocked writes the frames of records after the last whole record.
func (j *journal) writeFramesLocked(batch []*record) error {
	if j.file == nil {
		return ErrClosed
	}
	if j.size >= j.rotateAt {
		if err := j.rotateLocked(); err != nil {
			return err
		}
	}
	if j.torn {
		if err := j.file.Truncate(j.size); err != nil {
			return err
		}
		j.torn = false
	}
	frames := batch[0].frame
	if len(batch) > 1 {
		j.frames = j.frames[:0]
		for _, r := range batch {
			j.frames = append(j.frames, r.frame...)
		}
		frames = j.frames
	}
	f, size := j.file, j.size
	j.busy.Lock()
	j.mu.Unlock()
	_, err := f.WriteAt(frames, size)
	j.busy.Unlock()
	j.mu.Lock()
	if cap(j.frames) > maxPayload {
		j.frames = nil
	}
	if err != nil {
		// What was written of it goes now or before the next record.
		j.torn = f.Truncate(j.size) != nil
		return err
	}
	j.dirty = true
	return nil
}

// rotateLocked starts the next segment with the open reservations. Until it is complete on the disk the old one
// stays in use.
func (j *journal) rotateLocked() error {
	if err := j.file.Sync(); err != nil {
		return err
	}
	path := filepath.Join(j.dir, segmentName(j.number+1))
	f, size, err := j.startSegment(path, j.seq.Load()+1)
	if err != nil {
		return err
	}
	_ = j.file.Close() // synced; nothing can be lost
	j.number++
	j.useLocked(f, size)
	return nil
}

// useLocked goes on in a segment that startSegment made. What it starts with does not count towards its limit:
// rotation has to end, however many reservations are open.
func (j *journal) useLocked(f journalFile, size int64) {
	j.file, j.size, j.rotateAt = f, size, size+j.limit
	j.seq.Add(int64(len(j.open)))
	j.dirty, j.torn = false, false
}

// startSegment writes a segment with the open reservations and syncs it. It leaves no file behind if it fails.
func (j *journal) startSegment(path string, first int64) (journalFile, int64, error) {
	f, err := j.newFile(path)
	if err != nil {
		return nil, 0, err
	}
	content := encodeHeader(first)
	for _, frame := range j.open {
		content = append(content, frame...)
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(j.dir)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(path)
		return nil, 0, err
	}
	return f, int64(len(content)), nil
}

// sync brings what was written to the disk.
func (j *journal) sync() error {
	j.mu.Lock()
	f, dirty := j.file, j.dirty
	j.dirty = false
	j.mu.Unlock()
	if !dirty || f == nil {
		return nil
	}
	// Writers go on while the disk works. A file that was rotated and closed meanwhile has been synced.
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		j.mu.Lock()
		j.dirty = true
		j.mu.Unlock()
		return fmt.Errorf("sync journal: %w", err)
	}
	return nil
}

// end returns the position after the last record.
func (j *journal) end() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.endLocked()
}

func (j *journal) endLocked() Position {
	return Position{Segment: j.number, Offset: j.size, Seq: j.seq.Load()}
}

// lastFault returns why the last write went wrong, nil if it did not.
func (j *journal) lastFault() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fault
}

// openFrames returns the records of the reservations that are open.
func (j *journal) openFrames() map[ID][]byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.open)
}

// needs reports whether the sink of a tail keeps segments before the given one from being removed.
func (j *journal) needs(t *tail, number int64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return t.released < min(number, j.number)
}

// release says that the sink of a tail has everything before a segment. What no sink needs any more is removed.
func (j *journal) release(t *tail, number int64) error {
	j.removing.Lock()
	defer j.removing.Unlock()
	for {
		oldest, ok := j.spare(t, number)
		if !ok {
			return nil
		}
		err := os.Remove(filepath.Join(j.dir, segmentName(oldest)))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove journal segment: %w", err)
		}
		j.mu.Lock()
		j.oldest++
		j.mu.Unlock()
	}
}

// spare notes what a sink needs and returns the oldest segment if none needs it.
func (j *journal) spare(t *tail, number int64) (int64, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	t.released = max(t.released, min(number, j.number))
	needed := j.number
	for _, t := range j.tails {
		needed = min(needed, t.released)
	}
	return j.oldest, j.oldest < needed
}

// close syncs and closes the segment. Appends fail afterwards.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.busy.Lock()
	defer j.busy.Unlock()
	if j.file == nil {
		return nil
	}
	err := errors.Join(j.file.Sync(), j.file.Close())
	j.file = nil
	return err
}

// syncDir makes new names in a folder survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
