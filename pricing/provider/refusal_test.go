package provider

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestErrorBody(t *testing.T) {
	for _, tt := range []struct {
		name           string
		api            API
		kind           ErrorKind
		message, param string
		status         int
		contentType    string
		body           string
	}{
		{"OpenAI budget", OpenAIChat, BudgetExhausted, `budget "team" is spent`, "", 429, "application/json",
			`{"error":{"message":"budget \"team\" is spent","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{"OpenAI parameter", OpenAIResponses, BadRequest, "duplicate key", "model", 400, "application/json",
			`{"error":{"message":"duplicate key","type":"invalid_request_error","param":"model","code":null}}`},
		{"OpenAI model", OpenAIChat, ModelRefused, "no", "model", 403, "application/json",
			`{"error":{"message":"no","type":"invalid_request_error","param":"model","code":"model_not_found"}}`},
		{"another API", "", Unavailable, "later", "", 503, "application/json",
			`{"error":{"message":"later","type":"server_error","param":null,"code":"service_unavailable"}}`},
		{"Anthropic budget", AnthropicMessages, BudgetExhausted, "a\nb", "", 429, "application/json",
			`{"type":"error","error":{"type":"rate_limit_error","message":"a\u000ab"},"request_id":null}`},
		{"Anthropic size", AnthropicMessages, TooLarge, "big", "", 413, "application/json",
			`{"type":"error","error":{"type":"request_too_large","message":"big"},"request_id":null}`},
		{"Gemini budget", GeminiGenerate, BudgetExhausted, "spent", "", 429, "application/json; charset=UTF-8",
			`{"error":{"code":429,"message":"spent","status":"RESOURCE_EXHAUSTED","details":[` +
				`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"BUDGET_EXHAUSTED","domain":"farebox"},` +
				`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"60s"}]}}`},
		{"Gemini parameter", GeminiGenerate, BadRequest, "bad", "contents", 400, "application/json; charset=UTF-8",
			`{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT","details":[` +
				`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INVALID_REQUEST","domain":"farebox"},` +
				`{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"contents","description":"bad"}]}]}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, contentType, body := ErrorBody(tt.api, tt.kind, tt.message, tt.param)
			if status != tt.status || contentType != tt.contentType {
				t.Errorf("got status %d and %q, want %d and %q", status, contentType, tt.status, tt.contentType)
			}
			if diff := cmp.Diff(tt.body, string(body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorBodyIsReadAsAnError(t *testing.T) {
	hostile := "\"},\\\x00\xff\u2028\x7f" + strings.Repeat("é", maxMessage)
	for _, api := range []API{"", OpenAIChat, OpenAIResponses, AnthropicMessages, GeminiGenerate} {
		for kind := range ErrorKind(len(errorShapes)) {
			status, _, body := ErrorBody(api, kind, hostile, hostile[:20])
			if !json.Valid(body) || !utf8.Valid(body) || len(body) > 4*maxMessage+1000 {
				t.Errorf("%q, kind %d: body of %d bytes is not valid JSON or too long: %q", api, kind, len(body), body)
			}
			want := Reading{Failed: true, Complete: true}
			if got := measure(api, body); got != want || status < 400 {
				t.Errorf("%q, kind %d: status %d, reading %+v, want an error and %+v", api, kind, status, got, want)
			}
		}
	}
}

func FuzzErrorBody(f *testing.F) {
	f.Add("plain", "model")
	f.Add("\xff\"\\\n\u2028", "")
	f.Fuzz(func(t *testing.T, message, param string) {
		_, _, body := ErrorBody(OpenAIChat, BadRequest, message, param)
		var got struct {
			Error struct{ Message, Param string }
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if utf8.ValidString(message) && len(message) <= maxMessage && got.Error.Message != message {
			t.Errorf("message: got %q, want %q", got.Error.Message, message)
		}
	})
}
