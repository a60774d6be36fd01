package catalog

import (
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

func TestClassesOfService(t *testing.T) {
	for _, tt := range []struct {
		provider pricing.ProviderName
		model    pricing.ModelName
		at       string
		terms    pricing.Terms
		want     string // input/read/short write/long write/output, "" for unknown
	}{
		{"openai", "gpt-5.4", "2026-11-22", pricing.Terms{Service: pricing.Batch}, "1.25/0.125/1.25/1.25/7.5"},
		{"openai", "gpt-5.4-2026-03-05", "2026-11-22", pricing.Terms{Service: pricing.Flex}, "1.25/0.125/1.25/1.25/7.5"},
		{"openai", "gpt-4o-2024-08-06", "2026-11-22", pricing.Terms{Service: pricing.Batch}, "1.25/0.625/1.25/1.25/5"},
		{"openai", "gpt-4o", "2026-11-22", pricing.Terms{Service: pricing.Priority}, "4.25/2.125/4.25/4.25/17"},
		{"openai", "gpt-4o", "2026-11-22", pricing.Terms{Service: pricing.Flex}, ""},
		{"openai", "gpt-5.5", "2026-11-22", pricing.Terms{Service: pricing.Priority}, "12.5/1.25/12.5/12.5/75"},
		{"openai", "gpt-5.6-luna", "2026-07-29", pricing.Terms{Service: pricing.Batch}, "0.5/0.05/0.625/0.625/3"},
		{"openai", "gpt-5.6-luna", "2026-11-22", pricing.Terms{Service: pricing.Batch}, "0.1/0.01/0.125/0.125/0.6"},
		{"openai", "gpt-6-sol", "2026-11-22", pricing.Terms{Service: pricing.Priority}, "4/0.4/5/5/20"},
		{"openai", "gpt-6-sol", "2026-11-22", pricing.Terms{Region: "eu"}, "2.2/0.22/2.75/2.75/11"},
		{"openai", "gpt-6.1-sol", "2026-11-22", pricing.Terms{Service: pricing.Ultrafast}, "12/0.6/15/15/60"},
		{"openai", "gpt-6.2-sol", "2027-02-28", pricing.Terms{Service: pricing.Ultrafast}, "6/0.3/7.5/15/30"},
		{"openai", "gpt-6.2-sol", "2027-03-01", pricing.Terms{Service: pricing.Ultrafast}, "12/0.6/15/30/60"},
		{"openai", "gpt-5-nano", "2026-11-22", pricing.Terms{Service: pricing.Priority}, ""},
		{"openai", "text-embedding-3-small", "2026-11-22", pricing.Terms{Service: pricing.Batch}, "0.01/0.01/0.01/0.01/0"},
		{"anthropic", "claude-opus-5-5", "2026-11-22", pricing.Terms{Service: pricing.Fast}, "8/0.4/10/16/40"},
		{"anthropic", "claude-opus-5-5", "2026-11-22", pricing.Terms{Service: pricing.Batch, Region: "us"}, "2.2/0.11/2.75/4.4/11"},
		{"anthropic", "claude-sonnet-4-6", "2026-11-22", pricing.Terms{Region: "us"}, "3.3/0.33/4.125/6.6/16.5"},
		{"anthropic", "claude-sonnet-4-5", "2026-11-22", pricing.Terms{Region: "us"}, "3/0.3/3.75/6/15"},
		{"anthropic", "claude-sonnet-5", "2026-11-22", pricing.Terms{Service: pricing.Priority}, ""},
		{"google", "gemini-3.6-flash", "2026-11-22", pricing.Terms{Service: pricing.Batch}, "0.75/0.075/0.75/0.75/3.75"},
		{"google", "gemini-3.6-flash", "2027-01-01", pricing.Terms{Service: pricing.Batch}, "0.75/0.075/0.75/0.75/3.75"},
		{"google", "gemini-3.7-flash", "2026-11-22", pricing.Terms{Service: pricing.Batch}, "0.375/0.0375/0.375/0.375/1.875"},
		{"google", "gemini-3.7-flash", "2026-11-22", pricing.Terms{Service: pricing.Priority}, "1.35/0.135/1.35/1.35/6.75"},
		{"google", "gemini-3.8-flash", "2026-11-22", pricing.Terms{Service: pricing.Priority}, ""},
		{"mistral", "mistral-large-2512", "2026-11-22", pricing.Terms{Service: pricing.Batch}, "0.25/0.025/0.25/0.25/0.75"},
		{"aws_bedrock", "us.meta.llama4-scout-17b-instruct-v1:0", "2026-11-22", pricing.Terms{Service: pricing.Batch}, "0.085/0.085/0.085/0.085/0.33"},
		{"azure_openai", "gpt-5.4", "2026-11-22", pricing.Terms{Service: pricing.Priority, Region: "eu"}, "5.5/0.55/5.5/5.5/33"},
		{"deepseek", "deepseek-flash", "2026-11-22", pricing.Terms{Service: pricing.Batch}, ""},
		{"openai", "gpt-5-codex", "2026-11-22", pricing.Terms{Service: pricing.Batch}, "0.625/0.0625/0.625/0.625/5"},
		{"openai", "gpt-realtime", "2026-11-22", pricing.Terms{Service: pricing.Batch}, ""},
		{"azure_openai", "gpt-4.1", "2026-11-22", pricing.Terms{Service: pricing.Fast}, ""},
	} {
		at, err := time.Parse(time.DateOnly, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		l := Table().Lookup(tt.provider, tt.model, at)
		if l == nil {
			t.Errorf("%s %s: not found", tt.provider, tt.model)
			continue
		}
		got := ""
		if price, known := l.PriceFor(tt.terms); known {
			got = printRates(price.Rates)
		}
		if got != tt.want {
			t.Errorf("%s %s on %s, %+v: %q, want %q", tt.provider, tt.model, tt.at, tt.terms, got, tt.want)
		}
	}
}

// The long brackets of other classes keep their proportion.
func TestBracketsOfClasses(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		model   pricing.ModelName
		service pricing.Service
		want    string
	}{
		{"gpt-6.2-sol", pricing.Batch, "2/0.1/2.5/5/7.5"},
		{"gpt-5.5", pricing.Priority, "25/2.5/25/25/112.5"},
	} {
		price, known := Table().Lookup("openai", tt.model, at).PriceFor(pricing.Terms{Service: tt.service})
		if got := printRates(price.RatesFor(272_001)); !known || got != tt.want {
			t.Errorf("%s in %s above 272000 tokens: %s, %t, want %s", tt.model, tt.service, got, known, tt.want)
		}
	}
	haiku, _ := Table().Lookup("anthropic", "claude-haiku-5-5", at).PriceFor(pricing.Terms{Service: pricing.Batch})
	if got := printRates(haiku.RatesFor(100_001)); got != "0.25/0.025/0.3125/0.5/1.25" {
		t.Errorf("claude-haiku-5-5 in batch above 100000 tokens: %s", got)
	}
}

func TestFees(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		provider pricing.ProviderName
		model    pricing.ModelName
		usage    pricing.Usage
		want     pricing.Money
	}{
		{"anthropic", "claude-opus-5-5", pricing.Usage{WebSearches: 3}, 30_000_000},
		{"openai", "gpt-6-sol", pricing.Usage{WebSearches: 1, FileSearches: 2, CodeRuns: 1}, 10_000_000 + 5_000_000 + 30_000_000},
		{"openai", "gpt-4o", pricing.Usage{WebSearches: 1}, 25_000_000},
		{"google", "gemini-2.5-flash", pricing.Usage{InputAudio: 1_000_000, CacheReadAudio: 1_000_000}, 1_100_000_000},
		{"google", "gemini-embedding-2", pricing.Usage{InputAudio: 1_000_000, InputImage: 1_000_000}, 6_950_000_000},
		{"openai", "whisper-1", pricing.Usage{Seconds: 60}, 6_000_000},
		{"openai", "tts-1", pricing.Usage{Characters: 1000}, 15_000_000},
		{"cohere", "rerank-v3.5", pricing.Usage{SearchUnits: 1000}, 2_000_000_000},
		{"openai", "gpt-realtime", pricing.Usage{InputAudio: 1_000_000, OutputAudio: 1_000_000}, 96_000_000_000},
		{"perplexity", "sonar", pricing.Usage{Input: 1_000_000}, 1_000_000_000 + 12_000_000},
	} {
		l := Table().Lookup(tt.provider, tt.model, at)
		if l == nil {
			t.Errorf("%s %s: not found", tt.provider, tt.model)
			continue
		}
		if got, err := l.Price.Cost(tt.usage); err != nil || got != tt.want {
			t.Errorf("%s %s: %+v costs %s, %v, want %s", tt.provider, tt.model, tt.usage, got, err, tt.want)
		}
	}
}
