package provider

import "math/bits"

// digest is the hash of pieces of a body, in order. It is fast and not safe against a client who wants two prefixes
// to collide: that client could only spoil its own caching.
type digest struct {
	hash  uint64
	bytes int
}

// Odd constants with as many ones as zeros, as of wyhash (public domain).
const (
	mix0 = 0xa0761d6478bd642f
	mix1 = 0xe7037ed1a0b428db
)

func (d *digest) add(b []byte) {
	d.bytes += len(b)
	d.word(uint64(len(b)))
	for ; len(b) >= 8; b = b[8:] {
		_ = b[7]
		d.word(uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56)
	}
	var rest uint64
	for i, c := range b {
		rest |= uint64(c) << (8 * i)
	}
	d.word(rest)
}

func (d *digest) word(w uint64) {
	high, low := bits.Mul64(d.hash^w^mix0, d.hash^mix1)
	d.hash ^= high ^ low ^ bits.RotateLeft64(w, 23)
}

// prefixOf joins the digests of a call's tools and system prompt.
func prefixOf(a API, tools, system digest) Prefix {
	if tools.bytes+system.bytes == 0 {
		return Prefix{}
	}
	var d digest
	d.add([]byte(a))
	d.word(tools.hash)
	d.word(system.hash)
	return Prefix{Hash: d.hash, Bytes: tools.bytes + system.bytes}
}
