package main

import (
	"encoding/json"
	"time"
)

// converse answers POST /model/ID/converse and /converse-stream, of any vendor's model.
func (s *server) converse(in *inbound, m *model, stream bool) *apiError {
	f, err := decodeBody(bedrock, in.body)
	if err != nil || m.Kind != makesAnswers {
		return invalid(bedrock, "The model returned the following errors: Malformed input request.")
	}
	g := f.object("inferenceConfig")
	d := draft{api: "bedrock.converse", model: m, shown: m.shown(), stream: stream, ask: ask{limit: -1}}
	if g.has("maxTokens") {
		d.ask.limit = g.integer("maxTokens")
	}
	if d.ask.limit == 0 || d.ask.limit > m.MaxOutput {
		return invalid(bedrock, "The maximum tokens you requested exceeds the model limit of %d.", m.MaxOutput)
	}
	r := &converseReader{w: s.promptWriter(m), ask: &d.ask}
	for _, e := range f.object("toolConfig").list("tools") {
		r.ask.tools = append(r.ask.tools, e.object().object("toolSpec").text("name"))
		r.w.mark(markTools)
		r.w.json(e.raw)
		r.w.end(blockTools, 0)
	}
	if f.has("system") {
		r.w.role(roleSystem)
		d.ask.system = r.blocks(f.list("system"), blockSystem)
	}
	for _, e := range f.list("messages") {
		message := e.object()
		r.w.role(roleMark(message.text("role")))
		if text := r.blocks(message.list("content"), blockMessage); message.text("role") == "user" {
			d.ask.lastUser = text
		}
		r.w.endMessage()
	}
	if d.prompt = r.w.finish(); d.prompt.length() > m.Window {
		return invalid(bedrock, "Input is too long for requested model.")
	}
	if f.d.problem != nil || len(f.list("messages")) == 0 {
		return invalid(bedrock, "A conversation must start with a user message. Try again with a conversation that starts with a user message.")
	}
	return s.answer(in, s.newCall(in, d), converseReply{})
}

// A converseReader renders Bedrock's messages.
type converseReader struct {
	w   promptWriter
	ask *ask
}

// blocks renders one content, whose cachePoint marks what stands before it, and returns its text.
func (r *converseReader) blocks(list []element, kind blockKind) string {
	text := ""
	for _, e := range list {
		block := e.object()
		switch {
		case block.has("cachePoint"):
			if n := len(r.w.prompt.blocks); n > 0 {
				r.w.prompt.blocks[n-1].marker = cachePointLife(block)
			}
			continue
		case block.has("text"):
			text += block.text("text")
			r.w.mark(markText)
			r.w.text(block.text("text"))
		case block.has("image"):
			r.w.image(e.raw)
		default:
			r.w.json(e.raw)
		}
		r.w.end(kind, 0)
	}
	return text
}

func cachePointLife(block fields) time.Duration {
	if block.object("cachePoint").text("ttl") == "1h" {
		return longLife
	}
	return shortLife
}

// A converseReply renders Bedrock's own API.
type converseReply struct{}

func (converseReply) contentType(stream bool) string {
	if stream {
		return "application/vnd.amazon.eventstream"
	}
	return "application/json"
}

// usage is exclusive, and gives every count under two names.
func (converseReply) usage(c *call) json.RawMessage {
	u := c.usage()
	writes := u.WriteShort + u.WriteLong
	out := map[string]any{"inputTokens": u.Input, "outputTokens": u.Output, "totalTokens": u.totalInput() + u.Output,
		"cacheReadInputTokens": u.CacheRead, "cacheReadInputTokenCount": u.CacheRead,
		"cacheWriteInputTokens": writes, "cacheWriteInputTokenCount": writes}
	if writes > 0 {
		out["cacheDetails"] = []map[string]any{{"ttl": "5m", "inputTokens": u.WriteShort}, {"ttl": "1h", "inputTokens": u.WriteLong}}
	}
	return mustJSON(out)
}

func (converseReply) stop(c *call) string {
	return map[stopReason]string{stopEnd: "end_turn", stopLength: "max_tokens", stopTool: "tool_use"}[c.answers[0].stop]
}

func (r converseReply) whole(c *call) []byte {
	a := c.answers[0]
	block := map[string]any{"text": a.text()}
	if a.tool != "" {
		block = map[string]any{"toolUse": map[string]any{"toolUseId": toolID("tooluse_", c, 0), "name": a.tool, "input": json.RawMessage(a.text())}}
	}
	body := map[string]any{"output": map[string]any{"message": map[string]any{"role": "assistant", "content": []any{block}}},
		"stopReason": r.stop(c), "metrics": map[string]int{"latencyMs": 321}}
	if !c.noUsage {
		body["usage"] = r.usage(c)
	}
	return mustJSON(body)
}

func (r converseReply) stream(c *call, out *sink) error {
	a := c.answers[0]
	emit := func(kind string, body any, tokens int) error {
		return out.event(eventFrame(kind, mustJSON(body)), tokens)
	}
	steps := []func() error{func() error { return emit("messageStart", map[string]string{"role": "assistant"}, 0) }}
	key := "text"
	if a.tool != "" {
		key = "toolUse"
		start := map[string]any{"contentBlockIndex": 0, "start": map[string]any{"toolUse": map[string]string{"toolUseId": toolID("tooluse_", c, 0), "name": a.tool}}}
		steps = append(steps, func() error { return emit("contentBlockStart", start, 0) })
	}
	for _, piece := range a.pieces {
		delta := map[string]any{key: piece}
		if a.tool != "" {
			delta[key] = map[string]string{"input": piece}
		}
		steps = append(steps, func() error {
			return emit("contentBlockDelta", map[string]any{"contentBlockIndex": 0, "delta": delta}, 1)
		})
	}
	return inOrder(append(steps,
		func() error { return emit("contentBlockStop", map[string]int{"contentBlockIndex": 0}, 0) },
		func() error { return emit("messageStop", map[string]string{"stopReason": r.stop(c)}, 0) })...)
}

func (r converseReply) last(c *call) []byte {
	body := map[string]any{"metrics": map[string]int{"latencyMs": 321}}
	if !c.noUsage {
		body["usage"] = r.usage(c)
	}
	return eventFrame("metadata", mustJSON(body))
}
