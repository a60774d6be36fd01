package pricing

import (
	"fmt"
	"testing"
)

// typical is a call with a warm prompt cache.
var typical = Usage{Input: 812, CacheRead: 5120, CacheWriteShort: 64, Output: 411, Reasoning: 128}

func BenchmarkCost(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tiered.Cost(typical); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	table, at := NewTable(manyListings()), date(2026, 11, 22)
	for _, model := range []ModelName{"model-7", "model-7-2026-01-01", "unknown"} {
		b.Run(string(model), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.Lookup("acme", model, at)
			}
		})
	}
}

// manyListings is a price list of the usual size, with hours on every model.
func manyListings() []Listing {
	var ls []Listing
	for i := range 100 {
		model := ModelName(fmt.Sprintf("model-%d", i))
		ls = append(ls,
			Listing{Provider: "acme", Model: model, Price: tiered},
			Listing{Provider: "acme", Model: model, Price: tiered, Windows: []Window{{Start: 1, End: 2, Weekdays: 1}}})
	}
	return ls
}

func TestRequestPathDoesNotAllocate(t *testing.T) {
	table, at := NewTable(manyListings()), date(2026, 11, 22)
	for name, f := range map[string]func(){
		"Cost":            func() { _, _ = tiered.Cost(typical) },
		"Bound":           func() { _, _ = tiered.Bound(Exposure{Input: 6000, Output: 4096, LongWrites: true}) },
		"Lookup, exact":   func() { table.Lookup("acme", "model-7", at) },
		"Lookup, dated":   func() { table.Lookup("acme", "model-7-2026-01-01", at) },
		"Lookup, unknown": func() { table.Lookup("acme", "model", at) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times, want never", name, n)
		}
	}
}
