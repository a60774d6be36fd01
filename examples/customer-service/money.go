package main

import (
	"fmt"
	"strconv"
	"strings"
)

// nanos is an amount of money in nano-dollars, 1e-9 USD. In JSON it is decimal text: "0.002404800".
type nanos int64

const dollar nanos = 1_000_000_000

// UnmarshalText reads dollars with nine decimals.
func (n *nanos) UnmarshalText(text []byte) error {
	whole, fraction, _ := strings.Cut(string(text), ".")
	value, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil || len(fraction) != 9 {
		return fmt.Errorf("amount %q: want dollars with nine decimals", text)
	}
	*n = nanos(value)
	return nil
}

// String prints dollars with nine decimals.
func (n nanos) String() string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%09d", sign, n/dollar, n%dollar)
}

// short prints dollars with four decimals, cut.
func (n nanos) short() string {
	s := n.String()
	return s[:len(s)-5]
}

// percent is a share for people, "0.0%" of nothing.
func percent[T ~int | ~int64](part, whole T) string {
	if whole == 0 {
		return "0.0%"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(part)/float64(whole))
}

// thousands prints a number with separators: 12,345.
func thousands[T ~int | ~int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
