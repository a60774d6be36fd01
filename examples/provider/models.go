package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
)

// listModels answers GET /v1/models in the shape of the vendor that was asked.
func (s *server) listModels(in *inbound) *apiError {
	type entry struct {
		ID      string `json:"id"`
		Object  string `json:"object,omitempty"`
		Created int64  `json:"created,omitempty"`
		OwnedBy string `json:"owned_by,omitempty"`
		Type    string `json:"type,omitempty"`
		Name    string `json:"display_name,omitempty"`
		At      string `json:"created_at,omitempty"`
	}
	list := []entry{}
	if s.cfg.role == rolePool {
		list = append(list, entry{ID: "pool-model", Object: "model", Created: 1_750_000_000, OwnedBy: "vllm"})
	}
	for _, m := range s.list {
		switch {
		case s.cfg.role == rolePool || m.Vendor != in.vendor || m.House != in.house:
		case m.Vendor == anthropic:
			list = append(list, entry{ID: m.shown(), Type: "model", Name: m.ID, At: "2026-01-01T00:00:00Z"})
		default:
			list = append(list, entry{ID: m.ID, Object: "model", Created: 1_750_000_000, OwnedBy: "system"})
		}
	}
	if in.vendor == anthropic {
		writeJSON(in, mustJSON(map[string]any{"data": list, "has_more": false, "first_id": list[0].ID, "last_id": list[len(list)-1].ID}))
		return nil
	}
	writeJSON(in, pretty(map[string]any{"object": "list", "data": list}))
	return nil
}

// embeddings answers POST /v1/embeddings. Vectors are random of unit length, derived from the text.
func (s *server) embeddings(in *inbound) *apiError {
	f, err := decodeBody(openai, in.body)
	if err != nil {
		return invalid(openai, malformedOpenAI)
	}
	m, problem := s.openaiModel(in, f, makesVectors)
	if problem != nil {
		return problem
	}
	if !f.has("input") {
		return missingParameter("input")
	}
	inputs, total, problem := s.readInputs(m, f, "input")
	if problem != nil {
		return problem
	}
	dimensions := m.Embedding
	if f.has("dimensions") {
		dimensions = f.integer("dimensions")
	}
	if dimensions < 1 || dimensions > m.Embedding {
		return invalid(openai, "Invalid value for 'dimensions' = %d. Must be less than or equal to %d.", dimensions, m.Embedding)
	}
	c := &call{id: "embd-" + s.token(in.number, "embedding")[:28], api: "openai.embeddings", model: m, shown: m.shown(), factor: "1",
		input: usage{Input: total}, noUsage: in.fault.noUsage, publish: func() {}, request: requestID(in)}
	return s.answer(in, c, &embeddingReply{inputs, dimensions, f.text("encoding_format") == "base64"})
}

// readInputs renders each input: a string, an array of strings, of tokens or of token arrays.
func (s *server) readInputs(m *model, f fields, name string) ([]*prompt, int, *apiError) {
	raws := []json.RawMessage{f.raw(name)}
	var tokens []uint32
	if !f.isString(name) && json.Unmarshal(f.raw(name), &tokens) != nil {
		raws = nil
		for _, e := range f.list(name) {
			raws = append(raws, e.raw)
		}
	}
	var out []*prompt
	total := 0
	for _, raw := range raws {
		w := s.promptWriter(m)
		var text string
		if json.Unmarshal(raw, &text) == nil {
			w.text(text)
		} else if json.Unmarshal(raw, &w.tokens) != nil {
			f.d.wrongType(name, "string", raw)
		}
		if w.length() > m.Window {
			return nil, 0, invalid(openai, "This model's maximum context length is %d tokens, however you requested %d tokens "+
				"(%d in your prompt; 0 for the completion). Please reduce your prompt; or completion length.", m.Window, w.length(), w.length())
		}
		total += w.length()
		out = append(out, &w.prompt)
	}
	return out, total, f.d.problem
}

// An embeddingReply renders vectors, as numbers or as base64 of little-endian float32.
type embeddingReply struct {
	inputs     []*prompt
	dimensions int
	base64     bool
}

func (*embeddingReply) contentType(bool) string { return "application/json" }

func (r *embeddingReply) whole(c *call) []byte {
	type item struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"`
	}
	out := struct {
		Object string         `json:"object"`
		Data   []item         `json:"data"`
		Model  string         `json:"model"`
		Usage  map[string]int `json:"usage,omitempty"`
	}{Object: "list", Model: c.shown}
	for i, p := range r.inputs {
		vector := r.vector(p)
		var shown any = vector
		if r.base64 {
			var raw []byte
			for _, x := range vector {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
			}
			shown = base64.StdEncoding.EncodeToString(raw)
		}
		out.Data = append(out.Data, item{"embedding", i, shown})
	}
	if !c.noUsage {
		out.Usage = map[string]int{"prompt_tokens": c.input.Input, "total_tokens": c.input.Input}
	}
	return pretty(out)
}

func (r *embeddingReply) vector(p *prompt) []float32 {
	sum := p.whole()
	rng := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), 1))
	out := make([]float32, r.dimensions)
	var square float64
	for i := range out {
		out[i] = float32(rng.NormFloat64())
		square += float64(out[i]) * float64(out[i])
	}
	for i := range out {
		out[i] /= float32(math.Sqrt(square))
	}
	return out
}

// stream and last are never called: embeddings do not stream.
func (*embeddingReply) stream(*call, *sink) error { return nil }
func (*embeddingReply) last(*call) []byte         { return nil }

// requestID is the caller's own name for the call.
func requestID(in *inbound) string {
	if id := in.r.Header.Get("x-test-id"); id != "" {
		return id
	}
	return in.r.Header.Get("x-request-id")
}
