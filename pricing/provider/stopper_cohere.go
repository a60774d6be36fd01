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
	name, index := string(e.name), int64(0)
	s := jsonscan.New(e.data)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		switch string(s.Text(key)) {
		case "type":
			if v := s.Next(); v.Kind == jsonscan.String {
				name = s.String(v)
			}
		case "index":
			index, _ = s.Int(s.Next())
		case "id":
			keep(&c.id, e.data, s.Skip())
		}
	}
	switch name {
	case "message-start":
		c.begun = true
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

// cohereLines ends a stream of Cohere's first chat API, a JSON object to a line.
type cohereLines struct {
	id          []byte
	text        []byte // of the answer, as its events spell it
	begun, over bool
}

func (c *cohereLines) see(line []byte) {
	var name, text []byte
	s := jsonscan.New(line)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		switch string(s.Text(key)) {
		case "event_type":
			name = s.Text(s.Next())
		case "generation_id":
			keep(&c.id, line, s.Skip())
		case "text":
			if v := s.Next(); v.Kind == jsonscan.String {
				text = s.Text(v)
			}
		}
	}
	switch string(name) {
	case "stream-start":
		c.begun = true
	case "text-generation":
		if len(c.text)+len(text) <= maxEvent {
			c.text = append(c.text, text...)
		}
	case "stream-end":
		c.over = true
	}
}

func (c *cohereLines) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if !c.begun || c.over {
		return dst, false
	}
	dst = append(dst, `{"is_finished":true,"event_type":"stream-end","finish_reason":"MAX_TOKENS","response":{"text":"`...)
	dst = append(append(dst, c.text...), `","generation_id":`...)
	dst = append(appendRaw(dst, c.id, "null"), `,"finish_reason":"MAX_TOKENS","meta":{"billed_units":`...)
	return append(cohereTokens(dst, u), "}}}\n"...), true
}
