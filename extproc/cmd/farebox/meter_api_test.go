package main

import (
	"testing"
)

// tokens is a usage as it is printed, of the kinds in their order; the first six are always there.
func tokens(kinds ...float64) map[string]any {
	u := map[string]any{}
	for i, kind := range []string{"input", "cache_read", "cache_write_short", "cache_write_long", "output", "reasoning"} {
		u[kind] = 0.0
		if i < len(kinds) {
			u[kind] = kinds[i]
		}
	}
	return u
}

// with adds a kind to a usage.
func with(u map[string]any, kind string, count float64) map[string]any {
	u[kind] = count
	return u
}

func TestMeterTellsWhoServedACallAndHow(t *testing.T) {
	const (
		bedrock = "https://bedrock-runtime.us-east-1.amazonaws.com/model/"
		vertex  = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/"
	)
	for _, tt := range []struct {
		name, in string
		want     map[string]any
	}{
		{"completions", `{"url":"https://api.openai.com/v1/completions","body":{"model":"gpt-3.5-turbo-instruct","usage":{"prompt_tokens":1,"completion_tokens":1}}}`,
			map[string]any{"provider": "openai", "api": "openai_completions", "usage": tokens(1, 0, 0, 0, 1)}},
		{"embeddings", `{"url":"https://api.openai.com/v1/embeddings","body":{"model":"text-embedding-3-small","usage":{"prompt_tokens":1000,"total_tokens":1000}}}`,
			map[string]any{"provider": "openai", "api": "openai_embeddings", "usage": tokens(1000)}},
		{"embeddings of Voyage", `{"url":"https://api.voyageai.com/v1/embeddings","body":{"model":"voyage-3.5","usage":{"total_tokens":1000}}}`,
			map[string]any{"provider": "voyage", "api": "openai_embeddings", "usage": tokens(1000)}},
		{"a deployment at Azure is priced by the model that answered", `{"url":"https://x.openai.azure.com/openai/deployments/mine/chat/completions?api-version=1","body":{"model":"gpt-5.4","usage":{"prompt_tokens":1000,"completion_tokens":100}}}`,
			map[string]any{"provider": "azure_openai", "api": "openai_chat", "model": "gpt-5.4", "cost_usd": "0.004000000"}},
		{"a deployment behind a host that nobody knows", `{"url":"https://llm.example.com/openai/deployments/mine/chat/completions","body":{"model":"gpt-5.4","usage":{"prompt_tokens":1000,"completion_tokens":100}}}`,
			map[string]any{"provider": "azure_openai", "cost_usd": "0.004000000"}},
		{"a fetched response", `{"url":"https://api.openai.com/v1/responses/resp_1","body":{"id":"resp_1","status":"completed","model":"gpt-5.4","usage":{"input_tokens":1000,"output_tokens":100}}}`,
			map[string]any{"api": "openai_responses", "cost_usd": "0.004000000"}},
		{"a response that is not there yet", `{"url":"https://api.openai.com/v1/responses","body":{"id":"resp_1","status":"queued","background":true,"model":"gpt-5.4","usage":null}}`,
			map[string]any{"cost_usd": nil, "estimated": true, "error": `the answer is still being made; fetch response "resp_1" for its usage`}},
		{"Claude on Vertex", `{"url":"` + vertex + `anthropic/models/claude-sonnet-4-5@20250929:rawPredict","body":{"type":"message","model":"claude-sonnet-4-5-20250929","usage":{"input_tokens":10,"output_tokens":1}}}`,
			map[string]any{"provider": "google", "api": "anthropic_messages", "model": "claude-sonnet-4-5-20250929", "region": "us-east5", "usage": tokens(10, 0, 0, 0, 1)}},
		{"Gemini on Vertex", `{"url":"` + vertex + `google/models/gemini-2.5-flash:generateContent","body":{"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":10,"thoughtsTokenCount":10,"totalTokenCount":1020}}}`,
			map[string]any{"provider": "google", "api": "gemini_generate_content", "model": "gemini-2.5-flash", "cost_usd": "0.000350000", "usage": tokens(1000, 0, 0, 0, 20, 10)}},
		{"Claude on Bedrock costs what its profile does", `{"url":"` + bedrock + `us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke","body":{"type":"message","model":"claude-haiku-4-5-20251001","usage":{"input_tokens":1000,"output_tokens":100}}}`,
			map[string]any{"provider": "aws_bedrock", "api": "bedrock_invoke", "cost_usd": "0.001650000"}},
		{"Converse", `{"url":"` + bedrock + `amazon.nova-pro-v1%3A0/converse","body":{"output":{},"stopReason":"end_turn","usage":{"inputTokens":1000,"outputTokens":100,"totalTokens":1100}}}`,
			map[string]any{"provider": "aws_bedrock", "api": "bedrock_converse", "model": "amazon.nova-pro-v1:0", "cost_usd": "0.001120000"}},
		{"counts in headers", `{"url":"` + bedrock + `us.meta.llama3-1-8b-instruct-v1:0/invoke","headers":{"X-Amzn-Bedrock-Input-Token-Count":"1000","x-amzn-bedrock-output-token-count":["100"],"date":null},"body":{"generation":"Hi"}}`,
			map[string]any{"api": "bedrock_invoke", "usage": tokens(1000, 0, 0, 0, 100), "cost_usd": "0.000242000", "estimated": nil}},
		{"an event stream", `{"url":"` + bedrock + `amazon.nova-pro-v1%3A0/converse-stream","body_encoding":"base64","body":"` + novaStream + `"}`,
			map[string]any{"api": "bedrock_converse", "usage": tokens(10, 0, 0, 0, 20), "cost_usd": "0.000072000"}},
		{"Cohere", `{"url":"https://api.cohere.com/v2/chat","model":"command-a-03-2025","body":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":1000.0,"output_tokens":10.0},"tokens":{"input_tokens":9000,"output_tokens":99}}}}`,
			map[string]any{"provider": "cohere", "api": "cohere_chat", "model": "command-a-03-2025", "cost_usd": "0.002600000"}},
		{"embeddings of Cohere", `{"url":"https://api.cohere.com/v2/embed","model":"embed-v4.0","body":{"meta":{"billed_units":{"input_tokens":1000}}}}`,
			map[string]any{"api": "cohere_embed", "cost_usd": "0.000120000"}},
		{"Ollama", `{"url":"http://localhost:11434/api/chat","body":"{\"model\":\"llama3.2\",\"message\":{\"content\":\"Hi\"},\"done\":false}\n{\"model\":\"llama3.2\",\"done\":true,\"prompt_eval_count\":5,\"eval_count\":2}\n"}`,
			map[string]any{"provider": "ollama", "api": "ollama_chat", "model": "llama3.2", "usage": tokens(5, 0, 0, 0, 2), "cost_usd": nil, "estimated": nil}},
		{"a search has a fee, and no sum of prompts is long", `{"url":"https://api.anthropic.com/v1/messages","body":{"type":"message","model":"claude-haiku-5-5","usage":{"input_tokens":400000,"output_tokens":0,"server_tool_use":{"web_search_requests":2}}}}`,
			map[string]any{"usage": with(tokens(400000), "web_searches", 2)}},
		{"a stated charge wins", `{"url":"https://api.x.ai/v1/chat/completions","body":{"model":"no-such","usage":{"prompt_tokens":10,"completion_tokens":1,"cost_in_usd_ticks":12345}}}`,
			map[string]any{"provider": "xai", "cost_usd": "0.000001235", "stated_usd": "0.000001235", "list_usd": nil, "error": nil}},
		{"a stated charge beside the list's", `{"url":"https://openrouter.ai/api/v1/chat/completions","body":{"model":"openai/gpt-4o","usage":{"prompt_tokens":0,"completion_tokens":0,"cost":0}}}`,
			map[string]any{"provider": "openrouter", "cost_usd": "0.000000000", "stated_usd": "0.000000000"}},
		{"a charge that another host states is none", `{` + chatURL + `,"body":{"model":"gpt-4o","usage":{"prompt_tokens":1000,"completion_tokens":0,"cost":0.5}}}`,
			map[string]any{"cost_usd": "0.002500000", "stated_usd": nil}},
		{"Vercel states its charge", `{"url":"https://ai-gateway.vercel.sh/v1/chat/completions","body":{"model":"google/gemini-3.8-flash","usage":{"prompt_tokens":50,"completion_tokens":100,"total_tokens":150,"completion_tokens_details":{"reasoning_tokens":64},"cost":"0.00042"}}}`,
			map[string]any{"provider": "vercel", "cost_usd": "0.000420000", "usage": tokens(50, 0, 0, 0, 164, 64)}},
		{"a host for data that stays in a place", `{"url":"https://eu.api.openai.com/v1/chat/completions","body":{"model":"gpt-4o","usage":{"prompt_tokens":1,"completion_tokens":1}}}`,
			map[string]any{"provider": "openai", "region": "eu"}},
		{"a class of service without a price is an estimate", `{` + chatURL + `,"body":{"model":"gpt-4o","service_tier":"scale","usage":{"prompt_tokens":1000,"completion_tokens":0}}}`,
			map[string]any{"service": "scale", "estimated": true}},
	} {
		t.Run(tt.name, func(t *testing.T) { meters(t, tt.in, tt.want) })
	}
}

// novaStream is a ConverseStream of one text and its usage, in base64.
const novaStream = "AAAAXQAAADZqG0GKCzpldmVudC10eXBlBwARY29udGVudEJsb2NrRGVsdGENOm1lc3NhZ2UtdHlwZQcABWV2ZW50eyJkZWx0YSI6eyJ0ZXh0Ij" +
	"oiSGkifX0Hux71AAAAWQAAADB2+EJ/CzpldmVudC10eXBlBwALbWVzc2FnZVN0b3ANOm1lc3NhZ2UtdHlwZQcABWV2ZW50eyJzdG9wUmVhc29u" +
	"IjoiZW5kX3R1cm4ifUb3SbwAAABrAAAALc4fxUALOmV2ZW50LXR5cGUHAAhtZXRhZGF0YQ06bWVzc2FnZS10eXBlBwAFZXZlbnR7InVzYWdlIj" +
	"p7ImlucHV0VG9rZW5zIjoxMCwib3V0cHV0VG9rZW5zIjoyMH19ZNI/dA=="
