package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// guess is the path of an API with what tells its bodies from those of others.
type guess struct {
	path  string
	key   string   // that all its bodies have
	signs []string // keys that only its bodies have, of those with key
	model []string // parts of names that only models of the API have
}

// guesses are the APIs that can be told by a body which names the model. Keys are those of their API references, as read
// in November 2026.
var guesses = []guess{
	{"/v1/chat/completions", "messages", []string{
		"max_completion_tokens", "n", "stop", "seed", "stream_options", "response_format", "reasoning_effort", "logprobs",
		"logit_bias", "frequency_penalty", "presence_penalty", "parallel_tool_calls", "modalities", "prompt_cache_key",
	}, nil},
	{"/v1/messages", "messages", []string{
		"system", "thinking", "stop_sequences", "output_config", "context_management", "inference_geo", "speed",
	}, []string{"claude"}},
	{"/api/chat", "messages", []string{"options", "keep_alive"}, nil},
	{"/v1/responses", "input", []string{
		"instructions", "max_output_tokens", "reasoning", "text", "include", "truncation", "conversation", "previous_response_id", "prompt",
		"parallel_tool_calls", "prompt_cache_key", "context_management", "max_tool_calls",
	}, nil},
	{"/v1beta/interactions", "input", []string{
		"previous_interaction_id", "generation_config", "system_instruction", "response_modalities", "agent",
	}, nil},
	{"/v1/embeddings", "input", []string{
		"encoding_format", "dimensions", "input_type", "output_dimension", "output_dtype",
	}, []string{"embed", "voyage"}},
	{"/v1/audio/speech", "input", []string{"voice"}, []string{"tts"}},
	{"/v1/images/generations", "prompt", []string{
		"size", "quality", "style", "output_format", "response_format", "moderation",
	}, []string{"image", "dall-e", "imagen"}},
	{"/v1/completions", "prompt", []string{
		"max_tokens", "stop", "echo", "best_of", "logprobs", "temperature", "top_p", "stream_options",
	}, nil},
	{"/api/generate", "prompt", []string{"options", "keep_alive"}, nil},
	{"/v2/rerank", "query", []string{"documents"}, nil},
}

// guessPath tells the API of a call by its body. Of those that fit, it takes the one that a sign speaks for; a
// conversation without any is OpenAI's chat, which most vendors serve. The error is about the flag that is missing.
func guessPath(body []byte) (string, error) {
	var call map[string]json.RawMessage
	if json.Unmarshal(body, &call) != nil {
		return "", errors.New("the body is no JSON object: --path PATH is needed to know what it is")
	}
	if _, ok := call["contents"]; ok {
		return "", errors.New("the path of this call names its model: --path /v1beta/models/MODEL:generateContent is needed")
	}
	var model string
	if json.Unmarshal(call["model"], &model) != nil || model == "" {
		return "", errors.New("the body names no model: --path PATH is needed, which does")
	}
	var fit, spoken []string
	for i := range guesses {
		g := &guesses[i]
		if _, ok := call[g.key]; !ok {
			continue
		}
		fit = append(fit, g.path)
		if g.isSigned(call, model) {
			spoken = append(spoken, g.path)
		}
	}
	switch {
	case len(spoken) == 1:
		return spoken[0], nil
	case len(spoken) == 0 && slices.Contains(fit, "/v1/chat/completions"):
		return "/v1/chat/completions", nil
	case len(fit) == 0:
		return "", errors.New("the body is of no API that is told by it: --path PATH is needed")
	}
	return "", fmt.Errorf("the body could be of several APIs: --path is needed, such as %s", strings.Join(fit, " or "))
}

// isSigned reports whether something in a call speaks for the API.
func (g *guess) isSigned(call map[string]json.RawMessage, model string) bool {
	has := func(key string) bool { _, ok := call[key]; return ok }
	part := func(s string) bool { return strings.Contains(model, s) }
	return slices.ContainsFunc(g.signs, has) || slices.ContainsFunc(g.model, part)
}
