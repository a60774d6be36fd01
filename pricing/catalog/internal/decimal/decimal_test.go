package decimal

import (
	"errors"
	"math"
	"math/big"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		in    string
		shift int
		want  int64
		exact bool
	}{
		{"0", 9, 0, true},
		{"0.0", 9, 0, true},
		{"0e5", 9, 0, true},
		{"2.5", 9, 2_500_000_000, true},
		{"1.4E-7", 15, 140_000_000, true},
		{"1e-06", 15, 1_000_000_000, true},
		{"5.0001E-7", 15, 500_010_000, true},
		{"7.000000000000001e-07", 15, 700_000_000, false},
		{"2.9999999999999997e-07", 15, 300_000_000, false},
		{"0.0000000000000005", 15, 1, false},
		{"12", 0, 12, true},
		{"1e3", 0, 1000, true},
		{"9223372036854775807", 0, math.MaxInt64, true},
		{"922337203685477580.7", 1, math.MaxInt64, true},
	} {
		got, exact, err := Parse(tt.in, tt.shift)
		if err != nil || got != tt.want || exact != tt.exact {
			t.Errorf("Parse(%q, %d) = %d, %t, %v, want %d, %t", tt.in, tt.shift, got, exact, err, tt.want, tt.exact)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		in  string
		out bool // of range
	}{
		{"", false}, {".5", false}, {"5.", false}, {"-1", false}, {"+1", false}, {"1e", false}, {"1e1000", false}, {"NaN", false},
		{"1,5", false}, {" 1", false}, {"1.2.3", false}, {"0x1", false}, {"1_000", false},
		{"1111111111111111111111111111111111111111111111111111111111111111111", false},
		{"9223372036854775808", true}, {"1e19", true}, {"1e-300", true}, {"0.4", true},
		{"99999999999999999999.5", true}, {"9223372036854775807.5", true},
	} {
		got, _, err := Parse(tt.in, 0)
		if err == nil || got != 0 || errors.Is(err, ErrRange) != tt.out {
			t.Errorf("Parse(%q, 0) = %d, %v, want an error (out of range: %t)", tt.in, got, err, tt.out)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "1.4E-7", "7.000000000000001e-07", "922337203685477580.7", "1e-400", "5."} {
		f.Add(s, 15)
	}
	f.Fuzz(func(t *testing.T, s string, shift int) {
		if shift < 0 || shift > 20 {
			return
		}
		n, exact, err := Parse(s, shift)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q is %d, but no number", s, n)
		}
		want.Mul(want, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil)))
		got := new(big.Rat).SetInt64(n)
		if exact != (got.Cmp(want) == 0) || (want.Sign() > 0) != (n > 0) {
			t.Errorf("Parse(%q, %d) = %d, %t, want %s", s, shift, n, exact, want.FloatString(5))
		}
		if diff := got.Sub(got, want); diff.Abs(diff).Cmp(big.NewRat(1, 2)) > 0 {
			t.Errorf("Parse(%q, %d) = %d is more than a half off %s", s, shift, n, want.FloatString(5))
		}
		if again, ok, err := Parse(Format(n, shift), shift); err != nil || !ok || again != n {
			t.Errorf("%d prints as %q and reads back as %d, %t, %v", n, Format(n, shift), again, ok, err)
		}
	})
}
