package main

import (
	"cmp"
	"encoding/json"
	"strconv"
)

// A chatReply renders Chat completions.
type chatReply struct {
	includeUsage bool
	pool         bool
	house        house
	chatStyle
}

type chatFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

type chatToolCall struct {
	Index    *int         `json:"index,omitempty"` // streams only
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function chatFunction `json:"function"`
}

type chatChoice struct {
	Index        int             `json:"index"`
	Message      json.RawMessage `json:"message,omitempty"`
	Delta        json.RawMessage `json:"delta,omitempty"`
	Logprobs     *struct{}       `json:"logprobs"`
	FinishReason *string         `json:"finish_reason"`
}

type chatBody struct {
	ID          string          `json:"id"`
	Object      string          `json:"object"`
	Created     int64           `json:"created"`
	Model       string          `json:"model"`
	Choices     []chatChoice    `json:"choices"`
	Usage       json.RawMessage `json:"usage,omitempty"`
	ServiceTier string          `json:"service_tier,omitempty"`
	Fingerprint string          `json:"system_fingerprint,omitempty"`
	Groq        json.RawMessage `json:"x_groq,omitempty"`
}

func (*chatReply) contentType(stream bool) string {
	if stream {
		return "text/event-stream; charset=utf-8"
	}
	return "application/json"
}

// finish is the API's word for why an answer ended.
func (*chatReply) finish(a answer) *string {
	reason := map[stopReason]string{stopEnd: "stop", stopLength: "length", stopTool: "tool_calls"}[a.stop]
	return &reason
}

func (r *chatReply) body(c *call, object string) chatBody {
	b := chatBody{ID: c.id, Object: object, Created: c.created, Model: c.shown, Choices: []chatChoice{}}
	if !r.plain {
		b.ServiceTier, b.Fingerprint = cmp.Or(c.class, "default"), "fp_"+c.id[len(c.id)-10:]
	}
	return b
}

func (r *chatReply) whole(c *call) []byte {
	b := r.body(c, "chat.completion")
	for i, a := range c.answers {
		message := struct {
			Role        string         `json:"role"`
			Content     *string        `json:"content"`
			ToolCalls   []chatToolCall `json:"tool_calls,omitempty"`
			Refusal     *string        `json:"refusal"`
			Annotations []struct{}     `json:"annotations"`
		}{Role: "assistant", Annotations: []struct{}{}}
		if text := a.text(); a.tool == "" {
			message.Content = &text
		} else {
			message.ToolCalls = []chatToolCall{{ID: toolID("call_", c, i), Type: "function", Function: chatFunction{a.tool, text}}}
		}
		b.Choices = append(b.Choices, chatChoice{Index: i, Message: mustJSON(message), FinishReason: r.finish(a)})
	}
	if !c.noUsage {
		b.Usage = r.usage(c)
	}
	if r.plain {
		return mustJSON(b)
	}
	return pretty(b)
}

// toolID names the tool call of one answer.
func toolID(prefix string, c *call, index int) string {
	return prefix + c.id[len(c.id)-20:] + strconv.Itoa(index)
}

// writesOf is the count that models from gpt-5.6 report, nil for the others.
func writesOf(c *call, u usage) *int {
	if c.model.Cache.Kind != cacheBreakpoints {
		return nil
	}
	n := u.WriteShort + u.WriteLong
	return &n
}

func (r *chatReply) chunk(c *call, choices []chatChoice, usage json.RawMessage) []byte {
	b := r.body(c, "chat.completion.chunk")
	if choices != nil {
		b.Choices = choices
	}
	if b.Usage = usage; usage == nil && r.includeUsage && !r.plain {
		b.Usage = json.RawMessage("null")
	}
	if r.house == groq && usage != nil {
		b.Groq = json.RawMessage(`{"id":"` + c.id + `","usage":` + string(usage) + `}`)
	}
	return sse("", mustJSON(b))
}

func (r *chatReply) delta(c *call, index int, delta string, finish *string) []byte {
	var usage json.RawMessage
	if finish != nil && index == len(c.answers)-1 && r.place == withTheLast && !c.noUsage {
		usage = r.usage(c)
	}
	return r.chunk(c, []chatChoice{{Index: index, Delta: json.RawMessage(delta), FinishReason: finish}}, usage)
}

func (r *chatReply) stream(c *call, out *sink) error {
	if r.comment != "" {
		if err := out.event([]byte(r.comment), 0); err != nil {
			return err
		}
	}
	for i, a := range c.answers {
		out.generated(a.reasoning)
		if err := r.streamAnswer(c, i, a, out); err != nil {
			return err
		}
	}
	if c.noUsage || r.place == withTheLast || r.place == whenAsked && !r.includeUsage {
		return nil
	}
	return out.event(r.chunk(c, nil, r.usage(c)), 0)
}

func (r *chatReply) streamAnswer(c *call, i int, a answer, out *sink) error {
	opening := `{"role":"assistant","content":"","refusal":null}`
	if a.tool != "" {
		first := chatToolCall{new(int), toolID("call_", c, i), "function", chatFunction{Name: a.tool}}
		opening = `{"role":"assistant","content":null,"tool_calls":` + string(mustJSON([]chatToolCall{first})) + `,"refusal":null}`
	}
	if err := out.event(r.delta(c, i, opening, nil), 0); err != nil {
		return err
	}
	for _, piece := range a.pieces {
		delta := `{"content":` + string(mustJSON(piece)) + `}`
		if a.tool != "" {
			part := chatToolCall{Index: new(int), Function: chatFunction{Arguments: piece}}
			delta = `{"tool_calls":` + string(mustJSON([]chatToolCall{part})) + `}`
		}
		if err := out.event(r.delta(c, i, delta, nil), 1); err != nil {
			return err
		}
	}
	return out.event(r.delta(c, i, `{}`, r.finish(a)), 0)
}

func (*chatReply) last(*call) []byte { return []byte("data: [DONE]\n\n") }
