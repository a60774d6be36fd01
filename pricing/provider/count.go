package provider

import (
	"math"
	"strconv"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// maxCount bounds every count of tokens, so that sums of counts fit whatever a request or a response says.
const maxCount = 1_000_000_000_000

// count is a number of tokens as a response stated it, if it did.
type count struct {
	n        int64
	set      bool
	negative bool // it was, and n is 0
}

// plus returns the sum of two counts, of which the other one was stated.
func (c count) plus(other count) count {
	return count{n: min(c.n+other.n, maxCount), set: true, negative: c.negative || other.negative}
}

// read takes the next value. A number may be a float or, as proxies encode int64, a string; what is negative
// counts as 0, and is noted. Null and everything else leave the count as it was.
func (c *count) read(s *jsonscan.Scanner) {
	t := s.Next()
	raw := s.Text(t)
	if t.Kind != jsonscan.Number && (t.Kind != jsonscan.String || len(raw) > 32) {
		return
	}
	c.parse(raw)
}

// parse is read for the bytes of a number.
func (c *count) parse(raw []byte) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		*c = count{n: min(max(n, 0), maxCount), set: true, negative: n < 0}
		return
	}
	if f, err := strconv.ParseFloat(string(raw), 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		*c = count{n: int64(math.Round(min(max(f, 0), maxCount))), set: true, negative: f < 0}
	}
}

// member takes the next value, an object, and reads its member of that name.
func (c *count) member(s *jsonscan.Scanner, name string) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		if string(s.Text(key)) == name {
			c.read(s)
		}
	}
}

// readTextLen takes the next value and returns the number of bytes that it means, 0 if it is no string.
func readTextLen(s *jsonscan.Scanner) int64 {
	t := s.Next()
	if t.Kind != jsonscan.String {
		return 0
	}
	return textLen(s.Text(t), t.Escaped)
}

// textLen is the number of bytes that the inside of a JSON string means.
func textLen(raw []byte, escaped bool) int64 {
	if !escaped {
		return int64(len(raw))
	}
	n := 0
	for i := 0; i < len(raw); {
		switch {
		case raw[i] != '\\':
			n, i = n+1, i+1
		case raw[i+1] != 'u':
			n, i = n+1, i+2
		default:
			n, i = n+unitLen(raw[i+2:i+6]), i+6
		}
	}
	return int64(n)
}

// unitLen is the number of UTF-8 bytes of a \u escape with these four digits. Half of a surrogate pair counts as
// two, so that a pair is four.
func unitLen(hex []byte) int {
	unit, err := strconv.ParseUint(string(hex), 16, 16)
	switch {
	case err != nil || unit < 0x80:
		return 1
	case unit < 0x800 || (unit >= 0xD800 && unit < 0xE000):
		return 2
	}
	return 3
}
