package provider_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

func TestParsePathGoesByTheEndOfThePath(t *testing.T) {
	gemini := func(start, end int, stream, sse bool) provider.Endpoint {
		return provider.Endpoint{API: provider.GeminiGenerate, Model: "gemini-2.5-pro",
			ModelAt: provider.Span{Start: start, End: end}, Stream: stream, SSE: sse}
	}
	chat := provider.Endpoint{API: provider.OpenAIChat}
	responses := provider.Endpoint{API: provider.OpenAIResponses}
	messages := provider.Endpoint{API: provider.AnthropicMessages}
	for _, tt := range []struct {
		path string
		want provider.Endpoint
	}{
		{"/v1/chat/completions", chat},
		{"/openai/v1/chat/completions", chat},
		{"/inference/v1/chat/completions?x=1", chat},
		{"/v1beta/openai/chat/completions", chat},
		{"/v1//chat/completions/", chat},
		{"/v1/chat/%63ompletions", chat},
		{"/openai/deployments/my%20gpt/chat/completions?api-version=2026-01-01",
			provider.Endpoint{API: provider.OpenAIChat, Model: "my gpt", ModelAt: provider.Span{Start: 20, End: 28}}},
		{"/v1/responses", responses},
		{"/responses?stream=true", responses},
		{"/v1/messages?beta=true", messages},
		{"/anthropic/v1/messages", messages},
		{"/v1beta/models/gemini-2.5-pro:generateContent?key=k", gemini(15, 29, false, false)},
		{"/v1beta/models/gemini-2.5-pro:streamGenerateContent", gemini(15, 29, true, false)},
		{"/v1beta/models/gemini-2.5-pro:streamGenerateContent?key=k&alt=sse", gemini(15, 29, true, true)},
		{"/v1beta/models/gemini-2.5-pro:streamGenerateContent?%24alt=%73SE", gemini(15, 29, true, true)},
		{"/v1beta/models/gemini%2D2.5-pro%3agenerateContent", gemini(15, 31, false, false)},
		{"/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent", gemini(52, 66, false, false)},
		{"/v1/completions", provider.Endpoint{}},
		{"/v1/threads/t/messages", provider.Endpoint{}},
		{"/v1/messages/count_tokens", provider.Endpoint{}},
		{"/v1/messages/batches", provider.Endpoint{}},
		{"/v1/responses/input_tokens", provider.Endpoint{}},
		{"/v1/responses/resp_1", provider.Endpoint{}},
		{"/v1beta/models/gemini-2.5-pro:countTokens", provider.Endpoint{}},
		{"/v1beta/models/gemini-2.5-pro", provider.Endpoint{}},
		{"/v1beta/models/:generateContent", provider.Endpoint{}},
		{"/v1/publishers/anthropic/models/claude:rawPredict", provider.Endpoint{}},
		{"/%zz", provider.Endpoint{}},
		{"", provider.Endpoint{}},
	} {
		if diff := cmp.Diff(tt.want, provider.ParsePath(tt.path)); diff != "" {
			t.Errorf("ParsePath(%q) (-want +got):\n%s", tt.path, diff)
		}
	}
}

func TestFreeProbeKnowsWhatProvidersDoNotCharge(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		want         bool
	}{
		{"HEAD", "/", true},
		{"GET", "/", true},
		{"GET", "/v1/models", true},
		{"GET", "/v1/models/gpt-6.2-sol", true},
		{"GET", "/v1beta/models?pageSize=5", true},
		{"GET", "/v1/responses/resp_1", true},
		{"GET", "/v1/responses/resp_1/input_items", true},
		{"OPTIONS", "/v1/chat/completions", true},
		{"POST", "/v1/messages/count_tokens?beta=true", true},
		{"POST", "/v1/responses/input_tokens", true},
		{"POST", "/v1beta/models/gemini-2.5-pro:countTokens", true},
		{"GET", "/v1/responses", false}, // a WebSocket, if it is upgraded
		{"GET", "/v1/realtime?model=gpt-realtime", false},
		{"POST", "/v1/models", false},
		{"POST", "/v1/embeddings", false},
		{"POST", "/v1/messages", false},
		{"POST", "/countTokens", false},
		{"DELETE", "/v1/models/ft:x", false},
	} {
		if got := provider.FreeProbe(tt.method, tt.path); got != tt.want {
			t.Errorf("FreeProbe(%s %s) = %v, want %v", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestPathAtIsWhereTheVendorServesTheFormat(t *testing.T) {
	for _, tt := range []struct {
		vendor     pricing.ProviderName
		path, want string
	}{
		{"", "/openai/v1/chat/completions", "/v1/chat/completions"},
		{provider.OpenAI, "/api/paas/v4/chat/completions?a=b", "/v1/chat/completions?a=b"},
		{provider.OpenAI, "/openai/v1/responses", "/v1/responses"},
		{provider.Anthropic, "/v1/chat/completions", "/v1/chat/completions"},
		{provider.Google, "/v1/chat/completions", "/v1beta/openai/chat/completions"},
		{"azure_openai", "/v1/chat/completions", "/openai/v1/chat/completions"},
		{"azure_openai", "/v1/responses", "/openai/v1/responses"},
		{"alibaba", "/v1/chat/completions", "/compatible-mode/v1/chat/completions"},
		{"cohere", "/v1/chat/completions", "/compatibility/v1/chat/completions"},
		{"fireworks", "/v1/chat/completions", "/inference/v1/chat/completions"},
		{"groq", "/v1/chat/completions?", "/openai/v1/chat/completions"},
		{"openrouter", "/v1/chat/completions", "/api/v1/chat/completions"},
		{"zai", "/v1/chat/completions", "/api/paas/v4/chat/completions"},
		{"voyage", "/v1/chat/completions", "/v1/chat/completions"}, // no chat; Servable refuses
		{provider.Anthropic, "/v1/messages?beta=true", "/v1/messages?beta=true"},
		{provider.Google, geminiPath, geminiPath},
	} {
		if got := provider.PathAt(tt.vendor, provider.ParsePath(tt.path).API, tt.path); got != tt.want {
			t.Errorf("PathAt(%q, %q) = %q, want %q", tt.vendor, tt.path, got, tt.want)
		}
	}
}
