package admin

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// Dollars is an amount. In JSON it is a string with all nine decimals; on the page it is rounded for people.
type Dollars pricing.Money

// MarshalText implements encoding.TextMarshaler.
func (d Dollars) MarshalText() ([]byte, error) { return []byte(pricing.Money(d).String()), nil }

// String rounds half away from zero, to cents from one dollar on and to more decimals below: "$14,200.05",
// "$0.0024", "-$3.10", "$0".
func (d Dollars) String() string {
	sign, n := "", uint64(d)
	if d < 0 {
		sign, n = "-", -n
	}
	decimals := 2
	switch {
	case n == 0:
		return "$0"
	case n < uint64(pricing.Dollar)/100:
		decimals = 6
	case n < uint64(pricing.Dollar):
		decimals = 4
	}
	unit := uint64(1)
	for range 9 - decimals {
		unit *= 10
	}
	n = (n + unit/2) / unit // in units of the last decimal shown
	scale := uint64(pricing.Dollar) / unit
	return fmt.Sprintf("%s$%s.%0*d", sign, grouped(n/scale), decimals, n%scale)
}

// grouped prints a number with a comma between thousands.
func grouped(n uint64) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// count prints a number of things.
func count(n int64) string {
	if n < 0 {
		return "-" + grouped(-uint64(n))
	}
	return grouped(uint64(n))
}

// Share is a part of a whole in tenths of a per cent. It is negative for a loss and may exceed the whole.
type Share int64

// shareOf returns part of whole, rounded half away from zero; 0 of nothing.
func shareOf(part, whole int64) Share {
	if whole <= 0 || part == 0 {
		return 0
	}
	negative, n := part < 0, uint64(part)
	if negative {
		n = -n
	}
	hi, lo := bits.Mul64(n, 1000)
	lo, carry := bits.Add64(lo, uint64(whole)/2, 0)
	hi += carry
	const most = 1_000_000 // a thousand times the whole
	share := uint64(most)
	if hi < uint64(whole) {
		q, _ := bits.Div64(hi, lo, uint64(whole))
		share = min(q, most)
	}
	if negative {
		return -Share(share)
	}
	return Share(share)
}

// MarshalText prints the share as a decimal fraction: "0.374".
func (s Share) MarshalText() ([]byte, error) {
	sign := ""
	if s < 0 {
		sign, s = "-", -s
	}
	return fmt.Appendf(nil, "%s%d.%03d", sign, s/1000, s%1000), nil
}

// String prints the share in per cent: "37.4%".
func (s Share) String() string { return s.Width() + "%" }

// Width is the share in per cent, without the sign, as SVG takes it.
func (s Share) Width() string {
	sign := ""
	if s < 0 {
		sign, s = "-", -s
	}
	return fmt.Sprintf("%s%d.%d", sign, s/10, s%10)
}

// clock prints a moment for people, in UTC.
func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// refill prints when a budget refills, in its own zone, to the minute, as farebox budgets does.
func refill(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }

// number prints a number of things: "1 call", "1,200 calls".
func number(n int64, one, more string) string {
	if n == 1 {
		more = one
	}
	return count(n) + " " + more
}

// brief is clock where space is short.
func brief(t time.Time) string { return t.UTC().Format("Jan 2, 15:04:05") }

// known prints an amount that may not be known, "?" then, and "-" where there is none to know.
func known(d *Dollars, exists bool) string {
	switch {
	case d != nil:
		return d.String()
	case exists:
		return "?"
	}
	return "-"
}
