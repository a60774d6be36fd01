package provider

// objectReader takes a sequence of JSON objects apart, whatever pieces it arrives in and whatever stands between them:
// one a line, as Ollama streams, a single one over many lines, or the elements of an array after its first bracket. It
// finds their ends by their braces alone; whether they are valid is the caller's to see. An object above maxEvent is
// dropped. The zero value is ready for the first byte.
type objectReader struct {
	held    []byte // of the current object, what earlier pieces held
	depth   int
	quoted  bool // inside a string
	escaped bool // the last byte was the backslash of an escape
	over    bool // the current object is above maxEvent
	before  byte // what stood last outside of the objects, for each of which there is a brace
	broken  bool // what stands outside of the objects, or one of them, is nothing that an array has
}

// feed reads the next piece and calls emit for each object that it completes. It keeps no reference to p, and emit may
// keep none to what it gets.
func (r *objectReader) feed(p []byte, emit func([]byte)) {
	start := 0 // of the current object in p
	for i, c := range p {
		switch {
		case r.escaped:
			r.escaped = false
		case r.quoted:
			r.escaped, r.quoted = c == '\\', c != '"'
		case c == '"' && r.depth > 0:
			r.quoted = true
		case c == '{', c == '[':
			if r.depth == 0 {
				r.outside(c)
				start = i
			}
			r.depth++
		case r.depth > 0 && (c == '}' || c == ']'):
			if r.depth--; r.depth == 0 {
				r.end(p[start:i+1], emit)
				start = i + 1
			}
		case r.depth == 0:
			r.outside(c)
		}
	}
	if r.depth > 0 {
		r.hold(p[start:])
	}
}

// outside follows what stands between the elements of an array and after them.
func (r *objectReader) outside(c byte) {
	switch c {
	case ' ', '\t', '\r', '\n':
		return
	}
	switch r.before {
	case 0:
		r.broken = r.broken || c != '{' && c != ']'
	case ',':
		r.broken = r.broken || c != '{'
	case '{':
		r.broken = r.broken || c != ',' && c != ']'
	default:
		r.broken = true
	}
	r.before = c
}

// closed reports whether the objects were the elements of an array that has ended and is valid outside of them.
func (r *objectReader) closed() bool { return r.before == ']' && !r.broken && r.depth == 0 }

// flush hands out the object that the end of the stream cut, if any.
func (r *objectReader) flush(emit func([]byte)) {
	if len(r.held) > 0 {
		r.end(nil, emit)
	}
}

// hold keeps a part of an object until the rest arrives.
func (r *objectReader) hold(part []byte) {
	if r.over = r.over || len(r.held)+len(part) > maxEvent; !r.over {
		r.held = append(r.held, part...)
	}
}

// end hands out an object of which rest is what was not yet held.
func (r *objectReader) end(rest []byte, emit func([]byte)) {
	whole := rest
	if len(r.held) > 0 || r.over {
		r.hold(rest)
		whole = r.held
	}
	if len(whole) > 0 && len(whole) <= maxEvent && !r.over {
		emit(whole)
	}
	r.held, r.over = r.held[:0], false
}
