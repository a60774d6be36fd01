package pricing

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// dollar is a rate of one dollar per million tokens.
const dollar = Rate(Dollar)

// tiered is a price with every kind at a rate of its own.
var tiered = Price{
	Rates: Rates{
		Input: 2 * dollar, CacheRead: dollar / 5, CacheWriteShort: 5 * dollar / 2, CacheWriteLong: 4 * dollar, Output: 10 * dollar,
		InputAudio: 32 * dollar, InputImage: 3 * dollar, CacheReadAudio: dollar / 2, OutputAudio: 64 * dollar, OutputImage: 40 * dollar,
	},
	Brackets: []Bracket{{Above: 1000, Rates: Rates{
		Input: 4 * dollar, CacheRead: 2 * dollar / 5, CacheWriteShort: 5 * dollar, CacheWriteLong: 8 * dollar, Output: 15 * dollar,
		InputAudio: 64 * dollar, InputImage: 6 * dollar, CacheReadAudio: dollar, OutputAudio: 96 * dollar, OutputImage: 60 * dollar,
	}}, {Above: 5000, Rates: Rates{
		Input: 8 * dollar, CacheRead: 4 * dollar / 5, CacheWriteShort: 10 * dollar, CacheWriteLong: 16 * dollar, Output: 30 * dollar,
		InputAudio: 128 * dollar, InputImage: 12 * dollar, CacheReadAudio: 2 * dollar, OutputAudio: 192 * dollar, OutputImage: 120 * dollar,
	}}},
}

// fees is a price with every kind of piece at a fee of its own: dollars for a million.
var fees = Price{Fees: Fees{
	Request: 5000 * dollar, WebSearch: 10_000 * dollar, FileSearch: 2500 * dollar, CodeRun: 30_000 * dollar,
	SearchUnit: 2000 * dollar, Image: 40_000 * dollar, Second: 100 * dollar, Character: 15 * dollar,
}}

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
		{"a second bracket starts above its own", tiered, Usage{Input: 5001, Output: 1}, 5001*8_000 + 30_000},
		{"brackets count media", tiered, Usage{InputAudio: 500, InputImage: 300, CacheReadAudio: 201}, 500*64_000 + 300*6_000 + 201*1_000},
		{"the longest prompt decides where it is known", tiered, Usage{Input: 6000, LongestPrompt: 1000}, 12_000_000},
		{"media at rates of their own", tiered, Usage{InputAudio: 1, InputImage: 10, CacheReadAudio: 100, OutputAudio: 1, OutputImage: 10}, 32_000 + 30_000 + 50_000 + 64_000 + 400_000},
		{"each piece at its fee", fees, Usage{WebSearches: 1, FileSearches: 2, CodeRuns: 3, SearchUnits: 4, Images: 5, Seconds: 6, Characters: 7}, 5_000_000 + 10_000_000 + 5_000_000 + 90_000_000 + 8_000_000 + 200_000_000 + 600_000 + 105_000},
		{"a call that used anything has its own fee", fees, Usage{Input: 1}, 5_000_000},
		{"a call that used nothing has none", fees, Usage{}, 0},
		{"output does not reach the long tier", tiered, Usage{Input: 1, Output: 6000}, 60_002_000},
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
	all := Rates{most, most, most, most, most, most, most, most, most, most}
	for _, tt := range []struct {
		name     string
		price    Price
		usage    Usage
		overflow bool
	}{
		{"just too large", Price{Rates: Rates{Input: most, Output: 1}}, Usage{Input: perMillion, Output: perMillion / 2}, true},
		{"64 bits are not enough", Price{Rates: Rates{Input: dollar}}, Usage{Input: most}, true},
		{"127 bits", Price{Rates: all}, Usage{Input: most, CacheRead: most}, true},
		{"128 bits are not enough", Price{Rates: all}, Usage{Input: most, CacheRead: most, CacheWriteShort: most, CacheWriteLong: most, Output: most}, true},
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
	prompt := new(big.Int)
	for _, n := range []int64{u.Input, u.CacheRead, u.CacheWriteShort, u.CacheWriteLong, u.InputAudio, u.InputImage, u.CacheReadAudio} {
		prompt.Add(prompt, big.NewInt(n))
	}
	if u.LongestPrompt > 0 {
		prompt.SetInt64(u.LongestPrompt)
	}
	r, f := p.Rates, p.Fees
	for _, b := range p.Brackets {
		if prompt.Cmp(big.NewInt(b.Above)) > 0 {
			r = b.Rates
		}
	}
	var request int64
	if u != (Usage{}) {
		request = 1
	}
	sum := big.NewInt(perMillion / 2)
	for _, part := range []struct {
		count int64
		rate  Rate
	}{
		{u.Input, r.Input}, {u.CacheRead, r.CacheRead}, {u.CacheWriteShort, r.CacheWriteShort}, {u.CacheWriteLong, r.CacheWriteLong},
		{u.Output, r.Output}, {u.InputAudio, r.InputAudio}, {u.InputImage, r.InputImage}, {u.CacheReadAudio, r.CacheReadAudio},
		{u.OutputAudio, r.OutputAudio}, {u.OutputImage, r.OutputImage}, {request, f.Request}, {u.WebSearches, f.WebSearch},
		{u.FileSearches, f.FileSearch}, {u.CodeRuns, f.CodeRun}, {u.SearchUnits, f.SearchUnit}, {u.Images, f.Image},
		{u.Seconds, f.Second}, {u.Characters, f.Character},
	} {
		sum.Add(sum, new(big.Int).Mul(big.NewInt(part.count), big.NewInt(int64(part.rate))))
	}
	return sum.Quo(sum, big.NewInt(perMillion))
}

func TestBoundIsNeverBelowCost(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	compared := 0
	for range 40_000 {
		p, u := randomPrice(r), randomUsage(r)
		e := Exposure{LongWrites: r.IntN(2) == 0, InputMedia: r.IntN(2) == 0, OutputMedia: r.IntN(2) == 0}
		if !e.LongWrites {
			u.CacheWriteLong = 0
		}
		if !e.InputMedia {
			u.InputAudio, u.InputImage, u.CacheReadAudio = 0, 0, 0
		}
		if !e.OutputMedia {
			u.OutputAudio, u.OutputImage = 0, 0
		}
		u.LongestPrompt = min(u.LongestPrompt, u.TotalInput())
		e.Input, e.Output, e.Pieces = AddCapped(u.TotalInput(), r.Int64N(3)), AddCapped(u.TotalOutput(), r.Int64N(3)), u
		cost, err := p.Cost(u)
		if err != nil {
			continue
		}
		bound, err := p.Bound(e)
		if err == nil && bound < cost {
			t.Fatalf("%+v.Bound(%+v) = %d, but %+v costs %d", p, e, bound, u, cost)
		}
		if err != nil && !errors.Is(err, ErrOverflow) {
			t.Fatalf("%+v.Bound(%+v): %v", p, e, err)
		}
		if err == nil {
			compared++
		}
	}
	if compared < 1000 {
		t.Errorf("only %d draws fit in Money: the test compares too little", compared)
	}
}

func TestBound(t *testing.T) {
	for _, tt := range []struct {
		name string
		e    Exposure
		want Money
	}{
		{"nothing", Exposure{}, 0},
		{"short writes", Exposure{Input: 1000, Output: 10}, 2_500_000 + 100_000},
		{"long writes", Exposure{Input: 1000, Output: 10, LongWrites: true}, 4_000_000 + 100_000},
		{"long prompt", Exposure{Input: 1001, Output: 10}, 5_005_000 + 150_000},
		{"longer prompt", Exposure{Input: 5001, Output: 10, LongWrites: true}, 5001*16_000 + 300_000},
		{"media in the prompt", Exposure{Input: 1000, Output: 10, InputMedia: true}, 32_000_000 + 100_000},
		{"media in the answer", Exposure{Input: 1000, Output: 10, OutputMedia: true}, 2_500_000 + 640_000},
		{"tokens of the pieces do not count", Exposure{Pieces: Usage{Input: 5, OutputAudio: 5, WebSearches: 3}}, 0},
	} {
		got, err := tiered.Bound(tt.e)
		if err != nil || got != tt.want {
			t.Errorf("%s: Bound(%+v) = %d, %v, want %d", tt.name, tt.e, got, err, tt.want)
		}
	}
	if got, err := fees.Bound(Exposure{Input: 9, Pieces: Usage{WebSearches: 2}}); err != nil || got != 5_000_000+20_000_000 {
		t.Errorf("Bound of two searches = %d, %v, want 25000000", got, err)
	}
	if _, err := tiered.Bound(Exposure{Input: -1}); err == nil {
		t.Error("Bound of a negative input: no error")
	}
}

// A prompt below the threshold may be dearer than one above it, and Bound covers both.
func TestBoundCoversACheaperLongTier(t *testing.T) {
	p := Price{
		Rates:    Rates{Input: 5 * dollar, Output: 5 * dollar},
		Brackets: []Bracket{{Above: 10, Rates: Rates{Input: dollar, Output: 9 * dollar}}},
	}
	if got, err := p.Bound(Exposure{Input: 11, Output: 1}); err != nil || got != 11*5_000+9_000 {
		t.Errorf("Bound = %d, %v, want %d", got, err, 11*5_000+9_000)
	}
}

// randomPrice draws rates and fees of all magnitudes, with up to three brackets.
func randomPrice(r *rand.Rand) Price {
	p := Price{Rates: randomRates(r)}
	for _, fee := range p.Fees.all() {
		*fee = Rate(magnitude(r))
	}
	var steps []int64
	for range r.IntN(4) {
		steps = append(steps, magnitude(r))
	}
	slices.Sort(steps)
	for _, above := range slices.Compact(steps) {
		p.Brackets = append(p.Brackets, Bracket{Above: above, Rates: randomRates(r)})
	}
	return p
}

func randomRates(r *rand.Rand) Rates {
	var out Rates
	for _, rate := range out.all() {
		*rate = Rate(magnitude(r))
	}
	return out
}

// randomUsage draws every count, half of them zero, and a longest prompt now and then.
func randomUsage(r *rand.Rand) Usage {
	var u Usage
	for _, n := range []*int64{
		&u.Input, &u.CacheRead, &u.CacheWriteShort, &u.CacheWriteLong, &u.Output, &u.InputAudio, &u.InputImage, &u.CacheReadAudio,
		&u.OutputAudio, &u.OutputImage, &u.WebSearches, &u.FileSearches, &u.CodeRuns, &u.SearchUnits, &u.Images, &u.Seconds, &u.Characters,
	} {
		if r.IntN(2) == 0 {
			*n = magnitude(r)
		}
	}
	if r.IntN(8) == 0 {
		u.LongestPrompt = magnitude(r) % AddCapped(u.TotalInput(), 1)
	}
	return u
}

// magnitude draws a number of 0 to 63 bits, each length as likely.
func magnitude(r *rand.Rand) int64 {
	return r.Int64() >> r.IntN(64)
}
