package provider

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/google/go-cmp/cmp"
)

// recorded are bodies in the shapes that providers answer with, and what they say. The reading of a file whose
// name ends in .sse is of a stream.
var recorded = []struct {
	file string
	api  API
	want Reading
}{
	{"chat.json", OpenAIChat, Reading{HasTerms: true, Model: "gpt-4o-2024-08-06", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 16,
		Usage: pricing.Usage{Input: 158, CacheRead: 1408, Output: 42}}},
	{"chat_cache_write.json", OpenAIChat, Reading{Model: "gpt-5.6-luna", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 2,
		Usage: pricing.Usage{Input: 880, CacheRead: 1024, CacheWriteShort: 4096, Output: 300, Reasoning: 256}}},
	{"chat_tools_forced.json", OpenAIChat, Reading{Model: "gpt-4o-2024-08-06", HasUsage: true, Complete: true, Finish: FinishTools, TextBytes: 11,
		Usage: pricing.Usage{Input: 80, Output: 12}}},
	{"chat_two_choices.json", OpenAIChat, Reading{Model: "gpt-4o-2024-08-06", HasUsage: true, Complete: true, Finish: FinishLength, TextBytes: 9,
		Usage: pricing.Usage{Input: 20, Output: 9}}},
	{"chat_openrouter_excess.json", OpenAIChat, Reading{Model: "google/gemini-3.7-flash", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 9,
		Usage: pricing.Usage{CacheRead: 90, CacheWriteShort: 30, Output: 20, Reasoning: 5}, Stated: 120_000, HasStated: true}},
	{"chat_xai.json", OpenAIChat, Reading{Model: "grok-4-fast", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 4,
		Usage: pricing.Usage{Input: 36, CacheRead: 163, Output: 169, Reasoning: 168}, Stated: 123_450, HasStated: true}},
	{"chat_vercel.json", OpenAIChat, Reading{Model: "google/gemini-3.8-flash", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 1,
		Usage: pricing.Usage{Input: 50, Output: 74, Reasoning: 64}}},
	{"chat_deepseek.json", OpenAIChat, Reading{Model: "deepseek-v4-flash", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 2,
		Usage: pricing.Usage{Input: 64, CacheRead: 640, Output: 2}}},
	{"chat_mistral.json", OpenAIChat, Reading{Model: "mistral-medium-3-5", HasUsage: true, Complete: true, Finish: FinishLength, TextBytes: 5,
		Usage: pricing.Usage{Input: 66, CacheRead: 64, Output: 7}}},
	{"chat_nulls.json", OpenAIChat, Reading{Model: "gpt-4o-2024-08-06", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 2,
		Usage: pricing.Usage{Input: 12, Output: 3}}},
	{"chat_error.json", OpenAIChat, Reading{Complete: true, Failed: true}},
	{"chat.sse", OpenAIChat, Reading{HasTerms: true, Model: "gpt-4o-mini-2024-07-18", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 12,
		Usage: pricing.Usage{Input: 19, Output: 10}}},
	{"chat_no_usage.sse", OpenAIChat, Reading{HasTerms: true, Model: "gpt-4o-mini-2024-07-18", Complete: true, Finish: FinishTools, TextBytes: 14}},
	{"chat_azure.sse", OpenAIChat, Reading{HasTerms: true, Model: "gpt-4o-mini-2024-07-18", HasUsage: true, Complete: true, Finish: FinishFiltered, TextBytes: 2,
		Usage: pricing.Usage{Input: 8, Output: 1}}},
	{"chat_groq.sse", OpenAIChat, Reading{HasTerms: true, Model: "openai/gpt-oss-120b", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 3,
		Usage: pricing.Usage{Input: 72, Output: 30, Reasoning: 20}}},
	{"chat_groq_old.sse", OpenAIChat, Reading{HasTerms: true, Model: "llama-3.3-70b-versatile", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 3,
		Usage: pricing.Usage{Input: 7, Output: 3}}},
	{"chat_mistral.sse", OpenAIChat, Reading{HasTerms: true, Model: "mistral-small-latest", HasUsage: true, Complete: true, Finish: FinishLength, TextBytes: 7,
		Usage: pricing.Usage{Input: 9, Output: 2}}},
	{"chat_vllm_continuous.sse", OpenAIChat, Reading{HasTerms: true, Model: "llama-3.3-70b", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 4,
		Usage: pricing.Usage{Input: 11, Output: 3}}},
	{"chat_error.sse", OpenAIChat, Reading{HasTerms: true, Model: "gpt-4o-mini-2024-07-18", Partial: true, Failed: true, TextBytes: 3}},
	{"chat_openrouter.sse", OpenAIChat, Reading{HasTerms: true, Model: "anthropic/claude-sonnet-5.5", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 2,
		Usage: pricing.Usage{Input: 100, CacheWriteShort: 1200, Output: 4}, Stated: 5_100_000, HasStated: true}},

	{"responses.json", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 11,
		Usage: pricing.Usage{Input: 128, CacheRead: 1920, Output: 190, Reasoning: 128}}},
	{"responses_incomplete.json", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", HasUsage: true, Complete: true, Finish: FinishLength, TextBytes: 3,
		Usage: pricing.Usage{Input: 30, Output: 16}}},
	{"responses_tools.json", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", HasUsage: true, Complete: true, Finish: FinishTools, TextBytes: 10,
		Usage: pricing.Usage{Input: 60, Output: 20}}},
	{"responses_failed.json", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", Complete: true, Failed: true}},
	{"responses_refusal.json", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", HasUsage: true, Complete: true, Finish: FinishFiltered, TextBytes: 3,
		Usage: pricing.Usage{Input: 20, Output: 4}}},
	{"responses.sse", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 8,
		Usage: pricing.Usage{Input: 36, Output: 87, Reasoning: 64}}},
	{"responses_codex.sse", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", HasUsage: true, Complete: true, Finish: FinishTools, TextBytes: 12,
		Usage: pricing.Usage{Input: 904, CacheRead: 4096, Output: 31}}},
	{"responses_incomplete.sse", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", HasUsage: true, Complete: true, Finish: FinishFiltered, TextBytes: 3,
		Usage: pricing.Usage{Input: 36, Output: 3}}},
	{"responses_refusal.sse", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", HasUsage: true, Complete: true, Finish: FinishFiltered, TextBytes: 3,
		Usage: pricing.Usage{Input: 20, Output: 4}}},
	{"responses_failed.sse", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", Complete: true, Failed: true}},
	{"responses_error.sse", OpenAIResponses, Reading{Model: "gpt-5-2025-08-07", Partial: true, Failed: true, TextBytes: 3}},

	{"anthropic.json", AnthropicMessages, Reading{HasTerms: true, Model: "claude-sonnet-4-5-20250929", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 6,
		Usage: pricing.Usage{Input: 21, CacheRead: 188086, CacheWriteShort: 356, CacheWriteLong: 100, Output: 305}}},
	{"anthropic_unsplit.json", AnthropicMessages, Reading{Model: "claude-sonnet-4-5-20250929", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 6,
		Usage: pricing.Usage{Input: 10, CacheWriteShort: 2000, Output: 5}}},
	{"anthropic_tools.json", AnthropicMessages, Reading{HasTerms: true, Model: "claude-sonnet-4-5-20250929", HasUsage: true, Complete: true, Finish: FinishTools, TextBytes: 12,
		Usage: pricing.Usage{Input: 400, Output: 90, Reasoning: 40}}},
	{"anthropic_refusal.json", AnthropicMessages, Reading{HasTerms: true, Model: "claude-sonnet-4-5-20250929", HasUsage: true, Complete: true, Finish: FinishFiltered}},
	{"anthropic_error.json", AnthropicMessages, Reading{Complete: true, Failed: true}},
	{"anthropic.sse", AnthropicMessages, Reading{HasTerms: true, Model: "claude-sonnet-4-5-20250929", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 6,
		Usage: pricing.Usage{Input: 25, CacheRead: 4000, CacheWriteShort: 1000, CacheWriteLong: 200, Output: 15}}},
	{"anthropic_cumulative.sse", AnthropicMessages, Reading{HasTerms: true, Model: "claude-sonnet-4-5-20250929", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 29,
		Usage: pricing.Usage{Input: 10682, CacheWriteShort: 700, Output: 510, WebSearches: 1, LongestPrompt: 1}}},
	{"anthropic_tools.sse", AnthropicMessages, Reading{HasTerms: true, Model: "claude-sonnet-4-5-20250929", HasUsage: true, Complete: true, Finish: FinishTools, TextBytes: 34,
		Usage: pricing.Usage{Input: 472, Output: 89}}},
	{"anthropic_error.sse", AnthropicMessages, Reading{HasTerms: true, Model: "claude-sonnet-4-5-20250929", Partial: true, Failed: true, TextBytes: 2,
		Usage: pricing.Usage{Input: 25, Output: 1}}},

	{"gemini.json", GeminiGenerate, Reading{Model: "gemini-2.5-flash", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 8,
		Usage: pricing.Usage{Input: 476, CacheRead: 1024, Output: 46, Reasoning: 40}}},
	{"gemini_thoughts_included.json", GeminiGenerate, Reading{Model: "gemini-2.5-flash", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 5,
		Usage: pricing.Usage{Input: 10, Output: 46, Reasoning: 40}}},
	{"gemini_tool_prompt.json", GeminiGenerate, Reading{Model: "gemini-2.5-flash", HasUsage: true, Complete: true, Finish: FinishTools, TextBytes: 31,
		Usage: pricing.Usage{Input: 1010, Output: 5}}},
	{"gemini_blocked.json", GeminiGenerate, Reading{Model: "gemini-2.5-flash", HasUsage: true, Complete: true, Finish: FinishFiltered,
		Usage: pricing.Usage{Input: 9}}},
	{"gemini_error.json", GeminiGenerate, Reading{Complete: true, Failed: true}},
	{"gemini.sse", GeminiGenerate, Reading{HasTerms: true, Model: "gemini-2.5-flash", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 11,
		Usage: pricing.Usage{Input: 8, CacheRead: 4, Output: 30, Reasoning: 22}}},
	{"gemini_missing_fields.sse", GeminiGenerate, Reading{Model: "gemini-2.5-flash", HasUsage: true, Complete: true, Finish: FinishLength, TextBytes: 2,
		Usage: pricing.Usage{Input: 14, Output: 22, Reasoning: 20}}},
	{"gemini_array.json", GeminiGenerate, Reading{HasTerms: true, Model: "gemini-2.5-flash", HasUsage: true, Complete: true, Finish: FinishStop, TextBytes: 11, Stream: true,
		Usage: pricing.Usage{Input: 8, CacheRead: 4, Output: 30, Reasoning: 22}}},
	{"gemini_array_error.json", GeminiGenerate, Reading{Partial: true, Failed: true, Stream: true}},
	{"gemini_error.sse", GeminiGenerate, Reading{Model: "gemini-2.5-flash", Partial: true, Failed: true, TextBytes: 4,
		Usage: pricing.Usage{Input: 14, Output: 24, Reasoning: 20}}},
}

// body returns a recorded body.
func body(tb testing.TB, file string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "responses", file))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// measure returns the reading of a response that arrives in the given pieces.
func measure(api API, pieces ...[]byte) Reading {
	m := NewMeter(Endpoint{API: api}, "")
	for _, p := range pieces {
		p = bytes.Clone(p)
		m.Write(p)
		clear(p) // the Meter must not have kept it
	}
	return m.Close()
}

func TestMeterReadsRecordedBodies(t *testing.T) {
	for _, tt := range recorded {
		t.Run(tt.file, func(t *testing.T) {
			b := body(t, tt.file)
			want := tt.want
			want.Stream = want.Stream || strings.HasSuffix(tt.file, ".sse")
			if diff := cmp.Diff(want, measure(tt.api, b)); diff != "" {
				t.Errorf("reading (-want +got):\n%s", diff)
			}
			for i := range b {
				if diff := cmp.Diff(want, measure(tt.api, b[:i], b[i:])); diff != "" {
					t.Fatalf("reading when split at byte %d (-want +got):\n%s", i, diff)
				}
			}
			if diff := cmp.Diff(want, measure(tt.api, bytes.SplitAfter(b, nil)...)); diff != "" {
				t.Errorf("reading byte by byte (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, measure(tt.api, append([]byte("\xEF\xBB\xBF"), b...))); diff != "" {
				t.Errorf("reading after a byte order mark (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, measure(tt.api, zip(t, b))); diff != "" {
				t.Errorf("reading of the compressed body (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMeterOfCutBodies cuts every recorded body at every byte: what is charged for must have been stated, and a
// body that is cut before its end marker is not complete.
func TestMeterOfCutBodies(t *testing.T) {
	for _, tt := range recorded {
		b := bytes.TrimRight(body(t, tt.file), "\r\n")
		for i := range b {
			got := measure(tt.api, b[:i])
			if got.Complete && !strings.HasSuffix(tt.file, ".sse") {
				t.Fatalf("%s: complete after %d of %d bytes", tt.file, i, len(b))
			}
			if got.HasUsage && got.Usage != tt.want.Usage {
				t.Fatalf("%s: after %d bytes the final usage is %+v, want %+v", tt.file, i, got.Usage, tt.want.Usage)
			}
			if got.HasUsage && got.Partial || got.Complete && got.Partial {
				t.Fatalf("%s: after %d bytes both partial and final: %+v", tt.file, i, got)
			}
		}
	}
}

func TestMeterOfCutStreamKeepsTheInput(t *testing.T) {
	b := body(t, "anthropic.sse")
	cut := bytes.Index(b, []byte("event: content_block_stop"))
	want := Reading{
		HasTerms: true, Model: "claude-sonnet-4-5-20250929", Partial: true, Stream: true, TextBytes: 6,
		Usage: pricing.Usage{Input: 25, CacheRead: 4000, CacheWriteShort: 1000, CacheWriteLong: 200, Output: 1},
	}
	m := NewMeter(Endpoint{API: AnthropicMessages}, "")
	m.Write(b[:cut])
	if diff := cmp.Diff(want, m.Reading()); diff != "" {
		t.Errorf("reading while it runs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, m.Close()); diff != "" {
		t.Errorf("reading at the end (-want +got):\n%s", diff)
	}
	m.Write(b[cut:])
	if diff := cmp.Diff(want, m.Close()); diff != "" {
		t.Errorf("reading after Close (-want +got):\n%s", diff)
	}
}

func TestMeterOfUnreadableBodies(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       Reading
	}{
		{"nothing", "", Reading{Partial: true}},
		{"blank lines", "\r\n\r\n", Reading{Partial: true}},
		{"HTML", "<html>502</html>", Reading{}},
		{"zstd", "\x28\xb5\x2f\xfd\x04", Reading{}},
		{"a header of gzip alone", "\x1f", Reading{Partial: true}},
		{"gzip that is none", "\x1f\x8b\x08 no", Reading{Partial: true}},
		{"a JSON value of another kind", "[1,2]", Reading{Complete: true}},
		{"usage of another kind", `{"usage":[1],"model":5,"choices":{}}`, Reading{Complete: true}},
		{"a usage that is cut in a number", `{"usage":{"prompt_tokens":12`, Reading{Partial: true}},
		{"counts that are none", `{"usage":{"prompt_tokens":"inf"}}`, Reading{Complete: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, measure(OpenAIChat, []byte(tt.body))); diff != "" {
				t.Errorf("reading of %q (-want +got):\n%s", tt.body, diff)
			}
		})
	}
}

func TestMeterBelievesNoUsageBeyondAnyCall(t *testing.T) {
	const text = `"choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]`
	for _, tt := range []struct {
		name, usage string
		want        pricing.Usage
		stated      bool
	}{
		{"as much as may be", `{"prompt_tokens":100000000,"completion_tokens":100000000}`, pricing.Usage{Input: 1e8, Output: 1e8}, true},
		{"a prompt beyond that", `{"prompt_tokens":100000001,"completion_tokens":1}`, pricing.Usage{}, false},
		{"an answer beyond that", `{"prompt_tokens":1,"completion_tokens":9223372036854775807}`, pricing.Usage{}, false},
		{"a prompt from the cache beyond that", `{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":1e30}}`, pricing.Usage{}, false},
		{"searches beyond that", `{"prompt_tokens":1,"completion_tokens":1,"num_search_queries":1e9}`, pricing.Usage{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := measure(OpenAIChat, []byte(`{`+text+`,"usage":`+tt.usage+`}`))
			if got.Usage != tt.want || got.HasUsage != tt.stated || got.TextBytes != 5 {
				t.Errorf("usage %+v, stated %t, %d bytes of text; want %+v, %t and 5", got.Usage, got.HasUsage, got.TextBytes, tt.want, tt.stated)
			}
		})
	}
}

// TestMeterBelievesNoNegativeCount replaces a count of each API by one below zero: the usage is not stated, unless the
// count is only a part of one that is.
func TestMeterBelievesNoNegativeCount(t *testing.T) {
	const claude, gemini, openai, converse = "/v1/messages", "/v1beta/models/m:generateContent", "/v1/chat/completions", "/model/m/converse"
	const chatUsage = `{"choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":7`
	const claudeUsage = `{"type":"message","content":[],"stop_reason":"end_turn","usage":{"input_tokens":12,"output_tokens":7`
	for _, tt := range []struct {
		name, path, body string
		counts           []string // as they stand in the body
		parts            []string
	}{
		{"chat", openai, chatUsage + `,"total_tokens":19,"num_search_queries":2,"prompt_tokens_details":{"cached_tokens":3,"audio_tokens":6},"completion_tokens_details":{"reasoning_tokens":4}}}`,
			[]string{"12", "7", "2"}, []string{"19", "3", "6", "4"}},
		{"a stream of chat", openai, "data: " + chatUsage + "}}\n\ndata: [DONE]\n\n", []string{"12", "7"}, nil},
		{"DeepSeek", openai, `{"usage":{"prompt_cache_hit_tokens":12,"prompt_cache_miss_tokens":3,"completion_tokens":7}}`, []string{"12", "3", "7"}, nil},
		{"llama.cpp", openai, `{"choices":[{"index":0,"finish_reason":"stop"}],"timings":{"prompt_n":12,"cache_n":3,"predicted_n":7}}`, []string{"12", "3", "7"}, nil},
		{"embeddings", "/v1/embeddings", `{"usage":{"total_tokens":19}}`, []string{"19"}, nil},
		{"responses", "/v1/responses", `{"object":"response","status":"completed","usage":{"input_tokens":12,"output_tokens":7}}`, []string{"12", "7"}, nil},
		{"transcription", "/v1/audio/transcriptions", `{"text":"a","usage":{"type":"duration","seconds":12}}`, []string{"12"}, nil},
		{"messages", claude, claudeUsage + `,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"output_tokens_details":{"thinking_tokens":6}}}`,
			[]string{"12", "7", "3", "4"}, []string{"6"}},
		{"an iteration of messages", claude, claudeUsage + `,"iterations":[{"type":"compaction","input_tokens":3,"output_tokens":4}]}}`, []string{"12", "3", "4"}, nil},
		{"Gemini", gemini, `{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12,"cachedContentTokenCount":6,"candidatesTokenCount":7,"thoughtsTokenCount":3,"toolUsePromptTokenCount":4}}`,
			[]string{"12", "7", "3", "4"}, []string{"6"}},
		{"an interaction", "/v1beta/interactions", `{"id":"i","status":"completed","usage":{"total_input_tokens":12,"total_output_tokens":7,"total_thought_tokens":3}}`,
			[]string{"12", "7", "3"}, nil},
		{"Converse", converse, `{"stopReason":"end_turn","usage":{"inputTokens":12,"outputTokens":7,"cacheReadInputTokens":3,"cacheWriteInputTokens":4}}`,
			[]string{"12", "7", "3", "4"}, nil},
		{"Llama on Bedrock", "/model/m/invoke", `{"generation":"a","prompt_token_count":12,"generation_token_count":7,"stop_reason":"stop"}`, []string{"12", "7"}, nil},
		{"Cohere", "/v2/chat", `{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":12,"output_tokens":7},"tokens":{"input_tokens":13}}}`, []string{"12", "7"}, nil},
		{"Ollama", "/api/chat", `{"done":true,"done_reason":"stop","prompt_eval_count":12,"eval_count":7}`, []string{"12", "7"}, nil},
		{"embeddings of Ollama", "/api/embed", `{"prompt_eval_count":12}`, []string{"12"}, nil},
		{"TGI", "/generate", `{"generated_text":"a","details":{"finish_reason":"length","generated_tokens":7,"input_length":12}}`, []string{"12", "7"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			read := func(body string) Reading {
				m := NewMeter(ParsePath(tt.path), "")
				m.Write([]byte(body))
				return m.Close()
			}
			if got := read(tt.body); !got.HasUsage || got.Usage == (pricing.Usage{}) {
				t.Fatalf("as it is: got %+v, want its usage", got)
			}
			for i, n := range append(slices.Clone(tt.counts), tt.parts...) {
				body := strings.Replace(tt.body, ":"+n, ":-"+n, 1)
				got, want := read(body), i >= len(tt.counts)
				if body == tt.body || got.HasUsage != want || !want && got.Usage != (pricing.Usage{}) {
					t.Errorf("with -%s: got %+v, want it stated: %t", n, got, want)
				}
			}
		})
	}
}

// TestMeterBelievesTheCountThatFollowsANegativeOne: in a stream the last value of a count holds, whatever it is.
func TestMeterBelievesTheCountThatFollowsANegativeOne(t *testing.T) {
	stream := func(first, last string) []byte {
		return []byte(named(`{"type":"message_start","message":{"type":"message","usage":{"input_tokens":12,"output_tokens":`+first+`}}}`,
			`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":`+last+`}}`, `{"type":"message_stop"}`))
	}
	if got := measure(AnthropicMessages, stream("-1", "7")); !got.HasUsage || got.Usage != (pricing.Usage{Input: 12, Output: 7}) {
		t.Errorf("a negative count and another one: got %+v", got)
	}
	if got := measure(AnthropicMessages, stream("7", "-1")); got.HasUsage || got.Usage != (pricing.Usage{}) {
		t.Errorf("a count and a negative one: got %+v", got)
	}
}

func TestMeterRoundsCounts(t *testing.T) {
	b := `{"usage":{"prompt_tokens":1e3,"completion_tokens":7.4,"prompt_tokens_details":{"cached_tokens":2.5}}}`
	got := measure(OpenAIChat, []byte(b)).Usage
	want := pricing.Usage{Input: 997, CacheRead: 3, Output: 7}
	if got != want {
		t.Errorf("usage of %s: got %+v, want %+v", b, got, want)
	}
}

func TestMeterFindsTheUsageOfALongBody(t *testing.T) {
	text := strings.Repeat(`\"usage\":{\"prompt_tokens\":1} \\\"usage\\\" `, 20_000)
	for _, tt := range []struct {
		file string
		api  API
	}{
		{"chat.json", OpenAIChat}, {"responses.json", OpenAIResponses},
		{"anthropic.json", AnthropicMessages}, {"gemini.json", GeminiGenerate},
	} {
		t.Run(tt.file, func(t *testing.T) {
			want := measure(tt.api, body(t, tt.file))
			long := strings.NewReplacer(`"text": "`, `"text": "`+text, `"content": "`, `"content": "`+text)
			b := []byte(long.Replace(string(body(t, tt.file))))
			for _, size := range []int{999, maxTail - 1, maxTail + 1, len(b)} {
				m := NewMeter(Endpoint{API: tt.api}, "")
				m.limit = 2 * maxTail
				for piece := range slices.Chunk(b, size) {
					m.Write(piece)
				}
				if len(m.body) != m.limit || cap(m.tail) > 4*maxTail {
					t.Errorf("in pieces of %d: keeps %d and %d bytes", size, len(m.body), cap(m.tail))
				}
				got := m.Close()
				if got.Complete || got.Usage != want.Usage || !got.HasUsage {
					t.Errorf("in pieces of %d: got %+v, want the usage %+v and not complete", size, got, want.Usage)
				}
			}
		})
	}
}

// TestMeterReadsGeminisArrayAsItComes cuts the array at every byte: the elements before the cut have been read.
func TestMeterReadsGeminisArrayAsItComes(t *testing.T) {
	elements := []string{
		` [{"candidates":[{"content":{"parts":[{"text":"]}\"[{"}]},"index":0}],"modelVersion":"m"}`,
		"\n,\r\n" + `{"candidates":[{"content":{"parts":[{"text":"12345"}]},"index":0}]}`,
		`,{"candidates":[{"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4}}`,
	}
	whole := strings.Join(elements, "") + "\n]"
	first := len(elements[0])
	texts := map[int]int64{first: 5, first + len(elements[1]): 10}
	for i := range whole {
		m := NewMeter(Endpoint{API: GeminiGenerate}, "")
		m.Write([]byte(whole[:i]))
		want := int64(0)
		for at, text := range texts {
			if i >= at {
				want = max(want, text)
			}
		}
		if got := m.Reading(); got.TextBytes != want || got.Complete {
			t.Fatalf("after %d bytes: got %+v, want %d bytes of text and not complete", i, got, want)
		}
		m.Write([]byte(whole[i:]))
		if got := m.Close(); got.TextBytes != 10 || !got.HasUsage || !got.Complete || got.Usage != (pricing.Usage{Input: 3, Output: 4}) {
			t.Fatalf("split at byte %d: got %+v", i, got)
		}
	}
}

func TestMeterKnowsWhetherGeminisArrayIsWhole(t *testing.T) {
	const last = `{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3}}`
	for text, whole := range map[string]bool{
		"[" + last + "]": true, "[" + last + " , " + last + "]\r\n": true, "[{\"a\":[{}]}," + last + "]": true,
		"[" + last: false, "[" + last + ",": false, "[" + last + ",]": false, "[," + last + "]": false,
		"[" + last + last + "]": false, "[" + last + "]]": false, "[" + last + "]" + last: false, "[" + last + `,1]`: false,
		"[" + last + `,"a"]`: false, "[{a}," + last + "]": false, "[" + last + "}": false, "]" + last + "]": false,
	} {
		if got := measure(GeminiGenerate, []byte(text)); got.Complete != whole {
			t.Errorf("%s: complete %t, want %t", text, got.Complete, whole)
		}
	}
}

func TestMeterFindsTheUsageAfterInvalidUTF8(t *testing.T) {
	b := bytes.Replace(body(t, "chat.json"), []byte("Gr"), []byte("\xff"), 1)
	got := measure(OpenAIChat, b)
	if want := measure(OpenAIChat, body(t, "chat.json")); got.Usage != want.Usage || !got.HasUsage || got.Complete {
		t.Errorf("got %+v, want the usage %+v and not complete", got, want.Usage)
	}
}

func TestMeterLimitsWhatGzipBecomes(t *testing.T) {
	event := []byte(`data: {"choices":[{"index":0,"delta":{"content":"x"}}]}` + "\n\n")
	bomb := zip(t, bytes.Repeat(event, 16<<20/len(event)))
	got := measure(OpenAIChat, bomb)
	limit := int64(max(freeInflated, maxInflation*len(bomb))) / int64(len(event))
	if got.TextBytes > limit || got.TextBytes < limit/2 || !got.Partial {
		t.Errorf("%d bytes of gzip: got %+v, want about %d bytes of text and a partial reading", len(bomb), got, limit)
	}
}

func TestMeterDoesNotAllocatePerEvent(t *testing.T) {
	for _, file := range []string{"chat.sse", "chat_groq.sse", "anthropic_tools.sse", "responses.sse", "gemini.sse"} {
		b := body(t, file)
		api := OpenAIChat
		for _, tt := range recorded {
			if tt.file == file {
				api = tt.api
			}
		}
		m := NewMeter(Endpoint{API: api}, "")
		m.Write(b)
		if allocs := testing.AllocsPerRun(20, func() { m.Write(b) }); allocs > 0 {
			t.Errorf("%s: allocated %v times on its second reading, want 0", file, allocs)
		}
	}
}

// zip compresses b.
func zip(tb testing.TB, b []byte) []byte {
	tb.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(b); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func TestMeterCountsWhatEscapesMean(t *testing.T) {
	const content = `\"\\\/\n\u0041\u00e9\u20ac\ud83d\ude00é` // two, one each for \n and A, then 2, 3, 4 and 2
	b := `{"choices":[{"message":{"content":"` + content + `"}}]}`
	if got := measure(OpenAIChat, []byte(b)).TextBytes; got != 16 {
		t.Errorf("text of %s: got %d bytes, want 16", content, got)
	}
}

func TestMeterOfAnUnreadAPIRecognisesErrors(t *testing.T) {
	for _, b := range []string{`{"error":"no"}`, "data: {\"error\":{\"message\":\"no\"}}\n\n", "event: error\ndata: {}\n\n"} {
		if got := measure("", []byte(b)); !got.Failed || got.HasUsage {
			t.Errorf("reading of %q: got %+v, want failed and without usage", b, got)
		}
	}
}

func TestFinishReasons(t *testing.T) {
	for _, tt := range []struct {
		api    API
		body   string
		reason map[string]Finish
	}{
		{OpenAIChat, `{"choices":[{"finish_reason":"%"}]}`, map[string]Finish{
			"stop": FinishStop, "eos_token": FinishStop, "length": FinishLength, "tool_calls": FinishTools,
			"function_call": FinishTools, "content_filter": FinishFiltered, "insufficient_system_resource": FinishUnknown}},
		{AnthropicMessages, `{"stop_reason":"%"}`, map[string]Finish{
			"end_turn": FinishStop, "stop_sequence": FinishStop, "max_tokens": FinishLength, "tool_use": FinishTools,
			"model_context_window_exceeded": FinishLength, "refusal": FinishFiltered, "pause_turn": FinishUnknown}},
		{GeminiGenerate, `{"candidates":[{"finishReason":"%"}]}`, map[string]Finish{
			"STOP": FinishStop, "MAX_TOKENS": FinishLength, "SAFETY": FinishFiltered, "OTHER": FinishUnknown}},
	} {
		for reason, want := range tt.reason {
			b := strings.Replace(tt.body, "%", reason, 1)
			if got := measure(tt.api, []byte(b)).Finish; got != want {
				t.Errorf("%s: finish of %s: got %d, want %d", tt.api, b, got, want)
			}
		}
	}
}

func TestFinishOfSeveralChoices(t *testing.T) {
	for _, tt := range []struct {
		name, choices string
		want          Finish
	}{
		{"the worst counts", `{"index":0,"finish_reason":"length"},{"index":1,"finish_reason":"stop"}`, FinishLength},
		{"one has not ended", `{"index":0,"finish_reason":"stop"},{"index":1,"finish_reason":null}`, FinishUnknown},
		{"one ended in an unknown way", `{"index":0,"finish_reason":"stop"},{"index":1,"finish_reason":"error"}`, FinishUnknown},
		{"more than have a bit of their own", `{"index":70,"finish_reason":"stop"},{"index":-1,"finish_reason":"length"}`, FinishLength},
		{"a legacy function call that says stop", `{"message":{"function_call":{"name":"f","arguments":"{}"}},"finish_reason":"stop"}`, FinishTools},
		{"a refusal that says stop", `{"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}`, FinishFiltered},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := measure(OpenAIChat, []byte(`{"choices":[`+tt.choices+`]}`)).Finish; got != tt.want {
				t.Errorf("finish of %s: got %d, want %d", tt.choices, got, tt.want)
			}
		})
	}
}
