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
	at := func(api provider.API, model pricing.ModelName, start, end int) provider.Endpoint {
		return provider.Endpoint{API: api, Model: model, ModelAt: provider.Span{Start: start, End: end}}
	}
	is := func(api provider.API) provider.Endpoint { return provider.Endpoint{API: api} }
	fetch := func(id string) provider.Endpoint { return provider.Endpoint{API: provider.OpenAIResponses, Fetch: id} }
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
		{"/v1beta/openai/chat/completions?fields=choices", provider.Endpoint{API: provider.OpenAIChat, Selective: true}},
		{"/v1beta/openai/chat/completions?a=1&%24outputDefaults=1", provider.Endpoint{API: provider.OpenAIChat, Selective: true}},
		{"/v1beta/openai/chat/completions?$alt=json&$key=k&$prettyPrint=1", chat},
		{"/v1/models?fields=name", provider.Endpoint{}},
		{"/v1//chat/completions/", chat},
		{"/v1/chat/%63ompletions", chat},
		{"/openai/deployments/my%20gpt/chat/completions?api-version=2026-01-01",
			provider.Endpoint{API: provider.OpenAIChat, Model: "my gpt", ModelAt: provider.Span{Start: 20, End: 28}}},
		{"/openai/Deployments/gpt-5-pro/chat/completions?api-version=1", at(provider.OpenAIChat, "gpt-5-pro", 20, 29)},
		{"/OpenAI/deployments/gpt-5-pro/Chat/Completions", at(provider.OpenAIChat, "gpt-5-pro", 20, 29)},
		{"/openai/deployments/gpt-5-pro/extensions/chat/completions?api-version=1", provider.Endpoint{}},
		{"/openai/deployments/gpt-5-pro/v1/messages", at(provider.AnthropicMessages, "gpt-5-pro", 20, 29)},
		{"/openai/%64eployments/gpt-5-pro/chat/completions", provider.Endpoint{}},
		{"/openai/deployments%2fgpt-5-pro/chat/completions", provider.Endpoint{}},
		{"/openai/deployments//gpt-5-pro/chat/completions", provider.Endpoint{}},
		{"/openai/deployments/gpt-5-pro//chat/completions", provider.Endpoint{}},
		{"/openai/deployments/gpt-5-pro/chat/%63ompletions", provider.Endpoint{}},
		{"/openai/deployments/deployments/chat/completions", at(provider.OpenAIChat, "deployments", 20, 31)},
		{"/openai/deployments/chat/completions", provider.Endpoint{}},
		{"/V1/Chat/completions", chat},
		{"/v1/chat//completions", chat},
		{"/v1/chat/./completions", provider.Endpoint{}},
		{"/v1/x/%2e%2e/chat/completions", provider.Endpoint{}},
		{`/openai\deployments\gpt-5-pro/chat/completions`, provider.Endpoint{}},
		{"/v1/agents/completions", provider.Endpoint{}},
		{"/v1beta/models/gemini-2.5-pro:GenerateContent", provider.Endpoint{}},
		{"/v1beta/Models/gemini-2.5-pro:generateContent", provider.Endpoint{}},
		{"/v1/Publishers/someone/models/m:predict", provider.Endpoint{}},
		{"/model/us.amazon.nova-pro-v1:0/Converse", provider.Endpoint{}},
		{"/Model/us.amazon.nova-pro-v1:0/converse", provider.Endpoint{}},
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
		{"/endpoints/openapi/chat/completions", chat},
		{"/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse", gemini(52, 66, true, true)},
		{"/v1/publishers/google/models/gemini-2.5-pro:generateContent", gemini(29, 43, false, false)}, // express mode
		{"/v1/projects/p/locations/l/endpoints/123:generateContent", at(provider.GeminiGenerate, "123", 37, 40)},
		{"/v1beta/tunedModels/mine:generateContent", at(provider.GeminiGenerate, "mine", 20, 24)},
		{"/v1beta/models/gemini-embedding-001:embedContent", at(provider.GeminiEmbed, "gemini-embedding-001", 15, 35)},
		{"/v1beta/models/gemini-embedding-001:batchEmbedContents", at(provider.GeminiEmbed, "gemini-embedding-001", 15, 35)},
		{"/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict", at(provider.VertexPredict, "text-embedding-005", 52, 70)},
		{"/v1beta/models/imagen-4.0-generate-001%3Apredict", at(provider.VertexPredict, "imagen-4.0-generate-001", 15, 38)},
		{"/v1/projects/p/locations/l/publishers/someone/models/m:predict", provider.Endpoint{}},
		{"/v1/projects/p/locations/l/endpoints/123:predict", provider.Endpoint{}},
		{"/v1/publishers/google/models/veo-3.1-generate-001:predictLongRunning", provider.Endpoint{}},
		{"/v1/projects/p/locations/l/publishers/anthropic/models/claude-haiku-4-5@20251001:rawPredict",
			at(provider.AnthropicMessages, "claude-haiku-4-5@20251001", 55, 80)},
		{"/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-5%4020260701:streamRawPredict", provider.Endpoint{
			API: provider.AnthropicMessages, Model: "claude-opus-5@20260701", ModelAt: provider.Span{Start: 55, End: 79}, Stream: true, SSE: true}},
		{"/v1/projects/p/locations/l/publishers/mistralai/models/codestral-2501:rawPredict", at(provider.OpenAIChat, "codestral-2501", 55, 69)},
		{"/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict", provider.Endpoint{}},
		{"/v1/publishers/someone/models/m:rawPredict", provider.Endpoint{}},
		{"/model/anthropic.claude-3-haiku-20240307-v1%3A0/invoke", at(provider.BedrockInvoke, "anthropic.claude-3-haiku-20240307-v1:0", 7, 47)},
		{"/model/us.amazon.nova-pro-v1:0/converse", at(provider.BedrockConverse, "us.amazon.nova-pro-v1:0", 7, 30)},
		{"/model/us.amazon.nova-pro-v1:0/converse-stream", provider.Endpoint{
			API: provider.BedrockConverse, Model: "us.amazon.nova-pro-v1:0", ModelAt: provider.Span{Start: 7, End: 30}, Stream: true}},
		{"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.m/invoke-with-response-stream", provider.Endpoint{
			API: provider.BedrockInvoke, Model: "arn:aws:bedrock:us-east-1:1:inference-profile/us.m", ModelAt: provider.Span{Start: 7, End: 69}, Stream: true}},
		{"/model/arn:aws:bedrock:us-east-1:1:inference-profile/us.m/converse",
			at(provider.BedrockConverse, "arn:aws:bedrock:us-east-1:1:inference-profile/us.m", 7, 57)},
		{"/model/m/count-tokens", provider.Endpoint{}},
		{"/model//converse", provider.Endpoint{}},
		{"/openai/v1/chat/completions", chat}, // Bedrock mantle, Azure's v1
		{"/v1/completions", is(provider.OpenAICompletions)},
		{"/v1/fim/completions", is(provider.OpenAICompletions)},
		{"/openai/deployments/e3/embeddings?api-version=1", at(provider.OpenAIEmbeddings, "e3", 20, 22)},
		{"/openai/deployments/d/completions", at(provider.OpenAICompletions, "d", 20, 21)},
		{"/v1/embeddings", is(provider.OpenAIEmbeddings)},
		{"/v1/images/generations", is(provider.OpenAIImages)},
		{"/v1/images/edits", is(provider.OpenAIImages)},
		{"/v1/audio/speech", is(provider.OpenAISpeech)},
		{"/v1/audio/transcriptions", is(provider.OpenAITranscription)},
		{"/openai/deployments/w/audio/translations", at(provider.OpenAITranscription, "w", 20, 21)},
		{"/v1/responses/compact", responses},
		{"/v2/chat", is(provider.CohereChat)},
		{"/v1/chat", is(provider.CohereChat)},
		{"/v1/generate", is(provider.CohereChat)},
		{"/v2/embed", is(provider.CohereEmbed)},
		{"/v2/rerank", is(provider.CohereRerank)},
		{"/api/chat", is(provider.OllamaChat)},
		{"/api/generate", is(provider.OllamaGenerate)},
		{"/api/embed", is(provider.OllamaEmbed)},
		{"/generate", is(provider.TGIGenerate)},
		{"/generate_stream", provider.Endpoint{API: provider.TGIGenerate, Stream: true, SSE: true}},
		{"/v1/responses/resp_1", fetch("resp_1")},
		{"/openai/v1/responses/resp_1?stream=true", fetch("resp_1")},
		{"/v1beta/interactions", is(provider.GeminiInteractions)},
		{"/v1beta1/projects/p/locations/global/interactions?key=k", is(provider.GeminiInteractions)},
		{"/v1beta/interactions/v1_a?stream=true", provider.Endpoint{API: provider.GeminiInteractions, Fetch: "v1_a"}},
		{"/v1beta/interactions/v1_a/cancel", provider.Endpoint{}},
		{"/v1/responses/resp_1/input_items", provider.Endpoint{}},
		{"/v1/responses/resp_1/cancel", provider.Endpoint{}},
		{"/v1/batches", provider.Endpoint{}},
		{"/v1/threads/t/messages", provider.Endpoint{}},
		{"/v1/messages/count_tokens", provider.Endpoint{}},
		{"/v1/messages/batches", provider.Endpoint{}},
		{"/v1/responses/input_tokens", provider.Endpoint{}},
		{"/v1beta/models/gemini-2.5-pro:countTokens", provider.Endpoint{}},
		{"/v1beta/models/gemini-2.5-pro", provider.Endpoint{}},
		{"/v1beta/models/:generateContent", provider.Endpoint{}},
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
		{"POST", "/v1/responses/resp_1/cancel", true},
		{"GET", "/v1beta/interactions/v1_a?stream=true", true},
		{"POST", "/v1beta/interactions/v1_a/cancel", true},
		{"POST", "/v1beta/interactions", false},
		{"POST", "/v1/batches/batch_1/cancel", false},
		{"POST", "/v1beta/models/gemini-2.5-pro:countTokens", true},
		{"POST", "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict", true},
		{"POST", "/model/m/count-tokens", true},
		{"GET", "/api/tags", true},
		{"GET", "/health", true},
		{"GET", "/api/v1/generation?id=gen-1", true},
		{"GET", "/v1/files/file-1/content", true},
		{"GET", "/user/balance", true},
		{"GET", "/metrics", true},
		{"POST", "/api/show", true},
		{"POST", "/v1/tokenize", true},
		{"POST", "/tokenize/", true},
		{"POST", "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:computeTokens", true},
		{"POST", "/count-tokens", false},
		{"POST", "/v1/files", false},
		{"POST", "/v1/batches", false},
		{"POST", "/api/pull", false},
		{"POST", "/api/tags", false},
		{"GET", "/v1/responses", false}, // a WebSocket, if it is upgraded
		{"GET", "/v1/realtime?model=gpt-realtime", false},
		{"POST", "/v1/models", false},
		{"POST", "/v1/embeddings", false},
		{"POST", "/v1/messages", false},
		{"POST", "/countTokens", false},
		{"DELETE", "/v1/models/ft:x", false},
		{"DELETE", "/v1/responses/resp_1", true},
		{"DELETE", "/v1beta/interactions/v1_a", true},
		{"DELETE", "/v1/responses", false},
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
