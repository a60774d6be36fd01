package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// at is the bench at the address of a house.
func (b *bench) at(t *testing.T, h house) *bench {
	t.Helper()
	hs := httptest.NewServer(door{b.server, h})
	t.Cleanup(hs.Close)
	return &bench{b.server, hs.URL}
}

const hello = `"messages":[{"role":"user","content":"hello world"}]`

// "hello world" is two tokens; as a message it is four more, and the opening of the answer three.
func TestHousesBill(t *testing.T) {
	for _, tt := range []struct {
		name       string
		house      house
		path, body string
		want       billed
	}{
		{"Azure names the model in the path", azure, "/openai/deployments/prod-gpt-4.1-mini/chat/completions?api-version=1", `{"max_tokens":5,` + hello + `}`,
			billed{API: "openai.chat", Model: "gpt-4.1-mini-2025-04-14", Usage: usage{Input: 9, Output: 5}, CostNanos: 11_600}},
		{"Azure of version one", azure, "/openai/v1/chat/completions", `{"model":"prod-gpt-4.1-mini","max_tokens":5,` + hello + `}`,
			billed{API: "openai.chat", Model: "gpt-4.1-mini-2025-04-14", Usage: usage{Input: 9, Output: 5}, CostNanos: 11_600}},
		{"xAI bills reasoning too", xai, "/v1/chat/completions", `{"model":"grok-4.3","messages":[{"role":"user","content":"[[reasoning=7]] [[tokens=11]]"}]}`,
			billed{API: "openai.chat", Model: "grok-4.3", Usage: usage{Input: 18, Output: 18, Reasoning: 7}, CostNanos: 67_500}},
		{"OpenRouter has prices of its own", openrouter, "/api/v1/chat/completions", `{"model":"openai/gpt-4o","max_tokens":5,` + hello + `}`,
			billed{API: "openai.chat", Model: "openai/gpt-4o", Usage: usage{Input: 9, Output: 5}, CostNanos: 81_250}},
		{"Cohere", cohereHome, "/v2/chat", `{"model":"command-r7b-12-2024","max_tokens":5,` + hello + `}`,
			billed{API: "cohere.chat", Model: "command-r7b-12-2024", Usage: usage{Input: 9, Output: 5}, CostNanos: 1_088}},
		{"Cohere's vectors", cohereHome, "/v2/embed", `{"model":"embed-v4.0","texts":["hello world","hello"],"input_type":"search_query"}`,
			billed{API: "cohere.embed", Model: "embed-v4.0", Usage: usage{Input: 3}, CostNanos: 360}},
		{"Cohere's rankings", cohereHome, "/v2/rerank", `{"model":"rerank-v3.5","query":"q","documents":["a"` + strings.Repeat(`,"b"`, 100) + `]}`,
			billed{API: "cohere.rerank", Model: "rerank-v3.5", Usage: usage{SearchUnits: 2}, CostNanos: 4_000_000}},
		{"Claude on Vertex", vertex, "/v1/projects/p/locations/global/publishers/anthropic/models/claude-haiku-4-5@20251001:rawPredict",
			`{"anthropic_version":"vertex-2023-10-16","max_tokens":5,` + hello + `}`,
			billed{API: "anthropic.messages", Model: "claude-haiku-4-5-20251001", Usage: usage{Input: 9, Output: 5}, CostNanos: 34_000}},
		{"Gemini on Vertex", vertex, "/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:generateContent",
			`{"generationConfig":{"maxOutputTokens":5},"contents":[{"role":"user","parts":[{"text":"hello world"}]}]}`,
			billed{API: "gemini.generate", Model: "gemini-2.5-flash", Usage: usage{Input: 9, Output: 5}, CostNanos: 15_200}},
		{"Claude on Bedrock in a region", bedrockAWS, "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke",
			`{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,` + hello + `}`,
			billed{API: "bedrock.invoke", Model: "claude-haiku-4-5-20251001", Usage: usage{Input: 9, Output: 5}, CostNanos: 37_400}},
		{"Converse", bedrockAWS, "/model/amazon.nova-lite-v1:0/converse",
			`{"inferenceConfig":{"maxTokens":5},"messages":[{"role":"user","content":[{"text":"hello world"}]}]}`,
			billed{API: "bedrock.converse", Model: "amazon.nova-lite-v1:0", Usage: usage{Input: 9, Output: 5}, CostNanos: 1_740}},
		{"a model that says nothing in its body", bedrockAWS, "/model/mistral.mistral-7b-instruct-v0%3A2/invoke", `{"prompt":"hello world","max_tokens":5}`,
			billed{API: "bedrock.invoke", Model: "mistral.mistral-7b-instruct-v0:2", Usage: usage{Input: 2, Output: 5}, CostNanos: 1_300}},
		{"Ollama is free", ollamaHome, "/api/chat", `{"model":"llama3.3","stream":false,"options":{"num_predict":5},` + hello + `}`,
			billed{API: "ollama.chat", Model: "llama3.3", Usage: usage{Input: 9, Output: 5}}},
		{"two prompts, the best of two each", "", "/v1/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":["hello world","hello"],"max_tokens":5,"best_of":2}`,
			billed{API: "openai.completions", Model: "gpt-3.5-turbo-instruct", Usage: usage{Input: 3, Output: 20}, CostNanos: 44_500}},
		{"flex is half", "", "/v1/chat/completions", `{"model":"gpt-5","max_completion_tokens":5,"service_tier":"flex",` + hello + `}`,
			billed{API: "openai.chat", Model: "gpt-5-2025-08-07", Usage: usage{Input: 9, Output: 5}, CostNanos: 30_625}},
		{"fast is priority, and double", "", "/v1/responses", `{"model":"gpt-5","max_output_tokens":16,"service_tier":"fast","input":"hello world [[tokens=1]]"}`,
			billed{API: "openai.responses", Model: "gpt-5-2025-08-07", Usage: usage{Input: 14, Output: 1}, CostNanos: 55_000}},
		{"a class that the model has not got is the usual one", "", "/v1/chat/completions", `{"model":"gpt-4o","max_tokens":5,"service_tier":"flex",` + hello + `}`,
			billed{API: "openai.chat", Model: "gpt-4o-2024-08-06", Usage: usage{Input: 9, Output: 5}, CostNanos: 72_500}},
		{"a region costs a tenth more", "", "/v1/messages", `{"model":"claude-opus-4-8","max_tokens":5,"inference_geo":"us",` + hello + `}`,
			billed{API: "anthropic.messages", Model: "claude-opus-4-8", Usage: usage{Input: 9, Output: 5}, CostNanos: 187_000}},
		{"a search costs a cent, and its results", "", "/v1/messages", `{"model":"claude-opus-4-8","max_tokens":5,"tools":[{"type":"web_search_20250305","name":"web_search"}],
			"messages":[{"role":"user","content":"[[search=2]]"}]}`,
			billed{API: "anthropic.messages", Model: "claude-opus-4-8", Usage: usage{Input: 184, Output: 5, Searches: 2}, CostNanos: 21_045_000}},
		{"pictures", "", "/v1/images/generations", `{"model":"gpt-image-1","prompt":"hello world","n":2,"quality":"low"}`,
			billed{API: "openai.images", Model: "gpt-image-1", Usage: usage{Input: 2, Output: 544}, CostNanos: 21_770_000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{}).at(t, tt.house)
			got := b.bill(t, tt.path, tt.body, "x-test-id", tt.name)
			tt.want.ID, tt.want.RequestID = got.ID, tt.name
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("invoice (-want +got):\n%s", diff)
			}
		})
	}
}

// What a house says of a call, in its own counting.
func TestHousesSayWhatTheyBill(t *testing.T) {
	const order = `"messages":[{"role":"user","content":"[[reasoning=7]] [[tokens=11]]"}]}`
	for _, tt := range []struct {
		name       string
		house      house
		path, body string
		at         []any // path to the usage
		want       string
	}{
		{"xAI leaves reasoning out", xai, "/v1/chat/completions", `{"model":"grok-4.3",` + order, []any{"usage"},
			`{"prompt_tokens":18,"completion_tokens":11,"total_tokens":36,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},
			"completion_tokens_details":{"reasoning_tokens":7,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0},
			"cost_in_usd_ticks":675000,"num_sources_used":0}`},
		{"OpenRouter states a price", openrouter, "/api/v1/chat/completions", `{"model":"openai/gpt-4o","max_tokens":5,` + hello + `}`, []any{"usage", "cost"}, `8.125e-05`},
		{"DeepSeek splits the prompt", deepseek, "/chat/completions", `{"model":"deepseek-v4-pro","max_tokens":5,` + hello + `}`, []any{"usage", "prompt_cache_miss_tokens"}, `9`},
		{"Cohere counts its template", cohereHome, "/v2/chat", `{"model":"command-r7b-12-2024","max_tokens":5,` + hello + `}`, []any{"usage"},
			`{"billed_units":{"input_tokens":9.0,"output_tokens":5.0},"tokens":{"input_tokens":79.0,"output_tokens":7.0},"cached_tokens":0.0}`},
		{"Ollama", ollamaHome, "/api/generate", `{"model":"m","stream":false,"options":{"num_predict":5},"prompt":"hello world"}`, []any{"eval_count"}, `5`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{}).at(t, tt.house)
			status, body := b.post(t, tt.path, tt.body)
			if status != 200 {
				t.Fatalf("status %d: %s", status, body)
			}
			var want any
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, dig(object(t, body), tt.at...)); diff != "" {
				t.Errorf("%v (-want +got):\n%s", tt.at, diff)
			}
		})
	}
}

// frames takes an AWS event stream apart and checks its checksums.
func frames(t *testing.T, b []byte) (kinds []string, payloads [][]byte) {
	t.Helper()
	for len(b) > 0 {
		total, headers := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		if crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) || crc32.ChecksumIEEE(b[:total-4]) != binary.BigEndian.Uint32(b[total-4:]) {
			t.Fatalf("wrong checksum in %x", b[:total])
		}
		kind := string(b[12 : 12+headers])
		_, kind, _ = strings.Cut(kind, ":event-type\x07")
		kinds = append(kinds, kind[2:2+kind[1]])
		payloads = append(payloads, b[12+headers:total-4])
		b = b[total:]
	}
	return kinds, payloads
}

func TestConverseStreams(t *testing.T) {
	b := newBench(t, config{}).at(t, bedrockAWS)
	status, body := b.post(t, "/model/amazon.nova-lite-v1:0/converse-stream", `{"inferenceConfig":{"maxTokens":2},"messages":[{"role":"user","content":[{"text":"hello world"}]}]}`)
	kinds, payloads := frames(t, []byte(body))
	if status != 200 || strings.Join(kinds, " ") != "messageStart contentBlockDelta contentBlockDelta contentBlockStop messageStop metadata" {
		t.Fatalf("status %d, events %v", status, kinds)
	}
	if got := dig(object(t, string(payloads[5])), "usage", "totalTokens"); got != 11.0 {
		t.Errorf("total %v, want 11", got)
	}
}

func TestInvokeStreamsEndWithMetrics(t *testing.T) {
	for name, body := range map[string]string{
		"us.anthropic.claude-haiku-4-5-20251001-v1:0": `{"anthropic_version":"bedrock-2023-05-31","max_tokens":2,` + hello + `}`,
		"mistral.mistral-7b-instruct-v0:2":            `{"prompt":"hello world","max_tokens":2}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, config{}).at(t, bedrockAWS)
			_, got := b.post(t, "/model/"+name+"/invoke-with-response-stream", body)
			_, payloads := frames(t, []byte(got))
			last, err := base64.StdEncoding.DecodeString(dig(object(t, string(payloads[len(payloads)-1])), "bytes").(string))
			if err != nil {
				t.Fatal(err)
			}
			if out := dig(object(t, string(last)), "amazon-bedrock-invocationMetrics", "outputTokenCount"); out != 2.0 {
				t.Errorf("outputTokenCount %v, want 2: %s", out, last)
			}
		})
	}
}

func TestStreamsSayTheirUsageWhereTheHouseDoes(t *testing.T) {
	for _, tt := range []struct {
		name          string
		house         house
		path, model   string
		more          string
		chunks        int  // that have usage
		withTheChoice bool // and a choice
	}{
		{"OpenAI unasked", "", "/v1/chat/completions", "gpt-4o", ``, 0, false},
		{"OpenAI asked", "", "/v1/chat/completions", "gpt-4o", `,"stream_options":{"include_usage":true}`, 1, false},
		{"xAI", xai, "/v1/chat/completions", "grok-4.3", ``, 1, false},
		{"OpenRouter", openrouter, "/api/v1/chat/completions", "openai/gpt-4o", ``, 1, false},
		{"Mistral", mistral, "/v1/chat/completions", "mistral-small-2603", ``, 1, true},
		{"DeepSeek", deepseek, "/chat/completions", "deepseek-v4-pro", ``, 1, true},
		{"Groq", groq, "/openai/v1/chat/completions", "openai/gpt-oss-20b", ``, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{}).at(t, tt.house)
			status, body := b.post(t, tt.path, `{"model":"`+tt.model+`","stream":true`+tt.more+`,"messages":[{"role":"user","content":"[[tokens=3]]"}]}`)
			if status != 200 || !strings.HasSuffix(body, "data: [DONE]\n\n") {
				t.Fatalf("status %d: %s", status, body)
			}
			got := 0
			for line := range strings.Lines(body) {
				data, ok := strings.CutPrefix(line, "data: {")
				if !ok {
					continue
				}
				chunk := object(t, "{"+data)
				if chunk["usage"] == nil {
					continue
				}
				got++
				if choice := dig(chunk, "choices", 0) != nil; choice != tt.withTheChoice {
					t.Errorf("usage beside a choice: %t, want %t", choice, tt.withTheChoice)
				}
			}
			if got != tt.chunks {
				t.Errorf("%d chunks have usage, want %d", got, tt.chunks)
			}
		})
	}
}

func TestPeak(t *testing.T) {
	for text, want := range map[string]bool{
		"2026-11-23T00:59:59Z": false, "2026-11-23T01:00:00Z": true, "2026-11-23T03:59:59Z": true, "2026-11-23T04:00:00Z": false,
		"2026-11-23T06:00:00Z": true, "2026-11-23T10:00:00Z": false, "2026-11-22T02:00:00Z": false,
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := peak(at); got != want {
			t.Errorf("peak(%s) = %t, want %t", text, got, want)
		}
	}
}
