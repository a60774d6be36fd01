package pricing

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// ErrOverflow says that an amount does not fit in Money: beyond about nine billion dollars.
var ErrOverflow = errors.New("amount out of range")

// Money is an amount in nano-dollars (1e-9 USD). Negative amounts are losses or credits.
type Money int64

// Rate is a price in nano-dollars per million tokens, that is 1e-15 USD per token. It is never negative.
// ParseRate reads what String prints.
type Rate int64

// Dollar is one US dollar.
const Dollar Money = 1_000_000_000

// MaxCost is more than any one call comes to: 128 answers, the most that a vendor makes at once, that each fill a context
// of a million tokens at the dearest rate of the catalog, $2000 a million, are a quarter of it. An amount beyond is of a
// request that no provider serves, or a mistake of one. Thousands of such amounts fit in Money together.
const MaxCost = 1_000_000 * Dollar

// perMillion is the number of tokens that a Rate is quoted for.
const perMillion = 1_000_000

// String prints the amount in dollars with all nine decimals and no sign of currency: "0.002404800".
// ParseMoney reads it back.
func (m Money) String() string {
	sign, u := "", uint64(m)
	if m < 0 {
		sign, u = "-", -u
	}
	return fmt.Sprintf("%s%d.%09d", sign, u/uint64(Dollar), u%uint64(Dollar))
}

// ParseMoney reads a decimal number of dollars with at most nine decimals, such as "14200" or "-0.0024048":
// no exponent, plus sign, separator or white space. An amount that does not fit is an error that wraps
// ErrOverflow.
func ParseMoney(s string) (Money, error) {
	n, err := parseFixed(s, 9)
	if err != nil {
		return 0, fmt.Errorf("parse amount %q: %w", s, err)
	}
	return Money(n), nil
}

// ParseRate reads a decimal number of dollars per million tokens with at most nine decimals, such as
// "0.003625". A negative rate is refused; otherwise the rules are those of ParseMoney.
func ParseRate(s string) (Rate, error) {
	n, err := parseFixed(s, 9)
	if err == nil && n < 0 {
		err = errors.New("negative rate")
	}
	if err != nil {
		return 0, fmt.Errorf("parse rate %q: %w", s, err)
	}
	return Rate(n), nil
}

// String prints the rate in dollars per million tokens without trailing zeros: "2.5".
func (r Rate) String() string {
	s := strings.TrimRight(Money(r).String(), "0")
	return strings.TrimSuffix(s, ".")
}

// Each prints a rate per million pieces, which a fee is, in dollars a piece without trailing zeros: "0.01". It has at
// most fifteen decimals.
func (r Rate) Each() string {
	digits := fmt.Sprintf("%016d", int64(r))
	whole, fraction := digits[:len(digits)-15], strings.TrimRight(digits[len(digits)-15:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// parseFixed reads an optionally signed decimal without exponent and scales it by 10^places.
func parseFixed(s string, places int) (int64, error) {
	neg := strings.HasPrefix(s, "-")
	digits := strings.TrimPrefix(s, "-")
	whole, frac, dotted := strings.Cut(digits, ".")
	if whole == "" || (dotted && frac == "") || strings.Trim(whole+frac, "0123456789") != "" {
		return 0, errors.New("not a decimal number")
	}
	frac = strings.TrimRight(frac, "0")
	if len(frac) > places {
		return 0, fmt.Errorf("more than %d decimals", places)
	}
	limit := uint64(math.MaxInt64)
	if neg {
		limit++ // two's complement reaches one further down
	}
	n, ok := decimal(whole+frac+strings.Repeat("0", places-len(frac)), limit)
	if !ok {
		return 0, ErrOverflow
	}
	if neg {
		return -int64(n), nil
	}
	return int64(n), nil
}

// decimal reads digits and reports whether the number is at most limit.
func decimal(digits string, limit uint64) (uint64, bool) {
	var n uint64
	for _, c := range []byte(digits) {
		d := uint64(c - '0')
		if n > (limit-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// wide is an unsigned 128-bit accumulator of tokens times rates.
type wide struct{ hi, lo uint64 }

// add adds tokens x rate. Both must not be negative. It reports whether the sum still fits.
func (w *wide) add(tokens int64, rate Rate) bool {
	hi, lo := bits.Mul64(uint64(tokens), uint64(rate))
	var carry uint64
	w.lo, carry = bits.Add64(w.lo, lo, 0)
	w.hi, carry = bits.Add64(w.hi, hi, carry)
	return carry == 0
}

// money divides by a million, half up, and reports whether the result fits in Money.
func (w wide) money() (Money, bool) {
	lo, carry := bits.Add64(w.lo, perMillion/2, 0)
	hi, over := bits.Add64(w.hi, 0, carry)
	if over != 0 || hi >= perMillion {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, perMillion)
	if q > math.MaxInt64 {
		return 0, false
	}
	return Money(q), true
}
