package provider_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

const (
	completionsPath  = "/v1/completions"
	embeddingsPath   = "/v1/embeddings"
	imagesPath       = "/v1/images/generations"
	interactionsPath = "/v1beta/interactions"
	predictPath      = "/v1/projects/p/locations/us-central1/publishers/google/models/"
	speechPath       = "/v1/audio/speech"
	vertexPath       = "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"
)

// terms is what a test expects a request to be billed for besides a plain prompt and answer.
type terms struct {
	Model          string
	Stream, SSE    bool
	MaxOutput      int64
	Choices        int64
	NoOutput, Open bool
	Pieces         string
	Media          string // "in", "out"
	Service        pricing.Service
	Auto           bool
	Region         string
	Endless        bool // the body does not bound the prompt
	Boundless      bool
	Facts          string
}

func termsOf(r *provider.Request) terms {
	t := terms{
		Model: string(r.Model), Stream: r.Stream, SSE: r.SSE, MaxOutput: r.MaxOutput, Choices: r.Choices,
		NoOutput: r.NoOutput, Open: r.OpenPieces, Service: r.Service, Auto: r.AutoService,
		Region: r.Region, Endless: r.InputBound() < 0, Boundless: r.Boundless, Facts: factNames(r.Facts),
	}
	for kind, n := range r.Pieces.All() {
		if n != 0 {
			t.Pieces = strings.TrimSpace(fmt.Sprintf("%s %s %d", t.Pieces, kind, n))
		}
	}
	if r.InputMedia {
		t.Media = "in"
	}
	if r.OutputMedia {
		t.Media += "out"
	}
	return t
}

func TestParseRequestReadsEveryAPI(t *testing.T) {
	const claude = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"
	const llama = "/model/meta.llama3-1-70b-instruct-v1%3A0/invoke-with-response-stream"
	for _, tt := range []struct {
		name, path, body string
		want             terms
	}{
		{"a completion", completionsPath, `{"model":"m","prompt":"once","max_tokens":9,"n":2,"best_of":3,"echo":true,"stream":true}`,
			terms{Model: "m", Stream: true, SSE: true, MaxOutput: 9, Choices: 3}},
		{"a completion of prompts", completionsPath, `{"n":2,"prompt":["a","b","c"],"model":"m"}`, terms{Model: "m", Choices: 6}},
		{"a completion of token ids", completionsPath, `{"model":"m","prompt":[1,2,3],"n":2}`, terms{Model: "m", Choices: 2}},
		{"a completion of lists of token ids", completionsPath, `{"model":"m","prompt":[[1,2],[3]]}`, terms{Model: "m", Choices: 2}},
		{"embeddings", embeddingsPath, `{"model":"text-embedding-3-small","input":["a","b"],"dimensions":5}`, terms{Model: "text-embedding-3-small", Choices: 1, NoOutput: true}},
		{"embeddings of a deployment", "/openai/deployments/d/embeddings?api-version=2024-10-21", `{"input":[1,2]}`, terms{Model: "d", Choices: 1, NoOutput: true}},
		{"pictures", imagesPath, `{"model":"gpt-image-1","prompt":"p","n":3,"size":"1024x1024","quality":"high","partial_images":2,"stream":true}`,
			terms{Model: "gpt-image-1", Stream: true, SSE: true, MaxOutput: 6240, Choices: 3, Pieces: "images 3", Media: "out"}},
		{"speech", speechPath, `{"model":"tts-1","input":"h\u00e9llo é","voice":"alloy"}`, terms{Model: "tts-1", Choices: 1, NoOutput: true, Pieces: "characters 12", Media: "out"}},
		{"pictures that are billed as such", imagesPath, `{"model":"dall-e-3","prompt":"p"}`, terms{Model: "dall-e-3", Choices: 1, NoOutput: true, Pieces: "images 1", Media: "out"}},
		{"speech that is billed by tokens", speechPath, `{"model":"gpt-4o-mini-tts","input":""}`, terms{Model: "gpt-4o-mini-tts", Choices: 1, Media: "out"}},
		{"Claude on Vertex", vertexPath, `{"anthropic_version":"vertex-2023-10-16","max_tokens":7,"messages":[{"role":"user","content":"q"}]}`,
			terms{Model: "claude-sonnet-4-5@20250929", Stream: true, SSE: true, MaxOutput: 7, Choices: 1}},
		{"Claude on Bedrock", claude, `{"anthropic_version":"bedrock-2023-05-31","max_tokens":7,"stream":true,"tools":[{"type":"custom","name":"f"}],"messages":[{"role":"user","content":"q"}]}`,
			terms{Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0", MaxOutput: 7, Choices: 1}},
		{"Claude behind an ARN", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fx/invoke", `{"anthropic_version":"bedrock-2023-05-31","max_tokens":7,"max_gen_len":1}`,
			terms{Model: "arn:aws:bedrock:us-east-1:1:application-inference-profile/x", MaxOutput: 7, Choices: 1}},
		{"Llama on Bedrock, which heeds its own cap", llama, `{"prompt":"p","max_gen_len":5,"max_tokens":1}`, terms{Model: "meta.llama3-1-70b-instruct-v1:0", Stream: true, MaxOutput: 5, Choices: 1}},
		{"Titan", "/model/amazon.titan-text-express-v1/invoke", `{"inputText":"p","textGenerationConfig":{"maxTokenCount":8,"temperature":0.5}}`,
			terms{Model: "amazon.titan-text-express-v1", MaxOutput: 8, Choices: 1, Facts: "Sampling"}},
		{"Nova", "/model/us.amazon.nova-lite-v1%3A0/invoke", `{"messages":[{"role":"user","content":[{"text":"q"}]}],"inferenceConfig":{"max_new_tokens":8}}`,
			terms{Model: "us.amazon.nova-lite-v1:0", MaxOutput: 8, Choices: 1}},
		{"a model on Bedrock that nobody knows", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aimported-model%2Fx/invoke", `{"prompt":"p","max_tokens":5}`,
			terms{Model: "arn:aws:bedrock:us-east-1:1:imported-model/x", Choices: 1, Open: true, Boundless: true, Endless: true, Media: "in"}},
		{"Titan embeddings", "/model/amazon.titan-embed-text-v2%3A0/invoke", `{"inputText":"p"}`, terms{Model: "amazon.titan-embed-text-v2:0", Choices: 1, NoOutput: true}},
		{"Converse", conversePath, `{"system":[{"text":"s"},{"cachePoint":{"type":"default","ttl":"1h"}}],"messages":[{"role":"user","content":[{"text":"q"},{"image":{"format":"png","source":{"bytes":"AAAA"}}}]},
			{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"t","signature":"s"}}},{"toolUse":{"toolUseId":"1","name":"f","input":{"image":{"source":{}}}}}]},
			{"role":"user","content":[{"toolResult":{"toolUseId":"1","content":[{"text":"r"}]}}]}],"inferenceConfig":{"maxTokens":50,"temperature":0,"topP":0.5,"stopSequences":["x"]},
			"toolConfig":{"tools":[{"toolSpec":{"name":"f"}},{"cachePoint":{"type":"default"}}],"toolChoice":{"any":{}}},"serviceTier":{"type":"flex"},"requestMetadata":{"a":"b"}}`,
			terms{Model: "anthropic.claude-haiku-4-5-v1:0", Stream: true, MaxOutput: 50, Choices: 1, Media: "in", Service: pricing.Flex,
				Facts: "SignedReasoning OpenToolResults Images OwnCacheMarks LongCacheWrites Sampling ForcedTool StopSequences ServiceTier"}},
		{"Converse with what AWS holds", conversePath, `{"messages":[{"role":"user","content":[{"document":{"source":{"s3Location":{"uri":"s3://b/k"}}}}]}],"toolConfig":{"tools":[{"systemTool":{"name":"nova_grounding"}}]},"performanceConfig":{"latency":"optimized"}}`,
			terms{Model: "anthropic.claude-haiku-4-5-v1:0", Stream: true, Choices: 1, Open: true, Media: "in", Endless: true, Service: "optimized", Facts: "ServerTools RemoteContent Images ServiceTier"}},
		{"Converse with fields for the model alone", conversePath, `{"inferenceConfig":{"maxTokens":1},"additionalModelRequestFields":{"max_tokens":100,"thinking":{"budget_tokens":5},"top_k":3}}`,
			terms{Model: "anthropic.claude-haiku-4-5-v1:0", Stream: true, Choices: 1, Facts: "Sampling ThinkingBudget"}},
		{"Converse with a cap within those fields", conversePath, `{"inferenceConfig":{"maxTokens":1},"additionalModelRequestFields":{"inferenceConfig":{"maxTokens":100}}}`,
			terms{Model: "anthropic.claude-haiku-4-5-v1:0", Stream: true, Choices: 1}},
		{"Converse with a cap deep within them", conversePath, `{"additionalModelRequestFields":{"a":[{"textGenerationConfig":{"maxTokenCount":100}}]},"inferenceConfig":{"maxTokens":1}}`,
			terms{Model: "anthropic.claude-haiku-4-5-v1:0", Stream: true, Choices: 1}},
		{"choices within those fields, beside tools", conversePath, `{"inferenceConfig":{"maxTokens":1},"additionalModelRequestFields":{"n":99,"tools":[]}}`,
			terms{Model: "anthropic.claude-haiku-4-5-v1:0", Stream: true, MaxOutput: 1, Choices: 1, Open: true, Boundless: true, Media: "in", Endless: true, Facts: "ServerTools"}},
		{"several results on Bedrock", "/model/ai21.j2-mid-v1/invoke", `{"prompt":"p","numResults":4,"max_tokens":5}`, terms{Model: "ai21.j2-mid-v1", MaxOutput: 5, Choices: 4}},
		{"several generations on Bedrock", "/model/cohere.command-text-v14/invoke", `{"prompt":"p","num_generations":3,"max_tokens":5}`, terms{Model: "cohere.command-text-v14", MaxOutput: 5, Choices: 3}},
		{"Cohere", "/v2/chat", `{"model":"command-a","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"q"}]}],"max_tokens":5,"stream":true,"tools":[{"type":"function"}]}`,
			terms{Model: "command-a", Stream: true, SSE: true, MaxOutput: 5, Choices: 1}},
		{"Cohere's first API", "/v1/chat", `{"model":"command-r","message":"q","chat_history":[{"role":"USER","message":"a"}],"preamble":"p","connectors":[{"id":"web-search"}],"conversation_id":"c","stream":true}`,
			terms{Model: "command-r", Stream: true, Choices: 1, Open: true, Media: "in", Endless: true, Facts: "HeldState ServerTools"}},
		{"Cohere's completions", "/v1/generate", `{"model":"command","prompt":"q","num_generations":4,"max_tokens":5}`, terms{Model: "command", MaxOutput: 5, Choices: 4}},
		{"Cohere's embeddings", "/v2/embed", `{"model":"embed-v4.0","texts":["a","b"],"images":["data:image/png;base64,AA"],"input_type":"x"}`,
			terms{Model: "embed-v4.0", Choices: 1, NoOutput: true, Media: "in", Facts: "Images"}},
		{"a ranking", "/v2/rerank", `{"model":"rerank-v3.5","query":"q","documents":[` + strings.Repeat(`"short",`, 150) + `{"text":"` + strings.Repeat("x", 1000) + `"}]}`,
			terms{Model: "rerank-v3.5", Choices: 1, NoOutput: true, Pieces: "search_units 2"}},
		{"Ollama, which streams", "/api/chat", `{"model":"llama3.2","messages":[{"role":"user","content":"q","images":["AAAA"]}],"options":{"num_predict":7,"temperature":0},"format":"json"}`,
			terms{Model: "llama3.2", Stream: true, MaxOutput: 7, Choices: 1, Media: "in", Facts: "Images Sampling StructuredOutput"}},
		{"Ollama, told not to stream", "/api/generate", `{"model":"llama3.2","prompt":"q","stream":false,"options":{"num_predict":-1}}`, terms{Model: "llama3.2", Choices: 1}},
		{"Ollama's embeddings", "/api/embed", `{"model":"nomic","input":["a"]}`, terms{Model: "nomic", Choices: 1, NoOutput: true}},
		{"TGI", "/generate_stream", `{"inputs":"q","parameters":{"max_new_tokens":20,"best_of":2}}`, terms{Model: "tgi", Stream: true, SSE: true, MaxOutput: 20, Choices: 2}},
		{"Gemini's embeddings", "/v1beta/models/gemini-embedding-001:batchEmbedContents", `{"requests":[{"model":"models/x","content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}}]}`,
			terms{Model: "gemini-embedding-001", Choices: 1, NoOutput: true, Media: "in", Facts: "Images"}},
		{"one request of a batch of Gemini's embeddings", "/v1beta/models/gemini-embedding-001:batchEmbedContents", `{"requests":{"content":{"parts":{"inlineData":{"mimeType":"video/mp4","data":"AA"}}}}}`,
			terms{Model: "gemini-embedding-001", Choices: 1, NoOutput: true, Media: "in", Endless: true, Facts: "Images"}},
		{"an interaction", interactionsPath, `{"model":"gemini-3.8-flash","input":"q","stream":true,"store":false,"generation_config":{"max_output_tokens":50,"temperature":0.5,"thinking_level":"minimal","tool_choice":"any"},"service_tier":"flex"}`,
			terms{Model: "gemini-3.8-flash", Stream: true, SSE: true, MaxOutput: 50, Choices: 1, Service: pricing.Flex, Facts: "Sampling Effort ForcedTool ServiceTier RareEffort"}},
		{"an interaction that goes on", interactionsPath, `{"model":"m","previous_interaction_id":"v1_a","background":true,"input":[{"type":"function_result","call_id":"c","result":[{"type":"image","mime_type":"image/png","data":"AA"}]}],"tools":[{"type":"function","name":"f"}]}`,
			terms{Model: "m", Choices: 1, Media: "in", Endless: true, Facts: "HeldState OpenToolResults Images Background Stored"}},
		{"an interaction with its steps", interactionsPath, `{"model":"m","store":false,"input":[{"type":"user_input","content":[{"type":"text","text":"q"}]},{"type":"thought","signature":"AA"},{"type":"google_search_call","arguments":{}},{"type":"google_search_result","result":[]},{"type":"model_output","content":[{"type":"text","text":"a"}]}]}`,
			terms{Model: "m", Choices: 1, Facts: "SignedReasoning Prefill"}},
		{"an interaction with sound and files", interactionsPath, `{"model":"m","store":false,"response_modalities":["audio"],"input":[{"type":"audio","data":"AA"},{"type":"document","uri":"https://a/b.pdf"},{"type":"text","text":"q"}]}`,
			terms{Model: "m", Choices: 1, Media: "inout", Endless: true, Facts: "RemoteContent Images Audio"}},
		{"an interaction that searches", interactionsPath, `{"model":"m","store":false,"input":"q","tools":[{"type":"google_search"},{"type":"url_context"}],"response_format":{"type":"image"}}`,
			terms{Model: "m", Choices: 1, Open: true, Media: "inout", Endless: true, Facts: "ServerTools StructuredOutput"}},
		{"an interaction of the first version", interactionsPath, `{"model":"m","store":false,"input":[{"role":"user","content":"q"},{"role":"model","content":[{"type":"text","text":"a"}]},{"role":"user","content":[{"type":"text","text":"r"}]}],"agent":null}`,
			terms{Model: "m", Choices: 1}},
		{"an agent", interactionsPath, `{"agent":"deep-research-preview","background":true,"input":"q"}`,
			terms{Model: "deep-research-preview", Choices: 1, Open: true, Media: "in", Endless: true, Facts: "ServerTools Background Stored OtherModels"}},
		{"an agent beside a model", interactionsPath, `{"agent":"a","model":"m","input":"q","store":false}`,
			terms{Model: "a", Choices: 1, Open: true, Media: "in", Endless: true, Facts: "ServerTools OtherModels"}},
		{"texts to be embedded on Vertex", predictPath + "text-embedding-005:predict", `{"instances":[{"task_type":"QUESTION_ANSWERING","title":"t","content":"é"},{"content":"b"}],"parameters":{"autoTruncate":true}}`,
			terms{Model: "text-embedding-005", Choices: 1, NoOutput: true, Pieces: "characters 127"}},
		{"pictures on Vertex", predictPath + "imagen-4.0-generate-001:predict", `{"instances":[{"prompt":"p"}],"parameters":{"sampleCount":3,"aspectRatio":"1:1"}}`,
			terms{Model: "imagen-4.0-generate-001", Choices: 1, NoOutput: true, Pieces: "images 3", Media: "out"}},
		{"pictures of which nobody says how many", predictPath + "imagen-4.0-generate-001:predict", `{"parameters":{"sample_count":null},"instances":[{"prompt":"p"},{"prompt":"q"}]}`,
			terms{Model: "imagen-4.0-generate-001", Choices: 1, NoOutput: true, Pieces: "images 8", Media: "out"}},
		{"one instance", predictPath + "imagen-4.0-generate-001:predict", `{"instances":{"prompt":"p"},"parameters":{"sampleCount":2}}`,
			terms{Model: "imagen-4.0-generate-001", Choices: 1, NoOutput: true, Pieces: "images 2", Media: "out"}},
		{"one instance that is no text", predictPath + "text-embedding-005:predict", `{"instances":{"video":"v"}}`,
			terms{Model: "text-embedding-005", Choices: 1, Open: true}},
		{"pictures without an instance", predictPath + "imagen-4.0-generate-001:predict", `{"parameters":{"sampleCount":0}}`,
			terms{Model: "imagen-4.0-generate-001", Choices: 1, NoOutput: true, Pieces: "images 4", Media: "out"}},
		{"pictures to be embedded on Vertex", predictPath + "multimodalembedding@001:predict", `{"instances":[{"text":"t","video":{"gcsUri":"gs://b/v"}}]}`,
			terms{Model: "multimodalembedding@001", Choices: 1, Open: true}},
		{"a model of Google's that is not known", predictPath + "m:predict", `{"instances":[{"content":"c"}]}`, terms{Model: "m", Choices: 1, Open: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, tt.path, tt.body)
			if diff := cmp.Diff(tt.want, termsOf(&r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRequestReadsWhatIsBilledBesidesTokens(t *testing.T) {
	const search = `{"type":"web_search_20250305","name":"web_search"`
	for _, tt := range []struct {
		name, path, members string
		want                terms
	}{
		{"searches that are bounded", messagesPath, `"tools":[` + search + `,"max_uses":3},{"type":"web_fetch_20250910","name":"f","max_uses":2}]`, terms{Pieces: "web_searches 3", Media: "in", Endless: true, Facts: "ServerTools"}},
		{"searches that are not", messagesPath, `"tools":[` + search + `}]`, terms{Open: true, Media: "in", Endless: true, Facts: "ServerTools"}},
		{"a preset", chatPath, `"preset":"p"`, terms{Facts: "OtherModels"}},
		{"a route", completionsPath, `"route":"fallback"`, terms{Facts: "OtherModels"}},
		{"plugins", chatPath, `"plugins":[{"id":"auto-router"}]`, terms{Open: true, Media: "in", Endless: true, Facts: "ServerTools OtherModels"}},
		{"a preset of messages", messagesPath, `"preset":"p"`, terms{Facts: "OtherModels"}},
		{"models of responses", responsesPath, `"models":["m"]`, terms{Facts: "Stored OtherModels"}},
		{"an order of hosts", chatPath, `"provider":{"order":["together"]}`, terms{Facts: "HostChoice"}},
		{"an order of a completion's hosts", completionsPath, `"provider":{"order":["together"]}`, terms{Facts: "HostChoice"}},
		{"an order of a response's hosts", responsesPath, `"provider":{"order":["together"]}`, terms{Facts: "Stored HostChoice"}},
		{"an order of a message's hosts", messagesPath, `"provider":{"order":["together"]}`, terms{Facts: "HostChoice"}},
		{"Vercel's options", chatPath, `"providerOptions":{"gateway":{"order":["bedrock"]}}`, terms{Facts: "HostChoice"}},
		{"Vercel's options of a message", messagesPath, `"providerOptions":{"gateway":{"only":["bedrock"]}}`, terms{Facts: "HostChoice"}},
		{"a context that is compacted", messagesPath, `"context_management":{"edits":[{"type":"clear_tool_uses_20250919"},{"type":"compact_20260112"}]}`, terms{Endless: true, Facts: "Compaction"}},
		{"a context that is cleared", messagesPath, `"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}`, terms{}},
		{"a response's compaction", responsesPath, `"context_management":[{"type":"compaction","compact_threshold":1000}]`, terms{Endless: true, Facts: "Stored Compaction"}},
		{"an adviser", messagesPath, `"tools":[{"type":"advisor_20260301","name":"advisor","model":"claude-opus-5-5","max_uses":2}]`, terms{Open: true, Media: "in", Endless: true, Facts: "ServerTools OtherModels"}},
		{"an adviser of the model's own", messagesPath, `"tools":[{"type":"advisor_20260301","name":"advisor","model":null,"max_uses":2}]`, terms{Open: true, Media: "in", Endless: true, Facts: "ServerTools"}},
		{"fetches, which are free", messagesPath, `"tools":[{"type":"web_fetch_20250910","name":"f"}]`, terms{Media: "in", Endless: true, Facts: "ServerTools"}},
		{"code, billed by the hour", messagesPath, `"tools":[{"type":"code_execution_20250825","name":"f","max_uses":1}]`, terms{Open: true, Media: "in", Endless: true, Facts: "ServerTools"}},
		{"a response's tools that are bounded", responsesPath, `"max_tool_calls":4,"tools":[{"type":"web_search"},{"type":"file_search"},{"type":"code_interpreter"}]`,
			terms{Pieces: "web_searches 4 file_searches 4 code_runs 4", Media: "in", Endless: true, Facts: "ServerTools Stored"}},
		{"a response's tools that are not", responsesPath, `"tools":[{"type":"file_search"}]`, terms{Open: true, Media: "in", Endless: true, Facts: "ServerTools Stored"}},
		{"pictures within a response", responsesPath, `"max_tool_calls":1,"tools":[{"type":"image_generation"}]`, terms{Open: true, Media: "inout", Endless: true, Facts: "ServerTools Stored OtherModels"}},
		{"a template, which may bring tools", responsesPath, `"prompt":{"id":"p"}`, terms{Open: true, Media: "in", Endless: true, Facts: "HeldState Stored"}},
		{"Azure's own data", chatPath, `"data_sources":[{}]`, terms{Media: "in", Endless: true, Facts: "ServerTools"}},
		{"Gemini's search", geminiPath, `"tools":[{"googleSearch":{}}]`, terms{Open: true, Media: "in", Endless: true, Facts: "ServerTools"}},
		{"Gemini's code, which has no fee", geminiPath, `"tools":[{"codeExecution":{}}]`, terms{Media: "in", Endless: true, Facts: "ServerTools"}},
		{"Gemini's search, by itself", geminiPath, `"tools":{"googleSearch":{}}`, terms{Media: "in", Endless: true, Open: true, Facts: "ServerTools"}},
		{"Gemini's search, in a list too many", geminiPath, `"tools":[[{"googleSearch":{}}]]`, terms{Media: "in", Endless: true, Open: true, Facts: "ServerTools"}},
		{"a picture by itself out", geminiPath, `"generationConfig":{"responseModalities":"image"}`, terms{Media: "out"}},
		{"a picture by its number out", geminiPath, `"generationConfig":{"responseModalities":[2]}`, terms{Media: "out"}},
		{"a file within a list too many", geminiPath, `"contents":[[{"parts":[[{"fileData":{"fileUri":"gs://b/v.mp4"}}]]}]]`, terms{Media: "in", Endless: true, Facts: "RemoteContent Images"}},
		{"what Google holds", chatPath, `"extra_body":{"google":{"cached_content":"cachedContents/a","thinking_config":{"thinking_budget":9}}}`, terms{Media: "in", Endless: true, Facts: "HeldState ThinkingBudget"}},
		{"what Google holds, in camel case", chatPath, `"extra_body":[{"google":{"cachedContent":"cachedContents/a"}}]`, terms{Media: "in", Endless: true, Facts: "HeldState"}},
		{"what Google holds, without more around it", chatPath, `"google":{"cached_content":"cachedContents/a","safety_settings":[]}`, terms{Media: "in", Endless: true, Facts: "HeldState"}},
		{"a field of Google's that nobody knows", chatPath, `"extra_body":{"google":{"grounding":{}}}`, terms{Boundless: true}},
		{"another body within the body", chatPath, `"extra_body":{"max_tokens":9}`, terms{Boundless: true}},
		{"nothing beyond the body", chatPath, `"extra_body":{"google":{"cached_content":null}}`, terms{}},
		{"one message that is no list", chatPath, `"messages":{"role":"user","content":{"type":"image_url","image_url":{"url":"https://a/b"}}}`, terms{Media: "in", Endless: true, Facts: "RemoteContent Images"}},
		{"a video in the place of a picture", chatPath, `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:video/mp4;base64,AA"}}]}]`, terms{Media: "in", Endless: true, Facts: "Images"}},
		{"one tool that is no list", chatPath, `"tools":{"type":"web_search"}`, terms{Open: true, Media: "in", Endless: true, Facts: "ServerTools"}},
		{"Alibaba's search", chatPath, `"enable_search":true`, terms{Boundless: true, Media: "in", Endless: true, Facts: "ServerTools"}},
		{"no search of Alibaba's", chatPath, `"enable_search":false`, terms{}},
		{"a container of the least memory", responsesPath, `"max_tool_calls":4,"tools":[{"type":"code_interpreter","container":{"type":"auto","memory_limit":"1g","file_ids":[]}}]`,
			terms{Pieces: "code_runs 4", Media: "in", Endless: true, Facts: "ServerTools Stored"}},
		{"a container of more memory", responsesPath, `"max_tool_calls":4,"tools":[{"container":{"memory_limit":"64g","type":"auto"},"type":"code_interpreter"}]`,
			terms{Pieces: "code_runs 4", Boundless: true, Media: "in", Endless: true, Facts: "ServerTools Stored"}},
		{"a container that is named", responsesPath, `"max_tool_calls":4,"tools":[{"type":"code_interpreter","container":"cntr_1"}]`,
			terms{Pieces: "code_runs 4", Boundless: true, Media: "in", Endless: true, Facts: "ServerTools Stored"}},
		{"a shell of more memory", responsesPath, `"tools":[{"type":"shell","environment":{"type":"container_auto","memory_limit":"4g"}}]`,
			terms{Open: true, Boundless: true, Media: "in", Endless: true, Facts: "ServerTools Stored"}},
		{"a shell of the client's", responsesPath, `"tools":[{"type":"shell","environment":{"type":"local"}}]`,
			terms{Open: true, Media: "in", Endless: true, Facts: "ServerTools Stored"}},
		{"a shell in a container that is named", responsesPath, `"tools":[{"type":"shell","environment":{"type":"container_reference","container_id":"cntr_1"}}]`,
			terms{Open: true, Boundless: true, Media: "in", Endless: true, Facts: "ServerTools Stored"}},
		{"sound out", chatPath, `"modalities":["text","audio"],"audio":{"voice":"v"}`, terms{Media: "out", Facts: "Audio"}},
		{"pictures out", geminiPath, `"generationConfig":{"responseModalities":["TEXT","IMAGE"]}`, terms{Media: "out"}},
		{"any class", chatPath, `"service_tier":"auto"`, terms{Auto: true}},
		{"the usual class", chatPath, `"service_tier":"default"`, terms{}},
		{"fast, which is priority", responsesPath, `"service_tier":"fast"`, terms{Service: pricing.Priority, Facts: "Stored ServiceTier"}},
		{"flex", geminiPath, `"serviceTier":"flex"`, terms{Service: pricing.Flex, Facts: "ServiceTier"}},
		{"Claude's fast", messagesPath, `"speed":"fast"`, terms{Service: pricing.Fast, Facts: "ServiceTier"}},
		{"a region", messagesPath, `"inference_geo":"us"`, terms{Region: "us", Facts: "ServiceTier"}},
		{"any region", messagesPath, `"inference_geo":"global"`, terms{}},
		{"a class that is no word", chatPath, `"service_tier":{}`, terms{Service: "unknown", Facts: "ServiceTier"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Model, tt.want.Choices = "m", 1
			if tt.path == geminiPath {
				tt.want.Model = "gemini-2.5-pro"
			}
			r := parse(t, tt.path, `{"model":"m",`+tt.members+`}`)
			if diff := cmp.Diff(tt.want, termsOf(&r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCloudsTakeTheClassOfServiceInHeaders(t *testing.T) {
	const tier, latency, vertex = "x-amzn-bedrock-service-tier", "x-amzn-bedrock-performanceconfig-latency", "x-vertex-ai-llm-shared-request-type"
	for _, tt := range []struct {
		path, header, value string
		want                pricing.Service
	}{
		{"/model/anthropic.claude/invoke", tier, "priority", pricing.Priority},
		{"/model/anthropic.claude/invoke", tier, "default", pricing.Standard},
		{"/model/anthropic.claude/invoke", tier, "reserved", "reserved"},
		{conversePath, latency, "optimized", "optimized"},
		{conversePath, vertex, "flex", pricing.Standard},
		{vertexPath, vertex, "flex", pricing.Flex},
		{geminiPath, vertex, "PRIORITY", pricing.Priority},
		{interactionsPath, vertex, "flex", pricing.Flex},
		{chatPath, vertex, "flex", pricing.Standard},
		{chatPath, tier, "flex", pricing.Standard},
	} {
		header := func(name string) string {
			if name == tt.header {
				return tt.value
			}
			return ""
		}
		r, err := provider.ParseCall(provider.ParsePath(tt.path), tt.path, "application/json", header, []byte(`{"model":"m"}`))
		if err != nil {
			t.Fatal(err)
		}
		if r.Service != tt.want || r.Facts.Has(provider.ServiceTier) != (tt.want != pricing.Standard) {
			t.Errorf("%s with %s: %s asks for %q, facts %s, want %q", tt.path, tt.header, tt.value, r.Service, factNames(r.Facts), tt.want)
		}
	}
}

func TestModelsThatSearchByThemselvesAreOpen(t *testing.T) {
	for model, open := range map[string]bool{"groq/compound-mini": true, "sonar-pro": true, "openai/gpt-5:online": true, "o3-deep-research": true, "gpt-5": false} {
		r := parse(t, chatPath, `{"model":"`+model+`"}`)
		if r.OpenPieces != open || r.Facts.Has(provider.ServerTools) != open {
			t.Errorf("%s: open %v, facts %s, want open %v", model, r.OpenPieces, factNames(r.Facts), open)
		}
	}
}

func TestModelsThatChooseAmongModelsAreOpen(t *testing.T) {
	for model, open := range map[string]bool{
		"openrouter/auto": true, "openrouter/auto:nitro": true, "OpenRouter/Auto": true, "openrouter/free": false,
		"switchpoint/router": true, "kilo/auto": true, "model-router": true, "model-router-2025-11-18": true, "azure/model_router": true,
		"accounts/fireworks/routers/fast":                                      true,
		"arn:aws:bedrock:us-east-1:1:default-prompt-router/anthropic.claude:1": true,
		"auto":                                  false, // for a policy to say
		"openrouter/anthropic/claude-haiku-4.5": false,
		"openai/gpt-5":                          false,
		"arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x-v1:0": false,
	} {
		if r := parse(t, chatPath, `{"model":"`+model+`"}`); r.Facts.Has(provider.OtherModels) != open {
			t.Errorf("%s: facts %s, want OtherModels %v", model, factNames(r.Facts), open)
		}
	}
}

func TestModelsThatSearchInEachCallSearchOnce(t *testing.T) {
	for _, tt := range []struct {
		body string
		open bool
	}{
		{`{"model":"gpt-4o-search-preview"}`, false},
		{`{"web_search_options":{"search_context_size":"low"},"model":"gpt-5-search-api"}`, false},
		{`{"model":"gpt-4o-mini-search-preview-2025-03-11","web_search_options":null}`, false},
		{`{"model":"gpt-4o-search-preview","search_parameters":{}}`, true},
		{`{"model":"gpt-4o","web_search_options":{}}`, true},
	} {
		r := parse(t, chatPath, tt.body)
		if searches := r.Pieces.WebSearches; r.OpenPieces != tt.open || !tt.open && searches != 1 || !r.Facts.Has(provider.ServerTools) {
			t.Errorf("%s: %d searches, open %v, facts %s; want open %v, else one search", tt.body, searches, r.OpenPieces, factNames(r.Facts), tt.open)
		}
	}
}

func TestARankingCountsItsQueryForEachDocument(t *testing.T) {
	r := parse(t, "/v1/rerank", `{"model":"rerank-2.5","query":"`+strings.Repeat("q", 98)+`","documents":["a","b","c"]}`)
	if least := int64(3 * 98); r.InputBound() < least {
		t.Errorf("InputBound = %d, want at least %d", r.InputBound(), least)
	}
}

func TestPicturesKeepTheirSizeAndPartials(t *testing.T) {
	r := parse(t, imagesPath, `{"partial_images":2,"model":"gpt-image-1","n":3,"size":"1024x1536","quality":null}`)
	if r.Size != "1024x1536" || r.Quality != "" || r.PredictedBytes != 600 {
		t.Errorf("size %q, quality %q, %d tokens beyond the pictures, want 1024x1536, none and 600", r.Size, r.Quality, r.PredictedBytes)
	}
}

func TestParseRequestRefusesMoneyKeysOfEveryAPI(t *testing.T) {
	for _, tt := range []struct {
		name, path, body string
		param, code      string
	}{
		{"two prompts", completionsPath, `{"model":"m","prompt":"a","prompt":["b","c"]}`, "prompt", provider.CodeDuplicateKey},
		{"an escaped n", completionsPath, `{"model":"m","\u006e":5}`, "n", provider.CodeAmbiguousKey},
		{"capital best of", completionsPath, `{"model":"m","Best_Of":5}`, "best_of", provider.CodeAmbiguousKey},
		{"two caps of Converse", conversePath, `{"inferenceConfig":{"maxTokens":1,"maxTokens":2}}`, "maxTokens", provider.CodeDuplicateKey},
		{"a folded cap of Converse", conversePath, `{"inferenceConfig":{"maxtokens":1}}`, "", ""}, // AWS refuses it
		{"a folded cap of Converse in capitals", conversePath, `{"inferenceConfig":{"MaxTokens":1}}`, "maxTokens", provider.CodeAmbiguousKey},
		{"a cap of Converse as a string", conversePath, `{"inferenceConfig":{"maxTokens":"1"}}`, "maxTokens", provider.CodeInvalidType},
		{"two caps of Llama", "/model/meta.llama3-8b/invoke", `{"max_gen_len":1,"max_gen_len":2}`, "max_gen_len", provider.CodeDuplicateKey},
		{"two caps of Ollama", "/api/chat", `{"model":"m","options":{"num_predict":1,"num_predict":2}}`, "num_predict", provider.CodeDuplicateKey},
		{"two options of Ollama", "/api/chat", `{"model":"m","options":{},"options":{}}`, "options", provider.CodeDuplicateKey},
		{"a stream of Ollama as a string", "/api/chat", `{"model":"m","stream":"no"}`, "stream", provider.CodeInvalidType},
		{"no pictures", imagesPath, `{"model":"m","n":0}`, "n", provider.CodeInvalidType},
		{"two caps of an interaction", interactionsPath, `{"model":"m","generation_config":{"max_output_tokens":1,"maxOutputTokens":9}}`, "maxOutputTokens", provider.CodeDuplicateKey},
		{"a held interaction that hides", interactionsPath, `{"model":"m","Previous_interaction_id":"a"}`, "previous_interaction_id", provider.CodeAmbiguousKey},
		{"an agent that is none", interactionsPath, `{"agent":7}`, "agent", provider.CodeInvalidType},
		{"two counts of pictures", predictPath + "imagen-4.0-generate-001:predict", `{"instances":[],"parameters":{"sampleCount":1,"sample_count":4}}`, "sample_count", provider.CodeDuplicateKey},
		{"a count of pictures that hides", predictPath + "imagen-4.0-generate-001:predict", `{"instances":[],"parameters":{"SampleCount":4}}`, "sampleCount", provider.CodeAmbiguousKey},
		{"a count of pictures that is none", predictPath + "imagen-4.0-generate-001:predict", `{"instances":[],"parameters":{"sampleCount":"4"}}`, "sampleCount", provider.CodeInvalidType},
		{"two limits of searches", messagesPath, `{"model":"m","tools":[{"type":"web_search_20250305","max_uses":1,"max_uses":2}]}`, "max_uses", provider.CodeDuplicateKey},
		{"a limit of searches below none", messagesPath, `{"model":"m","tools":[{"type":"web_search_20250305","max_uses":-1}]}`, "max_uses", provider.CodeInvalidType},
		{"no model for embeddings", embeddingsPath, `{"input":"a"}`, "model", provider.CodeMissing},
		{"two orders of hosts", chatPath, `{"model":"m","provider":{"sort":"price"},"provider":{"order":["x"]}}`, "provider", provider.CodeDuplicateKey},
		{"an escaped order of hosts", messagesPath, `{"model":"m","provid\u0065r":{"order":["x"]}}`, "provider", provider.CodeAmbiguousKey},
		{"Vercel's options in capitals", responsesPath, `{"model":"m","ProviderOptions":{}}`, "providerOptions", provider.CodeAmbiguousKey},
		{"two queries", "/v2/rerank", `{"model":"m","query":"a","query":"b"}`, "query", provider.CodeDuplicateKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := provider.ParseRequest(provider.ParsePath(tt.path), tt.path, []byte(tt.body))
			var e *provider.RequestError
			if !errors.As(err, &e) {
				e = &provider.RequestError{}
			}
			if e.Param != tt.param || e.Code != tt.code {
				t.Errorf("error = %q, %q, want %q, %q", e.Param, e.Code, tt.param, tt.code)
			}
		})
	}
}
