package jsonscan

import (
	"math/bits"
	"unicode/utf8"
)

// quoted checks the string that starts at the current byte, sets escaped, and returns the offset after its closing
// quote, or -1 after an error.
func (s *Scanner) quoted() int {
	b := s.body
	s.escaped = false
	for i := s.pos + 1; ; {
		i = plain(b, i)
		if i >= len(b) {
			s.fail(len(b), ProblemEnd)
			return -1
		}
		c := b[i]
		if c == '"' {
			return i + 1
		}
		n, problem := 0, "control character in a string"
		switch {
		case c == '\\':
			s.escaped = true
			n, problem = escape(b[i:]), "invalid escape in a string"
		case c >= utf8.RuneSelf:
			n, problem = runes(b[i:]), ProblemUTF8
		}
		if n == 0 {
			s.fail(i, problem)
			return -1
		}
		i += n
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// plain returns the offset of the first byte from i on that is not printable ASCII or is a quote or backslash.
// It looks at eight bytes at a time: subtracting the bound (or one, after the xor that makes a match zero) borrows
// into the high bit of a byte that matches, and only bytes above the first match can be wrong.
func plain(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := load(b[i : i+8 : i+8])
		m := ((w - ' '*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones) | w) & highs
		if m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] < utf8.RuneSelf && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// load is binary.LittleEndian.Uint64, which would bring in package reflect.
func load(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// runes returns the length of the run of valid characters outside of ASCII that b starts with.
func runes(b []byte) int {
	i := 0
	for i < len(b) && b[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return 0
		}
		i += n
	}
	return i
}

// escape returns the length of the escape that b starts with, 0 if it is none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b); ok {
			return 6
		}
	}
	return 0
}

// hex4 returns the code unit of the \uXXXX that b starts with.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number checks the number at the current byte: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *Scanner) number() Kind {
	b, i := s.body, s.pos
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if j := digits(b, i); j > i {
		i = j
	} else {
		return s.badNumber(i)
	}
	if i < len(b) && b[i] == '.' {
		j := digits(b, i+1)
		if j == i+1 {
			return s.badNumber(j)
		}
		i = j
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		j := digits(b, i)
		if j == i {
			return s.badNumber(j)
		}
		i = j
	}
	return s.took(Number, i)
}

func (s *Scanner) badNumber(at int) Kind {
	if at >= len(s.body) {
		return s.fail(at, ProblemEnd)
	}
	return s.fail(at, "expected a digit")
}

func digits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}
