package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// newReader reads b again.
func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

// hasPublisher says whether a path of Vertex is about that publisher's models.
func hasPublisher(r *http.Request, name string) bool {
	return strings.Contains(r.URL.Path, "/publishers/"+name+"/models")
}

// vertexClaude answers .../publishers/anthropic/models/M:rawPredict and :streamRawPredict.
func (s *server) vertexClaude(in *inbound) *apiError {
	_, rest, _ := strings.Cut(in.r.URL.Path, "/publishers/anthropic/models/")
	name, verb, _ := strings.Cut(rest, ":")
	if verb != "rawPredict" && verb != "streamRawPredict" {
		return unknownURL(in)
	}
	d, problem := s.cloudMessages(in, name, "vertex-2023-10-16")
	if problem != nil {
		return problem
	}
	d.stream = verb == "streamRawPredict"
	return s.answer(in, s.newCall(in, d), &messagesReply{server: s})
}

// cloudMessages reads a body of Anthropic's API of which the path has the model.
func (s *server) cloudMessages(in *inbound, name, version string) (draft, *apiError) {
	f, err := decodeBody(anthropic, in.body)
	if err != nil {
		return draft{}, invalid(anthropic, "The request body is not valid JSON: %v", err)
	}
	m := s.models[modelKey(in.house, name)]
	if m == nil || m.Vendor != anthropic {
		return draft{}, &apiError{status: http.StatusNotFound, kind: "not_found_error", message: "model: " + name}
	}
	switch {
	case f.text("anthropic_version") != version:
		return draft{}, invalid(anthropic, "anthropic_version: Input should be '%s'", version)
	case f.has("model"):
		return draft{}, invalid(anthropic, "model: Extra inputs are not permitted")
	case !f.has("messages") || !f.has("max_tokens"):
		return draft{}, invalid(anthropic, "messages, max_tokens: Field required")
	}
	if problem := checkMessages(m, f); problem != nil {
		return draft{}, problem
	}
	return s.readMessages(in, m, f)
}
