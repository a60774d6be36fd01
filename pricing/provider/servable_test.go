package provider_test

import (
	"errors"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

func TestServableSaysWhyACallMustStay(t *testing.T) {
	to := func(vendor pricing.ProviderName, model pricing.ModelName) provider.Target {
		return provider.Target{Vendor: vendor, Model: model}
	}
	at := func(vendor pricing.ProviderName, model pricing.ModelName) provider.Target {
		return provider.Target{Vendor: vendor, Model: model, SameHost: true}
	}
	const (
		chat     = `{"model":"gpt-4o","messages":[{"role":"user","content":"q"}]`
		response = `{"model":"gpt-5","store":false,"input":"q"`
		message  = `{"model":"claude-sonnet-4-5","max_tokens":9000,"messages":[{"role":"user","content":"q"}]`
		sealed   = `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"}]},{"role":"user","content":"q"}]`
		opened   = `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":"r"}]}]`
	)
	for _, tt := range []struct {
		name, path, body string
		target           provider.Target
		want             string
	}{
		{"same place, whatever it holds", responsesPath, `{"model":"gpt-5","previous_response_id":"r","background":true,"temperature":0}`, at(provider.OpenAI, "gpt-5"), ""},
		{"plain call, cheaper model", chatPath, chat + `}`, at(provider.OpenAI, "gpt-5-nano"), ""},
		{"plain call, own pool", chatPath, chat + `,"temperature":0,"max_tokens":5}`, to("", "llama"), ""},
		{"plain call, compatible endpoint", chatPath, chat + `}`, to(provider.Anthropic, "claude-haiku-5-5"), ""},
		{"chat, a vendor without chat", chatPath, chat + `}`, to("voyage", "voyage-3.5"), "not the same API"},
		{"chat, a vendor that nobody knows", chatPath, chat + `}`, to("mine", "llama"), "not the same API"},
		{"chat, the model in its path", "/openai/deployments/d/chat/completions", chat + `}`, to(provider.OpenAI, "gpt-5"), "the model stands in the path of its host"},
		{"chat, another deployment of the host", "/openai/deployments/gpt-4o/chat/completions", chat + `}`, at("azure_openai", "gpt-5"), ""},
		{"Bedrock, the same model", conversePath, `{}`, at(provider.Bedrock, "anthropic.claude-haiku-4-5-v1:0"), ""},
		{"Bedrock, another model", conversePath, `{}`, at(provider.Bedrock, "m"), "the call is signed as it is"},
		{"embeddings", embeddingsPath, `{"model":"a"}`, at(provider.OpenAI, "b"), "embeddings of two models cannot be compared"},
		{"embeddings elsewhere", embeddingsPath, `{"model":"a"}`, to("", "a"), "embeddings of two models cannot be compared"},
		{"speech", speechPath, `{"model":"a"}`, at(provider.OpenAI, "b"), "no other model is known to answer alike"},
		{"TGI", "/generate", `{}`, at("", "b"), "the server has one model"},
		{"token ids", completionsPath, `{"model":"a","prompt":[1]}`, at(provider.OpenAI, "gpt-4.1"), "token ids belong to their model"},
		{"a completion elsewhere", completionsPath, `{"model":"a"}`, to("", "b"), "not the same API"},
		{"Claude on Vertex, another Claude", vertexPath, `{}`, at(provider.Google, "claude-haiku-4-5@20251001"), ""},
		{"Claude on Vertex, at Anthropic", vertexPath, `{}`, to(provider.Anthropic, "claude-haiku-4-5"), "the model stands in the path of its host"},
		{"Cohere, another model", "/v2/chat", `{"model":"a"}`, at(provider.Cohere, "b"), ""},
		{"Ollama, another model", "/api/chat", `{"model":"a"}`, at("", "b"), ""},
		{"Ollama elsewhere", "/api/chat", `{"model":"a"}`, to("", "b"), "not the same API"},
		{"message to OpenAI", messagesPath, message + `}`, to(provider.OpenAI, "gpt-5"), "not the same API"},
		{"response to a pool", responsesPath, response + `}`, to("", "llama"), "not the same API"},
		{"gemini to a pool", geminiPath, `{}`, to("", "llama"), "not the same API"},
		{"held state", responsesPath, response + `,"conversation":"c"}`, at(provider.OpenAI, "gpt-5-mini"), "the call continues a conversation that the provider holds"},
		{"held state, dated snapshot", responsesPath, response + `,"conversation":"c"}`, at(provider.OpenAI, "gpt-5-2025-08-07"), ""},
		{"stored answer, same host", responsesPath, `{"model":"gpt-5","input":"q"}`, at(provider.OpenAI, "gpt-5-mini"), ""},
		{"stored answer, other host", responsesPath, `{"model":"gpt-5","input":"q"}`, to(provider.OpenAI, "gpt-5"), "the provider stores the answer for calls that follow"},
		{"background, other host", responsesPath, response + `,"background":true}`, to(provider.OpenAI, "gpt-5"), "a background answer is fetched from its host"},
		{"signed reasoning", messagesPath, sealed + `}`, at(provider.Anthropic, "claude-haiku-4-5"), "signed reasoning belongs to its model"},
		{"signed reasoning, dated snapshot", messagesPath, sealed + `}`, at(provider.Anthropic, "claude-sonnet-4-5-20250929"), ""},
		{"signed reasoning, same model elsewhere", messagesPath, sealed + `}`, to(provider.Anthropic, "claude-sonnet-4-5"), "signed reasoning belongs to its model"},
		{"open tool results", messagesPath, opened + `}`, at(provider.Anthropic, "claude-haiku-4-5"), "open tool results belong to the model that asked for them"},
		{"temperature, reasoning model", chatPath, chat + `,"temperature":0}`, at(provider.OpenAI, "gpt-5"), "the model takes no temperature, top_p or top_k"},
		{"temperature, newest Claude", messagesPath, message + `,"temperature":0.5}`, at(provider.Anthropic, "claude-sonnet-5-5"), "the model takes no temperature, top_p or top_k"},
		{"temperature, older Claude", messagesPath, message + `,"temperature":0.5}`, at(provider.Anthropic, "claude-haiku-4-5"), ""},
		{"budget, newest Claude", messagesPath, message + `,"thinking":{"type":"enabled","budget_tokens":2000}}`, at(provider.Anthropic, "claude-opus-4-7"), "the model takes no thinking budget"},
		{"adaptive thinking, older Claude", messagesPath, message + `,"thinking":{"type":"adaptive"}}`, at(provider.Anthropic, "claude-haiku-4-5"), "the model takes no reasoning effort"},
		{"effort, plain model", chatPath, chat + `,"reasoning_effort":"low"}`, at(provider.OpenAI, "gpt-4.1"), "the model takes no reasoning effort"},
		{"effort, reasoning model", chatPath, chat + `,"reasoning_effort":"low"}`, at(provider.OpenAI, "gpt-6-luna"), ""},
		{"rare effort", chatPath, chat + `,"reasoning_effort":"none"}`, at(provider.OpenAI, "gpt-6-luna"), "the model may not know this level of effort"},
		{"an image, no eyes", chatPath, `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":"data:image/png;base64,AA"}]}]}`, at(provider.OpenAI, "o3-mini"), "the model reads no images"},
		{"structured output, compatible endpoint", chatPath, chat + `,"response_format":{"type":"json_object"}}`, to(provider.Anthropic, "claude-sonnet-5"), "the model takes no output format"},
		{"structured output, own pool", chatPath, chat + `,"response_format":{"type":"json_object"}}`, to("", "llama"), ""},
		{"cache options", chatPath, chat + `,"prompt_cache_retention":"24h"}`, at(provider.OpenAI, "gpt-4.1"), "cache options belong to their model"},
		{"cache key", chatPath, chat + `,"prompt_cache_key":"k"}`, at(provider.OpenAI, "gpt-4.1"), ""},
		{"two caps", chatPath, chat + `,"max_tokens":5,"max_completion_tokens":5}`, to("", "llama"), "the model takes only one of two output caps"},
		{"several answers", chatPath, chat + `,"n":2}`, to("groq", "llama"), "the model gives one answer"},
		{"unknown model", chatPath, chat + `,"stop":["x"]}`, at(provider.OpenAI, "gpt-9"), "the model takes no stop sequences"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, tt.path, tt.body)
			err := r.Servable(tt.target)
			var e *provider.UnservableError
			got := ""
			if errors.As(err, &e) {
				got = e.Reason
			}
			if got != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("Servable = %v, want %q", err, tt.want)
			}
			if _, rewriteErr := r.Rewrite(nil, tt.target); (rewriteErr == nil) != (err == nil) {
				t.Errorf("Rewrite = %v, Servable = %v", rewriteErr, err)
			}
		})
	}
}

func TestServableDoesNotAllocate(t *testing.T) {
	r := parse(t, chatPath, `{"model":"openai/gpt-4o-2024-08-06","messages":[{"role":"user","content":"q"}]}`)
	for _, target := range []provider.Target{
		{Vendor: provider.OpenAI, Model: "gpt-6-luna", SameHost: true},
		{Vendor: provider.Anthropic, Model: "claude-haiku-5-5"},
		{Vendor: provider.Google, Model: "gemini-3.5-flash"},
		{Model: "llama"},
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := r.Servable(target); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("Servable(%s) allocates %v times, want 0", target.Model, n)
		}
	}
}

func TestCapabilityKnowsTheFamilies(t *testing.T) {
	for _, tt := range []struct {
		vendor  pricing.ProviderName
		model   pricing.ModelName
		takes   provider.Facts
		rejects provider.Facts
		cap     provider.CapField
	}{
		{provider.OpenAI, "gpt-6.2-sol", provider.Effort | provider.Images, provider.Sampling | provider.LegacyCap, provider.CapModern},
		{provider.OpenAI, "gpt-5.1-codex-mini", provider.CustomTools, provider.Verbosity, provider.CapModern},
		{provider.OpenAI, "gpt-5.5-pro", 0, provider.Effort | provider.StopSequences, provider.CapModern},
		{provider.OpenAI, "o3-mini", provider.Effort, provider.Images | provider.Sampling, provider.CapModern},
		{provider.OpenAI, "gpt-4o-2024-08-06", provider.Sampling | provider.LegacyCap | provider.Images, provider.Effort, ""},
		{provider.OpenAI, "ft:gpt-4.1-mini:org::id", provider.Sampling, provider.Effort, ""},
		{provider.OpenAI, "gpt-4", provider.Sampling, provider.StructuredOutput | provider.Images, ""},
		{provider.OpenAI, "gpt-4o-audio-preview", 0, provider.Images, provider.CapModern},
		{"azure_openai", "gpt-5", provider.Effort, provider.Sampling, provider.CapModern},
		{provider.Anthropic, "claude-opus-4-6", provider.Sampling | provider.Effort | provider.ThinkingBudget, provider.Prefill, ""},
		{provider.Anthropic, "claude-opus-4-7", provider.Effort, provider.Sampling | provider.ModernRoles, ""},
		{provider.Anthropic, "claude-opus-4-8", provider.Effort | provider.ModernRoles, provider.Prefill | provider.ForcedTool, ""},
		{provider.Anthropic, "claude-sonnet-5", provider.ModernRoles, provider.Sampling, ""},
		{provider.Anthropic, "claude-fable-5-1", provider.Effort, provider.ThinkingBudget, ""},
		{provider.Anthropic, "claude-haiku-5-5", provider.Effort, provider.Sampling, ""},
		{provider.Anthropic, "claude-haiku-4-5-20251001", provider.Sampling | provider.Prefill, provider.Effort, ""},
		{provider.Anthropic, "claude-sonnet-4-20250514", provider.Sampling, provider.StructuredOutput, ""},
		{provider.Anthropic, "claude-3-5-haiku-20241022", provider.Sampling, provider.ThinkingBudget, ""},
		{provider.Anthropic, "claude-next", 0, provider.Sampling | provider.StopSequences, ""},
		{provider.Google, "gemini-3.6-flash", provider.Effort | provider.Sampling, provider.ThinkingBudget, ""},
		{provider.Google, "gemini-2.5-flash", provider.Sampling | provider.Images, provider.Effort, ""},
		{"", "llama", provider.Sampling | provider.StructuredOutput, provider.Images | provider.Effort, provider.CapLegacy},
		{"groq", "openai/gpt-oss-120b", provider.Sampling, provider.StructuredOutput, provider.CapLegacy},
	} {
		c := provider.CapabilityOf(tt.vendor, tt.model)
		if c.Rejects.Any(tt.takes) || !c.Rejects.Has(tt.rejects) || c.Cap != tt.cap {
			t.Errorf("CapabilityOf(%q, %s) rejects %s, cap %q; want it to take %s, to reject %s, cap %q", tt.vendor, tt.model,
				factNames(c.Rejects), c.Cap, factNames(tt.takes), factNames(tt.rejects), tt.cap)
		}
	}
}
