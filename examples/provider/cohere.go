package main

import (
	"encoding/json"
	"net/http"
)

// templateTokens is what Cohere's template adds to a prompt, counted but not billed.
const templateTokens = 70

// routeCohere finds POST /v2/chat, /v2/embed and /v2/rerank.
func (s *server) routeCohere(r *http.Request) handler {
	switch r.Method + " " + r.URL.Path {
	case "POST /v2/chat":
		return s.cohereChat
	case "POST /v2/embed":
		return s.cohereEmbed
	case "POST /v2/rerank":
		return s.cohereRerank
	}
	return rootOr(r, unknownURL)
}

// cohereRequest decodes the body and finds the model.
func (s *server) cohereRequest(in *inbound, kind modelKind) (fields, *model, *apiError) {
	f, err := decodeBody(cohere, in.body)
	if err != nil {
		return f, nil, invalid(cohere, "invalid request body: %v", err)
	}
	m := s.models[modelKey(cohereHome, f.text("model"))]
	if m == nil || m.Kind != kind {
		e := statusError(cohere, http.StatusNotFound)
		e.message = "model '" + f.text("model") + "' not found"
		return f, nil, e
	}
	return f, m, f.d.problem
}

func (s *server) cohereChat(in *inbound) *apiError {
	f, m, problem := s.cohereRequest(in, makesAnswers)
	if problem != nil {
		return problem
	}
	d := draft{api: "cohere.chat", model: m, shown: m.shown(), stream: f.flag("stream"), ask: ask{limit: -1}}
	if f.has("max_tokens") {
		d.ask.limit = f.integer("max_tokens")
	}
	c := &chatReader{w: s.promptWriter(m), ask: &d.ask, open: map[string]bool{}}
	c.tools(f)
	messages := f.list("messages")
	for _, e := range messages {
		c.message(e.object())
	}
	if f.d.problem != nil || len(messages) == 0 {
		return firstProblem(f, invalid(cohere, "invalid request: messages must be at least 1 messages long."))
	}
	d.prompt = c.w.finish()
	return s.answer(in, s.newCall(in, d), &cohereReply{})
}

// A cohereReply renders Cohere's second version of chat.
type cohereReply struct{}

func (*cohereReply) contentType(stream bool) string {
	if stream {
		return "text/event-stream"
	}
	return "application/json"
}

// float is a count as Cohere prints it.
func float(n int) json.RawMessage { return append(mustJSON(n), ".0"...) }

// usage says what is billed, and beside it what was counted.
func (*cohereReply) usage(c *call) json.RawMessage {
	u := c.usage()
	return mustJSON(map[string]any{
		"billed_units":  map[string]any{"input_tokens": float(u.Input), "output_tokens": float(u.Output)},
		"tokens":        map[string]any{"input_tokens": float(u.Input + templateTokens), "output_tokens": float(u.Output + 2)},
		"cached_tokens": float(0),
	})
}

func (*cohereReply) finish(c *call) string {
	return map[stopReason]string{stopEnd: "COMPLETE", stopLength: "MAX_TOKENS", stopTool: "TOOL_CALL"}[c.answers[0].stop]
}

func (r *cohereReply) whole(c *call) []byte {
	a := c.answers[0]
	message := map[string]any{"role": "assistant"}
	if a.tool == "" {
		message["content"] = []any{map[string]string{"type": "text", "text": a.text()}}
	} else {
		message["tool_calls"] = []chatToolCall{{ID: toolID("call_", c, 0), Type: "function", Function: chatFunction{a.tool, a.text()}}}
	}
	body := map[string]any{"id": c.id, "finish_reason": r.finish(c), "message": message}
	if !c.noUsage {
		body["usage"] = r.usage(c)
	}
	return mustJSON(body)
}

func (r *cohereReply) event(kind string, rest string) []byte {
	return sse(kind, []byte(`{"type":"`+kind+`"`+rest+`}`))
}

func (r *cohereReply) stream(c *call, out *sink) error {
	if err := out.event(r.event("message-start", `,"id":"`+c.id+`","delta":{"message":{"role":"assistant","content":[]}}`), 0); err != nil {
		return err
	}
	if err := out.event(r.event("content-start", `,"index":0,"delta":{"message":{"content":{"type":"text","text":""}}}`), 0); err != nil {
		return err
	}
	for _, piece := range c.answers[0].pieces {
		delta := `,"index":0,"delta":{"message":{"content":{"text":` + string(mustJSON(piece)) + `}}}`
		if err := out.event(r.event("content-delta", delta), 1); err != nil {
			return err
		}
	}
	if err := out.event(r.event("content-end", `,"index":0`), 0); err != nil {
		return err
	}
	delta := `,"delta":{"finish_reason":"` + r.finish(c) + `"`
	if !c.noUsage {
		delta += `,"usage":` + string(r.usage(c))
	}
	return out.event(r.event("message-end", delta+"}"), 0)
}

func (*cohereReply) last(*call) []byte { return []byte("data: [DONE]\n\n") }

func (s *server) cohereEmbed(in *inbound) *apiError {
	f, m, problem := s.cohereRequest(in, makesVectors)
	if problem != nil {
		return problem
	}
	inputs, total, problem := s.readInputs(m, f, "texts")
	if problem != nil {
		return problem
	}
	r := &embeddingReply{inputs: inputs, dimensions: 8}
	var vectors [][]float32
	for _, p := range inputs {
		vectors = append(vectors, r.vector(p))
	}
	return s.cohereMedia(in, "cohere.embed", m, usage{Input: total}, "input_tokens", total,
		map[string]any{"embeddings": map[string]any{"float": vectors}, "response_type": "embeddings_by_type"})
}

// documentsPerUnit is how many documents one unit of ranking covers, as Cohere's price list says.
const documentsPerUnit = 100

func (s *server) cohereRerank(in *inbound) *apiError {
	f, m, problem := s.cohereRequest(in, makesRankings)
	if problem != nil {
		return problem
	}
	documents := f.list("documents")
	if f.d.problem != nil || len(documents) == 0 || f.text("query") == "" {
		return firstProblem(f, invalid(cohere, "invalid request: query and documents must not be empty"))
	}
	units := (len(documents) + documentsPerUnit - 1) / documentsPerUnit
	type ranked struct {
		Index int     `json:"index"`
		Score float64 `json:"relevance_score"`
	}
	var results []ranked
	for i := range documents {
		results = append(results, ranked{i, 1 / float64(i+2)})
	}
	return s.cohereMedia(in, "cohere.rerank", m, usage{SearchUnits: units}, "search_units", units, map[string]any{"results": results})
}

// cohereMedia answers with a body that has what is billed in its meta member.
func (s *server) cohereMedia(in *inbound, api string, m *model, u usage, unit string, count int, body map[string]any) *apiError {
	c := s.mediaCall(in, api, m, u)
	body["id"] = c.id
	if !c.noUsage {
		body["meta"] = map[string]any{"api_version": map[string]string{"version": "2"}, "billed_units": map[string]any{unit: float(count)}}
	}
	return s.answer(in, c, &mediaReply{body})
}
