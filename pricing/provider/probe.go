package provider

import (
	"slices"
	"strings"
)

// freeGets are the last words of paths of which a GET only tells of a server, a model or an account: the root; lists
// of models, files and jobs; the state of Ollama, vLLM, SGLang, TGI and llama.cpp; and what OpenRouter, DeepSeek and xAI
// say of a key.
var freeGets = []string{
	"", "models", "language-models", "embedding-models", "image-generation-models", "foundation-models", "inference-profiles",
	"deployments", "endpoints", "providers", "files", "batches", "jobs", "cachedContents",
	"tags", "ps", "version", "health", "healthz", "ping", "info", "props", "slots", "metrics", "load",
	"model_info", "get_model_info", "server_info", "get_server_info",
	"key", "credits", "generation", "api-key", "balance",
}

// freeGetsBelow are parts of paths below which a GET tells of one thing: a model, a file or a job.
var freeGetsBelow = []string{"/models/", "/files/", "/batches/", "/foundation-models/", "/deferred-completion/"}

// heldAnswers are parts of paths below which stands an answer that the provider holds.
var heldAnswers = []string{"/responses/", "/interactions/"}

// freePosts are the ends of paths of which a POST counts or splits tokens, shows a model or gives up an answer; below,
// if it is not empty, must come before. Sources: the API references of Anthropic, OpenAI, Google, Amazon Bedrock,
// Cohere, xAI, Ollama, vLLM and llama.cpp, read in November 2026.
var freePosts = [...]struct{ below, end string }{
	{"", "/messages/count_tokens"},
	{"", "/responses/input_tokens"},
	{"/responses/", "/cancel"}, {"/interactions/", "/cancel"}, // of an answer made in the background
	{"/models/", ":countTokens"},
	{"/models/", ":computeTokens"},
	{"/models/", "/" + countTokens + ":rawPredict"},
	{"/model/", "/count-tokens"},
	{"", "/v1/tokenize"}, {"", "/v1/detokenize"}, {"", "/v1/check-api-key"},
	{"", "/v1/tokenize-text"},
	{"", "/api/show"},
	{"", "/tokenize"}, {"", "/detokenize"}, {"", "/apply-template"},
}

// isBelow reports whether a path names one thing below a part of it.
func isBelow(path string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool {
		_, rest, ok := strings.Cut(path, part)
		return ok && rest != ""
	})
}

// FreeProbe reports whether a request is one that providers answer at no charge, and so passes where a budget refuses
// what cannot be priced: HEAD and OPTIONS, the GETs of freeGets and freeGetsBelow, GET and DELETE of
// heldAnswers, and the POSTs of freePosts. A request
// that upgrades its connection is none, whatever its path.
func FreeProbe(method, path string) bool {
	raw, _ := cutQuery(path)
	plain := strings.TrimRight(unescape(raw), "/")
	switch method {
	case "HEAD", "OPTIONS":
		return true
	case "DELETE":
		return isBelow(plain, heldAnswers)
	case "GET":
		last := plain[strings.LastIndexByte(plain, '/')+1:]
		return slices.Contains(freeGets, last) || isBelow(plain, heldAnswers) || isBelow(plain, freeGetsBelow)
	case "POST":
		for _, p := range freePosts {
			if start, ok := strings.CutSuffix(plain, p.end); ok && strings.Contains(start+"/", p.below) {
				return true
			}
		}
	}
	return false
}
