package policyfile

import (
	"fmt"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// reads checks what a quantity is read as; "" as the code means that it is right.
func reads[T comparable](t *testing.T, read func(string) (T, *mistake), text string, want T, code Code) {
	t.Helper()
	got, m := read(text)
	if code == "" && (m != nil || got != want) {
		t.Errorf("%q is read as %v, %+v; want %v", text, got, m, want)
	}
	if code != "" && (m == nil || m.code != code) {
		t.Errorf("%q is read as %v, %+v; want %s", text, got, m, code)
	}
}

func TestDollars(t *testing.T) {
	for text, want := range map[string]pricing.Money{
		"$0": 0, "$5": 5_000_000_000, "$14,200": 14_200_000_000_000, "$1,234,567.5": 1_234_567_500_000_000,
		"$2.10": 2_100_000_000, "$0.000000001": 1, "$9223372036.854775807": 1<<63 - 1,
	} {
		reads(t, dollars, text, want, "")
	}
	for text, code := range map[string]Code{
		"5": MissingUnit, "-5": ImpossibleLimit, "$-5": ImpossibleLimit, "-$5": ImpossibleLimit, "5 EUR": BadValue, "$": BadValue,
		"$1,42": BadValue, "$,142": BadValue, "$1234,567": BadValue, "$1.5,000": BadValue, "$1e3": BadValue, "$.5": BadValue,
		"$5.": BadValue, "$1 000": BadValue, "$0.0000000001": TooPrecise, "$1.0000000000": TooPrecise,
		"$9223372036.854775808": OutOfRange, "$99999999999": OutOfRange,
	} {
		reads(t, dollars, text, 0, code)
	}
}

func TestTokens(t *testing.T) {
	for text, want := range map[string]int64{
		"10 tokens": 10, "1 token": 1, "2k tokens": 2000, "1.5k tokens": 1500, "1,000 tokens": 1000, "1M tokens": 1_000_000,
		"0.000001M tokens": 1, "0 tokens": 0, "  8k   tokens ": 8000,
	} {
		reads(t, tokens, text, want, "")
	}
	for text, code := range map[string]Code{
		"10": MissingUnit, "2k": MissingUnit, "10 words": BadValue, "ten tokens": BadValue, "1.5 tokens": BadValue,
		"1.0005k tokens": BadValue, "-1 tokens": ImpossibleLimit, "k tokens": BadValue, "99999999999 tokens": OutOfRange,
		"99999M tokens": OutOfRange, "": BadValue, "1K tokens": BadValue,
	} {
		reads(t, tokens, text, 0, code)
	}
}

func TestRangesOfTokensMeetWithoutGapOrOverlap(t *testing.T) {
	for text, want := range map[string]policies.Range{
		"below 2k tokens": {Max: 2000}, "2k to 8k tokens": {Min: 2000, Max: 8001}, "above 8k tokens": {Min: 8001},
		"2000 tokens to 8000 tokens": {Min: 2000, Max: 8001}, "5 to 5 tokens": {Min: 5, Max: 6}, "above 0 tokens": {Min: 1},
	} {
		reads(t, tokenRange, text, want, "")
	}
	for text, code := range map[string]Code{
		"below 0 tokens": ImpossibleLimit, "below 2000": MissingUnit, "above": BadValue, "2 to 8": MissingUnit, "8 to 2 tokens": ImpossibleLimit,
		"2000": MissingUnit, "2000 tokens": BadValue, "few": BadValue,
	} {
		reads(t, tokenRange, text, policies.Range{}, code)
	}
}

func TestOtherQuantities(t *testing.T) {
	reads(t, throughput, "2500 tokens per second", 2500, "")
	for text, want := range map[string]string{
		"15": "15%", "1": "1%", "0": "0%", "0.15": "15%", "0.075": "7.5%", "0.5": "50%", "0.001": "0.1%", "1.5": "1.5%",
	} {
		if _, m := percent(text); m == nil || m.hint != fmt.Sprintf("write %q", want) {
			t.Errorf("percent(%q): %+v, want the hint to write %q", text, m, want)
		}
	}
	reads(t, throughput, "2500 tokens", 0, MissingUnit)
	reads(t, throughput, "2500 tokens per minute", 0, MissingUnit)
	reads(t, gpuHour, "$2.10  per gpu-hour", 2_100_000_000, "")
	reads(t, gpuHour, "$2.10 per hour", 0, MissingUnit)
	reads(t, perMillion, "$30 per 1M", 30_000_000_000, "")
	reads(t, perMillion, "$0.5 per 1M tokens", 500_000_000, "")
	reads(t, perMillion, "$30 per 1k", 0, MissingUnit)
	reads(t, megabytes, "256 MB", 256, "")
	reads(t, megabytes, "2 GB", 2048, "")
	reads(t, megabytes, "256MB", 0, BadValue)
	reads(t, megabytes, "99999999 GB", 0, OutOfRange)
	reads(t, temperature, "up to 0.7", 0.7, "")
	reads(t, temperature, "up to 1e1", 0, BadValue)
	reads(t, temperature, "up to NaN", 0, BadValue)
	reads(t, gpus, "8", 8, "")
	reads(t, gpus, "1.5", 0, BadValue)
	reads(t, gpus, "-1", 0, ImpossibleLimit)
}

func TestLifetime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"24h": 24 * time.Hour, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "1s": time.Second,
	} {
		reads(t, lifetime, text, want, "")
	}
	for text, code := range map[string]Code{
		"24": MissingUnit, "-24": MissingUnit, "-24h": ImpossibleLimit, "1ms": ImpossibleLimit, "0s": ImpossibleLimit, "0d": ImpossibleLimit,
		"a day": BadValue, "99999999d": BadValue, "999999999h": BadValue, "": BadValue,
	} {
		reads(t, lifetime, text, 0, code)
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"economy", "medium", "heavy"}
	for got, want := range map[string]string{
		"econmy": `did you mean "economy"?`, "Heavy": `did you mean "heavy"?`, "meduim": `did you mean "medium"?`, "routing": "", "": "",
	} {
		if hint := didYouMean(got, names); hint != want {
			t.Errorf("didYouMean(%q) = %q, want %q", got, hint, want)
		}
	}
}
