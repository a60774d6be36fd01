package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// everywhere is a policy that knows every house of the provider, and limits nothing.
const everywhere = `
version: 1
mode: enforce
providers:
  openai: {}
  anthropic: {}
  google: {hosts: [generativelanguage.googleapis.com]}
  azure_openai: {hosts: [shop.openai.azure.com]}
  aws_bedrock: {hosts: [bedrock-runtime.us-east-1.amazonaws.com]}
  cohere: {}
  deepseek: {}
  groq: {}
  mistral: {}
  openrouter: {}
  xai: {}
  vertex: {vendor: google, hosts: [aiplatform.googleapis.com]}
`

var houses = []string{"azure_openai", "aws_bedrock", "cohere", "deepseek", "groq", "mistral", "openrouter", "vertex", "xai"}

// at returns the call as it is sent to a host.
func (c call) at(host string) call {
	c.host = host
	return c
}

// bearing is a call with a bearer token.
func bearing(host, path, body string) call {
	return post(path, body, "authorization", "Bearer sk-caller").at(host)
}

const bedrockHost = "bedrock-runtime.us-east-1.amazonaws.com"

func bedrock(model, verb, body string) call {
	path := "/model/" + strings.ReplaceAll(model, ":", "%3A") + "/" + verb
	return post(path, body, "authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261122/us-east-1/bedrock/aws4_request").at(bedrockHost)
}

func vertexClaude(model, verb, body string) call {
	return bearing("aiplatform.googleapis.com", "/v1/projects/p/locations/global/publishers/anthropic/models/"+model+":"+verb, body)
}

// askOf is the body of a chat call in any spelling of its cap, with more members before the end.
func askOf(model, capped, more string) string {
	return fmt.Sprintf(`{"model":%q,%s"messages":[{"role":"user","content":"Hello there"}]%s}`, model, capped, more)
}

// metered are calls of every API, plain and streamed, none of which needs an estimate.
func metered() []traffic {
	const (
		converse = `{"inferenceConfig":{"maxTokens":60},"messages":[{"role":"user","content":[{"text":"Hello there"}]}]}`
		onVertex = `{"anthropic_version":"vertex-2023-10-16","max_tokens":60,"messages":[{"role":"user","content":"Hello there"}]%s}`
		invoked  = `{"anthropic_version":"bedrock-2023-05-31","max_tokens":60,"messages":[{"role":"user","content":"Hello there"}]}`
		parts    = `{"contents":[{"role":"user","parts":[{"text":"Hello there"}]}],"generationConfig":{"maxOutputTokens":60}}`
		thinking = `,"messages":[{"role":"user","content":"[[reasoning=30]] [[tokens=20]]"}]`
		streamed = `,"stream":true`
		haiku    = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
		old      = "mistral.mistral-7b-instruct-v0:2"
	)
	long := prose(2500, "You answer for the shop.")
	return []traffic{
		{"chat", chat(ask("gpt-4o", "Hi"))},
		{"chat that streams", chat(askStream("gpt-4o", "Hi"))},
		{"chat that streams and does not ask", chat(askOf("gpt-4o", "", streamed))},
		{"chat with three choices", chat(askOf("gpt-4o", "", `,"n":3`))},
		{"chat with three choices that streams", chat(askOf("gpt-4o", "", `,"n":3,"stream":true`))},
		{"chat that reasons", chat(`{"model":"gpt-5"` + thinking + `}`)},
		{"chat with a warm cache", chat(fmt.Sprintf(`{"model":"gpt-4o","prompt_cache_key":"k","messages":[{"role":"system","content":%q},{"role":"user","content":"Hi"}]}`, long))},
		{"chat with a warm cache again", chat(fmt.Sprintf(`{"model":"gpt-4o","prompt_cache_key":"k","messages":[{"role":"system","content":%q},{"role":"user","content":"Ho"}]}`, long))},
		{"chat that flexes", chat(askOf("gpt-5", "", `,"service_tier":"flex"`))},
		{"chat with priority", chat(askOf("gpt-5", "", `,"service_tier":"priority"`))},
		{"chat in fast mode that streams", chat(askOf("gpt-5", "", `,"service_tier":"fast","stream":true`))},
		{"completions", bearing("", "/v1/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":"Hello","max_tokens":20}`)},
		{"completions of two prompts", bearing("", "/v1/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":["Hello","there"],"n":2,"max_tokens":20}`)},
		{"the best of three completions", bearing("", "/v1/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":"Hello","best_of":3,"max_tokens":20}`)},
		{"completions of tokens", bearing("", "/v1/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":[[1,2,3],[4,5]],"max_tokens":20}`)},
		{"completions that stream", bearing("", "/v1/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":"Hello","max_tokens":20,"stream":true}`)},
		{"embeddings", bearing("", "/v1/embeddings", `{"model":"text-embedding-3-small","input":["Hello there","you"]}`)},
		{"pictures", bearing("", "/v1/images/generations", `{"model":"gpt-image-1","prompt":"A cat","n":2,"quality":"low"}`)},
		{"responses", responses(`{"model":"gpt-5","input":"Hi","store":false}`)},
		{"responses that stream", responses(`{"model":"gpt-5","input":"Hi [[reasoning=9]]","stream":true}`)},
		{"responses that search", responses(`{"model":"gpt-5","input":"[[search=3]]","tools":[{"type":"web_search"}]}`)},
		{"responses that search and stream", responses(`{"model":"gpt-5","input":"[[search=2]]","tools":[{"type":"web_search"}],"stream":true}`)},
		{"responses with priority", responses(`{"model":"gpt-5","input":"Hi","service_tier":"priority"}`)},
		{"messages", messages(`{"model":"claude-sonnet-5","max_tokens":60,"messages":[{"role":"user","content":"Hi"}]}`)},
		{"messages that stream", messages(`{"model":"claude-sonnet-5","max_tokens":60,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`)},
		{"messages with writes to the cache", messages(fmt.Sprintf(`{"model":"claude-sonnet-5","max_tokens":9,"system":[{"type":"text","text":%q,"cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}`, long))},
		{"messages with reads of the cache", messages(fmt.Sprintf(`{"model":"claude-sonnet-5","max_tokens":9,"stream":true,"system":[{"type":"text","text":%q,"cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":"Ho"}]}`, long))},
		{"messages in a region", messages(askOf("claude-opus-4-8", `"max_tokens":60,`, `,"inference_geo":"us"`))},
		{"messages in a region that stream", messages(askOf("claude-opus-4-8", `"max_tokens":60,`, `,"inference_geo":"us","stream":true`))},
		{"messages that search", messages(`{"model":"claude-opus-4-8","max_tokens":60,"tools":[{"type":"web_search_20250305","name":"web_search"}],"messages":[{"role":"user","content":"[[search=2]]"}]}`)},
		{"messages that search and stream", messages(`{"model":"claude-opus-4-8","max_tokens":60,"stream":true,"tools":[{"type":"web_search_20250305","name":"web_search"}],"messages":[{"role":"user","content":"[[search=2]]"}]}`)},
		{"Gemini", gemini("gemini-2.5-flash", parts)},
		{"Gemini that thinks and streams", geminiStream("gemini-2.5-pro", `{"contents":[{"parts":[{"text":"[[reasoning=40]]"}]}]}`)},
		{"Gemini as an array", post("/v1beta/models/gemini-2.5-flash:streamGenerateContent", parts, "x-goog-api-key", "k")},
		{"Gemini on Vertex", bearing("aiplatform.googleapis.com", "/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:generateContent", parts)},
		{"Gemini on Vertex that streams", bearing("aiplatform.googleapis.com", "/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse", parts)},
		{"Claude on Vertex", vertexClaude("claude-haiku-4-5@20251001", "rawPredict", fmt.Sprintf(onVertex, ""))},
		{"Claude on Vertex that streams", vertexClaude("claude-sonnet-4-6", "streamRawPredict", fmt.Sprintf(onVertex, streamed))},
		{"Claude on Bedrock", bedrock(haiku, "invoke", invoked)},
		{"Claude on Bedrock that streams", bedrock(haiku, "invoke-with-response-stream", invoked)},
		{"Claude on Bedrock from anywhere", bedrock("global.anthropic.claude-haiku-4-5-20251001-v1:0", "invoke", invoked)},
		{"Converse", bedrock("amazon.nova-lite-v1:0", "converse", converse)},
		{"Converse that streams", bedrock("amazon.nova-lite-v1:0", "converse-stream", converse)},
		{"Converse with Claude", bedrock(haiku, "converse", converse)},
		{"Converse with a cache point", bedrock(haiku, "converse", fmt.Sprintf(`{"system":[{"text":%q},{"cachePoint":{"type":"default"}}],"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":9}}`, long+long))},
		{"Converse that reads the cache", bedrock(haiku, "converse-stream", fmt.Sprintf(`{"system":[{"text":%q},{"cachePoint":{"type":"default"}}],"messages":[{"role":"user","content":[{"text":"Ho"}]}],"inferenceConfig":{"maxTokens":9}}`, long+long))},
		{"usage in headers", bedrock(old, "invoke", `{"prompt":"Hello there","max_tokens":20}`)},
		{"usage in the last chunk", bedrock(old, "invoke-with-response-stream", `{"prompt":"Hello there","max_tokens":20}`)},
		{"Azure", post("/openai/deployments/prod-gpt-4.1-mini/chat/completions?api-version=2025-01-01-preview", askOf("", "", ""), "api-key", "k").at("shop.openai.azure.com")},
		{"Azure that streams", post("/openai/deployments/prod-gpt-4.1-mini/chat/completions?api-version=2025-01-01-preview", askOf("", "", streamed), "api-key", "k").at("shop.openai.azure.com")},
		{"Azure of version one", post("/openai/v1/chat/completions", askOf("prod-gpt-5.4", "", ""), "api-key", "k").at("shop.openai.azure.com")},
		{"xAI", bearing("api.x.ai", "/v1/chat/completions", `{"model":"grok-4.3"`+thinking+`}`)},
		{"xAI that streams", bearing("api.x.ai", "/v1/chat/completions", `{"model":"grok-4.3"`+thinking+streamed+`}`)},
		{"Mistral", bearing("api.mistral.ai", "/v1/chat/completions", askOf("mistral-small-2603", "", ""))},
		{"Mistral that streams", bearing("api.mistral.ai", "/v1/chat/completions", askOf("mistral-small-2603", "", streamed))},
		{"DeepSeek", bearing("api.deepseek.com", "/chat/completions", askOf("deepseek-v4-pro", "", ""))},
		{"DeepSeek that streams", bearing("api.deepseek.com", "/chat/completions", askOf("deepseek-v4-pro", "", streamed))},
		{"Groq", bearing("api.groq.com", "/openai/v1/chat/completions", askOf("openai/gpt-oss-20b", "", ""))},
		{"Groq that streams", bearing("api.groq.com", "/openai/v1/chat/completions", askOf("openai/gpt-oss-20b", "", streamed))},
		{"OpenRouter", bearing("openrouter.ai", "/api/v1/chat/completions", askOf("openai/gpt-4o", "", ""))},
		{"OpenRouter that streams", bearing("openrouter.ai", "/api/v1/chat/completions", askOf("openai/gpt-4o", "", streamed))},
		{"Cohere", bearing("api.cohere.com", "/v2/chat", askOf("command-r7b-12-2024", "", ""))},
		{"Cohere that streams", bearing("api.cohere.com", "/v2/chat", askOf("command-r7b-12-2024", "", streamed))},
		{"Cohere's vectors", bearing("api.cohere.com", "/v2/embed", `{"model":"embed-v4.0","texts":["Hello there"],"input_type":"search_query"}`)},
		{"Cohere's rankings", bearing("api.cohere.com", "/v2/rerank", `{"model":"rerank-v3.5","query":"q","documents":["a","b"]}`)},
		{"a compressed answer", chat(ask("gpt-4o", "Hi")).with("x-test-gzip", "1").with("accept-encoding", "gzip")},
		{"a compressed stream", chat(askStream("gpt-4o", "Hi")).with("x-test-gzip", "1").with("accept-encoding", "gzip")},
	}
}

func TestTheLedgerIsTheInvoiceForEveryAPI(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: everywhere, houses: houses})
		calls := metered()
		names := map[string]bool{}
		for _, tt := range calls {
			if names[tt.name] {
				t.Fatalf("two calls are named %q", tt.name)
			}
			names[tt.name] = true
			if a := s.send(t, tt.call.with("x-test-id", tt.name)); a.status != http.StatusOK || a.err != nil {
				t.Errorf("%s: status %d, %v: %s", tt.name, a.status, a.err, a.body)
			}
		}
		s.agrees(t)
		sum, total := s.settled(t, total(t, s, len(calls))), s.provider.total(t)
		if sum.Cost != total.CostNanos || sum.Estimated != 0 || sum.Overruns != 0 {
			t.Errorf("ledger %s USD, %d estimated, %d overruns; invoice %s USD", sum.Cost, sum.Estimated, sum.Overruns, total.CostNanos)
		}
		s.quiet(t)
	})
}

// total is how many calls the provider billed, which must be so many.
func total(t *testing.T, s *stack, want int) int64 {
	t.Helper()
	n := s.provider.total(t).Calls
	if n != int64(want) {
		t.Errorf("the provider billed %d calls, want %d", n, want)
	}
	return n
}

// agrees fails the test for every call that carries x-test-id and costs another amount in the access log than on the
// invoice, to the nano-dollar.
func (s *stack) agrees(t *testing.T) {
	t.Helper()
	billed := map[string]bill{}
	for _, b := range s.provider.bills(t) {
		billed[b.RequestID] = b
	}
	ids := map[string]string{} // of tests, by Envoy's request id
	for _, r := range s.provider.requests(t) {
		ids[r.Headers["x-request-id"]] = r.Headers["x-test-id"]
	}
	costs := map[string]string{}
	eventually(t, "every billed call is in the access log", func() bool {
		for _, line := range s.logged(t, len(billed)) {
			id, _ := line["request_id"].(string)
			costs[ids[id]], _ = line["cost_usd"].(string)
		}
		return len(costs) >= len(billed)
	})
	for name, want := range billed {
		var got nanos
		if text := costs[name]; text == "" || got.UnmarshalJSON([]byte(`"`+text+`"`)) != nil || got != want.CostNanos {
			t.Errorf("%s: the ledger has %q USD, the invoice %s: %s", name, text, want.CostNanos, want.Usage)
		}
	}
}

// TestAnOllamaAnswerIsMeteredByItsTokens: its models have no price, so that the rate for unknown ones shows the counts.
func TestAnOllamaAnswerIsMeteredByItsTokens(t *testing.T) {
	policy := everywhere + "  ollama: {vendor: openai, hosts: [ollama.test]}\nunknown_model: {charge: $1 per 1M}\n"
	s := newStack(t, setup{policy: policy, houses: append([]string{"ollama"}, houses...)})
	for i, tt := range []traffic{
		{"a stream by default", post("/api/chat", `{"model":"m","messages":[{"role":"user","content":"Hello"}]}`)},
		{"whole", post("/api/chat", `{"model":"m","stream":false,"messages":[{"role":"user","content":"Hello"}]}`)},
		{"generate", post("/api/generate", `{"model":"m","prompt":"Hello"}`)},
	} {
		before := s.summary(t).Cost
		s.ok(t, tt.call.at("ollama.test"))
		bills := s.provider.bills(t)
		u := bills[len(bills)-1].usage(t)
		if sum := s.settled(t, int64(i+1)); sum.Cost-before != (u.Input+u.Output)*1000 || sum.Estimated != 0 {
			t.Errorf("%s: %s USD, %d estimated, for %d and %d tokens", tt.name, sum.Cost-before, sum.Estimated, u.Input, u.Output)
		}
	}
}
