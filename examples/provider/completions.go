package main

import (
	"encoding/json"
	"slices"
)

// completions answers POST /v1/completions.
func (s *server) completions(in *inbound) *apiError {
	f, err := decodeBody(openai, in.body)
	if err != nil {
		return invalid(openai, malformedOpenAI)
	}
	m, problem := s.openaiModel(in, f, makesText)
	if problem != nil {
		return problem
	}
	choices, best := max(1, f.integer("n")), f.integer("best_of")
	checks := []*apiError{checkCap(m, f, "max_tokens", 1), checkSampling(f)}
	if best != 0 && (best < choices || f.flag("stream")) {
		checks = append(checks, invalid(openai, "You requested that the server return more choices than it will generate (best_of must be at least n, "+
			"and cannot be used with stream)."))
	}
	if problem := firstProblem(f, checks...); problem != nil {
		return problem
	}
	prompts, total, problem := s.readInputs(m, f, "prompt")
	if problem != nil {
		return problem
	}
	c := &call{id: "cmpl-" + s.token(in.number, "completion")[:28], api: "openai.completions", model: m, shown: m.shown(), factor: "1",
		created: s.clock.now().Unix(), input: usage{Input: total}, stream: f.flag("stream"), noUsage: in.fault.noUsage, publish: func() {},
		request: requestID(in)}
	reply := &completionsReply{includeUsage: f.object("stream_options").flag("include_usage")}
	for _, p := range prompts {
		d := draft{model: m, prompt: p, ask: ask{lastUser: s.lastText(f, p), limit: 16}}
		if f.has("max_tokens") {
			d.ask.limit = f.integer("max_tokens")
		}
		d.ask.limit = d.outputLimit()
		for i := range max(choices, best) {
			a := d.ask.generate(s.cfg.seed, m, p.whole(), i)
			c.answers = append(c.answers, a)
			if i < choices {
				reply.returned = append(reply.returned, len(c.answers)-1)
			}
		}
	}
	return s.answer(in, c, reply)
}

// lastText is the prompt as text, for the orders in it; token arrays have none.
func (s *server) lastText(f fields, p *prompt) string {
	raws := []json.RawMessage{f.raw("prompt")}
	if !f.isString("prompt") {
		raws = nil
		for _, e := range f.list("prompt") {
			raws = append(raws, e.raw)
		}
	}
	for _, raw := range raws {
		var text string
		if json.Unmarshal(raw, &text) == nil && slices.Equal(s.count.encode(text), p.tokens) {
			return text
		}
	}
	return ""
}

// A completionsReply renders the older completions.
type completionsReply struct {
	includeUsage bool
	returned     []int // the answers that are not thrown away
}

type completionChoice struct {
	Text         string    `json:"text"`
	Index        int       `json:"index"`
	Logprobs     *struct{} `json:"logprobs"`
	FinishReason *string   `json:"finish_reason"`
}

type completionBody struct {
	ID      string             `json:"id"`
	Object  string             `json:"object"`
	Created int64              `json:"created"`
	Model   string             `json:"model"`
	Choices []completionChoice `json:"choices"`
	Usage   json.RawMessage    `json:"usage,omitempty"`
}

func (*completionsReply) contentType(stream bool) string {
	if stream {
		return "text/event-stream; charset=utf-8"
	}
	return "application/json"
}

func (*completionsReply) usage(c *call) json.RawMessage {
	u := c.usage()
	return mustJSON(map[string]int{"prompt_tokens": u.Input, "completion_tokens": u.Output, "total_tokens": u.Input + u.Output})
}

func (r *completionsReply) body(c *call, choices []completionChoice, usage json.RawMessage) completionBody {
	return completionBody{c.id, "text_completion", c.created, c.shown, choices, usage}
}

func (r *completionsReply) whole(c *call) []byte {
	var choices []completionChoice
	for index, at := range r.returned {
		a := c.answers[at]
		choices = append(choices, completionChoice{Text: a.text(), Index: index, FinishReason: (&chatReply{}).finish(a)})
	}
	usage := r.usage(c)
	if c.noUsage {
		usage = nil
	}
	return pretty(r.body(c, choices, usage))
}

func (r *completionsReply) chunk(c *call, choices []completionChoice, usage json.RawMessage) []byte {
	if usage == nil && r.includeUsage {
		usage = json.RawMessage("null")
	}
	return sse("", mustJSON(r.body(c, choices, usage)))
}

func (r *completionsReply) stream(c *call, out *sink) error {
	for index, a := range c.answers {
		for i, piece := range a.pieces {
			choice := completionChoice{Text: piece, Index: index}
			if i == len(a.pieces)-1 {
				choice.FinishReason = (&chatReply{}).finish(a)
			}
			if err := out.event(r.chunk(c, []completionChoice{choice}, nil), 1); err != nil {
				return err
			}
		}
	}
	if !r.includeUsage || c.noUsage {
		return nil
	}
	return out.event(r.chunk(c, []completionChoice{}, r.usage(c)), 0)
}

func (*completionsReply) last(*call) []byte { return []byte("data: [DONE]\n\n") }
