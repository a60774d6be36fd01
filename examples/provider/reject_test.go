package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestRejections(t *testing.T) {
	const chat, responses, claude, gemini = "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/gemini-2.5-flash:generateContent"
	user := `"messages":[{"role":"user","content":"hello"}]`
	strict := func(more string) string { return `{"model":"claude-opus-5-5","max_tokens":2000,` + more + user + `}` }
	block := func(parts string) string {
		return `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":[` + parts + `]}]}`
	}
	mark := func(ttl string) string {
		return `{"type":"text","text":"x","cache_control":{"type":"ephemeral"` + ttl + `}}`
	}
	for _, tt := range []struct {
		name, path, body string
		status           int
		message          string // part of it
		code             any    // OpenAI's code, Anthropic's type, Google's status
	}{
		{"malformed", chat, `{"model":`, 400, "We could not parse the JSON body", nil},
		{"trailing data", chat, `{"model":"gpt-4o",` + user + `} x`, 400, "We could not parse the JSON body", nil},
		{"no model", chat, `{` + user + `}`, 400, "you must provide a model parameter", nil},
		{"keys are matched exactly", chat, `{"Model":"gpt-4o",` + user + `}`, 400, "you must provide a model parameter", nil},
		{"no messages", chat, `{"model":"gpt-4o"}`, 400, "Missing required parameter: 'messages'.", "missing_required_parameter"},
		{"empty messages", chat, `{"model":"gpt-4o","messages":[]}`, 400, "empty array", "empty_array"},
		{"unknown model", chat, `{"model":"gpt-9",` + user + `}`, 404, "The model `gpt-9` does not exist", "model_not_found"},
		{"another vendor's model", chat, `{"model":"claude-opus-5-5",` + user + `}`, 404, "does not exist", "model_not_found"},
		{"wrong type", chat, `{"model":"gpt-4o","max_tokens":"9",` + user + `}`, 400, "Invalid type for 'max_tokens': expected an integer, but got a string instead.", "invalid_type"},
		{"max_tokens on o-series", chat, `{"model":"o3","max_tokens":9,` + user + `}`, 400, "Use 'max_completion_tokens' instead.", "unsupported_parameter"},
		{"max_tokens on gpt-6", chat, `{"model":"gpt-6-sol","max_tokens":9,` + user + `}`, 400, "Use 'max_completion_tokens' instead.", "unsupported_parameter"},
		{"temperature on gpt-5", chat, `{"model":"gpt-5-mini","temperature":0.2,` + user + `}`, 400, "'temperature' does not support 0.2", "unsupported_value"},
		{"top_p on gpt-6.2", chat, `{"model":"gpt-6.2-sol","top_p":0.5,` + user + `}`, 400, "'top_p' is not supported", "unsupported_parameter"},
		{"penalty on o3", chat, `{"model":"o3","presence_penalty":0.5,` + user + `}`, 400, "'presence_penalty' is not supported", "unsupported_parameter"},
		{"logprobs on o3", chat, `{"model":"o3","logprobs":true,` + user + `}`, 400, "'logprobs' is not supported", "unsupported_parameter"},
		{"effort on gpt-4o", chat, `{"model":"gpt-4o","reasoning_effort":"low",` + user + `}`, 400, "Unrecognized request argument supplied: reasoning_effort", nil},
		{"stream_options alone", chat, `{"model":"gpt-4o","stream_options":{"include_usage":true},` + user + `}`, 400, "only allowed when 'stream' is enabled", nil},
		{"cap above the maximum", chat, `{"model":"gpt-4o","max_tokens":16385,` + user + `}`, 400, "supports at most 16384 completion tokens", "invalid_value"},
		{"both caps", chat, `{"model":"gpt-4o","max_tokens":9,"max_completion_tokens":9,` + user + `}`, 400, "at the same time", "invalid_parameter_combination"},
		{"result without call", chat, `{"model":"gpt-4o","messages":[{"role":"tool","tool_call_id":"c","content":"x"}]}`, 400, "must be a response to a preceeding message with 'tool_calls'", nil}, //nolint:misspell // the vendor's own spelling
		{"call without result", chat, `{"model":"gpt-4o","messages":[{"role":"assistant","tool_calls":[{"id":"c9","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"x"}]}`, 400, "did not have response messages: c9", nil},
		{"prompt above the window", chat, fmt.Sprintf(`{"model":"gpt-4o","messages":[{"role":"user","content":%q}]}`, filler(128_000, 0)), 400, "maximum context length is 128000 tokens. However, your messages resulted in 128007 tokens", "context_length_exceeded"},
		{"cache options before gpt-5.6", chat, `{"model":"gpt-4o","prompt_cache_options":{"mode":"explicit"},` + user + `}`, 400, "'prompt_cache_options' is not supported", "unsupported_parameter"},

		{"responses: cap below 16", responses, `{"model":"gpt-4.1","max_output_tokens":15,"input":"x"}`, 400, "Expected a value >= 16, but got 15 instead.", "integer_below_min_value"},
		{"responses: chat's cap", responses, `{"model":"gpt-4.1","max_tokens":99,"input":"x"}`, 400, "has moved to 'max_output_tokens'", "unsupported_parameter"},
		{"responses: temperature", responses, `{"model":"gpt-6-sol","temperature":0,"input":"x"}`, 400, "'temperature' does not support 0", "unsupported_value"},
		{"responses: include_usage", responses, `{"model":"gpt-4.1","stream":true,"stream_options":{"include_usage":true},"input":"x"}`, 400, "Unknown parameter", "unknown_parameter"},
		{"responses: unknown context", responses, `{"model":"gpt-4.1","previous_response_id":"resp_1","input":"x"}`, 400, "Previous response with id 'resp_1' not found.", "previous_response_not_found"},
		{"responses: result without call", responses, `{"model":"gpt-4.1","input":[{"type":"function_call_output","call_id":"c","output":"x"}]}`, 400, "No tool call found for function call output with call_id c.", nil},
		{"responses: forged reasoning", responses, `{"model":"gpt-6-sol","input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"}]}`, 400, "could not be verified", "invalid_encrypted_content"},
		{"responses: unstored reasoning", responses, `{"model":"gpt-6-sol","input":[{"type":"reasoning","id":"rs_1","summary":[]}]}`, 404, "Item with id 'rs_1' not found.", nil},

		{"claude: malformed", claude, `{`, 400, "The request body is not valid JSON", "invalid_request_error"},
		{"claude: no max_tokens", claude, `{"model":"claude-opus-5-5",` + user + `}`, 400, "max_tokens: Field required", "invalid_request_error"},
		{"claude: no messages", claude, `{"model":"claude-opus-5-5","max_tokens":9}`, 400, "messages: Field required", "invalid_request_error"},
		{"claude: unknown model", claude, `{"model":"claude-9","max_tokens":9,` + user + `}`, 404, "model: claude-9", "not_found_error"},
		{"claude: wrong type", claude, `{"model":"claude-opus-5-5","max_tokens":"9",` + user + `}`, 400, "max_tokens: Input should be a valid integer", "invalid_request_error"},
		{"claude: cap", claude, `{"model":"claude-haiku-4-5","max_tokens":64001,` + user + `}`, 400, "max_tokens: 64001 > 64000", "invalid_request_error"},
		{"claude: temperature", claude, strict(`"temperature":1,`), 400, "`temperature` is deprecated for this model.", "invalid_request_error"},
		{"claude: top_p", claude, strict(`"top_p":0.9,`), 400, "`top_p` is deprecated", "invalid_request_error"},
		{"claude: top_k", claude, strict(`"top_k":5,`), 400, "`top_k` is deprecated", "invalid_request_error"},
		{"claude: budget", claude, strict(`"thinking":{"type":"enabled","budget_tokens":1024},`), 400, "is not supported for this model", "invalid_request_error"},
		{"claude: forced tool", claude, strict(`"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"any"},`), 400, "forced tool use is not supported", "invalid_request_error"},
		{"claude: prefill", claude, `{"model":"claude-fable-5-1","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}`, 400, "does not support assistant message prefill", "invalid_request_error"},
		{"claude: adaptive on 4.5", claude, `{"model":"claude-haiku-4-5","max_tokens":9,"thinking":{"type":"adaptive"},` + user + `}`, 400, "adaptive thinking is not supported", "invalid_request_error"},
		{"claude: five markers", claude, block(strings.Repeat(mark("")+",", 4) + mark("")), 400, "A maximum of 4 blocks with cache_control may be provided. Found 5.", "invalid_request_error"},
		{"claude: marker on empty text", claude, block(`{"type":"text","text":"","cache_control":{"type":"ephemeral"}}`), 400, "cache_control cannot be set for empty text blocks", "invalid_request_error"},
		{"claude: 1h after 5m", claude, block(mark("") + "," + mark(`,"ttl":"1h"`)), 400, "messages.0.content.1.cache_control.ttl: a ttl='1h' cache_control block must not come after", "invalid_request_error"},
		{"claude: forged thinking", claude, `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"abc"}]},{"role":"user","content":"y"}]}`, 400, "messages.1.content.0: Invalid `signature` in `thinking` block", "invalid_request_error"},
		{"claude: result without use", claude, block(`{"type":"tool_result","tool_use_id":"t9","content":"x"}`), 400, "unexpected `tool_use_id` found in `tool_result` blocks: t9", "invalid_request_error"},
		{"claude: use without result", claude, `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"t9","name":"f","input":{}}]},{"role":"user","content":"y"}]}`, 400, "`tool_use` ids were found without `tool_result` blocks immediately after: t9", "invalid_request_error"},
		{"claude: prompt above the window", claude, fmt.Sprintf(`{"model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":%q}]}`, filler(200_000, 0)), 400, "prompt is too long: 200007 tokens > 200000 maximum", "invalid_request_error"},

		{"gemini: malformed", gemini, `{`, 400, "Invalid JSON payload received.", "INVALID_ARGUMENT"},
		{"gemini: no contents", gemini, `{}`, 400, "contents is not specified", "INVALID_ARGUMENT"},
		{"gemini: unknown model", "/v1beta/models/gemini-0:generateContent", `{}`, 404, "models/gemini-0 is not found for API version v1beta", "NOT_FOUND"},
		{"gemini: cap", gemini, `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":70000}}`, 400, "maxOutputTokens value of 70000", "INVALID_ARGUMENT"},

		{"unknown path", "/v1/nothing", `{}`, 404, "Invalid URL (POST /v1/nothing)", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{})
			status, body := b.post(t, tt.path, tt.body)
			got := object(t, body)
			message, _ := dig(got, "error", "message").(string)
			code := dig(got, "error", "code")
			switch {
			case strings.HasPrefix(tt.path, "/v1/messages"):
				code = dig(got, "error", "type")
			case strings.HasPrefix(tt.path, "/v1beta"):
				code = dig(got, "error", "status")
			}
			if status != tt.status || !strings.Contains(message, tt.message) || code != tt.code {
				t.Errorf("got %d %v %q, want %d %v %q", status, code, message, tt.status, tt.code, tt.message)
			}
			if _, sum := b.invoice.read(); sum.Calls != 0 {
				t.Errorf("a refused call was billed: %+v", sum)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		headers    []string
		status     int
	}{
		{"chat without a token", "/v1/chat/completions", []string{"authorization", ""}, 401},
		{"messages without a key", "/v1/messages", []string{"authorization", "", "x-api-key", ""}, 401},
		{"messages without a version", "/v1/messages", []string{"anthropic-version", ""}, 400},
		{"messages with a token", "/v1/messages", []string{"x-api-key", ""}, 200},
		{"gemini without a key", "/v1beta/models/gemini-2.5-flash:generateContent", []string{"x-goog-api-key", ""}, 403},
		{"gemini with a key in the query", "/v1beta/models/gemini-2.5-flash:generateContent?key=k", []string{"x-goog-api-key", ""}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{})
			body := `{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}`
			switch {
			case strings.HasPrefix(tt.path, "/v1/messages"):
				body = `{"model":"claude-opus-5-5","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`
			case strings.HasPrefix(tt.path, "/v1beta"):
				body = `{"contents":[{"parts":[{"text":"x"}]}]}`
			}
			if status, got := b.post(t, tt.path, body, tt.headers...); status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, got)
			}
		})
	}
}

// Thinking that this vendor has signed is accepted by the same family and refused by others.
func TestThinkingSignatures(t *testing.T) {
	b := newBench(t, config{})
	_, body := b.post(t, "/v1/messages", `{"model":"claude-opus-5-5","max_tokens":99,"thinking":{"type":"adaptive"},
		"messages":[{"role":"user","content":"[[reasoning=5]] [[tokens=3]]"}]}`)
	content := mustJSON(object(t, body)["content"])
	for _, tt := range []struct {
		model  string
		status int
	}{{"claude-opus-5-5", 200}, {"claude-opus-4-8", 200}, {"claude-sonnet-5-5", 400}} {
		again := fmt.Sprintf(`{"model":%q,"max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":%s},{"role":"user","content":"y"}]}`,
			tt.model, content)
		if status, got := b.post(t, "/v1/messages", again); status != tt.status {
			t.Errorf("%s: status %d, want %d: %s", tt.model, status, tt.status, got)
		}
	}
}

func TestUnknownFieldsAreAccepted(t *testing.T) {
	b := newBench(t, config{})
	b.bill(t, "/v1/chat/completions", `{"model":"gpt-4o","model":"gpt-4o-mini","x_unknown":{"a":[1]},"temperature":null,"messages":[{"role":"user","content":"x","y":1}]}`)
	if got := b.awaitBill(t, 1).Model; got != "gpt-4o-mini-2024-07-18" {
		t.Errorf("billed model = %q, want the last of two", got)
	}
}
