package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// cohereTable is the usage of Cohere's second version and the meta of its first. The billed units are what is charged;
// the tokens beside them count the template too. Voyage and Jina state the tokens of a ranking.
// Source: https://docs.cohere.com/reference, "usage" and "meta".
var cohereTable = table{
	"billed_units": {in: table{
		"input_tokens":  {to: ofBilledPrompt},
		"output_tokens": {to: ofBilledAnswer},
		"search_units":  {to: ofSearchUnits},
		"image_tokens":  {to: ofInputImage},
	}},
	"tokens":       {in: table{"input_tokens": {to: ofPrompt}, "output_tokens": {to: ofAnswer}}},
	"total_tokens": {to: ofPrompt},
}

// setCohere takes billed units, or the tokens where a host states nothing else.
func (m *Meter) setCohere(t *tally) {
	u := pricing.Usage{SearchUnits: t.of(ofSearchUnits), InputImage: t.of(ofInputImage)}
	switch {
	case t.states(ofBilledPrompt, ofBilledAnswer, ofSearchUnits, ofInputImage):
		u.Input, u.Output = t.of(ofBilledPrompt), t.of(ofBilledAnswer)
	case t.states(ofPrompt, ofAnswer):
		u.Input, u.Output = t.of(ofPrompt), t.of(ofAnswer)
	default:
		return
	}
	m.setUsage(u, t.negative())
}

// cohereObject reads an answer of any of Cohere's APIs, or an event of one. delta says that o is what an event adds.
func (m *Meter) cohereObject(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "model":
			m.setModel(s)
		case "usage", "meta":
			t := readTally(s, cohereTable)
			m.setCohere(&t)
		case "message":
			if v := s.Next(); v.Kind == jsonscan.String { // all that an error has
				m.failed = true
			} else {
				m.cohereMessage(s, v)
			}
		case "text":
			m.cohereText(s)
		case "delta":
			m.cohereObject(s, s.Next())
		case "response":
			m.whole = true // of a stream whose pieces were counted
			m.cohereObject(s, s.Next())
			m.whole = false
		case "generations":
			list := s.Next()
			for part, ok := s.Element(list); ok; part, ok = s.Element(list) {
				m.cohereObject(s, part)
			}
		case "tool_calls":
			if list := s.Skip(); list.Kind == jsonscan.Array && list.End-list.Start > len("[]") {
				m.tools = true
				m.text += int64(list.End - list.Start)
			}
		case "finish_reason":
			if v := s.Next(); v.Kind == jsonscan.String {
				m.cohereFinish(s.Text(v))
			}
		case "type":
			m.ended = string(s.Text(s.Next())) == "message-end" || m.ended
		case "is_finished":
			m.goesOn(s.Next().Kind == jsonscan.False)
		case "error":
			m.setError(s)
		}
	}
}

// cohereText counts a text, unless it is the sum of what was counted.
func (m *Meter) cohereText(s *jsonscan.Scanner) {
	if n := readTextLen(s); !m.whole {
		m.text += n
	}
}

// cohereMessage counts the content, plan and calls of a message or of what an event adds to one.
func (m *Meter) cohereMessage(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "content", "tool_plan":
			m.textParts(s, s.Next())
		case "tool_calls":
			v := s.Next()
			m.tools = m.tools || v.Kind == jsonscan.Object || v.Kind == jsonscan.Array
			m.textParts(s, v)
		}
	}
}

// cohereFinish notes finish_reason.
func (m *Meter) cohereFinish(reason []byte) {
	why := FinishUnknown
	switch string(reason) {
	case "COMPLETE", "STOP_SEQUENCE":
		why = FinishStop
	case "MAX_TOKENS", "ERROR_LIMIT":
		why = FinishLength
	case "TOOL_CALL":
		why = FinishTools
	case "ERROR_TOXIC":
		why = FinishFiltered
	case "ERROR", "TIMEOUT":
		m.failed = true
	}
	m.endings.end(0, why)
}
