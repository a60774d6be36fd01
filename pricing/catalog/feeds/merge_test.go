package feeds

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/google/go-cmp/cmp"
)

// merged reads two lists over curated listings and prints a line for each result.
func merged(t *testing.T, litellm, genai string, curated ...pricing.Listing) []string {
	t.Helper()
	out, err := Merge(Lists{
		LiteLLM: strings.NewReader(litellm), LiteLLMSource: Source{"litellm", "2026-08-01"},
		GenAI: strings.NewReader(genai), GenAISource: Source{"genai-prices", "2026-08-21"},
	}, curated)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range out {
		line := fmt.Sprintf("%s %s%v %s/%s/%s", l.Provider, l.Model, l.Aliases, l.Price.Input, l.Price.CacheRead, l.Price.Output)
		if !l.From.IsZero() || !l.Until.IsZero() {
			line += fmt.Sprintf(" %s..%s", dayOf(l.From), dayOf(l.Until))
		}
		if l.Rival != nil {
			line += fmt.Sprintf(" disputed %s/%s %s", l.Rival.Other.Input, l.Rival.Other.Output, l.Rival.Source)
		}
		if l.Unpriced {
			line += " unpriced"
		}
		lines = append(lines, line+" "+l.Source)
	}
	return lines
}

func dayOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// flat is a member of LiteLLM's list at so many dollars per million.
func flat(provider, key string, in, out int) string {
	return fmt.Sprintf(`"%s": {"litellm_provider": "%s", "mode": "chat", "input_cost_per_token": %de-06, "output_cost_per_token": %de-06}`, key, provider, in, out)
}

func oneOf(id string, in, out int, more string) string {
	return fmt.Sprintf(`{"id": "%s", "match": {"equals": "%s"}, "prices": {"input_mtok": %d, "output_mtok": %d%s}}`, id, id, in, out, more)
}

func TestMerge(t *testing.T) {
	october := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, litellm, genai string
		curated              []pricing.Listing
		want                 []string
	}{
		{"both agree, and one states more", `{` + flat("groq", "groq/m", 1, 2) + `}`, vendorOf("groq", oneOf("m", 1, 2, `, "cache_read_mtok": 0.5`)), nil,
			[]string{"groq m[] 1/0.5/2 litellm@2026-08-01+genai-prices@2026-08-21"}},
		{"they disagree: the dearer of each kind", `{` + flat("groq", "groq/m", 1, 4) + `}`, vendorOf("groq", oneOf("m", 2, 3, ``)), nil,
			[]string{"groq m[] 2/2/4 disputed 2/3 genai-prices@2026-08-21 litellm@2026-08-01"}},
		{"one alone", `{` + flat("groq", "groq/a", 1, 1) + `}`, vendorOf("groq", oneOf("b", 2, 2, ``)), nil,
			[]string{"groq a[] 1/1/1 litellm@2026-08-01", "groq b[] 2/2/2 genai-prices@2026-08-21"}},
		{"the other knows the price", `{` + flat("groq", "groq/m", 0, 0) + `}`, vendorOf("groq", oneOf("m", 2, 2, ``)), nil,
			[]string{"groq m[] 2/2/2 genai-prices@2026-08-21"}},
		{"curated decides", `{` + flat("groq", "groq/m", 9, 9) + `}`, vendorOf("groq", oneOf("m", 8, 8, ``)), []pricing.Listing{{Provider: "groq", Model: "m", Price: text(1e9, 1e9, 1e9, 1e9, 1e9)}}, nil},
		{"curated decides from a day on", `{` + flat("groq", "groq/m", 9, 9) + `}`, `[]`, []pricing.Listing{{Provider: "groq", Model: "m", From: october}},
			[]string{"groq m[] 9/9/9 ..2026-10-01 litellm@2026-08-01"}},
		{"a snapshot at the curated price", `{` + flat("openai", "m-2026-01-01", 1, 1) + `}`, `[]`, []pricing.Listing{{Provider: "openai", Model: "m", Price: text(1e9, 1e9, 1e9, 1e9, 1e9)}}, nil},
		{"a snapshot at its own", `{` + flat("openai", "m-2026-01-01", 2, 2) + `}`, `[]`, []pricing.Listing{{Provider: "openai", Model: "m", Price: text(1e9, 1e9, 1e9, 1e9, 1e9)}},
			[]string{"openai m-2026-01-01[] 2/2/2 litellm@2026-08-01"}},
		{"another name of a curated model", `{` + flat("openai", "m", 1, 1) + `}`, vendorOf("openai", `{"id": "m", "match": {"or": [{"equals": "m"}, {"equals": "em"}]}, "prices": {"input_mtok": 1, "output_mtok": 1}}`),
			[]pricing.Listing{{Provider: "openai", Model: "m", Price: text(1e9, 1e8, 1e9, 1e9, 1e9), Source: "page"}}, []string{"openai em[] 1/0.1/1 page"}},
		{"history of the second list", `{` + flat("groq", "groq/m", 1, 1) + `}`,
			vendorOf("groq", `{"id": "m", "match": {}, "prices": [{"prices": {"input_mtok": 2, "output_mtok": 2}}, {"constraint": {"start_date": "2026-07-30"}, "prices": {"input_mtok": 1, "output_mtok": 1}}]}`), nil,
			[]string{"groq m[] 2/2/2 ..2026-07-30 genai-prices@2026-08-21", "groq m[] 1/1/1 2026-07-30.. litellm@2026-08-01+genai-prices@2026-08-21"}},
		{"a rise that was cancelled", `{}`, vendorOf("openrouter", `{"id": "anthropic/claude-sonnet-5", "match": {}, "prices": [{"prices": {"input_mtok": 2, "output_mtok": 10}}, {"constraint": {"start_date": "2026-09-01"}, "prices": {"input_mtok": 3, "output_mtok": 15}}]}`), nil,
			[]string{"openrouter anthropic/claude-sonnet-5[] 2/2/10 genai-prices@2026-08-21"}},
		{"spellings at Bedrock", `{` + flat("bedrock", "us.anthropic.claude-opus-4-1-20250805-v1:0", 15, 75) + `}`, `[]`, nil,
			[]string{"aws_bedrock us.anthropic.claude-opus-4-1-20250805-v1:0[apac.anthropic.claude-opus-4-1-20250805 apac.anthropic.claude-opus-4-1-20250805-v1:0 " +
				"au.anthropic.claude-opus-4-1-20250805 au.anthropic.claude-opus-4-1-20250805-v1:0 eu.anthropic.claude-opus-4-1-20250805 eu.anthropic.claude-opus-4-1-20250805-v1:0 " +
				"jp.anthropic.claude-opus-4-1-20250805 jp.anthropic.claude-opus-4-1-20250805-v1:0 us.anthropic.claude-opus-4-1-20250805] 15/15/75 litellm@2026-08-01"}},
		{"a new Claude at its resellers", `{}`, `[]`, []pricing.Listing{{Provider: "anthropic", Model: "claude-opus-5-5", Price: text(4e9, 2e8, 5e9, 8e9, 20e9), Source: "page"}},
			[]string{
				"aws_bedrock global.anthropic.claude-opus-5-5[anthropic.claude-opus-5-5] 4/0.2/20 page",
				"aws_bedrock us.anthropic.claude-opus-5-5[eu.anthropic.claude-opus-5-5 jp.anthropic.claude-opus-5-5 au.anthropic.claude-opus-5-5 apac.anthropic.claude-opus-5-5] 4.4/0.22/22 page",
				"google claude-opus-5-5[] 4/0.2/20 page",
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, merged(t, tt.litellm, tt.genai, tt.curated...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBatchesAtHalfThePrice(t *testing.T) {
	out, err := Merge(Lists{
		LiteLLM: strings.NewReader(`{` + flat("openai", "m", 2, 4) + `,` + flat("openai", "m-realtime", 2, 4) + `,` + flat("groq", "groq/m", 2, 4) + `,` +
			flat("vertex_ai-llama_models", "vertex_ai/llama", 2, 4) + `,` + flat("gemini", "gemini/gemini-m", 2, 4) + `,
			"n": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2e-06, "output_cost_per_token": 4e-06,
				"input_cost_per_token_batches": 1.5e-06, "output_cost_per_token_batches": 3e-06, "input_cost_per_token_priority": 3e-06, "output_cost_per_token_priority": 6e-06}}`),
		GenAI: strings.NewReader(`[]`), LiteLLMSource: day, GenAISource: day,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range out {
		line := fmt.Sprintf("%s %s", l.Provider, l.Model)
		for _, v := range l.Variants {
			line += fmt.Sprintf(" %s %s/%s", v.Service, v.Price.Input, v.Price.Output)
		}
		got = append(got, line)
	}
	want := []string{
		"google gemini-m batch 1/2 flex 1/2", "google llama", "groq m", "openai m batch 1/2 flex 1/2", "openai m-realtime",
		"openai n batch 1.5/3 flex 1/2 priority 3/6",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRebase(t *testing.T) {
	at := func(in pricing.Rate, source string) []pricing.Listing {
		return []pricing.Listing{
			{Provider: "anthropic", Model: "claude-opus-5-5", Price: text(in, in, in, in, in), Source: source},
			{Provider: "openai", Model: "m", Price: text(in, in, in, in, in), Source: source},
		}
	}
	lists := func() Lists {
		return Lists{
			LiteLLM: strings.NewReader(`{` + flat("openai", "other", 7, 7) + `}`), LiteLLMSource: day,
			GenAI: strings.NewReader(vendorOf("openai", `{"id": "m", "match": {"or": [{"equals": "em"}]}, "prices": {"input_mtok": 1, "output_mtok": 1}}`)), GenAISource: day,
		}
	}
	before, err := Merge(lists(), at(1e9, "old"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, Rebase(before, at(1e9, "old"))); diff != "" {
		t.Errorf("over the same listings (-want +got):\n%s", diff)
	}
	var got []string
	for _, l := range Rebase(before, at(2e9, "new")) {
		got = append(got, fmt.Sprintf("%s %s %s %s", l.Provider, l.Model, l.Price.Input, l.Source))
	}
	want := []string{
		"aws_bedrock global.anthropic.claude-opus-5-5 2 new", "aws_bedrock us.anthropic.claude-opus-5-5 2.2 new",
		"google claude-opus-5-5 2 new", "openai em 2 new", "openai other 7 list@2026-08-01",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("over others (-want +got):\n%s", diff)
	}
}

func TestClaudeSince45(t *testing.T) {
	for name, want := range map[pricing.ModelName]bool{
		"claude-opus-4-5": true, "us.anthropic.claude-haiku-4-5-20251001-v1:0": true, "claude-sonnet-5": true, "claude-fable-5-1": true,
		"claude-opus-4-1-20250805": false, "claude-opus-4-20250514": false, "claude-sonnet-4": false, "claude-3-5-sonnet-20241022": false,
		"claude-2": false, "gpt-5": false, "claude-opus": false,
	} {
		if got := claude45(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	good, bad := func() *strings.Reader { return strings.NewReader("{}") }, func() *strings.Reader { return strings.NewReader("") }
	for want, in := range map[string]Lists{
		"LiteLLM: want an object of models": {LiteLLM: bad(), GenAI: strings.NewReader("[]"), LiteLLMSource: day},
		"genai-prices: EOF":                 {LiteLLM: good(), GenAI: bad(), LiteLLMSource: day},
		`LiteLLM: parsing time "" as "2006-01-02": cannot parse "" as "2006"`: {LiteLLM: good(), GenAI: strings.NewReader("[]")},
	} {
		if _, err := Merge(in, nil); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
