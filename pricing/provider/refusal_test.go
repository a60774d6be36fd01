package provider

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
)

func TestRefuseByAPI(t *testing.T) {
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
			r := Refuse(tt.api, tt.api.Vendor(), Fault{Kind: tt.kind, Message: tt.message, Param: tt.param, Wait: maxRetryAfter})
			if r.Status != tt.status || r.ContentType != tt.contentType {
				t.Errorf("got status %d and %q, want %d and %q", r.Status, r.ContentType, tt.status, tt.contentType)
			}
			if diff := cmp.Diff(tt.body, string(r.Body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARefusalIsReadAsAnError(t *testing.T) {
	hostile := "\"},\\\x00\xff\u2028\x7f" + strings.Repeat("é", maxMessage)
	for _, api := range []API{"", OpenAIChat, OpenAIResponses, OpenAICompletions, OpenAIEmbeddings, AnthropicMessages, GeminiGenerate, GeminiEmbed, GeminiInteractions, VertexPredict,
		BedrockConverse, BedrockInvoke, CohereChat, CohereRerank, OllamaChat, OllamaGenerate, TGIGenerate} {
		for kind := range ErrorKind(len(errorShapes)) {
			r := Refuse(api, api.Vendor(), Fault{Kind: kind, Message: hostile, Param: hostile[:20]})
			status, body := r.Status, r.Body
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

// A vendor's clients know its errors by status, headers and body.
func TestRefuseIsTheVendorsOwnError(t *testing.T) {
	no := [2]string{"x-should-retry", "false"}
	wait := [2]string{"retry-after", "60"}
	budget := Fault{Kind: BudgetExhausted, Message: "spent", Wait: 30 * 24 * time.Hour, ID: "r1"}
	model := Fault{Kind: ModelRefused, Message: "no", Param: "model"}
	for _, tt := range []struct {
		name   string
		api    API
		vendor pricing.ProviderName
		fault  Fault
		want   Refusal
		body   string
	}{
		{"OpenAI", OpenAIEmbeddings, OpenAI, budget, Refusal{Status: 429, Headers: [][2]string{no, wait, {"x-request-id", "r1"}}},
			`{"error":{"message":"spent","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{"Anthropic", AnthropicMessages, Google, budget, Refusal{Status: 429, Headers: [][2]string{no, wait, {"request-id", "r1"}}},
			`{"type":"error","error":{"type":"rate_limit_error","message":"spent"},"request_id":"r1"}`},
		{"Gemini", GeminiGenerate, Google, Fault{Kind: BudgetExhausted, Message: "spent", Wait: 1500 * time.Millisecond}, Refusal{Status: 429, ContentType: "application/json; charset=UTF-8", Headers: [][2]string{no, {"retry-after", "1"}}},
			`{"error":{"code":429,"message":"spent","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"BUDGET_EXHAUSTED","domain":"farebox"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"}]}}`},
		{"Bedrock", BedrockConverse, Bedrock, budget, Refusal{Status: 400, Headers: [][2]string{no, wait, {"x-amzn-requestid", "r1"}, {"x-amzn-errortype", "ServiceQuotaExceededException"}}}, `{"message":"spent"}`},
		{"Bedrock's model", BedrockInvoke, Bedrock, model, Refusal{Status: 403, Headers: [][2]string{no, {"x-amzn-errortype", "AccessDeniedException"}}}, `{"message":"no"}`},
		{"OpenAI's format at Bedrock", OpenAIChat, Bedrock, model, Refusal{Status: 403, Headers: [][2]string{no}}, `{"error":{"message":"no","type":"invalid_request_error","param":"model","code":"model_not_found"}}`},
		{"Cohere", CohereChat, Cohere, budget, Refusal{Status: 429, Headers: [][2]string{no, wait}}, `{"id":"r1","message":"spent"}`},
		{"Cohere without an id", CohereRerank, Cohere, model, Refusal{Status: 403, Headers: [][2]string{no}}, `{"message":"no"}`},
		{"Voyage", OpenAIEmbeddings, "voyage", model, Refusal{Status: 403, Headers: [][2]string{no}}, `{"detail":"no"}`},
		{"Mistral", OpenAIChat, "mistral", model, Refusal{Status: 403, Headers: [][2]string{no}}, `{"object":"error","message":"no","type":"invalid_request_error","param":"model","code":"model_not_found"}`},
		{"OpenRouter, out of credits", OpenAIChat, OpenRouter, Fault{Kind: BudgetExhausted, Message: "spent", Status: 402}, Refusal{Status: 402, Headers: [][2]string{no, {"retry-after", "1"}}}, `{"error":{"code":402,"message":"spent","metadata":{"reason":"insufficient_quota"}}}`},
		{"Ollama", OllamaGenerate, "", model, Refusal{Status: 403, Headers: [][2]string{no}}, `{"error":"no"}`},
		{"a path of Anthropic's that is not read", "", Anthropic, model, Refusal{Status: 403, Headers: [][2]string{no}}, `{"type":"error","error":{"type":"permission_error","message":"no"},"request_id":null}`},
		{"a status that clients would retry", OpenAIChat, OpenAI, Fault{Kind: BudgetExhausted, Status: 503}, Refusal{Status: 429, Headers: [][2]string{no, {"retry-after", "1"}}}, `{"error":{"message":"","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{"a status that is not the budget's", OpenAIChat, OpenAI, Fault{Kind: BadRequest, Status: 402}, Refusal{Status: 400, Headers: [][2]string{no}}, `{"error":{"message":"","type":"invalid_request_error","param":null,"code":null}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want.Body = []byte(tt.body); tt.want.ContentType == "" {
				tt.want.ContentType = "application/json"
			}
			if diff := cmp.Diff(tt.want, Refuse(tt.api, tt.vendor, tt.fault)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzRefuse(f *testing.F) {
	f.Add("plain", "model")
	f.Add("\xff\"\\\n\u2028", "")
	f.Fuzz(func(t *testing.T, message, param string) {
		body := Refuse(OpenAIChat, OpenAI, Fault{Kind: BadRequest, Message: message, Param: param}).Body
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
