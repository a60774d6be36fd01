package main

import (
	"fmt"
	"net/http"
	"strings"
)

// route finds the endpoint and whose errors it speaks.
func (s *server) route(h house, r *http.Request) (vendor, handler) {
	if s.cfg.role == rolePool {
		return s.routePool(r)
	}
	switch h {
	case "":
		return s.routeVendors(r)
	case azure:
		return openai, s.routeAzure(r)
	case bedrockAWS:
		return s.routeBedrock(r)
	case cohereHome:
		return cohere, s.routeCohere(r)
	case ollamaHome:
		return ollama, s.routeOllama(r)
	case vertex:
		return s.routeVertex(r)
	}
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/chat/completions") {
		return openai, s.chat
	}
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/models") {
		return openai, s.listModels
	}
	return openai, rootOr(r, unknownURL)
}

func (s *server) routePool(r *http.Request) (vendor, handler) {
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/chat/completions":
		return openai, s.chat
	case "GET /v1/models":
		return openai, s.listModels
	}
	return openai, rootOr(r, unknownURL)
}

// routeVendors finds the endpoints of the three vendors that share an address.
func (s *server) routeVendors(r *http.Request) (vendor, handler) {
	path := r.URL.Path
	switch r.Method + " " + path {
	case "POST /v1/messages":
		return anthropic, s.messages
	case "POST /v1/messages/count_tokens":
		return anthropic, s.countTokens
	case "GET /v1/models":
		if r.Header.Get("anthropic-version") != "" {
			return anthropic, s.listModels
		}
	}
	if strings.HasPrefix(path, "/v1beta/interactions") {
		return google, s.interactions
	}
	// Google's SDKs ask for v1 since their third major version, and for v1beta before.
	if strings.HasPrefix(path, "/v1beta/") || strings.HasPrefix(path, "/v1/models/") && strings.Contains(path, ":") {
		return google, s.gemini
	}
	if strings.HasPrefix(path, "/v1/messages") {
		return anthropic, unknownURL
	}
	return openai, s.routeOpenAI(r, strings.TrimPrefix(path, "/v1"))
}

// routeOpenAI finds the endpoints that OpenAI serves below /v1.
func (s *server) routeOpenAI(r *http.Request, path string) handler {
	switch r.Method + " " + path {
	case "POST /chat/completions":
		return s.chat
	case "POST /responses":
		return s.responses
	case "POST /completions":
		return s.completions
	case "POST /embeddings":
		return s.embeddings
	case "POST /images/generations":
		return s.images
	case "POST /images/edits":
		return s.edits
	case "POST /audio/transcriptions", "POST /audio/translations":
		return s.transcriptions
	case "GET /models":
		return s.listModels
	}
	if strings.HasPrefix(path, "/responses/") {
		return s.storedResponse
	}
	return rootOr(r, unknownURL)
}

// routeAzure finds OpenAI's endpoints behind a deployment in the path, or below /openai/v1.
func (s *server) routeAzure(r *http.Request) handler {
	if path, ok := strings.CutPrefix(r.URL.Path, "/openai/v1"); ok {
		return s.routeOpenAI(r, path)
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/openai/deployments/"); ok {
		if _, path, ok := strings.Cut(rest, "/"); ok && r.URL.Query().Has("api-version") {
			return s.routeOpenAI(r, "/"+path)
		}
	}
	return rootOr(r, unknownURL)
}

// rootOr answers probes of the root, and leaves the rest to other.
func rootOr(r *http.Request, other handler) handler {
	if r.URL.Path != "/" || r.Method != http.MethodHead && r.Method != http.MethodGet {
		return other
	}
	return func(in *inbound) *apiError {
		in.w.WriteHeader(http.StatusOK)
		return nil
	}
}

func unknownURL(in *inbound) *apiError {
	e := statusError(in.vendor, http.StatusNotFound)
	if in.vendor == openai {
		e.message = fmt.Sprintf("Invalid URL (%s %s)", in.r.Method, in.r.URL.Path)
	}
	return e
}
