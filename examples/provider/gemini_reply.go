package main

import (
	"encoding/json"
	"strings"
)

const geminiChunk = 8 // tokens in one streamed part

// A geminiReply renders generateContent: a body, server-sent events with CRLF, or a JSON array streamed piecewise.
type geminiReply struct {
	events   bool         // alt=sse
	thoughts bool         // the caller wants to see the reasoning
	rest     []geminiPart // not sent yet
	begun    bool         // the array is open
}

// A geminiPart is one streamed piece of one candidate.
type geminiPart struct {
	index   int
	part    json.RawMessage // nil: a candidate without content
	finish  string
	visible int // output tokens of this piece
	thought int // reasoning tokens of this piece
}

type modality struct {
	Modality string `json:"modality"`
	Count    int    `json:"tokenCount"`
}

type geminiUsage struct {
	Prompt        int        `json:"promptTokenCount"`
	Candidates    int        `json:"candidatesTokenCount,omitempty"`
	Total         int        `json:"totalTokenCount"`
	Cached        int        `json:"cachedContentTokenCount,omitempty"`
	PromptDetails []modality `json:"promptTokensDetails"`
	CacheDetails  []modality `json:"cacheTokensDetails,omitempty"`
	Thoughts      int        `json:"thoughtsTokenCount,omitempty"`
}

type geminiContent struct {
	Parts []json.RawMessage `json:"parts,omitempty"`
	Role  string            `json:"role"`
}

type geminiCandidate struct {
	Content geminiContent `json:"content"`
	Finish  string        `json:"finishReason,omitempty"`
	Index   int           `json:"index"`
}

type geminiBody struct {
	Candidates []geminiCandidate `json:"candidates"`
	Usage      *geminiUsage      `json:"usageMetadata,omitempty"`
	Model      string            `json:"modelVersion"`
	ID         string            `json:"responseId"`
}

func (r *geminiReply) contentType(stream bool) string {
	if stream && r.events {
		return "text/event-stream"
	}
	return "application/json; charset=UTF-8"
}

// usage is inclusive of cached tokens, and counts thoughts beside the candidates.
func (r *geminiReply) usage(c *call, visible, thoughts int) *geminiUsage {
	if c.noUsage {
		return nil
	}
	total := c.input.totalInput()
	u := &geminiUsage{Prompt: total, Candidates: visible, Total: total + visible + thoughts, Cached: c.input.CacheRead,
		PromptDetails: []modality{{"TEXT", total}}, Thoughts: thoughts}
	if u.Cached > 0 {
		u.CacheDetails = []modality{{"TEXT", u.Cached}}
	}
	return u
}

func finishReason(a answer) string {
	if a.stop == stopLength {
		return "MAX_TOKENS"
	}
	return "STOP"
}

func textPart(text string, thought bool) json.RawMessage {
	return mustJSON(struct {
		Text    string `json:"text"`
		Thought bool   `json:"thought,omitempty"`
	}{text, thought})
}

// parts cuts one answer into what is streamed.
func (r *geminiReply) parts(index int, a answer) []geminiPart {
	var out []geminiPart
	switch {
	case a.reasoning > 0 && r.thoughts:
		pieces := a.thoughts()
		for from := 0; from < len(pieces); from += geminiChunk {
			group := pieces[from:min(from+geminiChunk, len(pieces))]
			out = append(out, geminiPart{index: index, part: textPart(strings.Join(group, ""), true), thought: len(group)})
		}
	case a.reasoning > 0:
		out = append(out, geminiPart{index: index, thought: a.reasoning})
	}
	if a.tool != "" {
		part := geminiPart{index: index, visible: len(a.pieces)}
		if args := a.text(); json.Valid([]byte(args)) {
			part.part = json.RawMessage(`{"functionCall":{"name":` + string(mustJSON(a.tool)) + `,"args":` + args + `}}`)
		}
		out = append(out, part)
	} else {
		for from := 0; from < len(a.pieces); from += geminiChunk {
			group := a.pieces[from:min(from+geminiChunk, len(a.pieces))]
			out = append(out, geminiPart{index: index, part: textPart(strings.Join(group, ""), false), visible: len(group)})
		}
	}
	if len(out) == 0 {
		out = []geminiPart{{index: index}}
	}
	out[len(out)-1].finish = finishReason(a)
	return out
}

func (p geminiPart) candidate() geminiCandidate {
	content := geminiContent{Role: "model"}
	if p.part != nil {
		content.Parts = []json.RawMessage{p.part}
	}
	return geminiCandidate{content, p.finish, p.index}
}

func (r *geminiReply) whole(c *call) []byte {
	b := geminiBody{Model: c.shown, ID: c.id}
	for i, a := range c.answers {
		candidate := geminiCandidate{geminiContent{Role: "model"}, finishReason(a), i}
		if a.reasoning > 0 && r.thoughts {
			candidate.Content.Parts = append(candidate.Content.Parts, textPart(strings.Join(a.thoughts(), ""), true))
		}
		switch args := a.text(); {
		case a.tool == "" && args != "":
			candidate.Content.Parts = append(candidate.Content.Parts, textPart(args, false))
		case a.tool != "" && json.Valid([]byte(args)):
			candidate.Content.Parts = append(candidate.Content.Parts,
				json.RawMessage(`{"functionCall":{"name":`+string(mustJSON(a.tool))+`,"args":`+args+`}}`))
		}
		b.Candidates = append(b.Candidates, candidate)
	}
	u := c.usage()
	b.Usage = r.usage(c, u.Output-u.Reasoning, u.Reasoning)
	return pretty(b)
}

// stream sends all parts but the last, which ends the answer.
func (r *geminiReply) stream(c *call, out *sink) error {
	for i, a := range c.answers {
		r.rest = append(r.rest, r.parts(i, a)...)
	}
	visible, thoughts := 0, 0
	for ; len(r.rest) > 1; r.rest = r.rest[1:] {
		p := r.rest[0]
		visible += p.visible
		thoughts += p.thought
		if err := out.event(r.event(c, p, r.usage(c, visible, thoughts)), p.visible+p.thought); err != nil {
			return err
		}
	}
	return nil
}

func (r *geminiReply) last(c *call) []byte {
	u := c.usage()
	b := r.event(c, r.rest[0], r.usage(c, u.Output-u.Reasoning, u.Reasoning))
	if r.events {
		return b
	}
	return append(b, "]\n"...)
}

func (r *geminiReply) event(c *call, p geminiPart, u *geminiUsage) []byte {
	b := geminiBody{[]geminiCandidate{p.candidate()}, u, c.shown, c.id}
	if r.events {
		return []byte("data: " + string(mustJSON(b)) + "\r\n\r\n")
	}
	lead := ",\r\n"
	if !r.begun {
		lead, r.begun = "[", true
	}
	return append([]byte(lead), pretty(b)...)
}
