package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
)

// recovered is what a journal holds when it is opened.
type recovered struct {
	open   map[ID][]byte // frames of top-ups, and of reservations neither settled nor released
	last   int64         // number of the last segment; 0 if there is none
	oldest int64         // number of the first; 0 if there is none
	seq    int64         // of the last record
}

// replay reads the journal in dir from its start. It cuts off a torn tail.
func replay(dir string, logger *slog.Logger) (*recovered, error) {
	numbers, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	rec := &recovered{open: map[ID][]byte{}}
	for i, number := range numbers {
		if i == 0 {
			rec.oldest = number
		}
		rec.last = number
		isLast := i == len(numbers)-1
		if err := rec.replaySegment(dir, number, isLast, logger); err != nil {
			return nil, err
		}
	}
	return rec, nil
}

// replaySegment applies the records of one segment. Only the last one may end in a torn record.
func (rec *recovered) replaySegment(dir string, number int64, last bool, logger *slog.Logger) error {
	path := filepath.Join(dir, segmentName(number))
	s, err := openSegment(dir, number)
	if errors.Is(err, errDamaged) {
		return cutTail(path, 0, last, logger)
	}
	if err != nil {
		return err
	}
	defer s.close()
	for {
		frame, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			rec.seq = max(rec.seq, s.seq)
			return nil
		case errors.Is(err, errDamaged):
			rec.seq = max(rec.seq, s.seq)
			torn, err := s.tornTail()
			if err != nil {
				return err
			}
			return cutTail(path, s.offset, last && torn, logger)
		case err != nil:
			return fmt.Errorf("read journal %q: %w", path, err)
		}
		if err := rec.apply(frame); err != nil {
			return &CorruptError{File: path, Offset: s.offset - int64(len(frame)), Reason: err.Error()}
		}
	}
}

// apply keeps track of what is open.
func (rec *recovered) apply(frame []byte) error {
	k := frameKind(frame)
	switch k {
	case kindReservation, kindParked, kindTopUp, kindSettlement:
	default:
		return nil
	}
	id, err := frameID(frame)
	if err != nil {
		return err
	}
	if k == kindSettlement {
		delete(rec.open, id)
	} else {
		rec.open[id] = bytes.Clone(frame)
	}
	return nil
}

// cutTail truncates a segment after its last whole record. A file without even a header goes.
func cutTail(path string, size int64, torn bool, logger *slog.Logger) error {
	if !torn {
		return &CorruptError{File: path, Offset: size, Reason: "no whole record where one should be"}
	}
	logger.LogAttrs(context.Background(), slog.LevelWarn, "journal tail cut off",
		slog.String("file", path), slog.Int64("offset", size))
	if size == 0 {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove torn journal segment: %w", err)
		}
		return nil
	}
	if err := os.Truncate(path, size); err != nil {
		return fmt.Errorf("truncate torn journal segment: %w", err)
	}
	return nil
}

// start begins a new segment after what was recovered, for reservations that nobody has made yet. The sequence
// goes on after seq, which is at least that of every record known.
func (rec *recovered) start(dir string, after Position, limit int64) (*journal, error) {
	j := &journal{
		dir: dir, limit: limit, newFile: createFile, open: rec.open,
		number: max(rec.last, after.Segment) + 1, oldest: rec.oldest,
	}
	j.seq.Store(max(rec.seq, after.Seq))
	if rec.last > 0 {
		// Damage in a segment that is not the last one is fatal, so what a killed process left in the page
		// cache has to be on the disk before there is a next one.
		if err := syncFile(filepath.Join(dir, segmentName(rec.last))); err != nil {
			return nil, err
		}
	} else {
		j.oldest = j.number
	}
	f, size, err := j.startSegment(filepath.Join(dir, segmentName(j.number)), j.seq.Load()+1)
	if err != nil {
		return nil, fmt.Errorf("start journal segment: %w", err)
	}
	j.useLocked(f, size) // nobody else has j yet
	return j, nil
}

// syncFile brings a file to the disk. One that is gone needs nothing.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
