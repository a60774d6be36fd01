package main

import (
	"encoding/json"
	"strconv"
)

// A chatReply renders Chat completions.
type chatReply struct {
	includeUsage bool
	pool         bool
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
	if !r.pool {
		b.ServiceTier, b.Fingerprint = "default", "fp_"+c.id[len(c.id)-10:]
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
	if r.pool {
		return mustJSON(b)
	}
	return pretty(b)
}

// toolID names the tool call of one answer.
func toolID(prefix string, c *call, index int) string {
	return prefix + c.id[len(c.id)-20:] + strconv.Itoa(index)
}

// usage is inclusive: cached and written tokens are part of the prompt, reasoning is part of the completion.
func (r *chatReply) usage(c *call) json.RawMessage {
	u := c.usage()
	type promptDetails struct {
		Cached int  `json:"cached_tokens"`
		Audio  int  `json:"audio_tokens"`
		Writes *int `json:"cache_write_tokens,omitempty"`
	}
	type completionDetails struct {
		Reasoning int `json:"reasoning_tokens"`
		Audio     int `json:"audio_tokens"`
		Accepted  int `json:"accepted_prediction_tokens"`
		Rejected  int `json:"rejected_prediction_tokens"`
	}
	out := struct {
		Prompt            int                `json:"prompt_tokens"`
		Completion        int                `json:"completion_tokens"`
		Total             int                `json:"total_tokens"`
		PromptDetails     *promptDetails     `json:"prompt_tokens_details"`
		CompletionDetails *completionDetails `json:"completion_tokens_details,omitempty"`
	}{Prompt: u.totalInput(), Completion: u.Output, Total: u.totalInput() + u.Output}
	if !r.pool {
		out.PromptDetails = &promptDetails{Cached: u.CacheRead, Writes: writesOf(c, u)}
		out.CompletionDetails = &completionDetails{Reasoning: u.Reasoning}
	}
	return mustJSON(out)
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
	if b.Usage = usage; usage == nil && r.includeUsage && !r.pool {
		b.Usage = json.RawMessage("null")
	}
	return sse("", mustJSON(b))
}

func (r *chatReply) delta(c *call, index int, delta string, finish *string) []byte {
	return r.chunk(c, []chatChoice{{Index: index, Delta: json.RawMessage(delta), FinishReason: finish}}, nil)
}

func (r *chatReply) stream(c *call, out *sink) error {
	for i, a := range c.answers {
		out.generated(a.reasoning)
		if err := r.streamAnswer(c, i, a, out); err != nil {
			return err
		}
	}
	if !r.includeUsage || c.noUsage {
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
