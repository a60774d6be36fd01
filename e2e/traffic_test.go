package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// traffic is what real clients send, as it was recorded: spellings, probes and oddities included.
type traffic struct {
	name string
	call call
}

// clients returns the traffic that every mode must carry unharmed. Calls are in the order in which they are sent.
func clients() []traffic {
	return append(append(sdkTraffic(), agentTraffic()...), oddTraffic()...)
}

// sdkTraffic is that of SDKs and frameworks.
func sdkTraffic() []traffic {
	photo := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x89PNG of a cat", 20_000)))
	return []traffic{
		{"compact JSON", chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}],"max_tokens":50}`).
			with("user-agent", "OpenAI/Python 3.54.0").with("x-stainless-lang", "python")},
		{"spaced JSON", chat("{\"model\": \"gpt-4o-mini\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}],\n  \"temperature\": 0.70}\n")},
		{"escapes of characters that need none", chat(`{"model":"gpt-4.1","messages":[{"role":"user","content":"Gr\u00fc\u00dfe \ud83d\ude00 \/ \u0041"}],"top_p":1.0}`)},
		{"a stream that reports usage", chat(askStream("gpt-4o-mini", "Tell me more"))},
		{"responses", responses(`{"model":"gpt-5","input":"Hello","max_output_tokens":64,"store":false}`)},
		{"a stream of responses", responses(`{"input":[{"role":"user","content":"Hello"}],"model":"gpt-5-mini","stream":true,"reasoning":{"effort":"low"}}`)},
		{"messages", messages(`{"model":"claude-sonnet-4-6","max_tokens":64,"messages":[{"role":"user","content":"Hello"}]}`)},
		{"Gemini of version one beta", gemini("gemini-2.5-flash", "{\"contents\": [{\"parts\": [{\"text\": \"Gr\\u00fc\\u00dfe\"}], \"role\": \"user\"}]}")},
		{"Gemini of version one", post("/v1/models/gemini-2.5-pro:generateContent", `{"contents":[{"parts":[{"text":"Hello"}],"role":"user"}]}`, "x-goog-api-key", "AIza-caller")},
		{"a stream of Gemini", geminiStream("gemini-2.5-flash-lite", `{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}`)},
		{"a Gemini key in the query", post("/v1beta/models/gemini-2.5-flash:generateContent?key=AIza-query", `{"contents":[{"parts":[{"text":"Hello"}]}]}`)},
		{"an image", chat(`{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + photo + `"}}]}],"max_tokens":20}`)},
		{"an encoding that nobody here reads", chat(ask("gpt-4o-mini", "Hello")).with("accept-encoding", "gzip, deflate, br, zstd")},
		{"headers of an organisation", chat(ask("gpt-4o-mini", "Hello")).with("openai-organization", "org-1").with("openai-project", "proj_1").with("x-farebox-unknown", "1")},
	}
}

// agentTraffic is that of coding agents.
func agentTraffic() []traffic {
	system := prose(2500, "You are a coding agent.")
	claude := fmt.Sprintf(`{"model":"claude-sonnet-5","max_tokens":64,"system":[{"type":"text","text":"You are Claude Code.","cache_control":{"type":"ephemeral"}},{"type":"text","text":%q,"cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"List files","cache_control":{"type":"ephemeral"}}]},{"role":"system","content":"Be brief."},{"role":"user","content":"Go on"}],"tools":[{"name":"Bash","description":"Runs a command","input_schema":{"type":"object","properties":{"command":{"type":"string"}}}}],"metadata":{"user_id":"user_1"},"stream":true}`, system)
	codex := fmt.Sprintf(`{"model":"gpt-5","instructions":%q,"input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"Approvals: never"}]},{"type":"message","role":"user","id":"msg_019ab3","content":[{"type":"input_text","text":"Fix it"}]}],"tools":[{"type":"function","name":"shell","parameters":{"type":"object","properties":{}},"strict":false}],"tool_choice":"auto","parallel_tool_calls":false,"reasoning":{"effort":"medium","summary":"auto"},"store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"019ab3c4"}`, system)
	return []traffic{
		{"the probe of Claude Code", call{method: "HEAD", path: "/"}},
		{"Claude Code", post("/v1/messages?beta=true", claude, "authorization", "Bearer sk-ant-oat", "anthropic-version", "2023-06-01",
			"anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14", "user-agent", "claude-cli/2.1.40 (external, cli)")},
		{"a token count", post("/v1/messages/count_tokens?beta=true", `{"model":"claude-sonnet-5","messages":[{"role":"user","content":"Hello"}]}`,
			"x-api-key", "sk-ant-caller", "anthropic-version", "2023-06-01")},
		{"Codex", responses(codex).with("originator", "codex_cli_rs").with("session_id", "019ab3c4")},
		{"aider", chat("{\"model\": \"gpt-4.1-mini\", \"messages\": [{\"role\": \"system\", \"content\": \"Act as an expert \\u2026\"}, {\"role\": \"user\", \"content\": \"Hello\"}], \"temperature\": 0, \"stream\": true, \"stream_options\": {\"include_usage\": true}}")},
	}
}

// oddTraffic is what is rare, is no call, or is wrong: it is the provider's to judge.
func oddTraffic() []traffic {
	form := "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\x00\x01\xff\r\n--b--\r\n"
	chunked := chat(askStream("gpt-4o-mini", "Chunked"))
	chunked.chunked = true
	zipped := chat("").with("content-encoding", "gzip")
	zipped.body = zip([]byte(ask("gpt-4o-mini", "Hello")))
	return []traffic{
		{"a chunked request", chunked},
		{"a client that waits for 100 Continue", chat(ask("gpt-4o-mini", "Wait")).with("expect", "100-continue")},
		{"a gzip body", zipped},
		{"a list of models", call{method: "GET", path: "/v1/models"}.with("authorization", "Bearer sk-caller")},
		{"a list of models of Anthropic", call{method: "GET", path: "/v1/models?limit=1000"}.with("x-api-key", "k").with("anthropic-version", "2023-06-01")},
		{"a list of models of Google", call{method: "GET", path: "/v1beta/models"}.with("x-goog-api-key", "AIza-caller")},
		{"embeddings", post("/v1/embeddings", `{"model":"text-embedding-3-small","input":"Hello","dimensions":8}`, "authorization", "Bearer sk-caller")},
		{"multipart", post("/v1/audio/transcriptions", form, "authorization", "Bearer sk-caller").with("content-type", "multipart/form-data; boundary=b")},
		{"an endpoint that nobody knows", post("/v1/unheard/of?a=%20b", "\x00\xff not JSON", "authorization", "Bearer sk-caller")},
		{"malformed JSON", chat(`{"model":"gpt-4o","messages":[`)},
		{"a key twice", chat(`{"model":"gpt-4o","model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}]}`)},
		{"no body", chat("")},
		{"bytes behind the JSON", chat(ask("gpt-4o-mini", "Hello") + " x")},
		{"a model that nobody knows", chat(ask("no-such-model", "Hello"))},
		{"no credential", post("/v1/chat/completions", ask("gpt-4o-mini", "Hello"))},
	}
}
