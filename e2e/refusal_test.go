package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// worded is a call and what its API's clients expect of a refusal.
type worded struct {
	traffic
	status  int
	header  [2]string // name and value
	message []string  // path to the text in the body
	want    map[string]string
}

func wordings() []worded {
	const (
		quota    = "insufficient_quota"
		converse = `{"inferenceConfig":{"maxTokens":60},"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`
	)
	openAI := map[string]string{"error.type": quota, "error.code": quota}
	return []worded{
		{traffic{"embeddings", bearing("", "/v1/embeddings", `{"model":"text-embedding-3-small","input":"Hi"}`)}, 429, [2]string{}, []string{"error", "message"}, openAI},
		{traffic{"completions", bearing("", "/v1/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":"Hi","max_tokens":9}`)}, 429, [2]string{}, []string{"error", "message"}, openAI},
		{traffic{"Azure", post("/openai/deployments/gpt-4.1-mini/chat/completions?api-version=1", askOf("", "", ""), "api-key", "k").at("shop.openai.azure.com")}, 429, [2]string{}, []string{"error", "message"}, openAI},
		{traffic{"Mistral", bearing("api.mistral.ai", "/v1/chat/completions", askOf("mistral-small-2603", "", ""))}, 429, [2]string{}, []string{"message"}, map[string]string{"object": "error"}},
		{traffic{"Cohere", bearing("api.cohere.com", "/v2/chat", askOf("command-r7b-12-2024", "", ""))}, 429, [2]string{}, []string{"message"}, nil},
		{traffic{"Claude on Vertex", vertexClaude("claude-haiku-4-5@20251001", "rawPredict", `{"anthropic_version":"vertex-2023-10-16","max_tokens":60,"messages":[{"role":"user","content":"Hi"}]}`)}, 429, [2]string{}, []string{"error", "message"},
			map[string]string{"type": "error", "error.type": "rate_limit_error"}},
		// A throttling error would be retried.
		{traffic{"Converse", bedrock("amazon.nova-lite-v1:0", "converse", converse)}, 400, [2]string{"x-amzn-errortype", "ServiceQuotaExceededException"}, []string{"message"}, nil},
		{traffic{"Converse that streams", bedrock("amazon.nova-lite-v1:0", "converse-stream", converse)}, 400, [2]string{"x-amzn-errortype", "ServiceQuotaExceededException"}, []string{"message"}, nil},
	}
}

func TestASpentBudgetRefusesEveryHouseInItsWords(t *testing.T) {
	s := newStack(t, setup{policy: everywhere + "budgets:\n  - {name: company, limit: $0.000000001 per day}\n", houses: houses})
	for _, tt := range wordings() {
		t.Run(tt.name, func(t *testing.T) {
			a := s.send(t, tt.call)
			if a.status != tt.status || a.header.Get("x-should-retry") != "false" {
				t.Errorf("status %d, x-should-retry %q; want %d, false: %s", a.status, a.header.Get("x-should-retry"), tt.status, a.body)
			}
			if name, want := tt.header[0], tt.header[1]; name != "" && a.header.Get(name) != want {
				t.Errorf("%s %q, want %q", name, a.header.Get(name), want)
			}
			if got := member(t, a.body, tt.message...); !strings.Contains(got, "spend limit reached") || !strings.Contains(got, "company") {
				t.Errorf("%v is %q, want the limit and its budget: %s", tt.message, got, a.body)
			}
			for path, want := range tt.want {
				if got := member(t, a.body, strings.Split(path, ".")...); got != want {
					t.Errorf("%s is %q, want %q: %s", path, got, want, a.body)
				}
			}
		})
	}
	if n := len(s.provider.requests(t)); n != 0 {
		t.Errorf("the provider received %d requests, want none", n)
	}
}

// member is a text within a JSON body, "" if it is not there.
func member(t *testing.T, body []byte, path ...string) string {
	t.Helper()
	var v any
	decode(t, string(body), &v)
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	text, _ := v.(string)
	return text
}

// TestARefusalHasTheStatusThatThePolicyAsksFor: 402 and 403 stop clients that retry every 429.
func TestARefusalHasTheStatusThatThePolicyAsksFor(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(1) + "refusal_status: 402\n"})
	for _, tt := range refusals {
		a := s.send(t, tt.call)
		if a.status != 402 || a.header.Get("x-should-retry") != "false" || !json.Valid(a.body) {
			t.Errorf("%s: status %d, x-should-retry %q, body %s", tt.name, a.status, a.header.Get("x-should-retry"), a.body)
		}
	}
}
