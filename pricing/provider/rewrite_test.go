package provider_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// rewrite returns the body with the edits made, after checking that they are in order.
func rewrite(tb testing.TB, path, body string, target provider.Target) string {
	tb.Helper()
	r := parse(tb, path, body)
	edits, err := r.Rewrite(nil, target)
	if err != nil {
		tb.Fatalf("Rewrite of %s: %v", body, err)
	}
	at := 0
	for _, e := range edits {
		if e.Start < at || e.End < e.Start || e.End > len(body) {
			tb.Fatalf("edits %+v of %s are out of order", edits, body)
		}
		at = e.End
	}
	return string(provider.Apply(nil, []byte(body), edits))
}

func openAITo(model pricing.ModelName, most int64) provider.Target {
	return provider.Target{Vendor: provider.OpenAI, Model: model, SameHost: true, MaxOutput: most}
}

func TestRewriteChangesOnlyWhatTheTargetNames(t *testing.T) {
	pool := provider.Target{Model: "llama"}
	claude := func(model pricing.ModelName, most int64) provider.Target {
		return provider.Target{Vendor: provider.Anthropic, Model: model, SameHost: true, MaxOutput: most}
	}
	gemini := func(most int64) provider.Target {
		return provider.Target{Vendor: provider.Google, Model: "gemini-2.5-pro", SameHost: true, MaxOutput: most}
	}
	for _, tt := range []struct {
		name, path, body string
		target           provider.Target
		want             string
	}{
		{"nothing", chatPath, ` { "model" : "m" , "max_tokens":5.0e0 } `, openAITo("m", 0), ` { "model" : "m" , "max_tokens":5.0e0 } `},
		{"a model that is spelled with escapes stays", chatPath, `{"model":"gpt\u002d4o"}`, openAITo("gpt-4o", 0), `{"model":"gpt\u002d4o"}`},
		{"the model, amid its own name", chatPath, `{"x":"gpt-4o","model" :	"gpt-4o" ,"messages":[{"content":"\"model\":\"gpt-4o\""}]}`, openAITo("gpt-4o-mini", 0),
			`{"x":"gpt-4o","model" :	"gpt-4o-mini" ,"messages":[{"content":"\"model\":\"gpt-4o\""}]}`},
		{"a model in need of quoting", chatPath, `{"model":"a"}`, provider.Target{Model: "\"q\\\n"}, `{"model":"\"q\\\u000a"}`},
		{"the cap's key for a reasoning model", chatPath, `{"model":"gpt-4o", "max_tokens" : 50,"a":1}`, openAITo("gpt-5-mini", 0), `{"model":"gpt-5-mini", "max_completion_tokens" : 50,"a":1}`},
		{"the cap's key for a pool", chatPath, `{"max_completion_tokens":50,"model":"gpt-4o"}`, pool, `{"max_tokens":50,"model":"llama"}`},
		{"no key where both do", chatPath, `{"model":"gpt-4o","max_tokens":50}`, openAITo("gpt-4.1", 0), `{"model":"gpt-4.1","max_tokens":50}`},
		{"a lower cap", chatPath, `{"model":"m","max_tokens":50}`, openAITo("m", 10), `{"model":"m","max_tokens":10}`},
		{"a lower cap under another key", chatPath, `{"model":"gpt-4o","max_tokens":50}`, openAITo("gpt-5", 10), `{"model":"gpt-5","max_completion_tokens":10}`},
		{"no higher cap", chatPath, `{"model":"m","max_tokens":50}`, openAITo("m", 100), `{"model":"m","max_tokens":50}`},
		{"no cap of its own", chatPath, `{"model":"gpt-4o"}`, openAITo("gpt-4o", 10), `{"max_tokens":10,"model":"gpt-4o"}`},
		{"no cap of its own, reasoning", chatPath, `{"model":"gpt-4o"}`, openAITo("gpt-5", 10), `{"max_completion_tokens":10,"model":"gpt-5"}`},
		{"a cap of null", chatPath, `{"model":"gpt-4o","max_tokens": null}`, openAITo("gpt-5", 10), `{"model":"gpt-5","max_completion_tokens": 10}`},
		{"an endless cap", chatPath, `{"model":"gpt-4o","max_tokens":-1}`, openAITo("gpt-4o", 10), `{"model":"gpt-4o","max_tokens":10}`},
		{"a cap of 0", chatPath, `{"model":"gpt-4o","max_tokens":0}`, openAITo("gpt-4o", 10), `{"model":"gpt-4o","max_tokens":10}`},
		{"a cap of 0 that nothing lowers", chatPath, `{"model":"gpt-4o","max_tokens":0}`, openAITo("gpt-4o", 0), `{"model":"gpt-4o","max_tokens":0}`},
		{"a cap of 0 under another key", chatPath, `{"model":"gpt-4o","max_tokens":0.0}`, openAITo("gpt-5", 10), `{"model":"gpt-5","max_completion_tokens":10}`},
		{"a cap of 0 on reasoning", chatPath, `{"model":"gpt-5","max_completion_tokens":0}`, openAITo("gpt-5", 10), `{"model":"gpt-5","max_completion_tokens":10}`},
		{"a cap of 0 beside a null one", chatPath, `{"model":"gpt-5","max_tokens":null,"max_completion_tokens":0}`, openAITo("gpt-5", 10), `{"model":"gpt-5","max_tokens":null,"max_completion_tokens":10}`},
		{"a cap of 0 beside another", chatPath, `{"model":"m","max_tokens":50,"max_completion_tokens":0}`, openAITo("m", 20), `{"model":"m","max_tokens":20,"max_completion_tokens":20}`},
		{"a response's cap of 0", responsesPath, `{"model":"m","store":false,"max_output_tokens":0}`, openAITo("m", 20), `{"model":"m","store":false,"max_output_tokens":20}`},
		{"gemini's cap of 0", geminiPath, `{"generationConfig":{"maxOutputTokens":0}}`, gemini(10), `{"generationConfig":{"maxOutputTokens":10}}`},
		{"a message's cap of 0 at another vendor", messagesPath, `{"model":"c","max_tokens":0}`, provider.Target{Vendor: "other", Model: "c", SameHost: true, MaxOutput: 10}, `{"model":"c","max_tokens":10}`},
		{"two caps", chatPath, `{"model":"m","max_tokens":50,"max_completion_tokens":5}`, openAITo("m", 10), `{"model":"m","max_tokens":10,"max_completion_tokens":5}`},
		{"a cap beside a null one, moved", chatPath, `{"model":"gpt-4o","max_tokens":7,"max_completion_tokens":null}`, openAITo("gpt-5", 0), `{"model":"gpt-5","max_tokens":null,"max_completion_tokens":7}`},
		{"a cap beside a null one, moved and lowered", chatPath, `{"model":"gpt-4o","max_completion_tokens": null,"max_tokens":70}`, openAITo("gpt-5", 10), `{"model":"gpt-5","max_completion_tokens": 10,"max_tokens":null}`},
		{"a cap beside a null one that stays", chatPath, `{"model":"gpt-4o","max_tokens":70,"max_completion_tokens":null}`, openAITo("gpt-4o", 10), `{"model":"gpt-4o","max_tokens":10,"max_completion_tokens":null}`},
		{"two caps of null", chatPath, `{"model":"gpt-5","max_tokens":null,"max_completion_tokens":null}`, openAITo("gpt-5", 10), `{"model":"gpt-5","max_tokens":null,"max_completion_tokens":10}`},
		{"one of two caps", chatPath, `{"model":"gpt-4o","max_tokens":null,"max_completion_tokens":50}`, openAITo("gpt-5", 10), `{"model":"gpt-5","max_tokens":null,"max_completion_tokens":10}`},
		{"a response's cap", responsesPath, `{"model":"m","store":false,"max_output_tokens":50}`, openAITo("m", 20), `{"model":"m","store":false,"max_output_tokens":20}`},
		{"a response's least cap", responsesPath, `{"model":"m","store":false}`, openAITo("m", 10), `{"max_output_tokens":16,"model":"m","store":false}`},
		{"a message's model and cap", messagesPath, `{"model":"claude-sonnet-4-5","max_tokens":500}`, claude("claude-haiku-4-5", 100), `{"model":"claude-haiku-4-5","max_tokens":100}`},
		{"a message's cap above the budget", messagesPath, `{"model":"c","max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":2000}}`, claude("c", 100),
			`{"model":"c","max_tokens":2001,"thinking":{"type":"enabled","budget_tokens":2000}}`},
		{"no cap on warming a cache", messagesPath, `{"model":"c","max_tokens":0}`, claude("c", 100), `{"model":"c","max_tokens":0}`},
		{"gemini's cap", geminiPath, `{"generation_config":{"max_output_tokens":50}}`, gemini(10), `{"generation_config":{"max_output_tokens":10}}`},
		{"gemini's cap, added", geminiPath, `{"generationConfig":{"topK":1}}`, gemini(10), `{"generationConfig":{"maxOutputTokens":10,"topK":1}}`},
		{"gemini's config, added", geminiPath, `{"contents":[]}`, gemini(10), `{"generationConfig":{"maxOutputTokens":10},"contents":[]}`},
		{"gemini's config, instead of null", geminiPath, `{"generationConfig":null}`, gemini(10), `{"generationConfig":{"maxOutputTokens":10}}`},
		{"gemini's config, alone", geminiPath, ` { } `, gemini(10), ` {"generationConfig":{"maxOutputTokens":10} } `},
		{"gemini's model is not in the body", geminiPath, `{"contents":[]}`, provider.Target{Vendor: provider.Google, Model: "gemini-2.5-flash", SameHost: true}, `{"contents":[]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, rewrite(t, tt.path, tt.body, tt.target)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRewriteAddsACacheKeyOfThePrefix(t *testing.T) {
	target := openAITo("gpt-6-luna", 0)
	target.CacheKey = true
	const body = `{"model":"gpt-6-luna","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]}`
	got := rewrite(t, chatPath, body, target)
	if !strings.HasPrefix(got, `{"prompt_cache_key":"farebox-`) || !strings.HasSuffix(got, `",`+body[1:]) {
		t.Errorf("Rewrite = %s, want the body after a prompt_cache_key", got)
	}
	if again := rewrite(t, chatPath, strings.Replace(body, `"u"`, `"v"`, 1), target); again[:50] != got[:50] {
		t.Errorf("another question has another key: %s, %s", got, again)
	}
	for _, own := range []string{`{"prompt_cache_key":null,` + body[1:], `{"model":"gpt-6-luna","messages":[]}`} {
		if got := rewrite(t, chatPath, own, target); got != own {
			t.Errorf("Rewrite = %s, want no key added to %s", got, own)
		}
	}
}

func TestRewriteAsksForTheUsageOfAStream(t *testing.T) {
	azure := provider.Target{Vendor: "azure_openai", SameHost: true, AddUsage: true}
	openAI := provider.Target{Vendor: provider.OpenAI, SameHost: true, AddUsage: true}
	const deployment = "/openai/deployments/d/chat/completions?api-version="
	for _, tt := range []struct {
		name, path, body string
		target           provider.Target
		want             string // "" if nothing is added
	}{
		{"no options", chatPath, `{"model":"m","stream":true}`, openAI, `{"stream_options":{"include_usage":true},"model":"m","stream":true}`},
		{"options of null", chatPath, `{"model":"m","stream_options": null,"stream":true}`, openAI, `{"model":"m","stream_options": {"include_usage":true},"stream":true}`},
		{"empty options", chatPath, `{"model":"m","stream_options":{ },"stream":true}`, openAI, `{"model":"m","stream_options":{"include_usage":true },"stream":true}`},
		{"other options", chatPath, `{"model":"m","stream_options":{"include_obfuscation":false},"stream":true}`, openAI, `{"model":"m","stream_options":{"include_usage":true,"include_obfuscation":false},"stream":true}`},
		{"an option of false", chatPath, `{"model":"m","stream_options":{"include_usage": false},"stream":true}`, openAI, `{"model":"m","stream_options":{"include_usage": true},"stream":true}`},
		{"an option of null", completionsPath, `{"model":"m","stream_options":{"include_usage":null},"stream":true}`, openAI, `{"model":"m","stream_options":{"include_usage":true},"stream":true}`},
		{"beside a cap", chatPath, `{"model":"m","stream":true}`, provider.Target{SameHost: true, AddUsage: true, MaxOutput: 5}, `{"max_tokens":5,"stream_options":{"include_usage":true},"model":"m","stream":true}`},
		{"a pool", completionsPath, `{"model":"m","stream":true}`, provider.Target{SameHost: true, AddUsage: true}, `{"stream_options":{"include_usage":true},"model":"m","stream":true}`},
		{"Azure", deployment + "2024-09-01-preview", `{"stream":true}`, azure, `{"stream_options":{"include_usage":true},"stream":true}`},
		{"Azure's newer API", "/openai/v1/chat/completions?api-version=preview", `{"model":"m","stream":true}`, azure, `{"stream_options":{"include_usage":true},"model":"m","stream":true}`},
		{"an old version of Azure", deployment + "2024-06-01", `{"stream":true}`, azure, ""},
		{"Azure with data of one's own", deployment + "2025-01-01-preview", `{"stream":true,"data_sources":[{}]}`, azure, ""},
		{"asked for", chatPath, `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`, openAI, ""},
		{"no stream", chatPath, `{"model":"m","stream":false}`, openAI, ""},
		{"not wanted", chatPath, `{"model":"m","stream":true}`, provider.Target{Vendor: provider.OpenAI, SameHost: true}, ""},
		{"a vendor who states it anyway", chatPath, `{"model":"m","stream":true}`, provider.Target{Vendor: "mistral", SameHost: true, AddUsage: true}, ""},
		{"an API that states it anyway", responsesPath, `{"model":"m","stream":true}`, openAI, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, adds := tt.want, tt.want != ""
			if !adds {
				want = tt.body
			}
			if diff := cmp.Diff(want, rewrite(t, tt.path, tt.body, tt.target)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			r := parse(t, tt.path, tt.body)
			if got := r.AddsUsage(tt.target); got != adds {
				t.Errorf("AddsUsage = %v, want %v", got, adds)
			}
		})
	}
}

func TestRewriteEditsFurtherAPIs(t *testing.T) {
	at := func(vendor pricing.ProviderName, model pricing.ModelName) provider.Target {
		return provider.Target{Vendor: vendor, Model: model, SameHost: true, MaxOutput: 10}
	}
	for _, tt := range []struct {
		name, path, body string
		target           provider.Target
		want             string
		written          int64 // CapWritten
	}{
		{"a completion", completionsPath, `{"model":"a","prompt":"p"}`, at("", "b"), `{"max_tokens":10,"model":"b","prompt":"p"}`, 10},
		{"Cohere", "/v2/chat", `{"model":"a","max_tokens":50}`, at(provider.Cohere, "b"), `{"model":"b","max_tokens":10}`, 10},
		{"an interaction without a configuration", "/v1beta/interactions", `{"model":"a"}`, at("", ""), `{"generation_config":{"max_output_tokens":10},"model":"a"}`, 10},
		{"an interaction with one", "/v1beta/interactions", `{"model":"a","generation_config":{"seed":1,"max_output_tokens":50}}`, at("", ""), `{"model":"a","generation_config":{"seed":1,"max_output_tokens":10}}`, 10},
		{"Ollama without options", "/api/chat", `{"model":"a"}`, at("", "b"), `{"options":{"num_predict":10},"model":"b"}`, 10},
		{"Ollama with options", "/api/chat", `{"options":{"seed":1},"model":"a"}`, at("", "b"), `{"options":{"num_predict":10,"seed":1},"model":"b"}`, 10},
		{"Ollama without an end", "/api/generate", `{"model":"a","options":{"num_predict":-1}}`, at("", "a"), `{"model":"a","options":{"num_predict":10}}`, 10},
		{"a completion's cap of 0", completionsPath, `{"model":"a","prompt":"p","max_tokens":0}`, at("", "a"), `{"model":"a","prompt":"p","max_tokens":10}`, 10},
		{"Cohere's cap of 0", "/v2/chat", `{"model":"a","max_tokens":0}`, at(provider.Cohere, "a"), `{"model":"a","max_tokens":10}`, 10},
		{"an interaction's cap of 0", "/v1beta/interactions", `{"model":"a","generation_config":{"max_output_tokens":0}}`, at("", ""), `{"model":"a","generation_config":{"max_output_tokens":10}}`, 10},
		{"Ollama's cap of 0", "/api/chat", `{"model":"a","options":{"num_predict":0}}`, at("", "a"), `{"model":"a","options":{"num_predict":10}}`, 10},
		{"TGI's cap of 0", "/generate", `{"inputs":"p","parameters":{"max_new_tokens":0}}`, at("", "tgi"), `{"inputs":"p","parameters":{"max_new_tokens":10}}`, 10},
		{"TGI", "/generate", `{"inputs":"p"}`, at("", "tgi"), `{"parameters":{"max_new_tokens":10},"inputs":"p"}`, 10},
		{"Claude on Vertex", vertexPath, `{"max_tokens":50}`, at(provider.Google, "claude-haiku-4-5@20251001"), `{"max_tokens":10}`, 10},
		{"Bedrock is signed", conversePath, `{"inferenceConfig":{"maxTokens":50}}`, at(provider.Bedrock, ""), `{"inferenceConfig":{"maxTokens":50}}`, 50},
		{"Bedrock is signed without a cap too", conversePath, `{}`, at(provider.Bedrock, ""), `{}`, 0},
		{"embeddings have no cap", embeddingsPath, `{"model":"a"}`, at(provider.OpenAI, "a"), `{"model":"a"}`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, rewrite(t, tt.path, tt.body, tt.target)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			r := parse(t, tt.path, tt.body)
			if got := r.CapWritten(tt.target); got != tt.written {
				t.Errorf("CapWritten = %d, want %d", got, tt.written)
			}
		})
	}
}

func TestRewriteMarksTheStablePrefix(t *testing.T) {
	const mark = `,"cache_control":{"type":"ephemeral"}`
	target := provider.Target{Vendor: provider.Anthropic, Model: "c", SameHost: true, MarkPrefix: true}
	for _, tt := range []struct{ name, body, want string }{
		{"tools and blocks", `{"model":"c","tools":[{"name":"a"},{"name":"b", "input_schema":{} }],"system":[{"type":"text","text":"s"},{"type":"text","text":"t"}]}`,
			`{"model":"c","tools":[{"name":"a"},{"name":"b", "input_schema":{} ` + mark + `}],"system":[{"type":"text","text":"s"},{"type":"text","text":"t"` + mark + `}]}`},
		{"a string", `{"system": "a\u0062\"c" ,"model":"c"}`, `{"system": [{"type":"text","text":"a\u0062\"c"` + mark + `}] ,"model":"c"}`},
		{"an empty string", `{"system":" \n","model":"c"}`, `{"system":" \n","model":"c"}`},
		{"an empty last block", `{"system":[{"type":"text","text":"s"},{"type":"text","text":""}],"model":"c"}`,
			`{"system":[{"type":"text","text":"s"` + mark + `},{"type":"text","text":""}],"model":"c"}`},
		{"a deferred tool", `{"tools":[{"name":"a"},{"name":"b","defer_loading":true}],"model":"c"}`, `{"tools":[{"name":"a"` + mark + `},{"name":"b","defer_loading":true}],"model":"c"}`},
		{"nothing to mark", `{"tools":[{}],"system":null,"model":"c"}`, `{"tools":[{}],"system":null,"model":"c"}`},
		{"a mark in a message", `{"system":"s","model":"c","messages":[{"role":"user","content":[{"type":"text","text":"t","cache_control":{"type":"ephemeral"}}]}]}`, ""},
		{"a mark on the call", `{"system":"s","model":"c","cache_control":{"type":"ephemeral"}}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == "" {
				tt.want = tt.body
			}
			if diff := cmp.Diff(tt.want, rewrite(t, messagesPath, tt.body, target)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRewritePathReplacesTheModel(t *testing.T) {
	for _, tt := range []struct {
		path  string
		model pricing.ModelName
		want  string
	}{
		{"/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse&key=k", "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse&key=k"},
		{geminiPath, "a/b:c d", "/v1beta/models/a%2Fb%3Ac%20d:generateContent"},
		{geminiPath, "gemini-2.5-pro", geminiPath},
		{geminiPath, "", geminiPath},
		{"/v1/chat/completions?x", "gpt", "/v1/chat/completions?x"},
		{"/openai/deployments/a/chat/completions?api-version=1", "b", "/openai/deployments/b/chat/completions?api-version=1"},
	} {
		r := parse(t, tt.path, `{"model":"m"}`)
		if got := r.RewritePath(provider.Target{Model: tt.model}); got != tt.want {
			t.Errorf("RewritePath(%s, %q) = %s, want %s", tt.path, tt.model, got, tt.want)
		}
	}
}
