package ledger

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzFrames reads arbitrary bytes as a journal: what is accepted is the journal's own, byte for byte.
func FuzzFrames(f *testing.F) {
	r, e := hold(cent, team("search")...), paid(NewID(noon), cent)
	one, err := encodeRecord(kindReservation, &r)
	must(f, err)
	two, err := encodeRecord(kindSettlement, &e)
	must(f, err)
	f.Add(one)
	f.Add(append(bytes.Clone(one), two...))
	f.Add(append(bytes.Clone(two), one[:len(one)-1]...))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), 64)
		var frame []byte
		offset := 0
		for {
			var err error
			frame, err = readFrame(r, frame)
			if err != nil {
				if whole := errors.Is(err, io.EOF); whole != (offset == len(b)) {
					t.Fatalf("stopped at %d of %d with %v", offset, len(b), err)
				}
				if !errors.Is(err, io.EOF) && !errors.Is(err, errDamaged) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if !bytes.Equal(frame, b[offset:offset+len(frame)]) {
				t.Fatalf("frame at %d is not what is there", offset)
			}
			offset += len(frame)
			if id, err := frameID(frame); err == nil {
				var v struct{ ID ID }
				if decodeRecord(frame, &v) == nil && v.ID != id {
					t.Fatalf("id %s, decoded %s", id, v.ID)
				}
			}
		}
	})
}
