package provider_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// stopUsage is what stopped answers are said to have come to.
var stopUsage = pricing.Usage{Input: 7, CacheRead: 3, Output: 5, Reasoning: 2}

// sse joins server-sent events, each given as its lines.
func sse(events ...string) string { return strings.Join(events, "\n\n") + "\n\n" }

const (
	streamGeminiPath = "/v1beta/models/gemini-2.5-pro:streamGenerateContent"
	conversePath     = "/model/anthropic.claude-haiku-4-5-v1%3A0/converse-stream"
	invokePath       = "/model/anthropic.claude-haiku-4-5-v1%3A0/invoke-with-response-stream"
)

// stopped is a stream that is cut after some of its bytes and the end that it gets.
type stopped struct {
	name, path string
	usage      bool // the client asked for it
	stream     string
	passed     string // of the stream, "" for all of it
	end        string // "" if there is none
}

func stoppedStreams() []stopped {
	chat := func(delta, finish string) string {
		return `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]}`
	}
	first, second := chat(`{"role":"assistant","content":""}`, "null"), chat(`{"content":"Hé"}`, "null")
	const head = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-2024-08-06",`
	const usage = `"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`
	const metrics = `"amazon-bedrock-invocationMetrics":{"inputTokenCount":7,"outputTokenCount":5,"invocationLatency":0,"firstByteLatency":0,"cacheReadInputTokenCount":3,"cacheWriteInputTokenCount":0}`
	created := "event: interaction.created\n" + `data: {"interaction":{"id":"v1_a","status":"in_progress","object":"interaction","model":"gemini-3.8-flash"},"event_type":"interaction.created"}`
	const interactionUsage = `"usage":{"total_input_tokens":10,"total_output_tokens":3,"total_thought_tokens":2,"total_tokens":15}`
	messageStart := "event: message_start\n" + `data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":7}}}`
	blockStart := "event: content_block_start\n" + `data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	blockDelta := "event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`
	messageDelta := "event: message_delta\n" + `data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":5}}`
	messageStop := "event: message_stop\n" + `data: {"type":"message_stop"}`
	return []stopped{
		{"chat", chatPath, false, sse(first, second), "", sse(head+`"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}]}`, "data: [DONE]")},
		{"chat with usage", chatPath, true, sse(first, second) + second, sse(first, second), sse(head+`"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}]}`, head+`"choices":[],`+usage, "data: [DONE]")},
		{"chat that has finished but for its usage", chatPath, true, sse(first, chat("{}", `"stop"`)), "", sse(head+`"choices":[],`+usage, "data: [DONE]")},
		{"chat before its first choice", chatPath, false, sse(`data: {"choices":[],"id":"","model":"","prompt_filter_results":[]}`), "", sse(`data: {"id":"farebox","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":"length"}]}`, "data: [DONE]")},
		{"chat with two choices", chatPath, false, sse(first, strings.Replace(second, `"index":0`, `"index":1`, 1)), "", sse(head+`"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"},{"index":1,"delta":{},"logprobs":null,"finish_reason":"length"}]}`, "data: [DONE]")},
		{"chat that has ended", chatPath, false, sse(first, "data: [DONE]"), "", ""},
		{"chat that has failed", chatPath, false, sse(first, `data: {"error":{"message":"m"}}`), "", ""},
		{"chat that has not begun", chatPath, false, ": keep-alive\n\n" + first, ": keep-alive\n\n", ""},
		{"an error instead of a stream", chatPath, false, "{\"error\":{\"message\":\"m\"}}\n", "", ""},
		{"completion", "/v1/completions", false, sse(`data: {"id":"c","object":"text_completion","created":1,"choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":null}],"model":"davinci-002"}`), "",
			sse(`data: {"id":"c","object":"text_completion","created":1,"model":"davinci-002","choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"length"}]}`, "data: [DONE]")},
		{"message", messagesPath, false, sse(messageStart, blockStart, blockDelta), "", sse("event: content_block_stop\n"+`data: {"type":"content_block_stop","index":0}`, messageDelta, messageStop)},
		{"message between blocks", messagesPath, false, sse(messageStart), "", sse(messageDelta, messageStop)},
		{"message whose reason was said", messagesPath, false, sse(messageStart, messageDelta), "", sse(messageStop)},
		{"message that has ended", messagesPath, false, sse(messageStart, messageDelta, messageStop), "", ""},
		{"gemini", streamGeminiPath + "?alt=sse", false, "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"Hi\"}],\"role\": \"model\"},\"index\": 0}],\"modelVersion\": \"gemini-2.5-pro\",\"responseId\": \"r\"}\r\n\r\n", "",
			`data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":15},"modelVersion":"gemini-2.5-pro","responseId":"r"}` + "\r\n\r\n"},
		{"gemini's array", streamGeminiPath, false, "[{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"]}\\\"[{\"}]}}]}\n,\r\n{\"candidates\"", "[{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"]}\\\"[{\"}]}}]}",
			",\r\n" + `{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":15}}]`},
		{"gemini's array that has finished", streamGeminiPath, false, `[{"candidates":[{"finishReason":"STOP"}]}` + "\n]", `[{"candidates":[{"finishReason":"STOP"}]}`, "]"},
		{"gemini's error instead of an array", streamGeminiPath, false, `{"error":{"code":400}}`, "", ""},
		{"converse", conversePath, false, frame("messageStart", `{"role":"assistant"}`) + frame("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Hi"}}`), "",
			frame("contentBlockStop", `{"contentBlockIndex":0}`) + frame("messageStop", `{"stopReason":"max_tokens"}`) + frame("metadata", `{"usage":{"inputTokens":7,"outputTokens":5,"totalTokens":15,"cacheReadInputTokens":3,"cacheWriteInputTokens":0},"metrics":{"latencyMs":0}}`)},
		{"converse that has ended", conversePath, false, frame("messageStart", `{"role":"assistant"}`) + frame("metadata", `{}`), "", ""},
		{"invoke", invokePath, false, frame("chunk", chunk(`{"type":"message_start","message":{}}`)) + frame("chunk", chunk(`{"type":"content_block_start","index":1}`)), "",
			frame("chunk", chunk(`{"type":"content_block_stop","index":1}`)) + frame("chunk", chunk(`{"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":5}}`)) + frame("chunk", chunk(`{"type":"message_stop"}`))},
		{"invoke of Llama", invokePath, false, frame("chunk", chunk(`{"generation":"Hi","prompt_token_count":7,"generation_token_count":1,"stop_reason":null}`)), "",
			frame("chunk", chunk(`{"generation":"","prompt_token_count":null,"generation_token_count":5,"stop_reason":"length",`+metrics+`}`))},
		{"invoke of Llama that has ended", invokePath, false, frame("chunk", chunk(`{"generation":"Hi","stop_reason":"stop"}`)), "", ""},
		{"invoke of Titan", invokePath, false, frame("chunk", chunk(`{"outputText":"Hi","index":0,"totalOutputTextTokenCount":null,"completionReason":null,"inputTextTokenCount":7}`)), "",
			frame("chunk", chunk(`{"outputText":"","index":0,"totalOutputTextTokenCount":5,"completionReason":"LENGTH","inputTextTokenCount":null,`+metrics+`}`))},
		{"invoke of Mistral", invokePath, false, frame("chunk", chunk(`{"outputs":[{"text":"Hi","stop_reason":null}]}`)), "",
			frame("chunk", chunk(`{"outputs":[{"text":"","stop_reason":"length"}],`+metrics+`}`))},
		{"invoke of Mistral that has ended", invokePath, false, frame("chunk", chunk(`{"outputs":[{"text":"Hi","stop_reason":"stop"}]}`)), "", ""},
		{"invoke of Nova", invokePath, false, frame("chunk", chunk(`{"messageStart":{"role":"assistant"}}`)) + frame("chunk", chunk(`{"contentBlockDelta":{"delta":{"text":"Hi"},"contentBlockIndex":0}}`)), "",
			frame("chunk", chunk(`{"contentBlockStop":{"contentBlockIndex":0}}`)) + frame("chunk", chunk(`{"messageStop":{"stopReason":"max_tokens"}}`)) +
				frame("chunk", chunk(`{"metadata":{"usage":{"inputTokens":7,"outputTokens":5,"totalTokens":15,"cacheReadInputTokens":3,"cacheWriteInputTokens":0},"metrics":{"latencyMs":0}},`+metrics+`}`))},
		{"invoke of Cohere's Command", invokePath, false, frame("chunk", chunk(`{"text":"Hi","is_finished":false}`)), "", frame("chunk", chunk(`{"is_finished":true,"finish_reason":"MAX_TOKENS",`+metrics+`}`))},
		{"invoke of Cohere's Command R", invokePath, false, frame("chunk", chunk(`{"is_finished":false,"event_type":"text-generation","text":"Hi"}`)), "",
			frame("chunk", chunk(`{"is_finished":true,"event_type":"stream-end","finish_reason":"MAX_TOKENS","response":{"text":"Hi","generation_id":null,"finish_reason":"MAX_TOKENS","meta":{"billed_units":{"input_tokens":10,"output_tokens":5}}},`+metrics+`}`))},
		{"invoke of Cohere that has ended", invokePath, false, frame("chunk", chunk(`{"text":"Hi","is_finished":false}`)) + frame("chunk", chunk(`{"is_finished":true,"finish_reason":"COMPLETE"}`)), "", ""},
		{"invoke of Mistral Large", invokePath, false, frame("chunk", chunk(`{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"stop_reason":null}]}`)), "",
			frame("chunk", chunk(`{"choices":[{"index":0,"message":{"role":"assistant","content":""},"stop_reason":"length"}],`+metrics+`}`))},
		{"invoke of OpenAI's gpt-oss", invokePath, false, frame("chunk", chunk(`{"id":"c","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null},{"index":1,"delta":{"content":"Hi"}}]}`)) +
			frame("chunk", chunk(`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)), "",
			frame("chunk", chunk(`{"choices":[{"index":1,"delta":{"role":"assistant","content":""},"finish_reason":"length"}],`+metrics+`}`))},
		{"invoke of Mistral Large that has ended", invokePath, false, frame("chunk", chunk(`{"choices":[{"index":0,"message":{"content":"Hi"},"stop_reason":"stop"}],`+metrics+`}`)), "", ""},
		{"invoke of a model that speaks otherwise", invokePath, false, frame("chunk", chunk(`{"chunk":"Hi"}`)), "", ""},
		{"an interaction", interactionsPath, false, sse(created, "event: step.start\n"+`data: {"index":0,"step":{"type":"thought"},"event_type":"step.start"}`, "event: step.stop\n"+`data: {"index":0,"event_type":"step.stop"}`,
			"event: step.start\n"+`data: {"index":1,"step":{"type":"model_output"},"event_type":"step.start"}`, "event: step.delta\n"+`data: {"index":1,"delta":{"text":"Hi","type":"text"},"event_type":"step.delta"}`), "",
			sse("event: step.stop\n"+`data: {"index":1,"event_type":"step.stop"}`, "event: interaction.completed\n"+`data: {"interaction":{"id":"v1_a","status":"incomplete","object":"interaction","model":"gemini-3.8-flash",`+interactionUsage+`},"event_type":"interaction.completed"}`, "event: done\ndata: [DONE]")},
		{"an interaction of the first version", interactionsPath, false, sse(`data: {"event_type":"interaction.start","interaction":{"id":"int_1","status":"in_progress"}}`, `data: {"event_type":"content.start","index":0,"content":{"type":"text"}}`), "",
			sse("event: content.stop\n"+`data: {"index":0,"event_type":"content.stop"}`, "event: interaction.complete\n"+`data: {"interaction":{"id":"int_1","status":"incomplete","object":"interaction",`+interactionUsage+`},"event_type":"interaction.complete"}`, "event: done\ndata: [DONE]")},
		{"an interaction that has ended", interactionsPath, false, sse(created, `data: {"interaction":{"id":"v1_a","status":"requires_action"},"event_type":"interaction.completed"}`), "", ""},
		{"an interaction that has failed", interactionsPath, false, sse(created, `data: {"event_type":"error","error":{"message":"m"}}`), "", ""},
		{"TGI", "/generate_stream", false, sse(`data:{"index":1,"token":{"id":7,"text":"H\u00e9","logprob":-0.1,"special":false},"generated_text":null,"details":null}`, `data:{"index":2,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":null,"details":null}`), "",
			sse(`data:{"index":3,"token":{"id":0,"text":"","logprob":0.0,"special":true},"generated_text":"H\u00e9","details":{"finish_reason":"length","generated_tokens":5,"seed":null,"input_length":10}}`)},
		{"TGI that has ended", "/generate_stream", false, sse(`data:{"index":1,"token":{"id":7,"text":"Hi","special":false},"generated_text":"Hi","details":null}`), "", ""},
		{"TGI that has failed", "/generate_stream", false, sse(`data:{"index":1,"token":{"id":7,"text":"Hi","special":false},"generated_text":null}`, `data:{"error":"m","error_type":"overloaded"}`), "", ""},
		{"Cohere's completions", "/v1/generate", false, `{"text":"H\u00e9","is_finished":false}` + "\n" + `{"text":"!","is_finished":false}` + "\n", "",
			`{"is_finished":true,"finish_reason":"MAX_TOKENS","response":{"id":"farebox","generations":[{"id":"farebox","text":"H\u00e9!","finish_reason":"MAX_TOKENS"}]}}` + "\n"},
		{"Cohere's completions with names", "/v1/generate", false, `{"event_type":"text-generation","text":"Hi","index":0,"is_finished":false}` + "\n", "",
			`{"is_finished":true,"event_type":"stream-end","finish_reason":"MAX_TOKENS","response":{"id":"farebox","generations":[{"id":"farebox","text":"Hi","finish_reason":"MAX_TOKENS"}]}}` + "\n"},
		{"Cohere's completions of several", "/v1/generate", false, `{"text":"Hi","index":0,"is_finished":false}` + "\n" + `{"text":"Ho","index":1,"is_finished":false}` + "\n", "", ""},
		{"Cohere's completions that have ended", "/v1/generate", false, `{"text":"Hi","is_finished":false}` + "\n" + `{"is_finished":true,"finish_reason":"COMPLETE"}` + "\n", "", ""},
		{"cohere", "/v2/chat", false, sse("event: message-start\n"+`data: {"id":"i","type":"message-start"}`, "event: content-start\n"+`data: {"type":"content-start","index":0}`, "event: content-delta\n"+`data: {"type":"content-delta","index":0}`), "",
			sse("event: content-end\n"+`data: {"type":"content-end","index":0}`, "event: message-end\n"+`data: {"type":"message-end","id":"i","delta":{"finish_reason":"MAX_TOKENS","usage":{"billed_units":{"input_tokens":10,"output_tokens":5},"tokens":{"input_tokens":10,"output_tokens":5}}}}`, "data: [DONE]")},
		{"cohere's first API", "/v1/chat", false, `{"is_finished":false,"event_type":"stream-start","generation_id":"g"}` + "\n" + `{"is_finished":false,"event_type":"text-generation","text":"H\u00e9"}` + "\n" + `{"is`, `{"is_finished":false,"event_type":"stream-start","generation_id":"g"}` + "\n" + `{"is_finished":false,"event_type":"text-generation","text":"H\u00e9"}` + "\n",
			`{"is_finished":true,"event_type":"stream-end","finish_reason":"MAX_TOKENS","response":{"text":"H\u00e9","generation_id":"g","finish_reason":"MAX_TOKENS","meta":{"billed_units":{"input_tokens":10,"output_tokens":5}}}}` + "\n"},
		{"ollama chat", "/api/chat", false, `{"model":"llama3.2","created_at":"2026-11-01T00:00:00Z","message":{"role":"assistant","content":"Hi"},"done":false}` + "\n", "",
			`{"model":"llama3.2","created_at":"2026-11-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"length","total_duration":0,"load_duration":0,"prompt_eval_count":10,"prompt_eval_duration":0,"eval_count":5,"eval_duration":0}` + "\n"},
		{"ollama generate", "/api/generate", false, `{"model":"llama3.2","created_at":"t","response":"Hi","done":false}` + "\n", "",
			`{"model":"llama3.2","created_at":"t","response":"","done":true,"done_reason":"length","total_duration":0,"load_duration":0,"prompt_eval_count":10,"prompt_eval_duration":0,"eval_count":5,"eval_duration":0}` + "\n"},
		{"ollama that has ended", "/api/chat", false, `{"model":"m","created_at":"t","done":true}` + "\n", "", ""},
	}
}

// stop cuts a stream that came in pieces of at most size bytes.
func stop(tb testing.TB, path string, usage bool, stream string, size int) (passed, end string, ok bool) {
	tb.Helper()
	ep := provider.ParsePath(path)
	if ep.Stream = true; ep.Model == "" {
		ep.Model = "m"
	}
	ep.SSE = ep.SSE || ep.ModelAt.End == 0
	s := provider.NewStopper(ep, provider.OpenAI, usage)
	if s == nil {
		tb.Fatalf("no Stopper for %s", path)
	}
	var out []byte
	for piece := range slices.Chunk([]byte(stream), size) {
		out = append(out, s.Write(piece)...)
	}
	last, ok := s.Stop(stopUsage)
	if rest := string(out) + string(s.Close()); rest != stream {
		tb.Fatalf("%q passed as %q", stream, rest)
	}
	return string(out), string(last), ok
}

func TestStopperEndsAStreamAsItsAPIEnds(t *testing.T) {
	for _, tt := range stoppedStreams() {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.passed
			if tt.end != "" {
				passed, end, _ := stop(t, tt.path, tt.usage, tt.stream, 1<<20)
				if r := metered(tt.path, passed+end); !r.Complete || r.Failed || !strings.Contains(tt.name, "has finished") && r.Finish != provider.FinishLength {
					t.Errorf("the stopped stream reads as %+v", r)
				}
			}
			if want == "" {
				want = tt.stream
			}
			for _, size := range []int{1, 2, 3, 50, 1 << 20} {
				passed, end, ok := stop(t, tt.path, tt.usage, tt.stream, size)
				if diff := cmp.Diff(want, passed); diff != "" {
					t.Errorf("passed in pieces of %d (-want +got):\n%s", size, diff)
				}
				if diff := cmp.Diff(tt.end, end); diff != "" || ok != (tt.end != "") {
					t.Errorf("end, %v (-want +got):\n%s", ok, diff)
				}
			}
		})
	}
}

func TestStopperEndsNoAnswerThatItCannotRepeatWhole(t *testing.T) {
	const mib = 1 << 20
	tgi := func(text string) string {
		return `data: {"index":1,"token":{"id":1,"text":"` + text + `","logprob":0.0,"special":false},"generated_text":null,"details":null}` + "\n\n"
	}
	cohere := func(text string) string {
		return `{"is_finished":false,"event_type":"text-generation","text":"` + text + `"}` + "\n"
	}
	responses := func(text string) string {
		return "event: response.output_text.delta\n" + `data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":0,"delta":"` + text + `"}` + "\n\n"
	}
	for _, tt := range []struct {
		name, path, start string
		event             func(text string) string
	}{
		{"TGI", "/generate_stream", "", tgi},
		{"Cohere's first API", "/v1/chat", `{"is_finished":false,"event_type":"stream-start"}` + "\n", cohere},
		{"a response", responsesPath, sse(responsesStream()[:10]...), responses},
	} {
		for name, texts := range map[string][]int{"in pieces": {1, 5 * mib, 5 * mib, 1}, "in one": {1, 9 * mib, 1}, "one that fits": {1, 7 * mib, 1}} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				ep := provider.ParsePath(tt.path)
				ep.Stream, ep.SSE = true, true
				s := provider.NewStopper(ep, provider.OpenAI, false)
				s.Write([]byte(tt.start))
				for _, n := range texts {
					s.Write([]byte(tt.event(strings.Repeat("x", n))))
				}
				if end, ok := s.Stop(stopUsage); ok != (name == "one that fits") {
					t.Errorf("stopped: %v, with an end of %d bytes", ok, len(end))
				}
			})
		}
	}
}

func TestStopperRepeatsManyItemsOfAResponse(t *testing.T) {
	const each = 2 << 20
	s := provider.NewStopper(provider.Endpoint{API: provider.OpenAIResponses, Stream: true, SSE: true}, provider.OpenAI, false)
	events := responsesStream()
	s.Write([]byte(sse(events[:10]...)))
	for range 3 { // of 6 MiB in deltas, of which the text of the part repeats what one has
		s.Write([]byte("event: response.output_text.delta\n" + `data: {"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"` + strings.Repeat("x", each) + `"}` + "\n\n"))
	}
	s.Write([]byte(sse(events[12], events[16])))
	s.Write([]byte(sse(events[17])))
	s.Write([]byte("event: response.function_call_arguments.delta\n" + `data: {"type":"response.function_call_arguments.delta","output_index":2,"delta":"` + strings.Repeat("y", 2*each) + `"}` + "\n\n"))
	if end, ok := s.Stop(stopUsage); !ok || len(end) < 2*each {
		t.Errorf("stopped: %v, with an end of %d bytes", ok, len(end))
	}
}

func TestStopperStatesTheUsageAsTheVendorDoes(t *testing.T) {
	const (
		open    = `data: {"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}`
		counted = `data: {"id":"c","created":1,"model":"m","usage":{"prompt_tokens":10,"completion_tokens":1},"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}`
		done    = `data: {"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
		both    = `data: {"id":"c","created":1,"model":"m","usage":{"prompt_tokens":10,"completion_tokens":5},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`

		head   = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",`
		length = `"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}]`
		usage  = `,"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`
		last   = "data: [DONE]"
	)
	for _, tt := range []struct {
		name, stream, end string
		vendor            pricing.ProviderName
		asked             bool
	}{
		{"OpenAI", open, sse(head+length+"}", last), provider.OpenAI, false},
		{"OpenAI, asked", open, sse(head+length+"}", head+`"choices":[]`+usage, last), provider.OpenAI, true},
		{"DeepSeek", open, sse(head+length+usage, last), "deepseek", false},
		{"DeepSeek, asked", open, sse(head+length+usage, last), "deepseek", true},
		{"Mistral", open, sse(head+length+usage, last), "mistral", false},
		{"Z.AI", open, sse(head+length+usage, last), "zai", false},
		{"OpenRouter", open, sse(head+length+usage, last), provider.OpenRouter, false},
		{"xAI between its last choice and its usage", done, sse(head+`"choices":[]`+usage, last), provider.XAI, false},
		{"Perplexity, which counts in every chunk", counted, sse(head+length+usage, last), provider.Perplexity, false},
		{"Mistral behind its usage", both, sse(last), "mistral", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := provider.NewStopper(provider.Endpoint{API: provider.OpenAIChat, Stream: true, SSE: true}, tt.vendor, tt.asked)
			s.Write([]byte(sse(tt.stream)))
			end, ok := s.Stop(stopUsage)
			if diff := cmp.Diff(tt.end, string(end)); diff != "" || !ok {
				t.Errorf("end, %v (-want +got):\n%s", ok, diff)
			}
		})
	}
}

func TestStopperClosesBesideWhatItWrote(t *testing.T) {
	s := provider.NewStopper(provider.Endpoint{API: provider.OpenAIChat, Stream: true, SSE: true}, provider.OpenAI, false)
	written := s.Write([]byte(contentChunk + `data: {"id":"a"`))
	if got, want := string(append(written, s.Close()...)), contentChunk+`data: {"id":"a"`; got != want {
		t.Errorf("Write and Close return %q, want %q", got, want)
	}
}

// metered is what a Meter reads of an answer.
func metered(path, answer string) provider.Reading {
	m := provider.NewMeter(provider.ParsePath(path), "")
	m.Write([]byte(answer))
	return m.Close()
}

// frame is what AWS's event stream makes of an event.
func frame(name, payload string) string {
	var headers []byte
	for _, h := range [][2]string{{":event-type", name}, {":content-type", "application/json"}, {":message-type", "event"}} {
		headers = append(append(headers, byte(len(h[0]))), h[0]...)
		headers = append(binary.BigEndian.AppendUint16(append(headers, 7), uint16(len(h[1]))), h[1]...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(headers)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// chunk is the payload around an event of InvokeModel's stream.
func chunk(event string) string {
	b, _ := json.Marshal(map[string][]byte{"bytes": []byte(event)})
	return string(b)
}

// responsesStream is a Responses stream of a reasoning item, a message and a call.
func responsesStream() []string {
	bodies := []string{
		`"type":"response.created","response":{"id":"resp_1","object":"response","status":"in_progress","model":"gpt-6-luna","output":[],"incomplete_details":null,"usage":null}`,
		`"type":"response.in_progress","response":{"id":"resp_1","object":"response","status":"in_progress","model":"gpt-6-luna","output":[],"incomplete_details":null,"usage":null}`,
		`"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}`,
		`"type":"response.reasoning_summary_part.added","item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}`,
		`"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":0,"delta":"thin\u006b"`,
		`"type":"response.reasoning_summary_text.done","item_id":"rs_1","output_index":0,"summary_index":0,"text":"think"`,
		`"type":"response.reasoning_summary_part.done","item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":"think"}`,
		`"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"think"}]}`,
		`"type":"response.output_item.added","output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","content":[],"role":"assistant"}`,
		`"type":"response.content_part.added","item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"text":""}`,
		`"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":0,"delta":"H\ud83d"`,
		`"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":0,"delta":"\ude00 \"q\""`,
		`"type":"response.content_part.done","item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"text":"H😀 \"q\""}`,
		`"type":"response.content_part.added","item_id":"msg_1","output_index":1,"content_index":1,"part":{"type":"refusal","refusal":""}`,
		`"type":"response.refusal.delta","item_id":"msg_1","output_index":1,"content_index":1,"delta":"no"`,
		`"type":"response.content_part.done","item_id":"msg_1","output_index":1,"content_index":1,"part":{"type":"refusal","refusal":"no"}`,
		`"type":"response.output_item.done","output_index":1,"item":{"id":"msg_1","type":"message","status":"completed","content":[],"role":"assistant"}`,
		`"type":"response.output_item.added","output_index":2,"item":{"id":"fc_1","type":"function_call","status":"in_progress","arguments":"","call_id":"c","name":"f"}`,
		`"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":2,"delta":"{\"a\""`,
	}
	for i, body := range bodies {
		name, _, _ := strings.Cut(strings.TrimPrefix(body, `"type":"`), `"`)
		bodies[i] = fmt.Sprintf("event: %s\ndata: {%s,\"sequence_number\":%d}", name, body, i)
	}
	return bodies
}

func TestStopperEndsAResponseWhereverItIsCut(t *testing.T) {
	events := responsesStream()
	var ends []string
	for n := 1; n <= len(events); n++ {
		stream := sse(events[:n]...)
		passed, end, ok := stop(t, responsesPath, false, stream, 100)
		if passed != stream || !ok {
			t.Fatalf("after %d events: passed %q, end %q, %v", n, passed, end, ok)
		}
		checkSequence(t, stream+end)
		if r := metered(responsesPath, stream+end); !r.Complete || r.Finish != provider.FinishLength || r.Usage.TotalOutput() != stopUsage.Output {
			t.Errorf("after %d events the end %s reads as %+v", n, end, r)
		}
		ends = append(ends, end)
	}
	golden(t, "testdata/stopped_responses.txt", strings.Join(ends, "--\n"))
}

// checkSequence checks that the events of a Responses stream are JSON and numbered.
func checkSequence(t *testing.T, stream string) {
	t.Helper()
	for i, e := range strings.Split(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
		head, data, _ := strings.Cut(e, "\ndata: ")
		var x struct {
			Type     string `json:"type"`
			Sequence int    `json:"sequence_number"`
		}
		if err := json.Unmarshal([]byte(data), &x); err != nil || x.Sequence != i || head != "event: "+x.Type {
			t.Errorf("event %d of the stream: %s, %v", i, e, err)
		}
	}
}

func FuzzStopperIsTheSameForAnySplit(f *testing.F) {
	for _, tt := range stoppedStreams() {
		f.Add(tt.path, []byte(tt.stream), 3)
	}
	f.Add(responsesPath, []byte(sse(responsesStream()...)), 5)
	f.Fuzz(func(t *testing.T, path string, stream []byte, size int) {
		ep := provider.ParsePath(path)
		ep.Stream = true
		if size < 1 || provider.NewStopper(ep, provider.OpenAI, true) == nil {
			return
		}
		passed, end, ok := stop(t, path, true, string(stream), max(len(stream), 1))
		again, sameEnd, sameOK := stop(t, path, true, string(stream), size)
		if again != passed || sameEnd != end || sameOK != ok || !ok && end != "" {
			t.Errorf("%q in pieces of %d: %q and %q, %v; whole: %q and %q, %v", stream, size, again, sameEnd, sameOK, passed, end, ok)
		}
	})
}
