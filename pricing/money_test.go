package pricing

import (
	"errors"
	"math"
	"testing"
)

func TestParseMoney(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Money
		out  string // as String prints it
	}{
		{"0", 0, "0.000000000"},
		{"-0", 0, "0.000000000"},
		{"14200", 14_200 * Dollar, "14200.000000000"},
		{"0.0024048", 2_404_800, "0.002404800"},
		{"0.000000001", 1, "0.000000001"},
		{"-0.000000001", -1, "-0.000000001"},
		{"-2.5", -2_500_000_000, "-2.500000000"},
		{"007.50", 7_500_000_000, "7.500000000"},
		{"1.0000000000000", Dollar, "1.000000000"},
		{"9223372036.854775807", math.MaxInt64, "9223372036.854775807"},
		{"-9223372036.854775808", math.MinInt64, "-9223372036.854775808"},
	} {
		got, err := ParseMoney(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParseMoney(%q) = %d, %v, want %d", tt.in, got, err, tt.want)
		}
		if s := got.String(); s != tt.out {
			t.Errorf("Money(%d) prints %q, want %q", got, s, tt.out)
		}
		if again, err := ParseMoney(got.String()); err != nil || again != got {
			t.Errorf("ParseMoney(%q) = %d, %v, want %d", got.String(), again, err, got)
		}
	}
}

func TestParseRate(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Rate
		out  string
	}{
		{"0", 0, "0"},
		{"0.003625", 3_625_000, "0.003625"},
		{"2.50", 2_500_000_000, "2.5"},
		{"600", 600_000_000_000, "600"},
		{"10.000000001", 10_000_000_001, "10.000000001"},
		{"9223372036.854775807", math.MaxInt64, "9223372036.854775807"},
	} {
		got, err := ParseRate(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParseRate(%q) = %d, %v, want %d", tt.in, got, err, tt.want)
		}
		if s := got.String(); s != tt.out {
			t.Errorf("Rate(%d) prints %q, want %q", got, s, tt.out)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const notDecimal, tooFine, tooBig = "not a decimal number", "more than 9 decimals", "amount out of range"
	for _, tt := range []struct{ in, cause string }{
		{"", notDecimal}, {"-", notDecimal}, {"--1", notDecimal}, {"+1", notDecimal}, {".5", notDecimal}, {"5.", notDecimal},
		{"1.2.3", notDecimal}, {"1e3", notDecimal}, {"1,000", notDecimal}, {" 1", notDecimal}, {"1 ", notDecimal}, {"$1", notDecimal},
		{"0x10", notDecimal}, {"NaN", notDecimal}, {"1.-5", notDecimal}, {"٣", notDecimal}, {"1.0000000000x", notDecimal},
		{"0.0000000001", tooFine},
		{"9223372036.854775808", tooBig}, {"10000000000", tooBig}, {"99999999999999999999999999", tooBig},
	} {
		want := "parse amount \"" + tt.in + "\": " + tt.cause
		_, err := ParseMoney(tt.in)
		if err == nil || err.Error() != want {
			t.Errorf("ParseMoney(%q): %v, want %s", tt.in, err, want)
		}
		if errors.Is(err, ErrOverflow) != (tt.cause == tooBig) {
			t.Errorf("ParseMoney(%q): %v, wraps ErrOverflow: %t", tt.in, err, errors.Is(err, ErrOverflow))
		}
	}
	if _, err := ParseMoney("-9223372036.854775809"); !errors.Is(err, ErrOverflow) {
		t.Errorf("one below the smallest amount: %v, want an error that wraps ErrOverflow", err)
	}
	if _, err := ParseRate("-0.1"); err == nil || err.Error() != `parse rate "-0.1": negative rate` {
		t.Errorf("ParseRate(-0.1): %v, want a refusal", err)
	}
}
