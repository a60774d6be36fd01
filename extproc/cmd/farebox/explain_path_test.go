package main

import (
	"strings"
	"testing"
)

func TestGuessPath(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"chat", `{"model":"m","messages":[]}`, "/v1/chat/completions"},
		{"chat about contents and input", `{"model":"m","messages":[{"role":"user","content":"\"contents\" \"input\" \"claude-"}]}`, "/v1/chat/completions"},
		{"messages", `{"model":"claude-opus-5-5","max_tokens":9,"messages":[]}`, "/v1/messages"},
		{"messages of another model", `{"model":"m","system":"Be brief","max_tokens":9,"messages":[]}`, "/v1/messages"},
		{"chat of Claude, or messages", `{"model":"claude-opus-5-5","n":1,"messages":[]}`, "!several"},
		{"Ollama", `{"model":"llama3","messages":[],"options":{}}`, "/api/chat"},
		{"responses", `{"model":"gpt-5","input":"Hi","instructions":"Be brief"}`, "/v1/responses"},
		{"interactions", `{"model":"gemini-3-pro","input":"Hi","generation_config":{}}`, "/v1beta/interactions"},
		{"embeddings", `{"model":"m","input":["Hi"],"encoding_format":"float"}`, "/v1/embeddings"},
		{"embeddings by the model", `{"model":"voyage-4","input":["Hi"]}`, "/v1/embeddings"},
		{"speech", `{"model":"m","input":"Hi","voice":"alloy"}`, "/v1/audio/speech"},
		{"an input", `{"model":"gpt-5","input":"Hi"}`, "!several"},
		{"pictures", `{"model":"gpt-image-2","prompt":"A cat"}`, "/v1/images/generations"},
		{"completions", `{"model":"m","prompt":"A cat","max_tokens":9}`, "/v1/completions"},
		{"a prompt", `{"model":"m","prompt":"A cat"}`, "!several"},
		{"rerank", `{"model":"rerank-4","query":"cats","documents":[]}`, "/v2/rerank"},
		{"Gemini", `{"contents":[]}`, "!names its model"},
		{"Converse", `{"messages":[],"inferenceConfig":{}}`, "!names no model"},
		{"another", `{"model":"m","video":"A cat"}`, "!no API"},
		{"a form", "--b\r\n", "!no JSON object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := guessPath([]byte(tt.body))
			wrong, want := strings.CutPrefix(tt.want, "!")
			switch {
			case want && (err == nil || !strings.Contains(err.Error(), wrong)):
				t.Errorf("guessed %q, error %v, want one with %q", got, err, wrong)
			case !want && (err != nil || got != tt.want):
				t.Errorf("guessed %q, error %v, want %q", got, err, tt.want)
			}
		})
	}
}
