package pricing

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// dollar is a rate of one dollar per million tokens.
const dollar = Rate(Dollar)

// tiered is a price with every kind at a rate of its own.
var tiered = Price{
	Rates:     Rates{Input: 2 * dollar, CacheRead: dollar / 5, CacheWriteShort: 5 * dollar / 2, CacheWriteLong: 4 * dollar, Output: 10 * dollar},
	LongAbove: 1000,
	Long:      Rates{Input: 4 * dollar, CacheRead: 2 * dollar / 5, CacheWriteShort: 5 * dollar, CacheWriteLong: 8 * dollar, Output: 15 * dollar},
}

func TestCost(t *testing.T) {
	for _, tt := range []struct {
		name  string
		price Price
		usage Usage
		want  Money
	}{
		{"nothing used", tiered, Usage{}, 0},
		{"no price", Price{}, Usage{Input: 5, Output: 5}, 0},
		{"each kind at its rate", tiered, Usage{Input: 1, CacheRead: 10, CacheWriteShort: 100, CacheWriteLong: 300, Output: 1000}, 11_454_000},
		{"reasoning is part of output", tiered, Usage{Output: 10, Reasoning: 10}, 100_000},
		{"long tier starts above its threshold", tiered, Usage{Input: 1000, Output: 1}, 2_010_000},
		{"long tier covers the whole request", tiered, Usage{Input: 1001, Output: 1}, 4_019_000},
		{"long tier counts every kind of input", tiered, Usage{Input: 1, CacheRead: 400, CacheWriteShort: 300, CacheWriteLong: 300}, 4_000 + 160_000 + 1_500_000 + 2_400_000},
		{"output does not reach the long tier", tiered, Usage{Input: 1, Output: 5000}, 50_002_000},
		{"half a nano-dollar rounds up", Price{Rates: Rates{Input: 1}}, Usage{Input: 500_000}, 1},
		{"less rounds down", Price{Rates: Rates{Input: 1}}, Usage{Input: 499_999}, 0},
		{"kinds are summed before rounding", Price{Rates: Rates{Input: 1, Output: 1}}, Usage{Input: 250_000, Output: 250_000}, 1},
		{"a published rate with six decimals", Price{Rates: Rates{CacheRead: 3_625_000}}, Usage{CacheRead: 1}, 4},
		{"largest amount", Price{Rates: Rates{Input: math.MaxInt64}}, Usage{Input: perMillion}, math.MaxInt64},
	} {
		got, err := tt.price.Cost(tt.usage)
		if err != nil || got != tt.want {
			t.Errorf("%s: Cost(%+v) = %d, %v, want %d", tt.name, tt.usage, got, err, tt.want)
		}
	}
}

func TestCostRefuses(t *testing.T) {
	const most = math.MaxInt64
	all := Rates{most, most, most, most, most}
	for _, tt := range []struct {
		name     string
		price    Price
		usage    Usage
		overflow bool
	}{
		{"just too large", Price{Rates: Rates{Input: most, Output: 1}}, Usage{Input: perMillion, Output: perMillion / 2}, true},
		{"64 bits are not enough", Price{Rates: Rates{Input: dollar}}, Usage{Input: most}, true},
		{"127 bits", Price{Rates: all}, Usage{Input: most, CacheRead: most}, true},
		{"128 bits are not enough", Price{Rates: all}, Usage{most, most, most, most, most, 0}, true},
		{"negative count", tiered, Usage{Input: 5, CacheRead: -1}, false},
		{"negative rate", Price{Rates: Rates{Input: -1}}, Usage{Input: 1}, false},
	} {
		got, err := tt.price.Cost(tt.usage)
		if err == nil || got != 0 || errors.Is(err, ErrOverflow) != tt.overflow {
			t.Errorf("%s: Cost = %d, %v, want an error (overflow: %t)", tt.name, got, err, tt.overflow)
		}
	}
}

func TestRoundingNeverWraps(t *testing.T) {
	if m, ok := (wide{math.MaxUint64, math.MaxUint64}).money(); ok {
		t.Errorf("2^128-1 came to %d, want no amount", m)
	}
}

func TestCostAgreesWithBig(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var overflows int
	for range 20_000 {
		p, u := randomPrice(r), randomUsage(r)
		want := bigCost(p, u)
		got, err := p.Cost(u)
		switch {
		case !want.IsInt64():
			overflows++
			if !errors.Is(err, ErrOverflow) {
				t.Fatalf("%+v.Cost(%+v) = %d, %v, want overflow of %s", p, u, got, err, want)
			}
		case err != nil || int64(got) != want.Int64():
			t.Fatalf("%+v.Cost(%+v) = %d, %v, want %s", p, u, got, err, want)
		}
	}
	if overflows == 0 || overflows == 20_000 {
		t.Errorf("%d of 20000 draws overflow: the test misses a side", overflows)
	}
}

// bigCost is Cost by the book, in numbers of any size.
func bigCost(p Price, u Usage) *big.Int {
	total := new(big.Int)
	for _, n := range []int64{u.Input, u.CacheRead, u.CacheWriteShort, u.CacheWriteLong} {
		total.Add(total, big.NewInt(n))
	}
	r := p.Rates
	if p.LongAbove > 0 && total.Cmp(big.NewInt(p.LongAbove)) > 0 {
		r = p.Long
	}
	sum := big.NewInt(perMillion / 2)
	for _, part := range [][2]int64{
		{u.Input, int64(r.Input)}, {u.CacheRead, int64(r.CacheRead)}, {u.CacheWriteShort, int64(r.CacheWriteShort)},
		{u.CacheWriteLong, int64(r.CacheWriteLong)}, {u.Output, int64(r.Output)},
	} {
		sum.Add(sum, new(big.Int).Mul(big.NewInt(part[0]), big.NewInt(part[1])))
	}
	return sum.Quo(sum, big.NewInt(perMillion))
}

func TestBoundIsNeverBelowCost(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		p, u := randomPrice(r), randomUsage(r)
		input := AddCapped(u.TotalInput(), r.Int64N(3))
		output := AddCapped(u.Output, r.Int64N(3))
		for _, longWrites := range []bool{false, true} {
			if !longWrites {
				u.CacheWriteLong = 0
			}
			cost, err := p.Cost(u)
			if err != nil {
				continue
			}
			bound, err := p.Bound(input, output, longWrites)
			if err == nil && bound < cost {
				t.Fatalf("%+v.Bound(%d, %d, %t) = %d, but %+v costs %d", p, input, output, longWrites, bound, u, cost)
			}
			if err != nil && !errors.Is(err, ErrOverflow) {
				t.Fatalf("%+v.Bound(%d, %d, %t): %v", p, input, output, longWrites, err)
			}
		}
	}
}

func TestBound(t *testing.T) {
	for _, tt := range []struct {
		input, output int64
		longWrites    bool
		want          Money
	}{
		{0, 0, false, 0},
		{1000, 10, false, 2_500_000 + 100_000},
		{1000, 10, true, 4_000_000 + 100_000},
		{1001, 10, false, 5_005_000 + 150_000},
		{1001, 10, true, 8_008_000 + 150_000},
	} {
		got, err := tiered.Bound(tt.input, tt.output, tt.longWrites)
		if err != nil || got != tt.want {
			t.Errorf("Bound(%d, %d, %t) = %d, %v, want %d", tt.input, tt.output, tt.longWrites, got, err, tt.want)
		}
	}
	if _, err := tiered.Bound(-1, 0, false); err == nil {
		t.Error("Bound of a negative input: no error")
	}
}

// A prompt below the threshold may be dearer than one above it, and Bound covers both.
func TestBoundCoversACheaperLongTier(t *testing.T) {
	p := Price{Rates: Rates{Input: 5 * dollar, Output: 5 * dollar}, LongAbove: 10, Long: Rates{Input: dollar, Output: 9 * dollar}}
	if got, err := p.Bound(11, 1, false); err != nil || got != 11*5_000+9_000 {
		t.Errorf("Bound = %d, %v, want %d", got, err, 11*5_000+9_000)
	}
}

func TestTotalInputStopsAtTheLargestCount(t *testing.T) {
	u := Usage{Input: math.MaxInt64, CacheRead: math.MaxInt64, CacheWriteShort: 3, CacheWriteLong: 4}
	if got := u.TotalInput(); got != math.MaxInt64 {
		t.Errorf("TotalInput of %+v = %d, want %d", u, got, int64(math.MaxInt64))
	}
	if got, want := (Usage{Input: 1, CacheRead: 2, CacheWriteShort: 3, CacheWriteLong: 4, Output: 9, Reasoning: 5}).Uncached(), (Usage{Input: 10, Output: 9, Reasoning: 5}); got != want {
		t.Errorf("Uncached = %+v, want %+v", got, want)
	}
}

// randomPrice draws rates of all magnitudes, about half of the time with a long tier.
func randomPrice(r *rand.Rand) Price {
	rates := func() Rates {
		rate := func() Rate { return Rate(magnitude(r)) }
		return Rates{rate(), rate(), rate(), rate(), rate()}
	}
	p := Price{Rates: rates()}
	if r.IntN(2) == 0 {
		p.LongAbove, p.Long = magnitude(r), rates()
	}
	return p
}

func randomUsage(r *rand.Rand) Usage {
	return Usage{magnitude(r), magnitude(r), magnitude(r), magnitude(r), magnitude(r), 0}
}

// magnitude draws a number of 0 to 63 bits, each length as likely.
func magnitude(r *rand.Rand) int64 {
	return r.Int64() >> r.IntN(64)
}
