package cache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

const (
	version     = 1
	prologue    = 1 + 4             // version, checksum
	fixedLength = 2*8 + 6*8 + 2 + 2 // times, usage, two lengths
)

var (
	errTooLarge = errors.New("answer too large")
	errCorrupt  = errors.New("corrupt entry")
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
)

// encode returns the block of an entry, or errTooLarge if that would be longer than limit bytes or a name
// longer than 64 KB.
func encode(e Entry, limit int) ([]byte, error) {
	size := prologue + fixedLength + len(e.ContentType) + len(e.Model) + len(e.Body)
	if size > limit || len(e.ContentType) > math.MaxUint16 || len(e.Model) > math.MaxUint16 {
		return nil, errTooLarge
	}
	b := make([]byte, prologue, size)
	b[0] = version
	for _, n := range [...]int64{
		e.Stored.UnixNano(), e.Expires.UnixNano(),
		e.Usage.Input, e.Usage.CacheRead, e.Usage.CacheWriteShort, e.Usage.CacheWriteLong,
		e.Usage.Output, e.Usage.Reasoning,
	} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	b = appendString(b, e.ContentType)
	b = appendString(b, string(e.Model))
	b = append(b, e.Body...)
	binary.LittleEndian.PutUint32(b[1:], crc32.Checksum(b[prologue:], castagnoli))
	return b, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(s))), s...)
}

// decode reads a block. The entry's body is a part of it.
func decode(b []byte) (Entry, error) {
	if len(b) < prologue+fixedLength || b[0] != version {
		return Entry{}, errCorrupt
	}
	sum, rest := binary.LittleEndian.Uint32(b[1:]), b[prologue:]
	if crc32.Checksum(rest, castagnoli) != sum {
		return Entry{}, errCorrupt
	}
	next := func() int64 {
		n := int64(binary.LittleEndian.Uint64(rest))
		rest = rest[8:]
		return n
	}
	e := Entry{Stored: time.Unix(0, next()), Expires: time.Unix(0, next())}
	e.Usage = pricing.Usage{
		Input: next(), CacheRead: next(), CacheWriteShort: next(), CacheWriteLong: next(),
		Output: next(), Reasoning: next(),
	}
	var model string
	var ok bool
	if e.ContentType, rest, ok = cutString(rest); !ok {
		return Entry{}, errCorrupt
	}
	if model, rest, ok = cutString(rest); !ok {
		return Entry{}, errCorrupt
	}
	e.Model, e.Body = pricing.ModelName(model), rest
	return e, nil
}

// cutString reads a length and that many bytes from the front of b and returns what follows.
func cutString(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := 2 + int(binary.LittleEndian.Uint16(b))
	if len(b) < n {
		return "", nil, false
	}
	return string(b[2:n]), b[n:], true
}
