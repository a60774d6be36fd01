package main

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// api is a vendor's request format.
type api string

const (
	anthropic api = "anthropic"
	openai    api = "openai"
	google    api = "google"
)

// top is the model that the application asks for, whatever it does.
var top = map[api]string{anthropic: "claude-opus-5-5", openai: "gpt-6-sol", google: "gemini-3.1-pro-preview"}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// request writes a prompt in the format of the API.
func (a api) request(p prompt, stream bool) (path string, body []byte) {
	switch a {
	case anthropic:
		return "/v1/messages", encode(anthropicRequest{top[a], p.MaxTokens, p.System, []message{{"user", p.User}}, stream})
	case openai:
		r := openaiRequest{Model: top[a], Messages: []message{{"system", p.System}, {"user", p.User}}, Cap: p.MaxTokens, Stream: stream}
		if stream {
			r.Options = &streamOptions{Usage: true}
		}
		return "/v1/chat/completions", encode(r)
	}
	path = "/v1beta/models/" + top[a] + ":generateContent"
	if stream {
		path = "/v1beta/models/" + top[a] + ":streamGenerateContent?alt=sse"
	}
	return path, encode(googleRequest{
		System: content{Parts: []part{{p.System}}}, Contents: []content{{"user", []part{{p.User}}}}, Config: googleConfig{p.MaxTokens},
	})
}

type anthropicRequest struct {
	Model    string    `json:"model"`
	Cap      int       `json:"max_tokens"`
	System   string    `json:"system,omitempty"`
	Messages []message `json:"messages"`
	Stream   bool      `json:"stream,omitempty"`
}

type openaiRequest struct {
	Model    string         `json:"model"`
	Messages []message      `json:"messages"`
	Cap      int            `json:"max_completion_tokens"`
	Stream   bool           `json:"stream,omitempty"`
	Options  *streamOptions `json:"stream_options,omitempty"`
}

type streamOptions struct {
	Usage bool `json:"include_usage"`
}

type googleRequest struct {
	System   content      `json:"systemInstruction"`
	Contents []content    `json:"contents"`
	Config   googleConfig `json:"generationConfig"`
}

type content struct {
	Role  string `json:"role,omitempty"`
	Parts []part `json:"parts"`
}

type part struct {
	Text string `json:"text"`
}

type googleConfig struct {
	Cap int `json:"maxOutputTokens"`
}

// encode prints a request. Its types hold nothing that JSON cannot express.
func encode(request any) []byte {
	body, err := json.Marshal(request)
	if err != nil {
		panic("internal error: request does not marshal: " + err.Error())
	}
	return body
}

// sign adds what the vendor's own client library would: a made-up key, which the test provider takes for real.
func (a api) sign(h http.Header) {
	h.Set("content-type", "application/json")
	switch a {
	case anthropic:
		h.Set("x-api-key", "demo-key")
		h.Set("anthropic-version", "2023-06-01")
	case openai:
		h.Set("authorization", "Bearer demo-key")
	default:
		h.Set("x-goog-api-key", "demo-key")
	}
}

// lastEvent is found at the end of every stream of the API.
var lastEvent = map[api]string{anthropic: `"message_stop"`, openai: "data: [DONE]", google: `"finishReason"`}

// whole reports whether an answer came to its end.
func (a api) whole(answer []byte, stream bool) bool {
	if stream {
		return bytes.Contains(answer, []byte(lastEvent[a]))
	}
	return json.Valid(answer)
}
