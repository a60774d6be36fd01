package exchange

import (
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
)

func TestDollars(t *testing.T) {
	for m, want := range map[pricing.Money]string{
		0: "$0.00", 1: "$0.000000001", pricing.Dollar: "$1.00", 14_200 * pricing.Dollar: "$14200.00",
		pricing.Dollar / 100: "$0.01", 3_500_000: "$0.0035", 1_234_567_890: "$1.23", 999_999: "$0.00099",
		9_999_999: "$0.0099",
	} {
		if got := dollars(m); got != want {
			t.Errorf("dollars(%s) = %q, want %q", m, got, want)
		}
	}
}

func TestAtMost(t *testing.T) {
	for m, want := range map[pricing.Money]string{
		0: "$0.00", 1: "$0.000000001", 12: "$0.000000012", 123: "$0.00000013", pricing.Dollar: "$1.00", 3_500_000: "$0.0035",
		3_500_001: "$0.0036", 10_000_001: "$0.02", 1_234_567_890: "$1.24",
	} {
		if got := atMost(m); got != want {
			t.Errorf("atMost(%s) = %q, want %q", m, got, want)
		}
	}
}

func TestJoined(t *testing.T) {
	in := Incoming{Headers: []Header{{"a", "1"}, {"b", "x"}, {"a", ""}, {"a", "3"}}}
	for name, want := range map[string]string{"a": "1,,3", "b": "x", "c": ""} {
		if got := in.joined(name); got != want {
			t.Errorf("joined(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestUsageText(t *testing.T) {
	for _, tt := range []struct {
		usage pricing.Usage
		want  string
	}{
		{pricing.Usage{}, "{}"},
		{pricing.Usage{Output: 3}, `{"output":3}`},
		{pricing.Usage{Input: 1, CacheRead: 2, CacheWriteShort: 3, CacheWriteLong: 4, Output: 5, Reasoning: 6}, `{"input":1,"cache_read":2,"cache_write_short":3,"cache_write_long":4,"output":5,"reasoning":6}`},
	} {
		if got := usageText(&tt.usage); got != tt.want {
			t.Errorf("usageText(%+v) = %s, want %s", tt.usage, got, tt.want)
		}
	}
}
