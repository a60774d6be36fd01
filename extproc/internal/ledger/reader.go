package ledger

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// reader reads entries from the files of a journal. It is for one goroutine.
type reader struct {
	dir     string
	segment *segment // that is read, nil for none
	number  int64    // its number

	// refuse is told of records that are whole and make no sense. Reading goes on after them if it returns nil.
	refuse func(r refusal) error
}

// read returns the entries after one position up to another, at most limit, and the position after them.
func (r *reader) read(from, end Position, limit int) ([]Numbered, Position, error) {
	if err := r.open(from, end); err != nil {
		return nil, from, err
	}
	next := r.here(from)
	var entries []Numbered
	for len(entries) < limit {
		frame, err := r.segment.next()
		if errors.Is(err, io.EOF) && r.number < end.Segment {
			if err := r.openNext(end); err != nil {
				return nil, from, err
			}
			next = r.here(next)
			continue
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, from, r.damage(err)
		}
		next = r.here(next)
		e, err := r.decode(frame, next)
		if err != nil {
			return nil, from, err
		}
		if e != nil {
			entries = append(entries, Numbered{e, next})
		}
	}
	return entries, next, nil
}

// decode returns the entry in a frame, nil for none.
func (r *reader) decode(frame []byte, at Position) (*Entry, error) {
	if k := frameKind(frame); k != kindSettlement && k != kindEntry {
		return nil, nil
	}
	e := new(Entry)
	if err := decodeRecord(frame, e); err != nil {
		return nil, r.refuse(refusal{Seq: at.Seq, Reason: err.Error(), Text: string(frame[frameHeader+1:])})
	}
	return e, nil
}

// here is the position after what was read last. Sequence numbers never go back.
func (r *reader) here(before Position) Position {
	return Position{Segment: r.number, Offset: r.segment.offset, Seq: max(before.Seq, r.segment.seq)}
}

// damage says where reading went wrong.
func (r *reader) damage(err error) error {
	return &CorruptError{File: filepath.Join(r.dir, segmentName(r.number)), Offset: r.segment.offset, Reason: err.Error()}
}

// open makes the segment of a position readable from there. What is not written whole yet is out of its reach.
func (r *reader) open(at, end Position) error {
	if r.segment == nil || r.number != at.Segment {
		r.close()
		seg, err := openSegment(r.dir, at.Segment)
		if err != nil {
			// The position is before the first segment, or in one that is gone: the next one goes on from there.
			r.number = at.Segment
			return r.openNext(end)
		}
		r.segment, r.number = seg, at.Segment
	}
	r.segment.seek(at.Offset, max(at.Offset, r.limit(end)), at.Seq)
	return nil
}

// openNext opens the segment after the present one at its start.
func (r *reader) openNext(end Position) error {
	after := r.number
	r.close()
	numbers, err := listSegments(r.dir)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n <= after {
			continue
		}
		if r.segment, err = openSegment(r.dir, n); err != nil {
			return fmt.Errorf("journal %q: %w", segmentName(n), err)
		}
		r.number = n
		r.segment.seek(r.segment.offset, r.limit(end), r.segment.seq)
		return nil
	}
	return fmt.Errorf("journal %q is gone", segmentName(end.Segment))
}

// limit is up to where the present segment may be read.
func (r *reader) limit(end Position) int64 {
	if r.number == end.Segment {
		return end.Offset
	}
	return unlimited
}

// firstAfter returns the sequence number of the first record that the files have after a position, and whether
// records between the two are gone.
func (r *reader) firstAfter(from, end Position) (first int64, gone bool, err error) {
	if err := r.open(from, end); err != nil {
		return 0, false, err
	}
	first = r.segment.first
	return first, r.number != from.Segment && first > from.Seq+1, nil
}

func (r *reader) close() {
	if r.segment != nil {
		r.segment.close()
		r.segment = nil
	}
}
