package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// ollamaObject reads an answer of Ollama, or a line of one: the last line counts. Old versions leave the prompt out
// where all of it was in the cache. Source: https://github.com/ollama/ollama/blob/main/docs/api.md.
func (m *Meter) ollamaObject(s *jsonscan.Scanner, o jsonscan.Token) {
	var prompt, answer count
	done := true
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "model":
			m.setModel(s)
		case "error":
			m.setError(s)
		case "message":
			m.ollamaMessage(s, s.Next())
		case "response", "thinking":
			m.countText(s)
		case "done":
			done = s.Next().Kind != jsonscan.False
		case "done_reason":
			if v := s.Next(); v.Kind == jsonscan.String {
				m.endings.end(0, ollamaFinish(s.Text(v)))
			}
		case "prompt_eval_count":
			prompt.read(s)
		case "eval_count":
			answer.read(s)
		}
	}
	m.goesOn(!done)
	if done && (prompt.set || answer.set) && s.Err() == nil {
		m.setUsage(pricing.Usage{Input: prompt.n, Output: answer.n}, prompt.negative || answer.negative)
	}
}

func (m *Meter) ollamaMessage(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "content", "thinking":
			m.countText(s)
		case "tool_calls":
			v := s.Next()
			m.tools = m.tools || v.Kind == jsonscan.Array
			m.textParts(s, v)
		}
	}
}

func ollamaFinish(reason []byte) Finish {
	switch string(reason) {
	case "stop":
		return FinishStop
	case "length":
		return FinishLength
	}
	return FinishUnknown
}

// tgiTable are the details that TGI gives. Only a stream counts the prompt.
// Source: https://huggingface.github.io/text-generation-inference.
var tgiTable = table{"generated_tokens": {to: ofAnswer}, "input_length": {to: ofPrompt}}

// tgiObject reads an answer of TGI's own API, or an event of one. The last event repeats all of the text.
func (m *Meter) tgiObject(s *jsonscan.Scanner, o jsonscan.Token) {
	var details jsonscan.Token
	token := false
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "error":
			m.setError(s)
		case "token":
			token = true
			m.textParts(s, s.Next())
		case "generated_text":
			if v := s.Next(); v.Kind == jsonscan.String {
				m.ended = true
				if !token && !m.stream {
					m.text += textLen(s.Text(v), v.Escaped)
				}
			}
		case "details":
			if details = s.Next(); details.Kind == jsonscan.Object {
				m.tgiDetails(s, details)
			}
		}
	}
}

func (m *Meter) tgiDetails(s *jsonscan.Scanner, o jsonscan.Token) {
	look := *s
	var t tally
	t.read(&look, o, tgiTable)
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "finish_reason":
			if v := s.Next(); v.Kind == jsonscan.String {
				m.endings.end(0, chatFinish(s.Text(v)))
			}
		case "prefill":
			list := s.Next()
			for _, ok := s.Element(list); ok; _, ok = s.Element(list) {
				t.n[ofPrompt] = t.n[ofPrompt].plus(count{n: 1})
			}
		}
	}
	if t.states(ofPrompt, ofAnswer) && s.Err() == nil {
		m.setUsage(pricing.Usage{Input: t.of(ofPrompt), Output: t.of(ofAnswer)}, t.negative())
		m.half = !t.states(ofPrompt)
	}
}
