package pricing

import (
	"math"
	"math/big"
	"testing"
)

func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"0", "-0", "1.5", "0.000000001", "9223372036.854775807", "-9223372036.854775808", "1e3", ".", "-", "00.00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMoney(s)
		if err != nil {
			return
		}
		if again, err := ParseMoney(m.String()); err != nil || again != m {
			t.Errorf("%q is %d, prints as %q and reads back as %d, %v", s, m, m, again, err)
		}
		want, ok := new(big.Rat).SetString(s)
		if got := new(big.Rat).SetFrac64(int64(m), int64(Dollar)); !ok || got.Cmp(want) != 0 {
			t.Errorf("%q is %d, want %v dollars", s, m, want)
		}
		if m >= 0 {
			if r, err := ParseRate(Rate(m).String()); err != nil || r != Rate(m) {
				t.Errorf("rate %d prints as %q and reads back as %d, %v", m, Rate(m), r, err)
			}
		}
	})
}

func FuzzCostIsMonotonic(f *testing.F) {
	f.Add(int64(1000), int64(0), int64(0), int64(0), int64(5), int64(0), int64(1), uint8(0))
	f.Add(int64(999), int64(1), int64(0), int64(0), int64(0), int64(3), int64(1), uint8(1))
	f.Add(int64(math.MaxInt64), int64(1), int64(0), int64(0), int64(0), int64(0), int64(1), uint8(4))
	f.Add(int64(4000), int64(1), int64(0), int64(0), int64(0), int64(999), int64(1), uint8(6))
	both := tiered
	both.Fees = fees.Fees
	f.Fuzz(func(t *testing.T, input, read, short, long, output, other, more int64, kind uint8) {
		u := Usage{
			Input: input, CacheRead: read, CacheWriteShort: short, CacheWriteLong: long, Output: output,
			InputAudio: other, OutputImage: other, WebSearches: other, Images: other,
		}
		bigger := u
		counts := []*int64{
			&bigger.Input, &bigger.CacheRead, &bigger.CacheWriteShort, &bigger.CacheWriteLong, &bigger.Output, &bigger.InputImage,
			&bigger.InputAudio, &bigger.CacheReadAudio, &bigger.OutputAudio, &bigger.OutputImage, &bigger.WebSearches, &bigger.FileSearches,
			&bigger.CodeRuns, &bigger.SearchUnits, &bigger.Images, &bigger.Seconds, &bigger.Characters,
		}
		n := counts[int(kind)%len(counts)]
		if more < 0 || *n < 0 {
			return
		}
		*n = AddCapped(*n, more)
		cost, err := both.Cost(u)
		costBigger, errBigger := both.Cost(bigger)
		if err != nil && errBigger == nil {
			t.Errorf("%+v costs %d, but the smaller %+v: %v", bigger, costBigger, u, err)
		}
		if err == nil && errBigger == nil && costBigger < cost {
			t.Errorf("%+v costs %d, less than %d for %+v", bigger, costBigger, cost, u)
		}
	})
}
