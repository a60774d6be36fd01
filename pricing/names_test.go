package pricing

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpellings(t *testing.T) {
	for _, tt := range []struct {
		provider ProviderName
		model    ModelName
		want     []ModelName
	}{
		{"openai", "gpt-5-pro", []ModelName{"gpt-5-pro"}},
		{"openai", "gpt-4o-2024-08-06", []ModelName{"gpt-4o-2024-08-06", "gpt-4o"}},
		{"openai", "ft:gpt-4o-mini-2024-07-18:acme::abc123", []ModelName{"ft:gpt-4o-mini-2024-07-18:acme::abc123", "ft:gpt-4o-mini-2024-07-18", "ft:gpt-4o-mini"}},
		{"openai", "ft:gpt-4o", []ModelName{"ft:gpt-4o"}},
		{"openai", "", []ModelName{}},
		{"anthropic", "claude-opus-4-5@20251101", []ModelName{"claude-opus-4-5@20251101", "claude-opus-4-5"}},
		{"google", "models/gemini-2.5-pro", []ModelName{"models/gemini-2.5-pro", "gemini-2.5-pro"}},
		{"google", "projects/p/locations/global/publishers/anthropic/models/claude-sonnet-5@default", []ModelName{
			"projects/p/locations/global/publishers/anthropic/models/claude-sonnet-5@default", "claude-sonnet-5",
		}},
		{"google", "claude-haiku-4-5@20251001", []ModelName{"claude-haiku-4-5@20251001", "claude-haiku-4-5"}},
		{"google", "imagen@006", []ModelName{"imagen@006"}},
		{"aws_bedrock", "us.anthropic.claude-opus-4-5-20251101-v1:0", []ModelName{
			"us.anthropic.claude-opus-4-5-20251101-v1:0", "us.anthropic.claude-opus-4-5-20251101", "us.anthropic.claude-opus-4-5",
		}},
		{"aws_bedrock", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0", []ModelName{
			"arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0",
			"eu.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0",
		}},
		{"aws_bedrock", "us.meta.llama3-3-70b-instruct-v1:0", []ModelName{
			"us.meta.llama3-3-70b-instruct-v1:0", "us.meta.llama3-3-70b-instruct", "meta.llama3-3-70b-instruct-v1:0", "meta.llama3-3-70b-instruct",
		}},
		{"aws_bedrock", "anthropic.claude-v2:1", []ModelName{"anthropic.claude-v2:1"}},
		{"aws_bedrock", "mistral.mistral-7b-instruct-v0:2", []ModelName{"mistral.mistral-7b-instruct-v0:2"}},
		{"aws_bedrock", "meta.llama3-vision", []ModelName{"meta.llama3-vision"}},
		{"openrouter", "openai/gpt-5:nitro", []ModelName{"openai/gpt-5:nitro", "openai/gpt-5"}},
		{"openrouter", "openai/gpt-5:exacto", []ModelName{"openai/gpt-5:exacto", "openai/gpt-5"}},
		{"openrouter", "openai/gpt-5:floor", []ModelName{"openai/gpt-5:floor", "openai/gpt-5"}},
		{"openrouter", "openai/gpt-5:floor:nitro", []ModelName{"openai/gpt-5:floor:nitro", "openai/gpt-5:floor"}},
		{"huggingface_together", "openai/gpt-oss-20b:fastest", []ModelName{"openai/gpt-oss-20b:fastest"}},
		{"openrouter", "openai/gpt-5:free", []ModelName{"openai/gpt-5:free"}},
		{"openrouter", "openai/gpt-5:batch", []ModelName{"openai/gpt-5:batch"}},
		{"groq", "models/openai/gpt-oss-120b", []ModelName{"models/openai/gpt-oss-120b"}},
	} {
		var s spellings
		if diff := cmp.Diff(tt.want, slices.Clone(s.of(tt.provider, tt.model))); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", tt.provider, tt.model, diff)
		}
	}
}

func TestNamesThatChooseARoutersHost(t *testing.T) {
	table := NewTable([]Listing{
		{Provider: "openrouter", Model: "a/b", Aliases: []ModelName{"a/b-fast:nitro"}},
		{Provider: "openrouter", Model: "z-ai/glm-4.6:exacto"},
		{Provider: "acme", Model: "a:nitro"},
	})
	for _, tt := range []struct {
		provider    ProviderName
		model       ModelName
		known, want bool
	}{
		{"openrouter", "a/b", true, false},
		{"openrouter", "a/b-2026-01-01", true, false},
		{"openrouter", "a/b:floor", true, false},
		{"openrouter", "a/b:nitro", true, true},
		{"openrouter", "a/b:exacto", true, true},
		{"openrouter", "a/b-2026-01-01:nitro", true, true},
		{"openrouter", "a/b-fast:nitro", true, false},
		{"openrouter", "z-ai/glm-4.6:exacto", true, false},
		{"openrouter", "a/b:NITRO", false, false},
		{"openrouter", "a/b:nitro:floor", false, false},
		{"acme", "a:nitro", true, false},
	} {
		l := table.Lookup(tt.provider, tt.model, date(2026, 11, 22))
		if got := l.ChoosesHost(tt.model); got != tt.want || (l != nil) != tt.known {
			t.Errorf("%s %q: chooses a host: %v, listed: %v; want %v, %v", tt.provider, tt.model, got, l != nil, tt.want, tt.known)
		}
	}
}

func TestResellersHaveTheMakersPrice(t *testing.T) {
	table := NewTable([]Listing{
		{Provider: "openai", Model: "gpt-5", Note: "openai"},
		{Provider: "openai", Model: "gpt-5.4", Note: "openai"},
		{Provider: "azure_openai", Model: "gpt-5.4", Note: "azure"},
		{Provider: "anthropic", Model: "claude-opus-5", Note: "anthropic"},
	})
	for _, tt := range []struct {
		provider ProviderName
		model    ModelName
		want     string
	}{
		{"azure_openai", "gpt-5.4", "azure"},
		{"azure_openai", "gpt-5.4-2026-03-05", "azure"},
		{"azure_openai", "gpt-5", "openai"},
		{"azure_openai", "claude-opus-5", "anthropic"},
		{"azure_openai", "my-deployment", ""},
		{"google", "publishers/anthropic/models/claude-opus-5@20260801", "anthropic"},
		{"google", "gpt-5", ""},
		{"openai", "claude-opus-5", ""},
	} {
		got := ""
		if l := table.Lookup(tt.provider, tt.model, date(2026, 11, 22)); l != nil {
			got = l.Note
		}
		if got != tt.want {
			t.Errorf("%s %q: listing of %q, want %q", tt.provider, tt.model, got, tt.want)
		}
	}
}

func TestAnUnpricedModelIsUnknown(t *testing.T) {
	table := NewTable([]Listing{
		{Provider: "acme", Model: "m", Note: "family"},
		{Provider: "acme", Model: "m-2026-01-01", Unpriced: true},
	})
	if l := table.Lookup("acme", "m-2026-01-01", date(2026, 11, 22)); l != nil {
		t.Errorf("found %+v, want nothing: the snapshot is listed without a price", l)
	}
	if got := len(table.Listings()); got != 2 {
		t.Errorf("%d listings, want both", got)
	}
}
