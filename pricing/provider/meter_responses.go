package provider

import (
	"bytes"

	"github.com/farebox-mesh/farebox/pricing"
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
		inner, o := sub(data, item)
		m.responsesItem(inner, o, &m.serverTools)
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
	var id jsonscan.Token
	var run serverTools
	background := false
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "id":
			id = s.Next()
		case "model":
			m.setModel(s)
		case "error":
			m.setError(s)
		case "service_tier":
			m.setService(s)
		case "usage":
			usage := readTally(s, openAITable)
			m.setOpenAI(&usage)
		case "tool_usage":
			if t := readTally(s, toolUsage); t.states(ofPrompt, ofAnswer) {
				run.painted = paintedTokens(&t)
			}
		case "status":
			status = s.Text(s.Next())
		case "background":
			background = s.Next().Kind == jsonscan.True
		case "incomplete_details":
			reason = readReason(s)
		case "output":
			list := s.Next()
			for item, ok := s.Element(list); ok; item, ok = s.Element(list) {
				m.responsesItem(s, item, &run)
			}
		}
	}
	m.serverTools.atLeast(&run)
	m.pending, m.id = false, ""
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
	case "queued", "in_progress":
		if m.pending = background || !m.stream; m.pending {
			m.id = s.String(id)
		}
	}
}

// serverTools counts what a Responses call had the provider's own tools do. Its usage does not say.
// Source: https://platform.openai.com/docs/pricing, "Built-in tools".
type serverTools struct {
	webSearches, fileSearches, codeRuns, pictures int64
	painted                                       pricing.Usage // tokens of the model that made the pictures
	container                                     uint64        // hash of the code interpreter's that ran last
}

// atLeast takes the higher of two counts of the same calls: an event tells of each, and the end of a stream of all,
// but not at every host.
func (t *serverTools) atLeast(other *serverTools) {
	t.webSearches = max(t.webSearches, other.webSearches)
	t.fileSearches = max(t.fileSearches, other.fileSearches)
	t.codeRuns = max(t.codeRuns, other.codeRuns)
	t.pictures = max(t.pictures, other.pictures)
	if other.painted != (pricing.Usage{}) {
		t.painted = other.painted
	}
}

// add counts an output item. Pages that a search opens are free, and so is what failed; the interpreter is charged
// by the container.
func (t *serverTools) add(kind, status, action []byte, container uint64) {
	if string(status) == "failed" {
		return
	}
	switch string(kind) {
	case "web_search_call":
		if len(action) == 0 || string(action) == "search" {
			t.webSearches++
		}
	case "file_search_call":
		t.fileSearches++
	case "code_interpreter_call":
		if t.codeRuns == 0 || container != t.container {
			t.codeRuns++
		}
		t.container = container
	case "image_generation_call":
		t.pictures++
	}
}

// into enters the calls into a usage that does not count them itself, as xAI's does.
func (t *serverTools) into(u *pricing.Usage) {
	u.WebSearches = max(u.WebSearches, t.webSearches)
	u.FileSearches = max(u.FileSearches, t.fileSearches)
	u.CodeRuns = max(u.CodeRuns, t.codeRuns)
	u.Images = max(u.Images, t.pictures)
	*u = u.Plus(t.painted)
}

// paints reports whether another model than the response's made pictures for it.
func (t *serverTools) paints() bool { return t.pictures > 0 || t.painted != pricing.Usage{} }

// toolUsage is what a response's usage leaves out, as the model that makes pictures counts it.
var toolUsage = table{"image_gen": {in: mediaTable}}

// paintedTokens takes its counts apart: an answer that is not split is pictures.
func paintedTokens(t *tally) (u pricing.Usage) {
	if !t.states(ofOutputImage, ofOutputText) {
		t.n[ofOutputImage] = t.n[ofAnswer]
	}
	t.prompt(&u, t.of(ofPrompt))
	t.answer(&u, t.of(ofAnswer), 0)
	return u
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

// responsesItem reads an output item: a message, reasoning, or a call of a tool, which it adds to run.
func (m *Meter) responsesItem(s *jsonscan.Scanner, o jsonscan.Token, run *serverTools) {
	var kind, status, action []byte
	var container uint64
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "type":
			kind = s.Text(s.Next())
		case "status":
			status = s.Text(s.Next())
		case "action":
			action = readType(s)
		case "container_id":
			container = hashOf(s.Text(s.Next()))
		case "name", "arguments", "input", "code":
			m.countText(s)
		case "content", "summary":
			list := s.Next()
			for part, ok := s.Element(list); ok; part, ok = s.Element(list) {
				m.responsesPart(s, part)
			}
		}
	}
	if s.Err() != nil {
		return
	}
	m.tools = clientTool(kind) || m.tools
	run.add(kind, status, action, container)
}

// readType reads the type of an object.
func readType(s *jsonscan.Scanner) (kind []byte) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		if string(s.Text(key)) == "type" {
			kind = s.Text(s.Next())
		}
	}
	return kind
}

// hashOf tells a few ids apart: FNV-1a.
func hashOf(id []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range id {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
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
