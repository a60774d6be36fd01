package catalog

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestListingIsAsReviewed(t *testing.T) {
	var got bytes.Buffer
	for _, l := range Curated() {
		printListing(&got, l)
	}
	golden := filepath.Join("testdata", "listing.txt")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("prices changed; look at each, then run go test -update (-want +got):\n%s", diff)
	}
}

// printListing writes one line: names, rates as input/read/short write/long write/output, what else is charged, limits,
// time, source.
func printListing(w *bytes.Buffer, l pricing.Listing) {
	fmt.Fprintf(w, "%s %s  %s", l.Provider, l.Model, printRates(l.Price.Rates))
	for _, b := range l.Price.Brackets {
		fmt.Fprintf(w, "  >%d %s", b.Above, printRates(b.Rates))
	}
	if r := l.Price.Rates; r != (pricing.Rates{
		Input: r.Input, CacheRead: r.CacheRead, CacheWriteShort: r.CacheWriteShort, CacheWriteLong: r.CacheWriteLong, Output: r.Output,
	}).WithText() {
		fmt.Fprintf(w, "  media %s/%s/%s/%s/%s", r.InputAudio, r.InputImage, r.CacheReadAudio, r.OutputAudio, r.OutputImage)
	}
	if f := l.Price.Fees; f != (pricing.Fees{}) {
		fmt.Fprintf(w, "  fees %s/%s/%s", f.WebSearch, f.FileSearch, f.CodeRun)
	}
	for _, v := range l.Variants {
		fmt.Fprintf(w, "  %s %s", v.Service, printRates(v.Price.Rates))
		for _, b := range v.Price.Brackets {
			fmt.Fprintf(w, " >%d %s", b.Above, printRates(b.Rates))
		}
	}
	for _, u := range l.Uplifts {
		fmt.Fprintf(w, "  %s %d", u.Region, u.PPM)
	}
	fmt.Fprintf(w, "  %d %d %d", l.Limits.Context, l.Limits.MaxOutput, l.Limits.CacheMinimum)
	if !l.From.IsZero() {
		fmt.Fprintf(w, "  from %s", l.From.Format(time.RFC3339))
	}
	if !l.Until.IsZero() {
		fmt.Fprintf(w, "  until %s", l.Until.Format(time.RFC3339))
	}
	for _, win := range l.Windows {
		fmt.Fprintf(w, "  %07b %s-%s but %d days", win.Weekdays, win.Start, win.End, len(win.Except))
	}
	if len(l.Aliases) > 0 {
		fmt.Fprintf(w, "  aka %s", l.Aliases)
	}
	fmt.Fprintf(w, "  %s %s\n", l.Source, l.AsOf)
}

func printRates(r pricing.Rates) string {
	return fmt.Sprintf("%s/%s/%s/%s/%s", r.Input, r.CacheRead, r.CacheWriteShort, r.CacheWriteLong, r.Output)
}

func TestListingsAreSound(t *testing.T) {
	for _, l := range Curated() {
		p := l.Price
		if l.Source == "" || l.AsOf == "" {
			t.Errorf("%s %s: no source or day of reading", l.Provider, l.Model)
		}
		if p.Input == 0 {
			t.Errorf("%s %s: input is free of charge", l.Provider, l.Model)
		}
		if p.CacheRead > p.Input || p.CacheWriteShort < p.Input || p.CacheWriteLong < p.CacheWriteShort {
			t.Errorf("%s %s: rates %s are out of order", l.Provider, l.Model, printRates(p.Rates))
		}
		below := pricing.Bracket{Rates: p.Rates}
		for _, b := range p.Brackets {
			if b.Above <= below.Above || b.Input < below.Input || b.CacheRead < below.CacheRead || b.CacheWriteShort < below.CacheWriteShort ||
				b.CacheWriteLong < below.CacheWriteLong || b.Output < below.Output {
				t.Errorf("%s %s: rates %s above %d are below %s", l.Provider, l.Model, printRates(b.Rates), b.Above, printRates(below.Rates))
			}
			if l.Limits.Context < b.Above {
				t.Errorf("%s %s: context of %d tokens never reaches the bracket above %d", l.Provider, l.Model, l.Limits.Context, b.Above)
			}
			below = b
		}
	}
}

// A name may have several listings only where their times do not overlap, hours apart.
func TestNamesAreUnambiguous(t *testing.T) {
	type key struct {
		provider pricing.ProviderName
		name     pricing.ModelName
		hours    bool
	}
	seen := map[key][]pricing.Listing{}
	for _, l := range Curated() {
		for _, name := range append([]pricing.ModelName{l.Model}, l.Aliases...) {
			k := key{l.Provider, name, len(l.Windows) > 0}
			for _, other := range seen[k] {
				if (l.Until.IsZero() || other.From.Before(l.Until)) && (other.Until.IsZero() || l.From.Before(other.Until)) {
					t.Errorf("%s %s is listed twice, as %s and %s, for the same time", l.Provider, name, l.Model, other.Model)
				}
			}
			seen[k] = append(seen[k], l)
		}
	}
}

func TestPricesThatAreEasilyConfused(t *testing.T) {
	for _, tt := range []struct {
		provider pricing.ProviderName
		model    pricing.ModelName
		at       string
		want     string // input/read/short write/long write/output, "" for unknown
	}{
		{"openai", "gpt-4o", "2026-11-22", "2.5/1.25/2.5/2.5/10"},
		{"openai", "gpt-4o-2024-08-06", "2026-11-22", "2.5/1.25/2.5/2.5/10"},
		{"openai", "gpt-4o-2024-05-13", "2026-11-22", "5/5/5/5/15"},
		{"openai", "gpt-4o-audio-preview-2024-12-17", "2026-11-22", "2.5/2.5/2.5/2.5/10"},
		{"openai", "gpt-5", "2026-11-22", "1.25/0.125/1.25/1.25/10"},
		{"openai", "gpt-5-pro", "2026-11-22", "15/15/15/15/120"},
		{"openai", "gpt-5-ultra", "2026-11-22", ""},
		{"openai", "gpt-4-0613", "2026-11-22", "30/30/30/30/60"},
		{"openai", "gpt-3.5-turbo-0125", "2026-11-22", "0.5/0.5/0.5/0.5/1.5"},
		{"openai", "gpt-3.5-turbo-1106", "2026-11-22", "1/1/1/1/2"},
		{"openai", "o3", "2025-06-09", "10/2.5/10/10/40"},
		{"openai", "o3-2025-04-16", "2025-06-10", "2/0.5/2/2/8"},
		{"openai", "gpt-5.6-sol", "2026-08-20", "5/0.5/6.25/6.25/30"},
		{"openai", "gpt-5.6-sol", "2026-08-21", "4/0.4/5/5/20"},
		{"openai", "gpt-5.6", "2026-11-21", "4/0.4/5/5/20"},
		{"openai", "gpt-5.6-sol", "2026-11-22", "5/0.5/6.25/6.25/30"},
		{"openai", "gpt-5.6-terra", "2026-07-29", "2.5/0.25/3.125/3.125/15"},
		{"openai", "gpt-5.6-terra", "2026-07-30", "2/0.2/2.5/2.5/12"},
		{"openai", "gpt-5.6-luna", "2026-07-29", "1/0.1/1.25/1.25/6"},
		{"openai", "gpt-5.6-luna", "2026-07-30", "0.2/0.02/0.25/0.25/1.2"},
		{"openai", "gpt-6.1-terra", "2026-11-22", "1/0.05/1.25/2.5/5"},
		{"openai", "text-embedding-3-small", "2026-11-22", "0.02/0.02/0.02/0.02/0"},
		{"anthropic", "claude-opus-4", "2026-11-22", "15/1.5/18.75/30/75"},
		{"anthropic", "claude-opus-4-5-20251101", "2026-11-22", "5/0.5/6.25/10/25"},
		{"anthropic", "claude-haiku-4-5-20251001", "2026-11-22", "1/0.1/1.25/2/5"},
		{"anthropic", "claude-3-haiku-20240307", "2026-11-22", "0.25/0.03/0.3/0.5/1.25"},
		{"anthropic", "claude-sonnet-5-5", "2026-10-06", "2/0.2/2.5/4/10"},
		{"anthropic", "claude-sonnet-5-5", "2026-10-07", "2/0.1/2.5/4/10"},
		{"anthropic", "claude-sonnet-5", "2026-09-02", "2/0.2/2.5/4/10"},
		{"anthropic", "claude-mythos-5-1", "2026-11-22", "10/0.25/12.5/20/50"},
		{"google", "gemini-3.8-flash", "2026-12-31", "0.75/0.075/0.75/0.75/3.75"},
		{"google", "gemini-3.8-flash", "2027-01-01", "1.5/0.15/1.5/1.5/7.5"},
		{"google", "gemini-3.7-flash", "2027-01-01", "1.5/0.15/1.5/1.5/7.5"},
		{"google", "gemini-3.6-flash", "2027-01-01", "1.5/0.15/1.5/1.5/7.5"},
		{"mistral", "mistral-medium-3-5", "2026-11-22", "1.5/0.15/1.5/1.5/7.5"},
		{"mistral", "mistral-medium-latest", "2026-11-22", "1.5/0.15/1.5/1.5/7.5"},
		{"mistral", "mistral-medium-2508", "2026-11-22", "0.4/0.04/0.4/0.4/2"},
		{"zai", "glm-4.7", "2026-11-22", "0.6/0.11/0.6/0.6/2.2"},
		{"azure_openai", "gpt-5.4", "2026-11-22", "2.5/0.25/2.5/2.5/15"},
		{"aws_bedrock", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "2026-11-22", "1.1/0.11/1.375/2.2/5.5"},
		{"anthropic", "gpt-4o", "2026-11-22", ""},
	} {
		if got := ratesOn(t, tt.provider, tt.model, tt.at); got != tt.want {
			t.Errorf("%s %s on %s: rates %q, want %q", tt.provider, tt.model, tt.at, got, tt.want)
		}
	}
}

// ratesOn prints what a model costs on a day, "" if nobody lists it.
func ratesOn(t *testing.T, provider pricing.ProviderName, model pricing.ModelName, day string) string {
	t.Helper()
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	l := Table().Lookup(provider, model, at)
	if l == nil {
		return ""
	}
	return printRates(l.Price.Rates)
}

func TestBrackets(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		provider pricing.ProviderName
		model    pricing.ModelName
		prompt   int64
		want     string
	}{
		{"anthropic", "claude-haiku-5-5", 100_000, "0.1/0.01/0.125/0.2/0.5"},
		{"anthropic", "claude-haiku-5-5", 100_001, "0.5/0.05/0.625/1/2.5"},
		{"anthropic", "claude-sonnet-4-5", 200_001, "6/0.6/7.5/12/22.5"},
		{"anthropic", "claude-sonnet-4-6", 900_000, "3/0.3/3.75/6/15"},
		{"openai", "gpt-5.6-luna", 272_001, "0.4/0.04/0.5/0.5/1.8"},
		{"openai", "gpt-6.2-sol", 272_001, "4/0.2/5/10/15"},
		{"xai", "grok-4-0709", 128_001, "6/6/6/6/30"},
		{"alibaba", "qwen3.7-plus", 256_001, "1.2/0.24/1.2/1.2/4.8"},
		{"alibaba", "qwen3-coder-plus", 32_000, "1/0.1/1/1/5"},
		{"alibaba", "qwen3-coder-plus", 32_001, "1.8/0.18/1.8/1.8/9"},
		{"alibaba", "qwen3-coder-plus", 128_001, "3/0.3/3/3/15"},
		{"alibaba", "qwen3-coder-plus", 256_001, "6/0.6/6/6/60"},
		{"aws_bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", 200_001, "6.6/0.66/8.25/13.2/24.75"},
	} {
		p := Table().Lookup(tt.provider, tt.model, at).Price
		if got := printRates(p.RatesFor(tt.prompt)); got != tt.want {
			t.Errorf("%s %s with a prompt of %d tokens: %s, want %s", tt.provider, tt.model, tt.prompt, got, tt.want)
		}
	}
}

func TestDeepSeekHours(t *testing.T) {
	const off, peak = pricing.Rate(150_000_000), pricing.Rate(300_000_000)
	for at, want := range map[string]pricing.Rate{
		"2026-11-20T00:59:59Z":      off, // a Friday
		"2026-11-20T01:00:00Z":      peak,
		"2026-11-20T03:59:59Z":      peak,
		"2026-11-20T04:00:00Z":      off,
		"2026-11-20T06:00:00Z":      peak,
		"2026-11-20T10:00:00Z":      off,
		"2026-11-20T17:30:00+08:00": peak,
		"2026-11-21T02:00:00Z":      off, // a Saturday
		"2026-11-22T02:00:00Z":      off,
		"2026-11-23T02:00:00Z":      peak,
		"2026-09-25T02:00:00Z":      off, // a Friday, Mid-Autumn
		"2026-09-30T02:00:00Z":      peak,
		"2026-10-01T02:00:00Z":      off, // a Thursday, National Day
		"2026-10-07T09:59:59Z":      off,
		"2026-10-08T02:00:00Z":      peak,
		"2026-10-10T02:00:00Z":      off, // a Saturday on which China works
		"2027-10-01T02:00:00Z":      off,
		"2026-08-16T15:59:59Z":      140_000_000, // deepseek-v4-flash's own price
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		l := Table().Lookup("deepseek", "deepseek-v4-flash", moment)
		if l == nil || l.Price.Input != want {
			t.Errorf("at %s: listing %+v, want input at %s", at, l, want)
		}
	}
}

func TestLimits(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		provider pricing.ProviderName
		model    pricing.ModelName
		want     pricing.Limits
	}{
		{"openai", "gpt-4o", pricing.Limits{Context: 128_000, MaxOutput: 16_384, CacheMinimum: 1024}},
		{"openai", "gpt-4", pricing.Limits{Context: 8192, MaxOutput: 4096}},
		{"anthropic", "claude-opus-4-7", pricing.Limits{Context: 1_000_000, MaxOutput: 128_000, CacheMinimum: 4096}},
		{"anthropic", "claude-opus-5", pricing.Limits{Context: 1_000_000, MaxOutput: 128_000, CacheMinimum: 512}},
		{"anthropic", "claude-haiku-5-5", pricing.Limits{Context: 1_000_000, MaxOutput: 128_000}},
		{"google", "gemini-3.7-flash", pricing.Limits{Context: 1_000_000, MaxOutput: 1_000_000}},
		{"together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", pricing.Limits{}},
	} {
		if diff := cmp.Diff(tt.want, Table().Lookup(tt.provider, tt.model, at).Limits); diff != "" {
			t.Errorf("limits of %s %s (-want +got):\n%s", tt.provider, tt.model, diff)
		}
	}
}
