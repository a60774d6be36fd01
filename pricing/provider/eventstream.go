package provider

import (
	"encoding/binary"
	"hash/crc32"
)

// Sizes of an AWS event stream's messages, in bytes.
// Source: https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html.
const (
	framePrelude = 12       // total length, length of the headers, checksum of both
	frameSum     = 4        // checksum of all that stands before it
	maxFrame     = 16 << 20 // of a message that is kept: AWS's own limit of a payload
)

// frame is one message of an AWS event stream. All slices are valid only during the call that hands them out.
type frame struct {
	event     []byte // :event-type, or :exception-type
	exception bool   // :message-type is exception or error
	payload   []byte
}

// frameReader takes an AWS event stream apart, whatever pieces it arrives in. A message whose checksums are wrong ends
// the reading, as nothing behind it can be found again; one that is longer than maxFrame is passed over unread.
// Memory is bounded by maxFrame. The zero value is ready for the first byte.
type frameReader struct {
	held   []byte // the start of a message whose end has not arrived
	skip   int64  // bytes of a message above maxFrame that are still to come
	broken bool
}

// feed reads the next piece of the stream and calls emit for each message that it completes. It keeps no reference
// to p.
func (r *frameReader) feed(p []byte, emit func(frame)) {
	for len(p) > 0 && !r.broken {
		if r.skip > 0 {
			n := min(int64(len(p)), r.skip)
			p, r.skip = p[n:], r.skip-n
			continue
		}
		if len(r.held) == 0 {
			if size, ok := r.size(p); ok && size <= int64(len(p)) { // whole: no copy
				r.message(p[:size], emit)
				p = p[size:]
				continue
			}
		}
		p = r.hold(p, emit)
	}
}

// hold keeps bytes of a message that is not whole, up to its end, and returns what follows.
func (r *frameReader) hold(p []byte, emit func(frame)) []byte {
	want := int64(framePrelude)
	if size, ok := r.size(r.held); ok {
		want = size
	}
	if r.broken || r.skip > 0 {
		return p
	}
	n := min(want-int64(len(r.held)), int64(len(p)))
	r.held, p = append(r.held, p[:n]...), p[n:]
	size, ok := r.size(r.held)
	switch {
	case !ok || r.broken:
	case size > maxFrame:
		r.skip, r.held = size-int64(len(r.held)), r.held[:0]
	case size == int64(len(r.held)):
		r.message(r.held, emit)
		r.held = r.held[:0]
	}
	return p
}

// size returns the length of the message that b starts with, if its prelude is there. A prelude that cannot be one
// breaks the stream.
func (r *frameReader) size(b []byte) (int64, bool) {
	if len(b) < framePrelude {
		return 0, false
	}
	total, headers := int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
	if crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) || total < framePrelude+headers+frameSum {
		r.broken = true
		return 0, false
	}
	return total, true
}

// message checks and hands out a whole message.
func (r *frameReader) message(b []byte, emit func(frame)) {
	body := b[:len(b)-frameSum]
	if len(b) > maxFrame {
		return
	}
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(b[len(body):]) {
		r.broken = true
		return
	}
	headers := int(binary.BigEndian.Uint32(b[4:]))
	f := frame{payload: body[framePrelude+headers:]}
	if !f.headers(body[framePrelude : framePrelude+headers]) {
		r.broken = true
		return
	}
	emit(f)
}

// headers reads the headers of a message and reports whether they are well formed.
func (f *frame) headers(b []byte) bool {
	for len(b) > 0 {
		name, rest, ok := cutLength(b[1:], int(b[0]))
		if !ok || len(rest) == 0 {
			return false
		}
		var value []byte
		if value, b, ok = headerValue(rest[0], rest[1:]); !ok {
			return false
		}
		switch string(name) {
		case ":event-type", ":exception-type", ":error-code":
			f.event = value
		case ":message-type":
			f.exception = string(value) == "exception" || string(value) == "error"
		}
	}
	return true
}

// headerValue returns a header's value and what follows it. The types: true, false, then numbers of 1, 2, 4 and 8
// bytes, bytes and a string with their length, a time, a UUID.
func headerValue(kind byte, b []byte) (value, rest []byte, ok bool) {
	lengths := [...]int{0, 0, 1, 2, 4, 8, -1, -1, 8, 16}
	if int(kind) >= len(lengths) {
		return nil, nil, false
	}
	n := lengths[kind]
	if n < 0 {
		if len(b) < 2 {
			return nil, nil, false
		}
		n, b = int(binary.BigEndian.Uint16(b)), b[2:]
	}
	return cutLength(b, n)
}

// cutLength splits b after n bytes, if there are as many.
func cutLength(b []byte, n int) (head, rest []byte, ok bool) {
	if len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
