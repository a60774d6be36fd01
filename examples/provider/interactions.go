package main

import (
	"net/http"
	"strings"
)

// interactions answers POST /v1beta/interactions and GET /v1beta/interactions/ID, of a text and whole: what is asked
// for a stream or in steps is rejected.
func (s *server) interactions(in *inbound) *apiError {
	id, fetches := strings.CutPrefix(strings.TrimPrefix(in.r.URL.Path, "/v1beta/interactions"), "/")
	switch {
	case in.r.Method == http.MethodGet && fetches:
		return s.storedInteraction(in, id)
	case in.r.Method != http.MethodPost || fetches:
		return unknownURL(in)
	}
	f, err := decodeBody(google, in.body)
	if err != nil {
		return invalid(google, "Invalid JSON payload received. %v", err)
	}
	if !f.isString("input") || f.flag("stream") {
		return firstProblem(f, invalid(google, "This double of the API takes a text as input, and does not stream."))
	}
	c, problem := s.interactionCall(in, f)
	if problem != nil {
		return problem
	}
	if f.flag("background") {
		s.interacted.put(&job{call: c, background: true})
		c.publish()
		s.bill(c, c.usage(), false)
		writeJSON(in, interactionBody(c, "in_progress"))
		return nil
	}
	return s.answer(in, c, interactionReply{})
}

// interactionCall makes the call of what generateContent would be asked for the same.
func (s *server) interactionCall(in *inbound, f fields) (*call, *apiError) {
	m := s.models[modelKey(in.house, f.text("model"))]
	if m == nil || m.Vendor != google {
		e := invalid(google, "model %s is not found", f.text("model"))
		e.status, e.kind = http.StatusNotFound, "NOT_FOUND"
		return nil, e
	}
	type text struct {
		Text string `json:"text"`
	}
	type content struct {
		Parts []text `json:"parts"`
	}
	config := map[string]any{}
	if g := f.object("generation_config"); g.has("max_output_tokens") {
		config["maxOutputTokens"] = g.integer("max_output_tokens")
	}
	same, err := decodeBody(google, mustJSON(map[string]any{"contents": []content{{[]text{{f.text("input")}}}}, "generationConfig": config}))
	if err != nil {
		return nil, invalid(google, "%v", err)
	}
	if problem := firstProblem(f, checkGemini(m, same)); problem != nil {
		return nil, problem
	}
	d, problem := s.readGemini(m, same)
	if problem != nil {
		return nil, problem
	}
	d.api, d.prefix = "gemini.interaction", "v1_"
	return s.newCall(in, d), nil
}

// storedInteraction answers what has become of one: in progress at first.
func (s *server) storedInteraction(in *inbound, id string) *apiError {
	var body []byte
	if !s.interacted.with(id, func(j *job) { body = interactionBody(j.call, j.status()) }) {
		e := invalid(google, "Interaction %s is not found.", id)
		e.status, e.kind = http.StatusNotFound, "NOT_FOUND"
		return e
	}
	writeJSON(in, body)
	return nil
}

// interactionBody is an interaction of that status. It has an answer and a usage once it has ended.
func interactionBody(c *call, status string) []byte {
	body := map[string]any{"id": c.id, "object": "interaction", "model": c.shown, "status": status}
	if status == itemStatus(c.answers[0]) {
		u := c.usage()
		body["steps"] = []any{map[string]any{"type": "model_output", "content": []any{map[string]any{"type": "text", "text": c.answers[0].text()}}}}
		if !c.noUsage {
			body["usage"] = map[string]int{"total_input_tokens": u.totalInput(), "total_cached_tokens": u.CacheRead, "total_output_tokens": u.Output - u.Reasoning,
				"total_thought_tokens": u.Reasoning, "total_tokens": u.totalInput() + u.Output}
		}
	}
	return pretty(body)
}

// An interactionReply renders an interaction that is waited for.
type interactionReply struct{}

func (interactionReply) contentType(bool) string { return "application/json" }

func (interactionReply) whole(c *call) []byte { return interactionBody(c, itemStatus(c.answers[0])) }

func (interactionReply) stream(*call, *sink) error { panic("internal error: an interaction is whole") }

func (interactionReply) last(*call) []byte { panic("internal error: an interaction is whole") }
