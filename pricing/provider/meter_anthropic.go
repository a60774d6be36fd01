package provider

import (
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// anthropicEvent reads an event of a Messages stream. Source: Anthropic's API documentation, "Streaming messages".
func (m *Meter) anthropicEvent(data, name []byte) {
	s := jsonscan.New(data)
	o := s.Next()
	var message, delta, block, usage, metrics jsonscan.Token
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "type":
			if t := s.Next(); t.Kind == jsonscan.String {
				name = s.Text(t)
			}
		case "message":
			message = s.Skip()
		case "delta":
			delta = s.Skip()
		case "content_block":
			block = s.Skip()
		case "usage":
			usage = s.Skip()
		case "amazon-bedrock-invocationMetrics":
			metrics = s.Skip()
		case "error":
			m.setError(&s)
		}
	}
	if s.Finish() != nil {
		return
	}
	switch string(name) {
	case "message_start":
		m.anthropicMessage(sub(data, message))
	case "content_block_start":
		m.anthropicBlock(sub(data, block))
	case "content_block_delta":
		m.anthropicBlock(sub(data, delta))
	case "message_delta":
		m.anthropicMessage(sub(data, delta)) // stop_reason
		inner, u := sub(data, usage)
		m.final = m.anthropicUsage(inner, u) && m.endings.all()
	case "message_stop":
		m.ended = true
	case "error":
		m.failed = true
	}
	if metrics.Kind == jsonscan.Object {
		inner := jsonscan.New(s.Text(metrics))
		m.bedrockEnd(&inner)
	}
}

// anthropicMessage reads a message object: a body, or the start of a stream.
func (m *Meter) anthropicMessage(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "model":
			m.setModel(s)
		case "error":
			m.setError(s)
		case "usage":
			m.anthropicUsage(s, s.Next())
		case "stop_reason":
			if t := s.Next(); t.Kind == jsonscan.String {
				m.endings.end(0, anthropicFinish(s.Text(t)))
			}
		case "content":
			list := s.Next()
			for b, ok := s.Element(list); ok; b, ok = s.Element(list) {
				m.anthropicBlock(s, b)
			}
		}
	}
}

// anthropicBlock counts the text of a content block or of a delta to one. Signatures, encrypted thinking and the
// results of server tools are not text that the model wrote.
func (m *Meter) anthropicBlock(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "text", "thinking", "partial_json", "name":
			m.countText(s)
		case "input":
			if t := s.Skip(); t.End-t.Start > len("{}") { // the start of a streamed block has it empty
				m.text += int64(t.End - t.Start)
			}
		}
	}
}

// anthropicFinish maps stop_reason. A pause_turn is unfinished, and no answer to replay.
func anthropicFinish(reason []byte) Finish {
	switch string(reason) {
	case "end_turn", "stop_sequence":
		return FinishStop
	case "max_tokens", "model_context_window_exceeded":
		return FinishLength
	case "tool_use":
		return FinishTools
	case "refusal":
		return FinishFiltered
	}
	return FinishUnknown
}
