package main

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCost(t *testing.T) {
	models, _, err := loadModels()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, model string
		use         usage
		want        int64 // nano-dollars
	}{
		{"nothing", "gpt-4o", usage{}, 0},
		{"cache reads have a price of their own", "gpt-4o", usage{Input: 1000, CacheRead: 500, Output: 100}, 4_125_000},
		{"reasoning is part of output", "gpt-4o", usage{Output: 100, Reasoning: 60}, 1_000_000},
		{"a dated snapshot keeps its price", "gpt-4o-2024-05-13", usage{Input: 1000, Output: 100}, 6_500_000},
		{"the snapshot that gpt-4o is served as", "gpt-4o-2024-08-06", usage{Input: 1000, Output: 100}, 3_500_000},
		{"long writes cost more", "gpt-6.2-sol", usage{Input: 1000, CacheRead: 2000, WriteShort: 300, WriteLong: 400, Output: 50}, 5_450_000},
		{"100k is not long", "claude-haiku-5-5", usage{Input: 60_000, CacheRead: 40_000, Output: 10}, 6_405_000},
		{"above 100k all is long", "claude-haiku-5-5", usage{Input: 60_001, CacheRead: 40_000, Output: 10}, 32_025_500},
		{"writes count for the tier", "claude-sonnet-4-5", usage{Input: 200_000, WriteShort: 1, Output: 2}, 1_200_052_500},
		{"272k is not long", "gpt-5.4", usage{Input: 272_000, Output: 1}, 680_015_000},
		{"above 272k all is long", "gpt-5.4", usage{Input: 272_001, Output: 1}, 1_360_027_500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := models[tt.model].cost(tt.use, "1")
			if err != nil || got != tt.want {
				t.Errorf("cost(%s, %+v) = %d, %v, want %d", tt.model, tt.use, got, err, tt.want)
			}
		})
	}
}

func TestRoundHalfUp(t *testing.T) {
	for _, tt := range []struct{ num, denom, want int64 }{{0, 1, 0}, {1, 2, 1}, {49, 100, 0}, {3, 2, 2}, {149, 100, 1}, {5, 1, 5}} {
		if got := roundHalfUp(big.NewRat(tt.num, tt.denom)); got != tt.want {
			t.Errorf("roundHalfUp(%d/%d) = %d, want %d", tt.num, tt.denom, got, tt.want)
		}
	}
}

// "hello world" is two tokens; its message costs four more, and the opening of the answer three.
func TestInvoice(t *testing.T) {
	for _, tt := range []struct {
		name, path, body string
		want             billed
	}{
		{"chat", "/v1/chat/completions", `{"model":"gpt-4o","max_tokens":5,"messages":[{"role":"user","content":"hello world"}]}`,
			billed{API: "openai.chat", Model: "gpt-4o-2024-08-06", Usage: usage{Input: 9, Output: 5}, CostNanos: 72_500}},
		{"chat with three choices", "/v1/chat/completions", `{"model":"gpt-4o","n":3,"max_tokens":5,"messages":[{"role":"user","content":"hello world"}]}`,
			billed{API: "openai.chat", Model: "gpt-4o-2024-08-06", Usage: usage{Input: 9, Output: 15}, CostNanos: 172_500}},
		{"an image counts a thousand", "/v1/chat/completions", `{"model":"gpt-4o","max_tokens":5,"messages":[{"role":"user","content":[
			{"type":"text","text":"hello world"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`,
			billed{API: "openai.chat", Model: "gpt-4o-2024-08-06", Usage: usage{Input: 1009, Output: 5}, CostNanos: 2_572_500}},
		{"responses", "/v1/responses", `{"model":"gpt-4.1","max_output_tokens":16,"input":"hello world"}`,
			billed{API: "openai.responses", Model: "gpt-4.1-2025-04-14", Usage: usage{Input: 9, Output: 16}, CostNanos: 146_000}},
		{"messages", "/v1/messages?beta=true", `{"model":"claude-opus-4-8","max_tokens":5,"messages":[{"role":"user","content":"hello world"}]}`,
			billed{API: "anthropic.messages", Model: "claude-opus-4-8", Usage: usage{Input: 9, Output: 5}, CostNanos: 170_000}},
		{"a block counts as a string does", "/v1/messages", `{"model":"claude-opus-4-8","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"hello world"}]}]}`,
			billed{API: "anthropic.messages", Model: "claude-opus-4-8", Usage: usage{Input: 9, Output: 5}, CostNanos: 170_000}},
		{"gemini", "/v1beta/models/gemini-2.5-flash:generateContent", `{"generationConfig":{"maxOutputTokens":5},"contents":[{"parts":[{"text":"hello world"}]}]}`,
			billed{API: "gemini.generate", Model: "gemini-2.5-flash", Usage: usage{Input: 9, Output: 5}, CostNanos: 15_200}},
		{"embeddings", "/v1/embeddings", `{"model":"text-embedding-3-small","input":"hello world"}`,
			billed{API: "openai.embeddings", Model: "text-embedding-3-small", Usage: usage{Input: 2}, CostNanos: 40}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{})
			got := b.bill(t, tt.path, tt.body, "x-test-id", tt.name)
			tt.want.ID, tt.want.RequestID = got.ID, tt.name
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("invoice (-want +got):\n%s", diff)
			}
			if _, sum := b.invoice.read(); sum != (totals{Calls: 1, CostNanos: tt.want.CostNanos}) {
				t.Errorf("total = %+v, want one call of %d", sum, tt.want.CostNanos)
			}
		})
	}
}

// What a response says about its usage is what the invoice charges, in each API's own counting.
func TestUsageAgreesWithInvoice(t *testing.T) {
	const order = `hello [[reasoning=7]] [[tokens=11]]`
	for _, tt := range []struct {
		name, path, body string
		input, output    []any // paths to sum; output includes reasoning
	}{
		{"chat", "/v1/chat/completions", `{"model":"gpt-5-mini","messages":[{"role":"user","content":"` + order + `"}]}`,
			[]any{"prompt_tokens"}, []any{"completion_tokens"}},
		{"responses", "/v1/responses", `{"model":"gpt-6-sol","input":"` + order + `"}`,
			[]any{"input_tokens"}, []any{"output_tokens"}},
		{"messages", "/v1/messages", `{"model":"claude-opus-5-5","max_tokens":50,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"` + order + `"}]}`,
			[]any{"input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"}, []any{"output_tokens"}},
		{"gemini", "/v1beta/models/gemini-2.5-pro:generateContent", `{"contents":[{"parts":[{"text":"` + order + `"}]}]}`,
			[]any{"promptTokenCount"}, []any{"candidatesTokenCount", "thoughtsTokenCount"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{})
			status, body := b.post(t, tt.path, tt.body)
			if status != 200 {
				t.Fatalf("status %d: %s", status, body)
			}
			got := object(t, body)
			use := got["usage"]
			if use == nil {
				use = got["usageMetadata"]
			}
			sum := func(keys []any) int {
				n := 0.0
				for _, key := range keys {
					v, _ := dig(use, key).(float64)
					n += v
				}
				return int(n)
			}
			bill := b.awaitBill(t, 1)
			if want := (usage{Input: bill.Usage.Input, Output: 18, Reasoning: 7}); bill.Usage != want {
				t.Errorf("billed %+v, want %+v", bill.Usage, want)
			}
			if sum(tt.input) != bill.Usage.totalInput() || sum(tt.output) != bill.Usage.Output {
				t.Errorf("answer says %d in, %d out, invoice %+v", sum(tt.input), sum(tt.output), bill.Usage)
			}
		})
	}
}

func TestStoredContextIsBilled(t *testing.T) {
	b := newBench(t, config{})
	_, body := b.post(t, "/v1/responses", `{"model":"gpt-4.1","input":"hello world [[tokens=20]]"}`)
	first := b.awaitBill(t, 1)
	id := object(t, body)["id"]
	second := b.bill(t, "/v1/responses", fmt.Sprintf(`{"model":"gpt-4.1","previous_response_id":%q,"input":"hello world"}`, id))
	// The first prompt, its answer as a message, and a new message; the answer's opening is counted once.
	if want := first.Usage.Input + (4 + 20) + (4 + 2); second.Usage.Input != want {
		t.Errorf("input of the second call = %d, want %d", second.Usage.Input, want)
	}
	_, body = b.post(t, "/v1/responses", `{"model":"gpt-4.1","store":false,"input":"hello"}`)
	status, body := b.post(t, "/v1/responses", fmt.Sprintf(`{"model":"gpt-4.1","previous_response_id":%q,"input":"x"}`, object(t, body)["id"]))
	if code := dig(object(t, body), "error", "code"); status != 400 || code != "previous_response_not_found" {
		t.Errorf("status %d, code %v, want 400 previous_response_not_found", status, code)
	}
}

func TestEmbeddedPricesAreComplete(t *testing.T) {
	_, list, err := loadModels()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		switch {
		case m.Window == 0 || m.Price == nil:
			t.Errorf("%s: window or price is missing", m.ID)
		case (m.Kind == makesAnswers || m.Kind == makesText) && m.MaxOutput == 0:
			t.Errorf("%s: maximum output is missing", m.ID)
		case m.Cache.Kind != "" && (m.Cache.Minimum == 0 || m.Price.CacheRead == ""):
			t.Errorf("%s: caches without a minimum or a read price", m.ID)
		case m.Cache.Kind == cacheBreakpoints && m.Price.WriteShort == "", m.Cache.Kind == cacheMarkers && m.Price.WriteLong == "":
			t.Errorf("%s: bills cache writes without a price", m.ID)
		case (m.LongAbove > 0) != (m.Long != nil):
			t.Errorf("%s: a long tier needs threshold and prices", m.ID)
		}
	}
}
