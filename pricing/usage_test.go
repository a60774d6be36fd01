package pricing

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// distinct is a usage with a count of its own for every kind.
var distinct = Usage{
	Input: 1, CacheRead: 2, CacheWriteShort: 3, CacheWriteLong: 4, Output: 5, Reasoning: 6, InputAudio: 7, InputImage: 8, CacheReadAudio: 9,
	OutputAudio: 10, OutputImage: 11, WebSearches: 12, FileSearches: 13, CodeRuns: 14, SearchUnits: 15, Images: 16, Seconds: 17, Characters: 18,
}

func TestUsageNamesEveryKindOnce(t *testing.T) {
	type kind struct {
		Name  string
		Count int64
	}
	var got []kind
	for name, n := range distinct.All() {
		got = append(got, kind{name, n})
	}
	want := []kind{
		{"input", 1}, {"cache_read", 2}, {"cache_write_short", 3}, {"cache_write_long", 4}, {"output", 5}, {"reasoning", 6},
		{"input_audio", 7}, {"input_image", 8}, {"cache_read_audio", 9}, {"output_audio", 10}, {"output_image", 11}, {"web_searches", 12},
		{"file_searches", 13}, {"code_runs", 14}, {"search_units", 15}, {"images", 16}, {"seconds", 17}, {"characters", 18},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	for name := range distinct.All() {
		if name == "output" {
			return // a loop that ends early asks for no more
		}
	}
}

func TestTotals(t *testing.T) {
	if in, out := distinct.TotalInput(), distinct.TotalOutput(); in != 1+2+3+4+7+8+9 || out != 5+10+11 {
		t.Errorf("totals of %+v: %d and %d, want 34 and 26", distinct, in, out)
	}
	most := Usage{Input: math.MaxInt64, CacheRead: math.MaxInt64, CacheWriteShort: 3, CacheReadAudio: 4, Output: math.MaxInt64, OutputAudio: 1}
	if in, out := most.TotalInput(), most.TotalOutput(); in != math.MaxInt64 || out != math.MaxInt64 {
		t.Errorf("totals of %+v: %d and %d, want the largest count", most, in, out)
	}
	if got := (Usage{Input: 5, LongestPrompt: 3}).Prompt(); got != 3 {
		t.Errorf("prompt of a usage that states the longest: %d, want 3", got)
	}
	if got := (Usage{Input: 5, InputAudio: 1}).Prompt(); got != 6 {
		t.Errorf("prompt: %d, want all input, 6", got)
	}
}

func TestUncachedReadsAllAtTheFullPrice(t *testing.T) {
	want := distinct
	want.Input, want.InputAudio = 1+2+3+4, 7+9
	want.CacheRead, want.CacheWriteShort, want.CacheWriteLong, want.CacheReadAudio = 0, 0, 0, 0
	if diff := cmp.Diff(want, distinct.Uncached()); diff != "" {
		t.Errorf("Uncached (-want +got):\n%s", diff)
	}
}

func TestPlusAddsEveryKind(t *testing.T) {
	u := Usage{}
	for i, n := range u.Counts() {
		*n = int64(i + 1)
	}
	sum := u.Plus(u)
	for i, n := range sum.Counts() {
		if *n != 2*int64(i+1) {
			t.Errorf("%s: got %d, want twice %d", kinds[i], *n, i+1)
		}
	}
	for _, tt := range []struct {
		name    string
		a, b    Usage
		longest int64
	}{
		{"one prompt", Usage{Input: 5}, Usage{Output: 7}, 0},
		{"two prompts", Usage{Input: 5}, Usage{Input: 3, CacheRead: 4}, 7},
		{"several prompts and one", Usage{Input: 9, LongestPrompt: 2}, Usage{Input: 1}, 2},
	} {
		if got := tt.a.Plus(tt.b).LongestPrompt; got != tt.longest {
			t.Errorf("%s: longest prompt %d, want %d", tt.name, got, tt.longest)
		}
	}
}

func TestAddCappedStopsAtTheLargestNumber(t *testing.T) {
	for _, tt := range []struct{ a, b, want Money }{
		{1, 2, 3},
		{math.MaxInt64, 0, math.MaxInt64},
		{math.MaxInt64 - 1, 1, math.MaxInt64},
		{math.MaxInt64, 1, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{math.MaxInt64, -1, math.MaxInt64 - 1},
		{-1, math.MaxInt64, math.MaxInt64 - 1},
		{-3, -4, -7},
		{-math.MaxInt64, -1, -math.MaxInt64},
		{math.MinInt64, -1, -math.MaxInt64},
		{-math.MaxInt64, -math.MaxInt64, -math.MaxInt64},
		{math.MinInt64, math.MaxInt64, -1},
	} {
		if got := AddCapped(tt.a, tt.b); got != tt.want {
			t.Errorf("AddCapped(%d, %d) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestCutDate(t *testing.T) {
	for _, tt := range []struct {
		name, base ModelName
		dated      bool
	}{
		{"gpt-4.1-2025-04-14", "gpt-4.1", true},
		{"claude-haiku-4-5-20251001", "claude-haiku-4-5", true},
		{"claude-haiku-4-5@20251001", "claude-haiku-4-5", true},
		{"gpt-4.1", "", false},
		{"-20250414", "", false},
		{"gpt-4-0613", "", false},
	} {
		if base, dated := tt.name.CutDate(); base != tt.base || dated != tt.dated {
			t.Errorf("%q.CutDate() = %q, %t, want %q, %t", tt.name, base, dated, tt.base, tt.dated)
		}
	}
}
