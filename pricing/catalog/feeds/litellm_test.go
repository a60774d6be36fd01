package feeds

import (
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/google/go-cmp/cmp"
)

var day = Source{Name: "list", AsOf: "2026-08-01"}

// model is a list of one model of LiteLLM's with the given members.
func model(key, members string) string { return `{"` + key + `": {` + members + `}}` }

func TestLiteLLM(t *testing.T) {
	const chat = `"litellm_provider": "openai", "mode": "chat", `
	for _, tt := range []struct {
		name, key, members string
		want               pricing.Listing
	}{
		{"text", "m", chat + `"input_cost_per_token": 1.4E-7, "output_cost_per_token": 7.000000000000001e-07, "max_input_tokens": 8, "max_output_tokens": 4.0, "max_tokens": 4`,
			pricing.Listing{Provider: "openai", Model: "m", Price: text(140_000_000, 140_000_000, 140_000_000, 140_000_000, 700_000_000), Limits: pricing.Limits{Context: 8, MaxOutput: 4}}},
		{"old limits", "m", chat + `"input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06, "max_tokens": 4, "prompt_cache_min_tokens": 2`,
			pricing.Listing{Provider: "openai", Model: "m", Price: text(1e9, 1e9, 1e9, 1e9, 1e9), Limits: pricing.Limits{Context: 4, MaxOutput: 4, CacheMinimum: 2}}},
		{"cache", "claude-x", `"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06,
			"cache_read_input_token_cost": 1e-07, "cache_creation_input_token_cost": 1.25e-06, "cache_creation_input_token_cost_above_1hr": 2e-06`,
			pricing.Listing{Provider: "anthropic", Model: "claude-x", Price: text(1e9, 1e8, 125e7, 2e9, 5e9)}},
		{"long cache writes of a Claude that states none", "claude-x", `"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06,
			"cache_creation_input_token_cost": 1.25e-06`,
			pricing.Listing{Provider: "anthropic", Model: "claude-x", Price: text(1e9, 1e9, 125e7, 2e9, 5e9)}},
		{"older name of cache reads", "deepseek/m", `"litellm_provider": "deepseek", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06, "input_cost_per_token_cache_hit": 1e-07`,
			pricing.Listing{Provider: "deepseek", Model: "m", Price: text(1e9, 1e8, 1e9, 1e9, 5e9)}},
		{"brackets, and what they leave out grows", "m", chat + `"input_cost_per_token": 1e-06, "cache_read_input_token_cost": 1e-07, "output_cost_per_token": 5e-06,
			"input_cost_per_token_above_200k_tokens": 2e-06, "output_cost_per_token_above_200k_tokens": 6e-06`,
			pricing.Listing{Provider: "openai", Model: "m", Price: bracketed(text(1e9, 1e8, 1e9, 1e9, 5e9), 200_000, text(2e9, 2e8, 2e9, 2e9, 6e9))}},
		{"tiers", "dashscope/q", `"litellm_provider": "dashscope", "mode": "chat", "tiered_pricing": [
			{"range": [0, 32000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "output_cost_per_reasoning_token": 4e-06},
			{"range": [32000.0, 128000.0], "input_cost_per_token": 3e-06, "output_cost_per_token": 6e-06}]`,
			pricing.Listing{Provider: "alibaba", Model: "q", Price: bracketed(text(1e9, 1e9, 1e9, 1e9, 4e9), 32_000, text(3e9, 3e9, 3e9, 3e9, 6e9))}},
		{"classes of service", "m", chat + `"input_cost_per_token": 2e-06, "cache_read_input_token_cost": 1e-06, "output_cost_per_token": 8e-06,
			"input_cost_per_token_batches": 1e-06, "output_cost_per_token_batches": 4e-06, "input_cost_per_token_priority": 3e-06, "output_cost_per_token_priority": 9e-06,
			"input_cost_per_token_flex": 1e-06`,
			pricing.Listing{Provider: "openai", Model: "m", Price: text(2e9, 1e9, 2e9, 2e9, 8e9), Variants: []pricing.Variant{
				{Service: pricing.Batch, Price: text(1e9, 5e8, 1e9, 1e9, 4e9)}, {Service: pricing.Priority, Price: text(3e9, 15e8, 3e9, 3e9, 9e9)},
			}}},
		{"regions and the fast mode", "m", chat + `"input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06, "regional_processing_uplift_multiplier_eu": 1.1,
			"provider_specific_entry": {"us": 1.2, "fast": 2.0}`,
			pricing.Listing{Provider: "openai", Model: "m", Price: text(2e9, 2e9, 2e9, 2e9, 8e9),
				Variants: []pricing.Variant{{Service: pricing.Fast, Price: text(4e9, 4e9, 4e9, 4e9, 16e9)}},
				Uplifts:  []pricing.Uplift{{Region: "eu", PPM: 1_100_000}, {Region: "us", PPM: 1_200_000}}}},
		{"sound", "m", chat + `"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "input_cost_per_audio_token": 3e-06, "output_cost_per_audio_token": 4e-06`,
			pricing.Listing{Provider: "openai", Model: "m", Price: pricing.Price{Rates: pricing.Rates{
				Input: 1e9, CacheRead: 1e9, CacheWriteShort: 1e9, CacheWriteLong: 1e9, Output: 2e9, InputAudio: 3e9, InputImage: 1e9, CacheReadAudio: 3e9, OutputAudio: 4e9, OutputImage: 2e9,
			}}}},
		{"the dearest size of a search", "m", chat + `"input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06, "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_high": 0.03}`,
			pricing.Listing{Provider: "openai", Model: "m", Price: pricing.Price{Rates: text(1e9, 1e9, 1e9, 1e9, 1e9).Rates, Fees: pricing.Fees{WebSearch: 30_000e9}}}},
		{"a second of sound, once", "whisper", `"litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001`,
			pricing.Listing{Provider: "openai", Model: "whisper", Price: pricing.Price{Fees: pricing.Fees{Second: 100e9}}}},
		{"a ranking", "rank", `"litellm_provider": "cohere", "mode": "rerank", "input_cost_per_query": 0.002, "input_cost_per_token": 0.0, "output_cost_per_token": 0.0`,
			pricing.Listing{Provider: "cohere", Model: "rank", Price: pricing.Price{Fees: pricing.Fees{SearchUnit: 2000e9}}}},
		{"an embedding gives no answer", "embed", `"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 1e-07, "output_cost_per_token": 0`,
			pricing.Listing{Provider: "openai", Model: "embed", Price: text(1e8, 1e8, 1e8, 1e8, 0)}},
		{"free by its name", "openrouter/a/b:free", `"litellm_provider": "openrouter", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0.0`,
			pricing.Listing{Provider: "openrouter", Model: "a/b:free", Note: freeName}},
		{"0 may mean unknown", "m", chat + `"input_cost_per_token": 0, "output_cost_per_token": 0e0`,
			pricing.Listing{Provider: "openai", Model: "m", Unpriced: true, Note: zeroPrice}},
		{"an answer at 0", "gemini/m", `"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 0`,
			pricing.Listing{Provider: "google", Model: "m", Unpriced: true, Note: noOutput}},
		{"no price", "vertex_ai/m", `"litellm_provider": "vertex_ai-llama_models", "mode": "chat"`,
			pricing.Listing{Provider: "google", Model: "m", Unpriced: true, Note: noPrice}},
		{"by the pixel", "1024-x-1024/dall-e-2", `"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_pixel": 1.9e-08, "output_cost_per_pixel": 0`,
			pricing.Listing{Provider: "openai", Model: "1024-x-1024/dall-e-2", Unpriced: true, Note: "priced by pixel"}},
		{"dollars a million as dollars a token", "wandb/m", `"litellm_provider": "wandb", "mode": "chat", "input_cost_per_token": 0.015, "output_cost_per_token": 0.06`,
			pricing.Listing{Provider: "wandb", Model: "m", Unpriced: true, Note: wrongUnit}},
		{"the same in another currency", "databricks/m", `"litellm_provider": "databricks", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06, "input_dbu_cost_per_token": 7e-06`,
			pricing.Listing{Provider: "databricks", Model: "m", Price: text(1e9, 1e9, 1e9, 1e9, 1e9)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := LiteLLM(strings.NewReader(model(tt.key, tt.members)), day)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Source, tt.want.AsOf = "list@2026-08-01", "2026-08-01"
			if diff := cmp.Diff([]pricing.Listing{tt.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// text is a price of text alone.
func text(input, read, short, long, output pricing.Rate) pricing.Price {
	return pricing.Price{Rates: pricing.Rates{Input: input, CacheRead: read, CacheWriteShort: short, CacheWriteLong: long, Output: output}.WithText()}
}

func bracketed(p pricing.Price, above int64, over pricing.Price) pricing.Price {
	p.Brackets = append(p.Brackets, pricing.Bracket{Above: above, Rates: over.Rates})
	return p
}

func TestLiteLLMRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no object", `[]`, "want an object of models"},
		{"half an object", `{"m": {`, `model "m": unexpected EOF`},
		{"twice", `{"m": {"litellm_provider": "x"}, "m": {"litellm_provider": "x"}}`, `model "m": listed twice`},
		{"trailing text", `{} {}`, "something follows the object"},
		{"no model", `{"m": 1}`, `model "m": want an object`},
		{"no vendor", `{"m": {}}`, `model "m": no litellm_provider`},
		{"no name", `{"": {}}`, `model "": name "": want 1 to 300 bytes of text`},
		{"mode", `{"m": {"litellm_provider": "x", "mode": 1}}`, `model "m": mode: want a string`},
		{"price", model("m", `"litellm_provider": "x", "input_cost_per_token": "cheap"`), `model "m": input_cost_per_token: want a number, got "cheap"`},
		{"negative", model("m", `"litellm_provider": "x", "input_cost_per_token": -1e-06`), `model "m": input_cost_per_token: rate "-1e-06": negative`},
		{"too small", model("m", `"litellm_provider": "x", "input_cost_per_token": 1e-30`), `model "m": input_cost_per_token: rate "1e-30": number out of range`},
		{"limit", model("m", `"litellm_provider": "x", "max_input_tokens": -5`), `model "m": max_input_tokens: want a number of tokens, got -5`},
		{"tier", model("m", `"litellm_provider": "x", "tiered_pricing": [{"range": [0, 1], "input_cost_per_token": "x"}]`), `model "m": tiered_pricing: above 0 tokens: input_cost_per_token: want a number`},
		{"factor", model("m", `"litellm_provider": "x", "provider_specific_entry": {"us": 0}`), `model "m": provider_specific_entry: factor "0": want a number above 0`},
	} {
		if _, err := LiteLLM(strings.NewReader(tt.text), day); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}
