package provider_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

var fuzzPaths = []string{chatPath, responsesPath, messagesPath, geminiPath, "/openai/deployments/d/chat/completions",
	completionsPath, embeddingsPath, imagesPath, speechPath, vertexPath, conversePath, "/model/meta.llama3-8b/invoke",
	"/model/us.amazon.nova-lite-v1%3A0/invoke", "/v1/chat", "/v2/rerank", "/v2/embed", "/api/chat", "/api/generate", "/generate",
	"/v1beta/models/gemini-embedding-001:batchEmbedContents", "/v1beta/models/imagen-4.0-generate-001:predict", interactionsPath}

func FuzzRewriteChangesNothingElse(f *testing.F) {
	for _, body := range []string{
		`{"model":"gpt-4o","max_tokens":50,"stream":true,"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"t"}]}]}`,
		`{"model":"gpt-5","max_completion_tokens":null,"stream":true,"stream_options":{"include_usage":false},"n":2}`,
		`{"model":"gpt-4o","max_tokens":7,"max_completion_tokens":null,"messages":[]}`,
		`{"model":"gpt-5","input":[{"role":"user","content":"q"}],"store":false,"tools":[{"type":"function"}]}`,
		`{"model":"claude-sonnet-4-5","max_tokens":500,"system":"s","tools":[{"name":"f"}],"messages":[{"role":"user","content":"q"}]}`,
		`{"model":"c","system":[{"type":"text","text":"s","cache_control":{"ttl":"1h"}}],"thinking":{"budget_tokens":1024}}`,
		`{"contents":[{"parts":[{"text":"a"}]}],"generation_config":{"max_output_tokens":5}}`,
		`{}`, `{"model":"a","mod\u0065l":"b"}`, `{"generationConfig":null}`,
		`{"model":"m","prompt":["a",[1,2]],"n":2,"best_of":3,"stream":true,"stream_options":{"include_usage":null}}`,
		`{"model":"m","input":["a"],"query":"q","documents":["d"],"texts":["t"],"images":["AA"],"partial_images":2}`,
		`{"system":[{"text":"s"},{"cachePoint":{"ttl":"1h"}}],"messages":[{"role":"user","content":[{"image":{"source":{"bytes":"A"}}}]}],"inferenceConfig":{"maxTokens":5},"toolConfig":{"tools":[{"toolSpec":{}}]}}`,
		`{"anthropic_version":"x","max_gen_len":5,"max_tokens":6,"textGenerationConfig":{"maxTokenCount":7}}`,
		`{"model":"m","options":{"num_predict":-2,"temperature":0},"inputs":"p","parameters":{"max_new_tokens":3}}`,
		`{"model":"m","input":[{"type":"user_input","content":[{"type":"image","data":"AA"}]}],"generation_config":{"max_output_tokens":5},"agent":null,"store":false}`,
		`{"model":"m","extra_body":{"google":{"cachedContent":"c"},"a":[]},"google":[{"x":1}],"enable_search":true,"tools":{"type":"code_interpreter","container":{"memory_limit":"4g"}},"messages":{"role":"user","content":{"type":"text"}}}`,
		`{"tools":{"googleSearch":{}},"contents":{"parts":{"text":"a"}},"requests":{"content":{}},"instances":{"content":"c"},"generationConfig":{"responseModalities":2}}`,
		`{"model":"m","provider":{"order":["a"],"sort":{"by":"price"},"max_price":{"prompt":1}},"providerOptions":{"gateway":{"only":["b"]}}}`,
		`{"model":"m","provider":{"sort":"pric\u0065","allow_fallbacks":false,"zdr":null},"providerOptions":null}`,
		`{"model":"m","tools":[{"type":"web_search_1","max_uses":5}],"max_tool_calls":2,"service_tier":"flex","inference_geo":"us"}`,
	} {
		for i := range fuzzPaths {
			f.Add([]byte(body), i, "gpt-5-mini", int64(10))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, at int, model string, most int64) {
		if at < 0 || at >= len(fuzzPaths) || !plainModel(model) {
			return
		}
		path := fuzzPaths[at]
		endpoint := provider.ParsePath(path)
		r, err := provider.ParseRequest(endpoint, path, body)
		if err != nil {
			var e *provider.RequestError
			if !errors.As(err, &e) || e.Message == "" {
				t.Fatalf("ParseRequest(%s): %v, want a *RequestError", body, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("ParseRequest takes %q, which is not JSON", body)
		}
		if !plainModel(string(r.Model)) {
			return
		}
		digest(t, &r)
		target := provider.Target{Vendor: r.API.Vendor(), Model: pricing.ModelName(model), SameHost: true, MaxOutput: most,
			MarkPrefix: true, CacheKey: true, AddUsage: true}
		checkNoEdit(t, &r, body)
		edits, err := r.Rewrite(nil, target)
		if err != nil {
			return
		}
		edited := provider.Apply(nil, body, edits)
		again, err := provider.ParseRequest(provider.ParsePath(r.RewritePath(target)), r.RewritePath(target), edited)
		if err != nil {
			t.Fatalf("the rewritten body %s of %s: %v", edited, body, err)
		}
		checkRewritten(t, &r, &again, target)
		checkUntouched(t, body, edited)
	})
}

// plainModel reports whether a name neither says that what has it chooses among models nor takes a path on a detour.
func plainModel(name string) bool {
	return strings.Trim(name, ".") != "" && !strings.ContainsAny(name, `/\`) && !strings.Contains(strings.ToLower(name), "router")
}

// checkNoEdit applies the edits of a target that wants nothing.
func checkNoEdit(t *testing.T, r *provider.Request, body []byte) {
	t.Helper()
	edits, err := r.Rewrite(nil, provider.Target{SameHost: true})
	if err != nil || len(edits) > 0 || !bytes.Equal(provider.Apply(nil, body, edits), body) {
		t.Fatalf("a target that wants nothing: edits %+v of %s, %v", edits, body, err)
	}
	if bound := r.InputBound(); bound < 0 && bound != -1 || bound >= 0 && bound < int64(len(body)) {
		t.Fatalf("InputBound of %s = %d", body, bound)
	}
}

// checkRewritten compares what is read of a request before and after.
func checkRewritten(t *testing.T, before, after *provider.Request, target provider.Target) {
	t.Helper()
	if want := string([]rune(target.Model)); string(after.Model) != want && after.ModelAt.End == 0 {
		t.Errorf("model %q, want %q", after.Model, want)
	}
	edited := provider.LegacyCap | provider.IncludeUsage | provider.OwnCacheMarks | provider.CacheKey
	if got, want := after.Facts&^edited, before.Facts&^edited; got != want {
		t.Errorf("facts %s, want %s", factNames(got), factNames(want))
	}
	if before.MaxOutput > 0 && (after.MaxOutput > before.MaxOutput || after.MaxOutput == 0) {
		t.Errorf("cap %d was raised to %d", before.MaxOutput, after.MaxOutput)
	}
	if before.Messages != after.Messages || before.Tools != after.Tools ||
		before.Choices != after.Choices || before.Stream != after.Stream {
		t.Errorf("read %+v, want %+v", after, before)
	}
}

// checkUntouched compares the members that no edit concerns, byte by byte.
func checkUntouched(t *testing.T, before, after []byte) {
	t.Helper()
	var was, is map[string]json.RawMessage
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(after, &is) != nil {
		t.Fatalf("no objects: %s, %s", before, after)
	}
	for _, edited := range []string{"model", "max_tokens", "max_completion_tokens", "max_output_tokens", "generationConfig",
		"generation_config", "stream_options", "prompt_cache_key", "tools", "system", "options", "parameters"} {
		delete(was, edited)
		delete(is, edited)
	}
	if len(was) != len(is) {
		t.Errorf("members of %s and %s differ", before, after)
	}
	for key, value := range was {
		if !bytes.Equal(value, is[key]) {
			t.Errorf("%q was %s and is %s", key, value, is[key])
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, path := range append(fuzzPaths, "/%2", "/models/%3agenerateContent", "//models/:streamGenerateContent?alt") {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		e := provider.ParsePath(path)
		if at := e.ModelAt; at.Start < 0 || at.End < at.Start || at.End > len(path) {
			t.Fatalf("ParsePath(%q) = %+v", path, e)
		}
		if e.ModelAt.End == 0 {
			return
		}
		r, err := provider.ParseRequest(e, path, []byte(`{}`))
		if err != nil {
			t.Fatalf("ParseRequest at %q: %v", path, err)
		}
		if got := provider.ParsePath(r.RewritePath(provider.Target{Model: "a/b:c"})); got.API != e.API || got.Model != "a/b:c" {
			t.Errorf("the rewritten path of %q means %+v", path, got)
		}
	})
}
