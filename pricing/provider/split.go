package provider

// splitter finds where the events of a stream end. A splitter has seen all bytes of the stream before p.
type splitter interface {
	// next returns how many bytes of p belong to the current event, and whether the event ends with them.
	next(p []byte) (n int, ended bool)
}

// blockSplitter splits server-sent events after the empty line that ends each, whatever ends its lines. An LF that
// follows a CR is a part of that line end: where the CR ended an event, the LF starts the bytes of the next one. The
// zero value is ready for the first byte.
type blockSplitter struct{ inLine, afterCR bool }

func (b *blockSplitter) next(p []byte) (n int, ended bool) {
	for i, c := range p {
		switch {
		case c == '\n' && b.afterCR:
			b.afterCR = false
		case c == '\n' || c == '\r':
			b.afterCR = c == '\r'
			if !b.inLine {
				return i + 1, true
			}
			b.inLine = false
		default:
			b.afterCR, b.inLine = false, true
		}
	}
	return len(p), false
}

// lineSplitter splits JSON texts, one to a line. The zero value is ready for the first byte.
type lineSplitter struct{}

func (lineSplitter) next(p []byte) (n int, ended bool) {
	for i, c := range p {
		if c == '\n' {
			return i + 1, true
		}
	}
	return len(p), false
}

// arraySplitter splits the elements of one JSON array, each with what stands before it. Elements are objects. The
// zero value is ready for the first byte.
type arraySplitter struct {
	depth    int
	inString bool
	escaped  bool
}

func (a *arraySplitter) next(p []byte) (n int, ended bool) {
	for i, c := range p {
		switch {
		case a.escaped:
			a.escaped = false
		case a.inString:
			a.escaped, a.inString = c == '\\', c != '"'
		case c == '"':
			a.inString = true
		case c == '{' || c == '[':
			a.depth++
		case c == '}' || c == ']':
			if a.depth--; a.depth == 1 {
				return i + 1, true
			}
		}
	}
	return len(p), false
}

// frameSplitter splits messages of AWS's event stream by the length that starts each. The zero value is ready for
// the first byte.
type frameSplitter struct {
	head [4]byte // of the length
	have int     // bytes of the current message
	left int     // bytes that it still lacks, once its length is known
}

func (f *frameSplitter) next(p []byte) (n int, ended bool) {
	for f.have < len(f.head) {
		if n == len(p) {
			return n, false
		}
		f.head[f.have] = p[n]
		f.have++
		n++
		if f.have == len(f.head) {
			h := f.head
			length := int(uint32(h[0])<<24 | uint32(h[1])<<16 | uint32(h[2])<<8 | uint32(h[3]))
			f.left = max(length-len(h), 1) // a length that cannot be leads nowhere, but on
		}
	}
	step := min(f.left, len(p)-n)
	f.left -= step
	if f.left == 0 {
		f.have = 0
		return n + step, true
	}
	return n + step, false
}
