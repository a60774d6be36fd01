package admin

import (
	"math"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
)

func TestDollarsForPeople(t *testing.T) {
	for _, tt := range []struct {
		amount pricing.Money
		want   string
	}{
		{0, "$0"},
		{1, "$0.000000"},
		{500, "$0.000001"},
		{2_404_800, "$0.002405"},
		{9_999_999, "$0.010000"},
		{10_000_000, "$0.0100"},
		{123_456_789, "$0.1235"},
		{999_999_999, "$1.0000"},
		{pricing.Dollar, "$1.00"},
		{14_200*pricing.Dollar + 45_000_000, "$14,200.05"},
		{14_200*pricing.Dollar + 44_999_999, "$14,200.04"},
		{-3*pricing.Dollar - 100_000_000, "-$3.10"},
		{1_234_567 * pricing.Dollar, "$1,234,567.00"},
		{math.MaxInt64, "$9,223,372,036.85"},
		{math.MinInt64, "-$9,223,372,036.85"},
	} {
		if got := Dollars(tt.amount).String(); got != tt.want {
			t.Errorf("%d = %q, want %q", tt.amount, got, tt.want)
		}
	}
}

func TestShareOf(t *testing.T) {
	for _, tt := range []struct {
		part, whole int64
		want        string
		json        string
	}{
		{0, 0, "0.0%", "0.000"},
		{5, 0, "0.0%", "0.000"},
		{1, 3, "33.3%", "0.333"},
		{2, 3, "66.7%", "0.667"},
		{1, 2000, "0.1%", "0.001"},
		{1, 2001, "0.0%", "0.000"},
		{3, 2, "150.0%", "1.500"},
		{-1, 100, "-1.0%", "-0.010"},
		{-1, 1000, "-0.1%", "-0.001"},
		{math.MaxInt64, math.MaxInt64, "100.0%", "1.000"},
		{math.MaxInt64, 1, "100000.0%", "1000.000"},
		{math.MinInt64, math.MaxInt64, "-100.0%", "-1.000"},
	} {
		s := shareOf(tt.part, tt.whole)
		text, err := s.MarshalText()
		if s.String() != tt.want || string(text) != tt.json || err != nil {
			t.Errorf("%d of %d = %s and %s, %v; want %s and %s", tt.part, tt.whole, s, text, err, tt.want, tt.json)
		}
	}
}

func TestBarsNeverPassTheEnd(t *testing.T) {
	for _, costs := range [][]pricing.Money{{1, 1, 1}, {0, 7, 13}, {333, 333, 334}, {1000, 0, -500}, {0, 0, 0}, {1, 999_999, 0}} {
		r := &report{Cost: Dollars(costs[0]), Levers: []leverRow{{Lever: "tier", Saved: Dollars(costs[1])}, {Lever: "other", Saved: Dollars(costs[2])}}}
		end := Share(0)
		for _, b := range r.Bars() {
			var x, width Share
			for _, part := range []struct {
				text string
				into *Share
			}{{b.X, &x}, {b.Width, &width}} {
				rate, err := pricing.ParseMoney(part.text)
				if err != nil {
					t.Fatal(err)
				}
				*part.into = Share(rate / (pricing.Dollar / 10))
			}
			if x != end {
				t.Errorf("%v: a piece begins at %s, want %s", costs, x, end)
			}
			end = x + width
		}
		if end > 1000 {
			t.Errorf("%v: bars end at %s", costs, end)
		}
	}
}
