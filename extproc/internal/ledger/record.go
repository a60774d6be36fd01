package ledger

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
)

// The layout of records; see the package comment.
const (
	frameHeader = 8
	maxPayload  = 1 << 20
)

// kind says what a record's payload is.
type kind byte

// The kinds of records.
const (
	kindReservation kind = 'R'
	kindSettlement  kind = 'S' // the Entry of a Reservation
	kindEntry       kind = 'E' // an Entry without one
	kindParked      kind = 'P' // a Reservation again, with the key that it is parked under
	kindTopUp       kind = 'T' // a TopUp
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged says that bytes are no whole record. Whether that is a torn tail depends on what follows.
var errDamaged = errors.New("no whole record")

// scratch holds buffers for records that nobody keeps once they are written.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// encodeRecord returns a framed record.
func encodeRecord(k kind, p payload) ([]byte, error) { return appendRecord(nil, k, p) }

// appendRecord makes a framed record in the memory of b, as far as that goes.
func appendRecord(b []byte, k kind, p payload) ([]byte, error) {
	frame := append(append(b[:0], make([]byte, frameHeader)...), byte(k))
	frame, err := p.appendJSON(frame)
	if err != nil {
		return nil, fmt.Errorf("encode journal record: %w", err)
	}
	size := len(frame) - frameHeader
	if size > maxPayload {
		return nil, fmt.Errorf("%w: journal record of %d bytes, at most %d", ErrInvalid, size, maxPayload)
	}
	binary.LittleEndian.PutUint32(frame, uint32(size))
	binary.LittleEndian.PutUint32(frame[4:], frameChecksum(frame))
	return frame, nil
}

// frameChecksum covers the length and the payload of a whole frame.
func frameChecksum(frame []byte) uint32 {
	sum := crc32.Update(0, castagnoli, frame[:4])
	return crc32.Update(sum, castagnoli, frame[frameHeader:])
}

// readFrame reads the next frame into buf, which it may grow, and returns it. At the end it returns io.EOF, and
// errDamaged where there is something that is no whole frame.
func readFrame(r *bufio.Reader, buf []byte) ([]byte, error) {
	head, err := r.Peek(frameHeader)
	if len(head) == 0 && errors.Is(err, io.EOF) {
		return buf, io.EOF
	}
	if err != nil {
		return buf, damagedAtEnd(err)
	}
	size := binary.LittleEndian.Uint32(head)
	if size == 0 || size > maxPayload {
		return buf, errDamaged
	}
	n := frameHeader + int(size)
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf, damagedAtEnd(err)
	}
	if binary.LittleEndian.Uint32(buf[4:]) != frameChecksum(buf) {
		return buf, errDamaged
	}
	return buf, nil
}

// damagedAtEnd turns the end of the file into errDamaged and keeps other errors of reading.
func damagedAtEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errDamaged
	}
	return err
}

// frameKind returns the kind of a whole frame.
func frameKind(frame []byte) kind { return kind(frame[frameHeader]) }

// idPrefix is how the payloads of reservations and entries begin.
const idPrefix = `{"id":"`

// frameID returns the id in a whole frame without decoding the rest, if that is spelled as encodeRecord does.
func frameID(frame []byte) (ID, error) {
	var v struct{ ID ID }
	const start, end = frameHeader + 1 + len(idPrefix), frameHeader + 1 + len(idPrefix) + 36
	if len(frame) > end && string(frame[frameHeader+1:start]) == idPrefix && v.ID.UnmarshalText(frame[start:end]) == nil {
		return v.ID, nil
	}
	err := decodeRecord(frame, &v)
	return v.ID, err
}

// decodeRecord reads a frame's payload into v.
func decodeRecord(frame []byte, v any) error {
	if err := json.Unmarshal(frame[frameHeader+1:], v); err != nil {
		return fmt.Errorf("decode journal record: %w", err)
	}
	return nil
}

// holdsFrame reports whether a whole frame of a known kind starts anywhere in b.
func holdsFrame(b []byte) bool {
	for ; len(b) > frameHeader; b = b[1:] {
		size := binary.LittleEndian.Uint32(b)
		if size == 0 || size > maxPayload || int(size) > len(b)-frameHeader {
			continue
		}
		switch frameKind(b) {
		case kindReservation, kindSettlement, kindEntry, kindParked, kindTopUp:
			if binary.LittleEndian.Uint32(b[4:]) == frameChecksum(b[:frameHeader+int(size)]) {
				return true
			}
		}
	}
	return false
}
