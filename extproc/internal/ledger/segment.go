package ledger

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// magic starts every segment and names the version of the format.
const magic = "fbxjrnl1"

// segmentHeader is the length of the magic and the first sequence number.
const segmentHeader = len(magic) + 8

// unlimited is an offset after the end of every file.
const unlimited = 1 << 62

// A CorruptError says where the journal is damaged in a way that no crash explains.
type CorruptError struct {
	File   string
	Offset int64
	Reason string
}

// Error names file, offset and what to do.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("journal %q is damaged at byte %d: %s; restore the file, or move it out of the state folder "+
		"to go on without the calls in it that the database does not have yet", e.File, e.Offset, e.Reason)
}

func segmentName(number int64) string { return fmt.Sprintf("journal-%06d.log", number) }

// listSegments returns the numbers of the segments in dir in ascending order.
func listSegments(dir string) ([]int64, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list journal: %w", err)
	}
	var numbers []int64
	for _, f := range files {
		digits, ok := strings.CutPrefix(f.Name(), "journal-")
		digits, isLog := strings.CutSuffix(digits, ".log")
		if n, err := strconv.ParseInt(digits, 10, 64); ok && isLog && err == nil && segmentName(n) == f.Name() {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// encodeHeader returns the header of a segment whose first record has that sequence number.
func encodeHeader(first int64) []byte {
	return binary.LittleEndian.AppendUint64([]byte(magic), uint64(first))
}

// segment reads the records of one file in order.
type segment struct {
	file   *os.File
	r      *bufio.Reader
	buf    []byte
	first  int64 // sequence number of the first record
	seq    int64 // of the last record read
	offset int64 // after it
}

// openSegment opens a segment for reading from its first record. It returns errDamaged for a file that is
// shorter than its header, as a crash may leave it.
func openSegment(dir string, number int64) (*segment, error) {
	f, err := os.Open(filepath.Join(dir, segmentName(number)))
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	s := &segment{file: f}
	if err := s.readHeader(); err != nil {
		_ = f.Close() // only read
		return nil, err
	}
	return s, nil
}

func (s *segment) readHeader() error {
	var head [segmentHeader]byte
	if _, err := s.file.ReadAt(head[:], 0); errors.Is(err, io.EOF) {
		return errDamaged
	} else if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	if string(head[:len(magic)]) != magic {
		return &CorruptError{File: s.file.Name(), Reason: fmt.Sprintf("not a journal of version %q", magic)}
	}
	s.first = int64(binary.LittleEndian.Uint64(head[len(magic):]))
	s.seek(int64(segmentHeader), unlimited, s.first-1)
	return nil
}

// seek goes on reading at an offset, after the record of that sequence number, up to limit.
func (s *segment) seek(offset, limit, seq int64) {
	s.offset, s.seq = offset, seq
	section := io.NewSectionReader(s.file, offset, limit-offset)
	if s.r == nil {
		s.r = bufio.NewReaderSize(section, 64<<10)
	} else {
		s.r.Reset(section)
	}
}

// next returns the next frame, which is valid until the call after it. Its errors are those of readFrame.
func (s *segment) next() ([]byte, error) {
	frame, err := readFrame(s.r, s.buf)
	s.buf = frame
	if err != nil {
		return nil, err
	}
	s.seq++
	s.offset += int64(len(frame))
	return frame, nil
}

// tornTail reports whether what follows the last whole record is the trace of a crash: no whole record comes
// after it.
func (s *segment) tornTail() (bool, error) {
	rest, err := io.ReadAll(io.NewSectionReader(s.file, s.offset, unlimited))
	if err != nil {
		return false, fmt.Errorf("read journal: %w", err)
	}
	return len(rest) == 0 || !holdsFrame(rest[1:]), nil
}

func (s *segment) close() { _ = s.file.Close() } // only read
