package jsonscan

// state is what the grammar allows next.
type state uint8

const (
	wantValue      state = iota // a value
	wantFirstValue              // a value or ]
	wantFirstKey                // a key or }
	wantSeparator               // a comma or the end of the container; at depth 0 the end of the text
	failed                      // nothing: err is set
)

// Scanner reads a JSON text. New is the only way to make one. It is not safe for concurrent use, and keeps the
// text by reference.
type Scanner struct {
	body    []byte
	pos     int
	start   int // of the token read last
	stop    int // its end
	depth   uint
	state   state
	object  bool                  // the innermost open container is an object
	escaped bool                  // the string read last holds a backslash
	nested  [MaxDepth / 64]uint64 // for each open container, whether the one around it is an object
	err     *Error
}

// New returns a Scanner at the start of body. It is a value so that it can live on the caller's stack.
func New(body []byte) Scanner {
	return Scanner{body: body}
}

// Err returns nil or the *Error at which the scan stopped.
func (s *Scanner) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// Offset is the number of bytes read so far.
func (s *Scanner) Offset() int { return s.pos }

// Next returns the next token. Commas and colons are checked and not reported.
func (s *Scanner) Next() Token {
	k := s.advance()
	if k == Invalid {
		return Token{}
	}
	depth := s.depth
	if k == Object || k == Array {
		depth--
	}
	return Token{
		Kind:    k,
		Escaped: s.escaped && (k == Key || k == String),
		Depth:   uint8(depth),
		Start:   s.start,
		End:     s.stop,
	}
}

// Skip passes over the next value and returns its token with the span of the whole value: for an Object or Array,
// up to and including the closing bracket.
func (s *Scanner) Skip() Token {
	return s.Whole(s.Next())
}

// Whole passes over what is left of t, which must be a value that is still open or just read, and returns t with
// the span of the whole value.
func (s *Scanner) Whole(t Token) Token {
	if t.Kind != Object && t.Kind != Array {
		return t
	}
	for s.depth > uint(t.Depth) {
		if s.advance() == Invalid {
			return Token{}
		}
	}
	t.End = s.pos
	return t
}

// Member returns the next key of the object that began with o, and true; its value comes with Next or Skip. At the
// end of the object, on an error, or if o is no object it returns false. What the caller left unread of the member
// before is passed over and checked.
func (s *Scanner) Member(o Token) (Token, bool) {
	if o.Kind != Object || !s.back(o) {
		return Token{}, false
	}
	key := s.Next()
	return key, key.Kind == Key
}

// Element returns the first token of the next value of the array that began with a, and true. At the end of the
// array, on an error, or if a is no array it returns false. What the caller left unread of the element before is
// passed over and checked.
//
//	list := s.Next()
//	for v, ok := s.Element(list); ok; v, ok = s.Element(list) {
//	}
func (s *Scanner) Element(a Token) (Token, bool) {
	if a.Kind != Array || !s.back(a) {
		return Token{}, false
	}
	v := s.Next()
	return v, v.Kind != ArrayEnd && v.Kind != Invalid
}

// back passes over what is open inside of the container t, and says whether t itself is still open.
func (s *Scanner) back(t Token) bool {
	inside := uint(t.Depth) + 1
	if t.Kind == Object && s.state == wantValue && s.depth == inside {
		s.advance()
	}
	for s.depth > inside {
		if s.advance() == Invalid {
			return false
		}
	}
	return s.depth == inside && s.state != failed
}

// Finish checks the rest of the text and returns nil if all of it is valid.
func (s *Scanner) Finish() error {
	for {
		switch s.advance() {
		case End:
			return nil
		case Invalid:
			return s.Err()
		}
	}
}

// advance reads the next token into start, stop and escaped, and returns its kind.
func (s *Scanner) advance() Kind {
	c := s.space()
	switch s.state {
	case wantSeparator:
		switch {
		case s.depth == 0:
			return s.end()
		case c != ',':
			return s.close(c)
		}
		s.pos++
		c = s.space()
		if s.object {
			return s.key(c)
		}
	case wantFirstKey:
		if c == '}' {
			return s.close(c)
		}
		return s.key(c)
	case wantFirstValue:
		if c == ']' {
			return s.close(c)
		}
	case failed:
		return Invalid
	}
	return s.value(c)
}

// space passes over white space and returns the byte after it, 0 at the end.
func (s *Scanner) space() byte {
	if s.pos < len(s.body) && s.body[s.pos] > ' ' {
		return s.body[s.pos]
	}
	return s.spaces()
}

func (s *Scanner) spaces() byte {
	for ; s.pos < len(s.body); s.pos++ {
		switch c := s.body[s.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (s *Scanner) fail(at int, problem string) Kind {
	s.state = failed
	s.err = &Error{Offset: at, Problem: problem}
	return Invalid
}

// unexpected fails at the current byte, or with ProblemEnd if there is none.
func (s *Scanner) unexpected(problem string) Kind {
	if s.pos >= len(s.body) {
		problem = ProblemEnd
	}
	return s.fail(s.pos, problem)
}

// end is the kind at depth 0 after the value: End, if nothing follows.
func (s *Scanner) end() Kind {
	if s.pos < len(s.body) {
		return s.fail(s.pos, ProblemTrailing)
	}
	s.start, s.stop = s.pos, s.pos
	return End
}

// took consumes the bytes up to end as a token.
func (s *Scanner) took(k Kind, end int) Kind {
	s.start, s.stop, s.pos = s.pos, end, end
	s.state = wantSeparator
	return k
}

func (s *Scanner) value(c byte) Kind {
	switch c {
	case '"':
		end := s.quoted()
		if end < 0 {
			return Invalid
		}
		return s.took(String, end)
	case '{':
		return s.open(Object, wantFirstKey)
	case '[':
		return s.open(Array, wantFirstValue)
	case 't':
		return s.literal("true", True)
	case 'f':
		return s.literal("false", False)
	case 'n':
		return s.literal("null", Null)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number()
	}
	return s.unexpected("expected a value")
}

func (s *Scanner) open(k Kind, next state) Kind {
	if s.depth >= MaxDepth {
		return s.fail(s.pos, ProblemDepth)
	}
	s.took(k, s.pos+1)
	word, bit := &s.nested[s.depth/64], uint64(1)<<(s.depth%64)
	*word &^= bit
	if s.object {
		*word |= bit
	}
	s.object = k == Object
	s.depth++
	s.state = next
	return k
}

// close ends the innermost container, if c is its bracket.
func (s *Scanner) close(c byte) Kind {
	k, want, problem := ArrayEnd, byte(']'), "expected a comma or ]"
	if s.object {
		k, want, problem = ObjectEnd, '}', "expected a comma or }"
	}
	if c != want {
		return s.unexpected(problem)
	}
	s.depth--
	s.object = s.nested[s.depth/64]&(1<<(s.depth%64)) != 0
	return s.took(k, s.pos+1)
}

func (s *Scanner) key(c byte) Kind {
	if c != '"' {
		return s.unexpected("expected a string as the key")
	}
	end := s.quoted()
	if end < 0 {
		return Invalid
	}
	s.took(Key, end)
	if s.space() != ':' {
		return s.unexpected("expected a colon")
	}
	s.pos++
	s.state = wantValue
	return Key
}

func (s *Scanner) literal(word string, k Kind) Kind {
	rest := s.body[s.pos:]
	if len(rest) >= len(word) && string(rest[:len(word)]) == word {
		return s.took(k, s.pos+len(word))
	}
	return s.fail(s.pos, "expected a value")
}
