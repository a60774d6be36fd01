package catalog

import (
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog/internal/packed"
)

func BenchmarkLookup(b *testing.B) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name     string
		provider pricing.ProviderName
		model    pricing.ModelName
	}{
		{"hit", "openai", "gpt-5.4"},
		{"alias", "openai", "gpt-5.6"},
		{"dated", "openai", "gpt-5.4-2026-03-05"},
		{"profile", "aws_bedrock", "us.anthropic.claude-opus-4-6-20260205-v1:0"},
		{"reseller", "azure_openai", "gpt-6-sol"},
		{"unknown", "openai", "gpt-nine"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Table().Lookup(tt.provider, tt.model, at)
			}
		})
	}
}

// BenchmarkOpen is what the catalogue costs at start.
func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustOpen(data)
	}
}

// BenchmarkFirstLookup opens the catalogue and decodes one listing.
func BenchmarkFirstLookup(b *testing.B) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		pricing.NewTableOver(nil, mustOpen(data)).Lookup("openai", "gpt-5.4", at)
	}
}

// BenchmarkDecodeAll decodes every listing.
func BenchmarkDecodeAll(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c, err := packed.Open(data)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for range c.All() {
			n++
		}
		b.ReportMetric(float64(n), "listings")
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, model := range []pricing.ModelName{"gpt-5.4", "gpt-5.4-2026-03-05", "gpt-nine"} {
		if n := testing.AllocsPerRun(100, func() { Table().Lookup("openai", model, at) }); n != 0 {
			t.Errorf("looking %s up allocates %v times, want never", model, n)
		}
	}
}
