package provider

import "bytes"

// maxEvent is the most bytes of one event that are kept. Whole images and encrypted reasoning fit; what does
// not fit carries no usage.
const maxEvent = 8 << 20

// event is one server-sent event. Both slices are valid only during the call that hands them out.
type event struct {
	name []byte // the event field, empty if there was none
	data []byte // the data lines, joined by LF
}

// eventReader takes a text/event-stream apart, whatever pieces it arrives in. It follows the HTML standard's
// section "Server-sent events" (https://html.spec.whatwg.org/multipage/server-sent-events.html), with two
// exceptions: an event that the end of the stream cuts before its empty line still counts, as some providers
// omit that line, and a line that starts with a brace opens an event of bare JSON, as Gemini ends a failing
// stream with one. A byte order mark at the start is the caller's to take off.
//
// Memory is bounded by about twice maxEvent, and nothing is allocated per event once the buffers have grown.
// The zero value is ready for the first byte.
type eventReader struct {
	line    []byte // the start of a line whose end has not arrived
	data    []byte // data lines of the current event
	name    []byte // its event field
	afterCR bool   // the last byte was CR, so that an LF now belongs to it
	open    bool   // the current event has a data line, if only an empty one
	bare    bool   // it is bare JSON: every line is data
	over    bool   // a part of it was above maxEvent
	lost    bool   // so was the current line: it is not empty, whatever is left of it
}

// feed reads the next piece of the stream and calls emit for each event that it completes. It keeps no
// reference to p.
func (r *eventReader) feed(p []byte, emit func(event)) {
	if r.afterCR && len(p) > 0 {
		r.afterCR = false
		if p[0] == '\n' {
			p = p[1:]
		}
	}
	lf := -1 // end of the current line if LF ends it, looked up once per LF so that CR-only streams stay linear
	for pos := 0; pos < len(p); {
		if lf < pos {
			if lf = bytes.IndexByte(p[pos:], '\n'); lf < 0 {
				lf = len(p)
			} else {
				lf += pos
			}
		}
		end := lf
		if cr := bytes.IndexByte(p[pos:lf], '\r'); cr >= 0 {
			end = pos + cr
		}
		if end == len(p) {
			r.hold(p[pos:])
			return
		}
		r.endLine(p[pos:end], emit)
		pos = end + 1
		if p[end] == '\r' {
			if pos == len(p) {
				r.afterCR = true
			} else if p[pos] == '\n' {
				pos++
			}
		}
	}
}

// flush hands out the event that the end of the stream left open, if any.
func (r *eventReader) flush(emit func(event)) {
	if len(r.line) > 0 || r.lost {
		r.endLine(nil, emit)
	}
	r.dispatch(emit)
}

// hold keeps the start of a line until the rest arrives.
func (r *eventReader) hold(part []byte) {
	if len(r.line)+len(part) > maxEvent {
		r.lost, r.over = true, true
		r.line = r.line[:0]
	}
	if !r.lost {
		r.line = append(r.line, part...)
	}
}

// endLine reads one whole line, of which rest is what was not yet held.
func (r *eventReader) endLine(rest []byte, emit func(event)) {
	line := rest
	if len(r.line) > 0 || r.lost {
		r.hold(rest)
		line = r.line
	}
	r.lost = r.lost || len(line) > maxEvent
	switch {
	case r.lost:
		r.over = true
	case len(line) == 0:
		r.dispatch(emit)
	case r.bare || (!r.open && line[0] == '{'):
		r.bare = true
		r.addData(line)
	default:
		r.field(line)
	}
	r.line, r.lost = r.line[:0], false
}

// field reads a line of the form name, colon, one optional space, value.
func (r *eventReader) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	switch string(name) {
	case "data":
		r.addData(value)
	case "event":
		r.name = append(r.name[:0], value...)
	}
}

// addData appends a data line to the current event.
func (r *eventReader) addData(value []byte) {
	if len(r.data)+len(value)+1 > maxEvent {
		r.over = true
	}
	if r.over {
		return
	}
	if r.open {
		r.data = append(r.data, '\n')
	}
	r.open = true
	r.data = append(r.data, value...)
}

// dispatch ends the current event.
func (r *eventReader) dispatch(emit func(event)) {
	if r.open && !r.over { // an event above maxEvent is dropped
		emit(event{r.name, r.data})
	}
	r.open, r.bare, r.over = false, false, false
	r.data, r.name = r.data[:0], r.name[:0]
}
