package jsonscan

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns the bytes of t as they are in the text: a Key or String without its quotes and with its escapes.
// The slice shares the text's memory.
func (s *Scanner) Text(t Token) []byte {
	if t.Kind == Key || t.Kind == String {
		return s.body[t.Start+1 : t.End-1]
	}
	return s.body[t.Start:t.End]
}

// Equal reports whether t is a Key or String that means want, however it is escaped. It does not allocate.
func (s *Scanner) Equal(t Token, want string) bool {
	if t.Kind != Key && t.Kind != String {
		return false
	}
	raw := s.Text(t)
	if !t.Escaped {
		return string(raw) == want
	}
	for len(raw) > 0 {
		var buf [utf8.UTFMax]byte
		c, n := first(raw, &buf)
		if len(want) < len(c) || want[:len(c)] != string(c) {
			return false
		}
		raw, want = raw[n:], want[len(c):]
	}
	return want == ""
}

// String returns what a Key or String means, with its escapes resolved; "" for other kinds.
func (s *Scanner) String(t Token) string {
	if t.Kind != Key && t.Kind != String {
		return ""
	}
	if !t.Escaped {
		return string(s.Text(t))
	}
	return string(AppendUnescaped(nil, s.Text(t)))
}

// AppendUnescaped appends what raw means, the bytes of a valid string without its quotes.
func AppendUnescaped(dst, raw []byte) []byte {
	for len(raw) > 0 {
		var buf [utf8.UTFMax]byte
		c, n := first(raw, &buf)
		dst = append(dst, c...)
		raw = raw[n:]
	}
	return dst
}

// first returns the first bytes of what the valid raw string means, and how many raw bytes say so. It returns
// either a run of bytes that stand for themselves, or one escaped character, which it puts into buf.
func first(raw []byte, buf *[utf8.UTFMax]byte) (meaning []byte, n int) {
	if raw[0] != '\\' {
		for n < len(raw) && raw[n] != '\\' {
			n++
		}
		return raw[:n], n
	}
	if r, ok := hex4(raw); ok {
		n = 6
		if utf16.IsSurrogate(r) {
			low, _ := hex4(raw[6:])
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				n = 12
			}
		}
		return buf[:utf8.EncodeRune(buf[:], r)], n
	}
	c := raw[1]
	switch c {
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	}
	buf[0] = c
	return buf[:1], 2
}

// Int returns the value of a Number that is a whole number and fits, however it is spelled: 1000, 1e3, 10.0e2.
// It returns false for everything else, fractions included.
func (s *Scanner) Int(t Token) (int64, bool) {
	if t.Kind != Number {
		return 0, false
	}
	return ParseInt(s.Text(t))
}

// Float returns the value of a Number, rounded to the nearest float; false if t is none or is out of range.
func (s *Scanner) Float(t Token) (float64, bool) {
	if t.Kind != Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(s.Text(t)), 64)
	return f, err == nil
}

// ParseInt is Scanner.Int for the bytes of a valid JSON number.
func ParseInt(number []byte) (int64, bool) {
	var d decimal
	for i, c := range number {
		switch c {
		case '-':
			d.negative = true
		case '.':
			d.inFraction = true
		case 'e', 'E':
			return d.shifted(exponent(number[i+1:]))
		default:
			d.digit(uint64(c - '0'))
		}
	}
	return d.shifted(0)
}
