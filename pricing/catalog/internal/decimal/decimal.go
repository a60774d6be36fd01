// Package decimal reads numbers of price lists as text, so that no float stands between a list and the ledger.
package decimal

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// ErrRange says that a number does not fit in 64 bits once it is scaled.
var ErrRange = errors.New("number out of range")

var errSyntax = errors.New("not a decimal number")

// longest is more digits than any price list writes.
const longest = 64

// Parse reads a decimal number that is not negative, with or without an exponent ("2.5", "1.4E-7"), and returns it
// times ten to the power of shift, rounded half up to an integer; exact reports whether nothing was rounded. A
// number above zero never becomes zero: it is an error that wraps ErrRange.
func Parse(s string, shift int) (n int64, exact bool, err error) {
	if len(s) > longest {
		return 0, false, errSyntax
	}
	mantissa, exponent, err := split(s)
	if err != nil {
		return 0, false, err
	}
	whole, fraction, dotted := strings.Cut(mantissa, ".")
	if whole == "" || (dotted && fraction == "") || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, false, errSyntax
	}
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return 0, true, nil
	}
	return scale(digits, exponent-len(fraction)+shift)
}

// split parts a number at its exponent.
func split(s string) (mantissa string, exponent int, err error) {
	i := strings.IndexAny(s, "eE")
	if i < 0 {
		return s, 0, nil
	}
	exponent, err = strconv.Atoi(s[i+1:])
	if err != nil || exponent < -400 || exponent > 400 { // beyond what a float holds
		return "", 0, errSyntax
	}
	return s[:i], exponent, nil
}

// scale returns digits times ten to the power of exponent. The digits start with one above zero.
func scale(digits string, exponent int) (n int64, exact bool, err error) {
	if exponent >= 0 {
		if len(digits)+exponent > 19 {
			return 0, false, ErrRange
		}
		n, err := strconv.ParseInt(digits+strings.Repeat("0", exponent), 10, 64)
		if err != nil {
			return 0, false, ErrRange
		}
		return n, true, nil
	}
	keep := max(len(digits)+exponent, 0)
	if keep > 19 {
		return 0, false, ErrRange
	}
	kept := uint64(0)
	if keep > 0 {
		if kept, err = strconv.ParseUint(digits[:keep], 10, 64); err != nil {
			return 0, false, ErrRange
		}
	}
	rest := strings.Repeat("0", max(-exponent-len(digits), 0)) + digits[keep:]
	if rest[0] >= '5' {
		kept++
	}
	if kept == 0 || kept > math.MaxInt64 {
		return 0, false, ErrRange
	}
	return int64(kept), strings.Trim(rest, "0") == "", nil
}

// Format writes n times ten to the power of -places without trailing zeros: Format(25, 1) is "2.5".
func Format(n int64, places int) string {
	digits := strconv.FormatInt(n, 10)
	if len(digits) <= places {
		digits = strings.Repeat("0", places-len(digits)+1) + digits
	}
	whole, fraction := digits[:len(digits)-places], strings.TrimRight(digits[len(digits)-places:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}
