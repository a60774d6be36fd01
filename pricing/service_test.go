package pricing

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// served is a listing with a class of service of each sort.
var served = Listing{
	Price: Price{Rates: Rates{Input: 2 * dollar, Output: 10 * dollar}, Fees: Fees{WebSearch: 10_000 * dollar}},
	Variants: []Variant{
		{Batch, Price{Rates: Rates{Input: dollar, Output: 5 * dollar}}},
		{Priority, Price{
			Rates:    Rates{Input: 4 * dollar, Output: 9 * dollar},
			Brackets: []Bracket{{Above: 100, Rates: Rates{Input: 8 * dollar, Output: 18 * dollar}}},
		}},
	},
	Uplifts: []Uplift{{"us", 1_100_000}},
}

func TestPriceFor(t *testing.T) {
	for _, tt := range []struct {
		name          string
		terms         Terms
		input, output Rate
		known         bool
	}{
		{"standard", Terms{}, 2 * dollar, 10 * dollar, true},
		{"a class with a price", Terms{Service: Batch}, dollar, 5 * dollar, true},
		{"a class without one has the dearest rates", Terms{Service: Fast}, 4 * dollar, 10 * dollar, false},
		{"a region with an uplift", Terms{Region: "us"}, 2_200_000_000, 11 * dollar, true},
		{"a region without", Terms{Region: "eu"}, 2 * dollar, 10 * dollar, true},
		{"both", Terms{Service: Batch, Region: "us"}, 1_100_000_000, 5_500_000_000, true},
		{"an unknown class keeps its uplift", Terms{Service: Flex, Region: "us"}, 4_400_000_000, 11 * dollar, false},
	} {
		got, known := served.PriceFor(tt.terms)
		if got.Input != tt.input || got.Output != tt.output || known != tt.known {
			t.Errorf("%s: PriceFor(%+v) = %+v, %t, want input %s, output %s, %t", tt.name, tt.terms, got, known, tt.input, tt.output, tt.known)
		}
	}
}

func TestUpliftOfAnyRegion(t *testing.T) {
	l := Listing{Price: Flat(100), Uplifts: []Uplift{{AnyRegion, 1_100_000}, {"us", 1_200_000}}}
	for region, want := range map[string]Rate{"": 100, "global": 100, "us": 120, "europe-west1": 110} {
		if got, known := l.PriceFor(Terms{Region: region}); !known || got.Input != want {
			t.Errorf("in %q: %s, %t, want %s", region, got.Input, known, want)
		}
	}
}

func TestPriceForDoesNotChangeTheListing(t *testing.T) {
	l := Listing{Price: tiered, Uplifts: []Uplift{{"us", 1_100_000}}}
	if scaled, _ := l.PriceFor(Terms{Region: "us"}); scaled.Brackets[0].Input != 4_400_000_000 {
		t.Errorf("bracket of an uplifted price: %s, want 4.4", scaled.Brackets[0].Input)
	}
	if got := l.Price.Brackets[0].Input; got != 4*dollar {
		t.Errorf("the listing's bracket became %s", got)
	}
}

func TestAnUpliftThatDoesNotFitIsUnknown(t *testing.T) {
	l := Listing{Price: Flat(math.MaxInt64), Uplifts: []Uplift{{"us", 2_000_000}}}
	if got, known := l.PriceFor(Terms{Region: "us"}); known || got.Input != math.MaxInt64 {
		t.Errorf("PriceFor = %+v, %t, want the price without the uplift, not known", got, known)
	}
}

func TestScaled(t *testing.T) {
	got, err := tiered.Scaled(500_000)
	if err != nil {
		t.Fatal(err)
	}
	if got.Input != dollar || got.OutputAudio != 32*dollar || got.Brackets[1].CacheRead != 400_000_000 {
		t.Errorf("half of tiered: %+v", got)
	}
	if p, err := (Price{Rates: Rates{Input: 1, Output: 3}, Fees: fees.Fees}).Scaled(500_000); err != nil || p.Input != 1 || p.Output != 2 || p.Fees != fees.Fees {
		t.Errorf("half of 1 and 3: %+v, %v, want 1 and 2, and the same fees", p, err)
	}
	if _, err := Flat(math.MaxInt64).Scaled(1_000_001); !errors.Is(err, ErrOverflow) {
		t.Errorf("a scale that does not fit: %v, want an error that wraps ErrOverflow", err)
	}
	for _, refused := range []struct {
		price Price
		ppm   int64
	}{{tiered, -1}, {Price{Brackets: []Bracket{{Above: 1, Rates: Rates{Output: -1}}}}, 1}} {
		if _, err := refused.price.Scaled(refused.ppm); err == nil || errors.Is(err, ErrOverflow) {
			t.Errorf("%+v.Scaled(%d): %v, want a refusal", refused.price, refused.ppm, err)
		}
	}
}

func TestScaledAgreesWithBig(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		rate, ppm := Rate(magnitude(r)), magnitude(r)
		want := new(big.Int).Mul(big.NewInt(int64(rate)), big.NewInt(ppm))
		want.Quo(want.Add(want, big.NewInt(perMillion/2)), big.NewInt(perMillion))
		got, err := Price{Rates: Rates{Output: rate}}.Scaled(ppm)
		if fits := want.IsInt64(); fits != (err == nil) || (fits && int64(got.Output) != want.Int64()) {
			t.Fatalf("%d by %d: %d, %v, want %s", rate, ppm, got.Output, err, want)
		}
	}
}

// The dearer of two prices charges each kind at the higher of its two rates, whatever the length of the prompt.
func TestDearerIsTheHigherRateAtEveryLength(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		a, b := randomPrice(r), randomPrice(r)
		dear := Dearer(a, b)
		prompts := []int64{0, magnitude(r), math.MaxInt64}
		for _, p := range [...]Price{a, b} {
			for _, bracket := range p.Brackets {
				prompts = append(prompts, bracket.Above, AddCapped(bracket.Above, 1))
			}
		}
		for _, prompt := range prompts {
			want := a.RatesFor(prompt).max(b.RatesFor(prompt))
			if diff := cmp.Diff(want, dear.RatesFor(prompt)); diff != "" {
				t.Fatalf("a prompt of %d tokens (-want +got):\n%s\na: %+v\nb: %+v", prompt, diff, a, b)
			}
		}
		for i, fee := range dear.Fees.all() {
			if *fee != max(*a.Fees.all()[i], *b.Fees.all()[i]) {
				t.Fatalf("fees %+v of %+v and %+v", dear.Fees, a.Fees, b.Fees)
			}
		}
	}
}

func TestDearest(t *testing.T) {
	want := Price{
		Rates: Rates{Input: 4 * dollar, Output: 10 * dollar}, Fees: Fees{WebSearch: 10_000 * dollar},
		Brackets: []Bracket{{Above: 100, Rates: Rates{Input: 8 * dollar, Output: 18 * dollar}}},
	}
	if diff := cmp.Diff(want, served.Dearest()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWithTextFillsWhatIsNotStated(t *testing.T) {
	want := Rates{
		Input: 1, CacheRead: 2, CacheWriteShort: 3, CacheWriteLong: 4, Output: 5,
		InputAudio: 1, InputImage: 9, CacheReadAudio: 2, OutputAudio: 5, OutputImage: 5,
	}
	got := Rates{Input: 1, CacheRead: 2, CacheWriteShort: 3, CacheWriteLong: 4, Output: 5, InputImage: 9}.WithText()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Flat(7); got.Rates != (Rates{7, 7, 7, 7, 7, 7, 7, 7, 7, 7}) || got.Fees != (Fees{}) {
		t.Errorf("Flat(7) = %+v", got)
	}
}
