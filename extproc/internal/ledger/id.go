package ledger

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// ID identifies a call. It is a UUID of version 7 (RFC 9562, section 5.7): IDs sort by the millisecond in which
// they were made. The zero ID is no call.
type ID [16]byte

// NewID returns an ID that nobody else has. It is safe for concurrent use.
func NewID(now time.Time) ID {
	var id ID
	rand.Read(id[6:])
	ms := uint64(now.UnixMilli())
	binary.BigEndian.PutUint16(id[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(id[2:], uint32(ms))
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// ParseID reads what String prints.
func ParseID(s string) (ID, error) {
	var id ID
	err := id.UnmarshalText([]byte(s))
	return id, err
}

// String prints the ID as UUIDs are: "0198c9a4-7a6e-7c3e-9d51-0f4f9f5be2aa".
func (id ID) String() string {
	text, _ := id.AppendText(make([]byte, 0, 36))
	return string(text)
}

// AppendText appends what String prints. The error is always nil.
func (id ID) AppendText(b []byte) ([]byte, error) {
	b = hex.AppendEncode(b, id[0:4])
	for _, part := range [...][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		b = hex.AppendEncode(append(b, '-'), part)
	}
	return b, nil
}

// MarshalText returns what String prints. The error is always nil.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText reads what MarshalText returns.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return fmt.Errorf("parse call id %q: not a UUID", text)
	}
	var digits [32]byte
	n := 0
	for i, c := range text {
		if i != 8 && i != 13 && i != 18 && i != 23 {
			digits[n] = c
			n++
		}
	}
	if _, err := hex.Decode(id[:], digits[:]); err != nil {
		return fmt.Errorf("parse call id %q: %v", text, err)
	}
	return nil
}
