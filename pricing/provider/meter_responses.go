package provider

import (
	"bytes"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// responsesEvent reads an event of a Responses stream. Source: the OpenAI API reference, "Responses streaming".
func (m *Meter) responsesEvent(data, name []byte) {
	s := jsonscan.New(data)
	o := s.Next()
	var response, item jsonscan.Token
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "type":
			if t := s.Next(); t.Kind == jsonscan.String {
				name = s.Text(t)
			}
		case "response":
			response = s.Skip()
		case "item":
			item = s.Skip()
		case "delta":
			if t := s.Next(); t.Kind == jsonscan.String && !bytes.Contains(name, []byte("audio")) {
				m.text += textLen(s.Text(t), t.Escaped)
			}
		case "error":
			m.setError(&s)
		}
	}
	if s.Finish() != nil {
		return
	}
	text := m.text
	switch string(name) {
	case "response.created", "response.in_progress", "response.queued":
		m.responsesObject(sub(data, response))
	case "response.completed", "response.incomplete", "response.failed":
		m.responsesObject(sub(data, response))
		m.ended = true
		m.failed = m.failed || string(name) == "response.failed"
	case "response.output_item.done":
		m.responsesItem(sub(data, item))
	case "response.refusal.delta":
		m.refused = true
	case "error":
		m.failed = true
	}
	m.text = text // the deltas counted it
}

// sub returns a Scanner and the first token of a value within data, given the span of the whole value.
func sub(data []byte, t jsonscan.Token) (*jsonscan.Scanner, jsonscan.Token) {
	s := jsonscan.New(data[t.Start:t.End])
	return &s, s.Next()
}

// responsesObject reads a response object: a body, or what some events carry.
func (m *Meter) responsesObject(s *jsonscan.Scanner, o jsonscan.Token) {
	var status, reason []byte
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "model":
			m.setModel(s)
		case "error":
			m.setError(s)
		case "usage":
			if u := readOpenAIUsage(s); u.stated() {
				m.setUsage(u.normalised())
			}
		case "status":
			status = s.Text(s.Next())
		case "incomplete_details":
			reason = readReason(s)
		case "output":
			list := s.Next()
			for item, ok := s.Element(list); ok; item, ok = s.Element(list) {
				m.responsesItem(s, item)
			}
		}
	}
	switch string(status) {
	case "completed":
		m.endings.end(0, FinishStop)
	case "incomplete":
		if string(reason) == "content_filter" {
			m.endings.end(0, FinishFiltered)
		} else {
			m.endings.end(0, FinishLength)
		}
	case "failed":
		m.failed = true
	}
}

// readReason reads incomplete_details.
func readReason(s *jsonscan.Scanner) (reason []byte) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		if string(s.Text(key)) == "reason" {
			reason = s.Text(s.Next())
		}
	}
	return reason
}

// responsesItem reads an output item: a message, reasoning, or a call of a tool.
func (m *Meter) responsesItem(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "type":
			m.tools = clientTool(s.Text(s.Next())) || m.tools
		case "name", "arguments", "input", "code":
			m.countText(s)
		case "content", "summary":
			list := s.Next()
			for part, ok := s.Element(list); ok; part, ok = s.Element(list) {
				m.responsesPart(s, part)
			}
		}
	}
}

func (m *Meter) responsesPart(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "text":
			m.countText(s)
		case "refusal":
			m.countRefusal(s)
		}
	}
}

// clientTool reports whether an output item of that type waits for the client to run or approve something.
func clientTool(itemType []byte) bool {
	switch string(itemType) {
	case "function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call",
		"mcp_approval_request":
		return true
	}
	return false
}
