package provider

import (
	"bytes"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// cohereEnding ends a stream of Cohere's second chat API.
// Source: https://docs.cohere.com/v2/docs/streaming, read in November 2026.
type cohereEnding struct {
	id              []byte // as message-start spells it
	contents, calls openParts
	begun, over     bool
}

func (c *cohereEnding) seeEvent(e event) {
	if bytes.Equal(bytes.TrimSpace(e.data), []byte("[DONE]")) {
		c.over = true
		return
	}
	kind, index := kindOf(e)
	switch kind {
	case "message-start":
		c.begun = true
		keep(&c.id, memberOf(e.data, "id"))
	case "content-start":
		c.contents.begin(index)
	case "content-end":
		c.contents.end(index)
	case "tool-call-start":
		c.calls.begin(index)
	case "tool-call-end":
		c.calls.end(index)
	case "message-end":
		c.over = true
	}
}

func (c *cohereEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if !c.begun || c.over {
		return dst, false
	}
	for _, index := range c.contents {
		dst = appendEvent(dst, "content-end", append(appendCount(nil, `{"type":"content-end","index":`, index), '}'))
	}
	for _, index := range c.calls {
		dst = appendEvent(dst, "tool-call-end", append(appendCount(nil, `{"type":"tool-call-end","index":`, index), '}'))
	}
	end := []byte(`{"type":"message-end"`)
	if len(c.id) > 0 {
		end = append(append(end, `,"id":`...), c.id...)
	}
	end = append(end, `,"delta":{"finish_reason":"MAX_TOKENS","usage":{"billed_units":`...)
	end = append(cohereTokens(end, u), `,"tokens":`...)
	end = append(cohereTokens(end, u), "}}}"...)
	return append(appendEvent(dst, "message-end", end), "data: [DONE]\n\n"...), true
}

func cohereTokens(dst []byte, u *pricing.Usage) []byte {
	dst = appendCount(dst, `{"input_tokens":`, u.TotalInput())
	return append(appendCount(dst, `,"output_tokens":`, u.TotalOutput()), '}')
}

// cohereLines ends a stream of Cohere's first API, a JSON object to a line: of a chat, which begins with an event, or of
// a generation, which has names for its events in later versions alone.
// Source: https://docs.cohere.com/v1/reference, "Chat with Streaming" and "Generate", read in November 2026.
type cohereLines struct {
	id          []byte
	answer      keptText
	chat, named bool
	begun, over bool
}

func (c *cohereLines) see(line []byte) {
	var kind, text []byte
	finished := false
	index := int64(0)
	s := jsonscan.New(line)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		switch string(s.Text(key)) {
		case "event_type":
			kind = s.Text(s.Next())
		case "generation_id":
			keep(&c.id, whole(line, s.Skip()))
		case "is_finished":
			finished = s.Next().Kind == jsonscan.True
		case "index":
			index, _ = s.Int(s.Next())
		case "text":
			if v := s.Next(); v.Kind == jsonscan.String {
				text = s.Text(v)
			}
		case "message": // all that an error has
			c.over = true
		}
	}
	if s.Finish() != nil {
		return
	}
	c.begun = true
	c.named = c.named || len(kind) > 0
	c.chat = c.chat || string(kind) == "stream-start"
	c.over = c.over || finished || index > 0 // several generations at once
	if len(kind) == 0 || string(kind) == "text-generation" {
		c.answer.add(text)
	}
}

func (c *cohereLines) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if !c.begun || c.over || c.answer.lost {
		return dst, false
	}
	return append(c.last(dst, u), "}\n"...), true
}

// last appends the object that ends the stream, but for its brace.
func (c *cohereLines) last(dst []byte, u *pricing.Usage) []byte {
	dst = append(dst, `{"is_finished":true`...)
	if c.named {
		dst = append(dst, `,"event_type":"stream-end"`...)
	}
	dst = append(dst, `,"finish_reason":"MAX_TOKENS","response":{`...)
	if !c.chat {
		dst = append(dst, `"id":"farebox","generations":[{"id":"farebox","text":"`...)
		return append(append(dst, c.answer.text...), `","finish_reason":"MAX_TOKENS"}]}`...)
	}
	dst = append(append(append(dst, `"text":"`...), c.answer.text...), `","generation_id":`...)
	dst = append(appendRaw(dst, c.id, "null"), `,"finish_reason":"MAX_TOKENS","meta":{"billed_units":`...)
	return append(cohereTokens(dst, u), "}}"...)
}
