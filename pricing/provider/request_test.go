package provider_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing/provider"
)

const (
	chatPath      = "/v1/chat/completions"
	responsesPath = "/v1/responses"
	messagesPath  = "/v1/messages"
	geminiPath    = "/v1beta/models/gemini-2.5-pro:generateContent"
)

func parse(tb testing.TB, path, body string) provider.Request {
	tb.Helper()
	r, err := provider.ParseRequest(provider.ParsePath(path), path, []byte(body))
	if err != nil {
		tb.Fatalf("ParseRequest(%s, %s): %v", path, body, err)
	}
	return r
}

// shape is what a test expects of a request.
type shape struct {
	Model                                string
	Stream, SSE                          bool
	MaxOutput, Choices, Predicted        int64
	Messages, Tools, Images, PrefixBytes int
	Facts                                string
	Temperature                          string
}

func shapeOf(r *provider.Request) shape {
	s := shape{
		Model: string(r.Model), Stream: r.Stream, SSE: r.SSE,
		MaxOutput: r.MaxOutput, Choices: r.Choices, Predicted: r.PredictedBytes,
		Messages: r.Messages, Tools: r.Tools, Images: r.ImageParts, PrefixBytes: r.Prefix.Bytes,
		Facts: factNames(r.Facts),
	}
	if r.HasTemperature {
		s.Temperature = fmt.Sprint(r.Temperature)
	}
	return s
}

var allFacts = []struct {
	name string
	fact provider.Facts
}{
	{"HeldState", provider.HeldState}, {"SignedReasoning", provider.SignedReasoning},
	{"OpenToolResults", provider.OpenToolResults}, {"ServerTools", provider.ServerTools},
	{"RemoteContent", provider.RemoteContent}, {"Images", provider.Images}, {"Audio", provider.Audio},
	{"Background", provider.Background}, {"Stored", provider.Stored}, {"OwnCacheMarks", provider.OwnCacheMarks},
	{"LongCacheWrites", provider.LongCacheWrites}, {"Sampling", provider.Sampling}, {"Penalties", provider.Penalties},
	{"Effort", provider.Effort}, {"ThinkingBudget", provider.ThinkingBudget}, {"Prefill", provider.Prefill},
	{"ForcedTool", provider.ForcedTool}, {"StructuredOutput", provider.StructuredOutput},
	{"LegacyCap", provider.LegacyCap}, {"StopSequences", provider.StopSequences},
	{"IncludeUsage", provider.IncludeUsage}, {"ServiceTier", provider.ServiceTier}, {"CacheKey", provider.CacheKey},
	{"RareEffort", provider.RareEffort}, {"Verbosity", provider.Verbosity}, {"ModernRoles", provider.ModernRoles},
	{"CustomTools", provider.CustomTools}, {"OtherModels", provider.OtherModels}, {"Compaction", provider.Compaction},
	{"HostChoice", provider.HostChoice},
}

func factNames(f provider.Facts) string {
	var names []string
	for _, fact := range allFacts {
		if f.Has(fact.fact) {
			names = append(names, fact.name)
		}
	}
	return strings.Join(names, " ")
}

func TestParseRequestReadsWhatPricesAndRulesNeed(t *testing.T) {
	for _, tt := range []struct {
		name, path, body string
		want             shape
	}{
		{
			name: "chat, spaced and with escapes in texts", path: chatPath,
			body: `{ "messages" : [ {"content" : "be \u0062rief", "role": "system"}, {"role":"user","content":"hi \ud83d\ude00 \"model\": 1"} ] ,
				"model" : "gpt-4o", "max_tokens": 1e2, "temperature": 0.20, "n": 3, "stream": true, "stream_options": {"include_usage": true}}`,
			want: shape{Model: "gpt-4o", Stream: true, SSE: true, MaxOutput: 100, Choices: 3, Messages: 2,
				PrefixBytes: 15, Facts: "Sampling LegacyCap IncludeUsage", Temperature: "0.2"},
		},
		{
			name: "chat with nothing but nulls", path: chatPath,
			body: `{"model":"m","messages":[],"max_tokens":null,"stream":null,"stream_options":null,"temperature":null,"n":null,
				"stop":null,"tool_choice":null,"response_format":null,"logprobs":false,"presence_penalty":0,"top_p":1,"tools":null,
				"reasoning_effort":null,"service_tier":"auto","prompt_cache_key":null}`,
			want: shape{Model: "m", Choices: 1},
		},
		{
			name: "chat with everything", path: chatPath,
			body: `{"model":"m","messages":[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"text","text":"a"},
				{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"image_url","image_url":{"url":"https://x/y.png"}},
				{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}],"max_completion_tokens":7,"logit_bias":{"1":2},
				"reasoning_effort":"minimal","verbosity":"low","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"web"}}},{"type":"custom"}],
				"tool_choice":"required","response_format":{"type":"json_object"},"stop":["x"],"service_tier":"flex","prompt_cache_key":"k",
				"prompt_cache_retention":"24h","prediction":{"content":"12345"},"web_search_options":{}}`,
			want: shape{Model: "m", MaxOutput: 7, Choices: 1, Predicted: 19, Messages: 2, Tools: 2, Images: 2,
				PrefixBytes: 94,
				Facts: "ServerTools RemoteContent Images Audio OwnCacheMarks LongCacheWrites Penalties Effort ForcedTool StructuredOutput " +
					"StopSequences ServiceTier CacheKey RareEffort Verbosity ModernRoles CustomTools"},
		},
		{
			name: "chat with an open tool result", path: chatPath,
			body: `{"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":
				{"name":"f","arguments":"{\"model\":1}"}}]},{"role":"tool","tool_call_id":"1","content":"r"}]}`,
			want: shape{Model: "m", Choices: 1, Messages: 3, Facts: "OpenToolResults"},
		},
		{
			name: "chat of Azure, which ignores the model of the body", path: "/openai/deployments/dep/chat/completions",
			body: `{"model":"other","messages":[{"role":"user","content":"q"}]}`,
			want: shape{Model: "dep", Choices: 1, Messages: 1},
		},
		{
			name: "two caps and a negative one", path: chatPath,
			body: `{"model":"m","max_tokens":-1,"max_completion_tokens":9}`,
			want: shape{Model: "m", Choices: 1, Facts: "LegacyCap"},
		},
		{
			name: "response with a string", path: responsesPath,
			body: `{"model":"gpt-6-luna","input":"hello","store":false,"max_output_tokens":40,"instructions":"short","previous_response_id":null}`,
			want: shape{Model: "gpt-6-luna", MaxOutput: 40, Choices: 1, Messages: 1, PrefixBytes: 7},
		},
		{
			name: "response as Codex asks for it", path: responsesPath,
			body: `{"model":"gpt-5.3-codex","instructions":"You are Codex","input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"rules"}]},
				{"type":"message","role":"user","content":[{"type":"input_text","text":"env"},{"type":"input_text","text":"fix it"}],"id":"msg_1"},
				{"type":"reasoning","summary":[],"content":null,"encrypted_content":"gAAA"},
				{"type":"function_call","name":"shell","arguments":"{}","call_id":"c"},{"type":"function_call_output","call_id":"c","output":"ok"}],
				"tools":[{"type":"function","name":"shell","parameters":{}},{"type":"custom","name":"apply_patch"},{"type":"web_search"}],
				"tool_choice":"auto","parallel_tool_calls":false,"reasoning":{"effort":"medium","summary":"auto"},"store":false,"stream":true,
				"include":["reasoning.encrypted_content"],"prompt_cache_key":"01-2","text":{"verbosity":"medium"}}`,
			want: shape{Model: "gpt-5.3-codex", Stream: true, SSE: true, Choices: 1, Messages: 5, Tools: 3,
				PrefixBytes: 166,
				Facts:       "SignedReasoning OpenToolResults ServerTools OwnCacheMarks Effort CacheKey ModernRoles CustomTools"},
		},
		{
			name: "response that leans on the provider", path: responsesPath,
			body: `{"model":"m","previous_response_id":"r","background":true,"input":[{"type":"item_reference","id":"x"},
				{"role":"user","content":[{"type":"input_image","file_id":"f","image_url":null},{"type":"input_file","file_data":"data:application/pdf;base64,AA"}]}]}`,
			want: shape{Model: "m", Choices: 1, Messages: 2, Facts: "HeldState RemoteContent Images Background Stored"},
		},
		{
			name: "message as Claude Code asks for it", path: messagesPath + "?beta=true",
			body: `{"model":"claude-opus-4-8","max_tokens":32000,"stream":true,"system":[{"type":"text","text":"billing"},
				{"type":"text","text":"You are","cache_control":{"type":"ephemeral"}},{"type":"text","text":"more","cache_control":{"type":"ephemeral","ttl":"1h"}}],
				"tools":[{"name":"Bash","description":"d","input_schema":{"type":"object","properties":{"cache_control":{"type":"string"}}}}],
				"messages":[{"role":"user","content":[{"type":"text","text":"reminder"},{"type":"text","text":"do it","cache_control":{"type":"ephemeral"}}]},
				{"role":"system","content":"note"}],"thinking":{"type":"adaptive"},"metadata":{"user_id":"u"}}`,
			want: shape{Model: "claude-opus-4-8", Stream: true, SSE: true, MaxOutput: 32000, Choices: 1, Messages: 2, Tools: 1,
				PrefixBytes: 304, Facts: "OwnCacheMarks LongCacheWrites Effort ModernRoles"},
		},
		{
			name: "message with results, thinking and media", path: messagesPath,
			body: `{"model":"c","max_tokens":0,"messages":[{"role":"user","content":"q"},
				{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"1","name":"f","input":{"type":"image","source":{"type":"url"}}}]},
				{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"out"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}],
				"thinking":{"type":"enabled","budget_tokens":2000},"tool_choice":{"type":"any"},"temperature":1,"top_k":5,"stop_sequences":["x"],"container":"c1",
				"tools":[{"type":"web_search_20250305","name":"web_search"}],"speed":"fast"}`,
			want: shape{Model: "c", Choices: 1, Messages: 3, Tools: 1, Images: 1, PrefixBytes: 52, Temperature: "1",
				Facts: "HeldState SignedReasoning OpenToolResults ServerTools Images Sampling ThinkingBudget ForcedTool StopSequences ServiceTier"},
		},
		{
			name: "message with a start of the answer", path: messagesPath,
			body: `{"model":"c","max_tokens":5,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"{"}],"output_config":{"effort":"max","format":{"type":"json_schema"}}}`,
			want: shape{Model: "c", MaxOutput: 5, Choices: 1, Messages: 2, Facts: "Effort Prefill StructuredOutput RareEffort"},
		},
		{
			name: "gemini in camel case", path: "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
			body: `{"contents":[{"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},{"role":"model","parts":[{"text":"b","thoughtSignature":"s"}]},
				{"parts":[{"text":"c"}]}],"systemInstruction":{"parts":[{"text":"sys"}]},"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]},{"googleSearch":{}}],
				"generationConfig":{"maxOutputTokens":100,"candidateCount":2,"temperature":0,"topK":3,"thinkingConfig":{"thinkingBudget":0},"responseMimeType":"application/json","stopSequences":["x"]},
				"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}`,
			want: shape{Model: "gemini-2.5-pro", Stream: true, SSE: true, MaxOutput: 100, Choices: 2, Messages: 3, Tools: 3, Images: 1,
				PrefixBytes: 100, Temperature: "0",
				Facts: "SignedReasoning ServerTools Images Sampling ThinkingBudget ForcedTool StructuredOutput StopSequences"},
		},
		{
			name: "gemini in snake case", path: geminiPath,
			body: `{"contents":{"parts":{"text":"a"}},"system_instruction":{"parts":{"text":"sys"}},"cached_content":"c","generation_config":{"max_output_tokens":5,"thinking_config":{"thinking_level":"minimal"}},
				"service_tier":"flex"}`,
			want: shape{Model: "gemini-2.5-pro", MaxOutput: 5, Choices: 1, Messages: 1, PrefixBytes: 24,
				Facts: "HeldState Effort ServiceTier RareEffort"},
		},
		{
			name: "gemini with a tool's result", path: geminiPath,
			body: `{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"fileData":1}}}]},
				{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"inlineData":1}}}]}]}`,
			want: shape{Model: "gemini-2.5-pro", Choices: 1, Messages: 3, Facts: "OpenToolResults"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, tt.path, tt.body)
			if diff := cmp.Diff(tt.want, shapeOf(&r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRequestRefusesWhatProvidersReadDifferently(t *testing.T) {
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for _, tt := range []struct {
		name, path, body string
		param, code      string
	}{
		{"two models", chatPath, `{"model":"a","model":"b"}`, "model", provider.CodeDuplicateKey},
		{"an escaped model", chatPath, `{"model":"a","mod\u0065l":"b"}`, "model", provider.CodeAmbiguousKey},
		{"a capital model", chatPath, `{"model":"a","Model":"b"}`, "model", provider.CodeAmbiguousKey},
		{"a model that folds from Unicode", chatPath, `{"model":"a","\u017ftream":true}`, "stream", provider.CodeAmbiguousKey},
		{"a long s in raw bytes", chatPath, "{\"model\":\"a\",\"\u017ftream\":true}", "stream", provider.CodeAmbiguousKey},
		{"capital stream options", chatPath, `{"model":"a","stream_options":{"Include_Usage":true}}`, "include_usage", provider.CodeAmbiguousKey},
		{"a cap in camel case, which Google takes", chatPath, `{"model":"gemini-2.5-pro","max_tokens":10,"maxCompletionTokens":60000}`, "max_completion_tokens", provider.CodeAmbiguousKey},
		{"a picture in camel case", chatPath, `{"model":"a","messages":[{"role":"user","content":[{"type":"image_url","imageUrl":{"url":"https://a/b"}}]}]}`, "image_url", provider.CodeAmbiguousKey},
		{"Azure's data in camel case", chatPath, `{"model":"a","dataSources":[{}]}`, "data_sources", provider.CodeAmbiguousKey},
		{"what Google holds, in camel case", chatPath, `{"model":"a","extraBody":{}}`, "extra_body", provider.CodeAmbiguousKey},
		{"two roles", chatPath, `{"model":"a","messages":[{"role":"user","role":"system"}]}`, "role", provider.CodeDuplicateKey},
		{"two types of a part", messagesPath, `{"model":"a","messages":[{"content":[{"type":"text","type":"image"}]}]}`, "type", provider.CodeDuplicateKey},
		{"two spellings of a Gemini key", geminiPath, `{"generationConfig":{},"generation_config":{}}`, "generation_config", provider.CodeDuplicateKey},
		{"two spellings of a Gemini cap", geminiPath, `{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}`, "max_output_tokens", provider.CodeDuplicateKey},
		{"a Gemini cap in capitals", geminiPath, `{"generationConfig":{"MaxOutputTokens":1}}`, "maxOutputTokens", provider.CodeAmbiguousKey},
		{"no model", chatPath, `{"messages":[]}`, "model", provider.CodeMissing},
		{"an empty model", messagesPath, `{"model":""}`, "model", provider.CodeMissing},
		{"a model of null", responsesPath, `{"model":null}`, "model", provider.CodeInvalidType},
		{"a model that is a number", chatPath, `{"model":4}`, "model", provider.CodeInvalidType},
		{"stream as a string", chatPath, `{"model":"a","stream":"true"}`, "stream", provider.CodeInvalidType},
		{"a cap as a string", messagesPath, `{"model":"a","max_tokens":"5"}`, "max_tokens", provider.CodeInvalidType},
		{"a cap with a fraction", responsesPath, `{"model":"a","max_output_tokens":5.5}`, "max_output_tokens", provider.CodeInvalidType},
		{"a cap beyond 64 bits", chatPath, `{"model":"a","max_tokens":1e30}`, "max_tokens", provider.CodeInvalidType},
		{"no choices", chatPath, `{"model":"a","n":0}`, "n", provider.CodeInvalidType},
		{"stream options as a list", chatPath, `{"model":"a","stream_options":[]}`, "stream_options", provider.CodeInvalidType},
		{"a config as a string", geminiPath, `{"generationConfig":"x"}`, "generationConfig", provider.CodeInvalidType},
		{"nothing", chatPath, ``, "", provider.CodeInvalidJSON},
		{"a list", chatPath, `[]`, "", provider.CodeInvalidJSON},
		{"a cut body", chatPath, `{"model":"a","messages":[{"role":"us`, "", provider.CodeInvalidJSON},
		{"two values", chatPath, `{"model":"a"}{"model":"b"}`, "", provider.CodeInvalidJSON},
		{"invalid UTF-8", chatPath, "{\"model\":\"a\",\"x\":\"\xff\"}", "", provider.CodeInvalidJSON},
		{"a model that is no UTF-8", chatPath, "{\"model\":\"a\xff\"}", "", provider.CodeInvalidJSON},
		{"a cut model", chatPath, `{"model":"gp`, "", provider.CodeInvalidJSON},
		{"too deep", chatPath, `{"model":"a","x":` + deep + `}`, "", provider.CodeInvalidJSON},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := provider.ParseRequest(provider.ParsePath(tt.path), tt.path, []byte(tt.body))
			var e *provider.RequestError
			if !errors.As(err, &e) {
				t.Fatalf("ParseRequest = %+v, %v, want a *RequestError", r, err)
			}
			if e.Param != tt.param || e.Code != tt.code || e.Message == "" {
				t.Errorf("error = %q, %q, %q; want %q, %q and a message", e.Param, e.Code, e.Message, tt.param, tt.code)
			}
		})
	}
}

func TestParseRequestLeavesUnknownKeysAlone(t *testing.T) {
	for _, tt := range []struct{ path, body string }{
		{chatPath, `{"model":"a","maxtokens":1,"providers":2,"x":1,"x":2,"\u0078":3}`},
		{chatPath, `{"model":"a","messages":[{"role":"user","content":"c","MODEL":1,"name":"n","name":"m"}]}`},
		{responsesPath, `{"model":"a","maxOutputTokens":1,"max_tokens":5,"max_tokens":6}`},
		{messagesPath, `{"model":"a","messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"type":1,"type":2,"Type":3}}]},{"role":"user","content":"x"}]}`},
		{geminiPath, `{"model":"a","model":"b","contents":[]}`},
	} {
		if r := parse(t, tt.path, tt.body); r.MaxOutput != 0 {
			t.Errorf("%s: cap %d, want none", tt.body, r.MaxOutput)
		}
	}
}

func TestPrefixIsWhatStaysFromCallToCall(t *testing.T) {
	const tools, system = `"tools":[{"name":"f"}]`, `"system":"be brief"`
	body := func(members ...string) string {
		return `{"model":"c","max_tokens":5,` + strings.Join(members, ",") + `}`
	}
	first := parse(t, messagesPath, body(tools, system, `"messages":[{"role":"user","content":"a"}]`)).Prefix
	for _, tt := range []struct {
		name, body string
		same       bool
	}{
		{"another question, another order", body(system, `"messages":[{"role":"user","content":"b"}]`, tools), true},
		{"another system prompt", body(tools, `"system":"be brieF"`), false},
		{"no system prompt", body(tools), false},
		{"another tool", body(`"tools":[{"name":"g"}]`, system), false},
		{"white space", body(`"tools":[{"name": "f"}]`, system), false},
	} {
		if got := parse(t, messagesPath, tt.body).Prefix; (got == first) != tt.same {
			t.Errorf("%s: prefix %+v, first %+v, want same %v", tt.name, got, first, tt.same)
		}
	}
}

func TestInputBoundIsAboveWhatProvidersCount(t *testing.T) {
	image := `{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 100) + `"}}`
	for _, tt := range []struct {
		name, path, body string
		least            int64 // -1: not bounded by the body
	}{
		{"text", chatPath, `{"model":"m","messages":[{"role":"user","content":"hello"}]}`, 60 + 16},
		{"tools", messagesPath, `{"model":"m","tools":[{"name":"f"}]}`, 1024},
		{"computer use", messagesPath, `{"model":"m","tools":[{"type":"computer_20250124","name":"f"}]}`, 804 + 735},
		{"two small images", chatPath, `{"model":"m","messages":[{"role":"user","content":[` + image + `,` + image + `]}]}`, 2 * 48_169},
		{"held state", responsesPath, `{"model":"m","previous_response_id":"r"}`, -1},
		{"a stored prompt", responsesPath, `{"model":"m","prompt":{"id":"p"}}`, -1},
		{"an image by URL", chatPath, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x"}}]}]}`, -1},
		{"a document", messagesPath, `{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}]}]}`, -1},
		{"a video", geminiPath, `{"contents":[{"parts":[{"inlineData":{"mimeType":"video/mp4","data":"AA"}}]}]}`, -1},
		{"web search", messagesPath, `{"model":"m","tools":[{"type":"web_search_20250305","name":"w"}]}`, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, tt.path, tt.body)
			got := r.InputBound()
			if tt.least < 0 && got != -1 || tt.least >= 0 && got < tt.least {
				t.Errorf("InputBound = %d, want at least %d", got, tt.least)
			}
		})
	}
}

func TestInputEstimateDoesNotCountTheBytesOfImages(t *testing.T) {
	data := strings.Repeat("A", 1<<20)
	r := parse(t, messagesPath, `{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"`+data+`"}}]}]}`)
	if got := r.InputEstimate(); got < 1000 || got > 1100 {
		t.Errorf("InputEstimate = %d, want a little more than 1000", got)
	}
	if got := r.InputBound(); got < 1<<20 {
		t.Errorf("InputBound = %d, want at least the bytes", got)
	}
}

func TestCountsOfARequestAreBounded(t *testing.T) {
	const most = 1_000_000_000_000
	for _, tt := range []struct{ path, body string }{
		{chatPath, `{"model":"m","n":9223372036854775807,"max_tokens":9223372036854775807}`},
		{geminiPath, `{"generationConfig":{"candidateCount":9223372036854775807,"maxOutputTokens":9223372036854775807}}`},
	} {
		if r := parse(t, tt.path, tt.body); r.MaxOutput != most || r.Choices != most {
			t.Errorf("%s: cap %d, %d choices, want %d of both", tt.body, r.MaxOutput, r.Choices, int64(most))
		}
	}
	r := parse(t, messagesPath, `{"model":"m","max_tokens":9,"thinking":{"type":"enabled","budget_tokens":9223372036854775807}}`)
	if got := r.CapWritten(provider.Target{MaxOutput: 5}); got != most+1 {
		t.Errorf("cap above an absurd budget: %d, want %d", got, int64(most+1))
	}
}
