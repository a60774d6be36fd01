package catalog

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog/pricefile"
	"github.com/google/go-cmp/cmp"
)

// The packed catalogue has the curated files as they are: go generate was run.
func TestCuratedFilesArePacked(t *testing.T) {
	files, err := pricefile.ReadDir(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	var want []pricing.Listing
	hosts := make(map[string]pricing.ProviderName)
	for _, f := range files {
		want = append(want, f.Listings...)
		for _, host := range f.Hosts {
			hosts[host] = f.Provider
		}
	}
	if diff := cmp.Diff(want, Curated()); diff != "" {
		t.Errorf("run go generate in this folder (-files +packed):\n%s", diff)
	}
	packed := make(map[string]pricing.ProviderName)
	for host, p := range embedded().packed.Hosts() {
		packed[host] = p
	}
	if diff := cmp.Diff(hosts, packed); diff != "" {
		t.Errorf("hosts: run go generate in this folder (-files +packed):\n%s", diff)
	}
}

func TestSizeOfTheCatalogue(t *testing.T) {
	if len(data) > 512<<10 {
		t.Errorf("%d bytes, want at most half a megabyte", len(data))
	}
	counts := make(map[string]int)
	for _, l := range Listings() {
		switch {
		case l.Unpriced:
			counts["unpriced"]++
		case l.Rival != nil:
			counts["disputed"]++
		}
		for _, source := range []string{"litellm", "genai-prices"} {
			if strings.Contains(l.Source, source) {
				counts[source]++
			}
		}
	}
	want := map[string]int{"litellm": 2820, "genai-prices": 1560, "unpriced": 295, "disputed": 102}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("listings by source; review what changed (-want +got):\n%s", diff)
	}
}

func TestEveryListingIsSound(t *testing.T) {
	for _, l := range Listings() {
		if l.Source == "" || l.AsOf == "" || l.Provider == "" || l.Model == "" {
			t.Errorf("%s %s: no source, day or name", l.Provider, l.Model)
		}
		if l.Unpriced {
			if l.Note == "" || !pricedNowhere(&l) {
				t.Errorf("%s %s: unpriced, but with a price or without a reason: %+v", l.Provider, l.Model, l)
			}
			continue
		}
		free := strings.HasSuffix(string(l.Model), ":free") || strings.HasPrefix(l.Note, "free of charge")
		if l.Price.Input == 0 && l.Price.Fees == (pricing.Fees{}) && !free {
			t.Errorf("%s %s: free of charge, but nothing says so", l.Provider, l.Model)
		}
		if r := l.Rival; r != nil && (r.Source == "" || r.AsOf == "" || cmp.Equal(r.Price, r.Other) || !cmp.Equal(l.Price, pricing.Dearer(r.Price, r.Other))) {
			t.Errorf("%s %s: disputed, but not by two sides or not at the dearer rates", l.Provider, l.Model)
		}
		above := int64(0)
		for _, b := range l.Price.Brackets {
			if b.Above <= above || b.Input < l.Price.Input {
				t.Errorf("%s %s: bracket above %d of %s under %s", l.Provider, l.Model, b.Above, b.Input, l.Price.Input)
			}
			above = b.Above
		}
		if cost, err := l.Price.Cost(pricing.Usage{Input: 1, Output: 1, CacheRead: 1, OutputAudio: 1}); err != nil || cost < 0 {
			t.Errorf("%s %s: a call costs %d, %v", l.Provider, l.Model, cost, err)
		}
	}
}

func pricedNowhere(l *pricing.Listing) bool {
	return cmp.Equal(l.Price, pricing.Price{}) && len(l.Variants) == 0 && Table().Lookup(l.Provider, l.Model, time.Now()) == nil
}

// Values as the two lists state them, read by hand.
func TestCommunityPrices(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		provider pricing.ProviderName
		model    pricing.ModelName
		want     string // "" for unknown
	}{
		{"openai", "gpt-4.5-preview", "75/37.5/75/75/150"},
		{"openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", "0.3/0.15/0.3/0.3/1.2"},
		{"openai", "ft:gpt-5:acme::abc", ""},
		{"openai", "gpt-5-5", "5/0.5/5/5/30"},
		{"openai", "o1-mini-2024-09-12", "1.1/0.55/1.1/1.1/4.4"},
		{"anthropic", "claude-2", "8/8/8/8/24"},
		{"anthropic", "claude-3-5-sonnet", "3/0.3/3.75/6/15"},
		{"google", "gemini-2.5-flash-image", "0.3/0.03/0.3/0.3/2.5"},
		{"google", "publishers/anthropic/models/claude-opus-4-5@20251101", "5/0.5/6.25/10/25"},
		{"google", "claude-opus-5-5", "4/0.2/5/8/20"},
		{"google", "claude-3-haiku@20240307", "0.25/0.25/0.25/0.25/1.25"},
		{"azure_openai", "gpt-4o", "2.5/1.25/2.5/2.5/10"},
		{"azure_openai", "gpt-35-turbo", "0.5/0.5/0.5/0.5/1.5"},
		{"azure_openai", "gpt-6-sol", "2/0.2/2.5/2.5/10"},
		{"azure_openai", "claude-opus-5-5", "4/0.2/5/8/20"},
		{"azure_openai", "my-deployment", ""},
		{"azure_openai", "model_router", ""},
		{"aws_bedrock", "anthropic.claude-opus-5", "5/0.5/6.25/10/25"},
		{"aws_bedrock", "eu.anthropic.claude-opus-4-5-20251101-v1:0", "5.5/0.55/6.875/11/27.5"},
		{"aws_bedrock", "us.anthropic.claude-opus-4-6-v1:0", "5.5/0.55/6.875/11/27.5"},
		{"aws_bedrock", "jp.anthropic.claude-opus-5-5-v1:0", "4.4/0.22/5.5/8.8/22"},
		{"aws_bedrock", "global.anthropic.claude-haiku-4-5-20251001-v1:0", "1/0.1/1.25/2/5"},
		{"aws_bedrock", "anthropic.claude-3-opus-20240229-v1:0", "15/1.5/18.75/30/75"},
		{"aws_bedrock", "anthropic.claude-v9", ""},
		{"aws_bedrock", "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova-lite-v1:0", "0.078/0.078/0.078/0.078/0.312"},
		{"aws_bedrock", "jp.amazon.nova-lite-v1:0", "0.06/0.015/0.06/0.06/0.24"},
		{"aws_bedrock", "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc123", ""},
		{"aws_bedrock", "openai.gpt-5.6-luna", "0.22/0.022/0.275/0.275/1.32"},
		{"openrouter", "anthropic/claude-sonnet-5", "2/0.2/2.5/4/10"},
		{"openrouter", "openai/gpt-4o:nitro", "2.5/2.5/2.5/2.5/10"},
		{"openrouter", "qwen/qwen3-coder:free", "0/0/0/0/0"},
		{"openrouter", "openai/gpt-4o:free", ""},
		{"xai", "grok-2-1212", "2/2/2/2/10"},
		{"groq", "moonshotai/kimi-k2-instruct-0905", "1/0.5/1/1/3"},
		{"deepseek", "deepseek-v3.2", "0.28/0.028/0.28/0.28/0.4"},
		{"together", "mistralai/Mixtral-8x7B-Instruct-v0.1", "0.9/0.9/0.9/0.9/0.9"},
		{"fireworks", "accounts/fireworks/models/deepseek-r1", "3/3/3/3/8"},
		{"mistral", "mistral-large-2407", "3/3/3/3/9"},
		{"perplexity", "sonar-pro", "3/3/3/3/15"},
		{"wandb", "openai/gpt-oss-120b", ""},
		{"moonshot", "moonshot-v1-8k", "0.2/0.2/0.2/0.2/2"},
		{"cohere", "command-r-plus", "2.5/2.5/2.5/2.5/10"},
		{"alibaba", "qwen3-max", "1.2/1.2/1.2/1.2/6"},
		{"databricks", "databricks-claude-sonnet-4", "2.99999/2.99999/2.99999/2.99999/15.00002"},
		{"github_copilot", "gpt-4o", ""},
	} {
		got := ""
		if l := Table().Lookup(tt.provider, tt.model, at); l != nil {
			got = printRates(l.Price.Rates)
		}
		if got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.provider, tt.model, got, tt.want)
		}
	}
}

// A call is priced as of its own time, also by the community's history.
func TestHistory(t *testing.T) {
	for _, tt := range []struct {
		provider pricing.ProviderName
		model    pricing.ModelName
		at, want string
	}{
		{"deepseek", "deepseek-chat", "2026-08-01", "0.28/0.028/0.28/0.28/0.42"},
		{"deepseek", "deepseek-chat", "2026-11-21", "0.15/0.003/0.15/0.15/0.6"},
		{"aws_bedrock", "openai.gpt-5.6-terra", "2026-07-29", "2.75/0.275/3.4375/3.4375/16.5"},
		{"aws_bedrock", "openai.gpt-5.6-terra", "2026-07-30", "2.2/0.22/2.75/2.75/13.2"},
		{"aws_bedrock", "us.anthropic.claude-sonnet-5-5", "2026-10-06", "2.2/0.22/2.75/4.4/11"},
		{"aws_bedrock", "us.anthropic.claude-sonnet-5-5", "2026-10-07", "2.2/0.11/2.75/4.4/11"},
	} {
		if got := ratesOn(t, tt.provider, tt.model, tt.at); got != tt.want {
			t.Errorf("%s %s on %s: %q, want %q", tt.provider, tt.model, tt.at, got, tt.want)
		}
	}
}

func TestClaudeInARegionOfVertex(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, model := range []pricing.ModelName{"claude-opus-4-5@20251101", "claude-opus-5-5"} {
		l := Table().Lookup("google", model, at)
		anywhere, _ := l.PriceFor(pricing.Terms{Region: "global"})
		east, known := l.PriceFor(pricing.Terms{Region: "us-east5"})
		if !known || east.Input*10 != anywhere.Input*11 {
			t.Errorf("%s: %s in us-east5, %t, and %s anywhere: want a tenth more", model, east.Input, known, anywhere.Input)
		}
	}
}

func TestBadCatalogueIsAnInternalError(t *testing.T) {
	defer func() {
		got, _ := recover().(string)
		if want := "internal error: embedded prices: "; !strings.HasPrefix(got, want) {
			t.Errorf("panic %q, want %q and the cause", got, want)
		}
	}()
	mustOpen("")
}
