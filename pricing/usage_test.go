package pricing

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUsageNamesEveryKindOnce(t *testing.T) {
	u := Usage{Input: 1, CacheRead: 2, CacheWriteShort: 3, CacheWriteLong: 4, Output: 5, Reasoning: 6}
	type kind struct {
		Name  string
		Count int64
	}
	var got []kind
	for name, n := range u.All() {
		got = append(got, kind{name, n})
	}
	want := []kind{{"input", 1}, {"cache_read", 2}, {"cache_write_short", 3}, {"cache_write_long", 4}, {"output", 5}, {"reasoning", 6}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	for name := range u.All() {
		if name == "output" {
			return // a loop that ends early asks for no more
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
