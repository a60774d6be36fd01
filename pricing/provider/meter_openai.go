package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// chatObject reads a chat completion or a chunk of one. Sources: the OpenAI API reference, "The chat completion
// object" and "The chat completion chunk object"; Groq's x_groq.
func (m *Meter) chatObject(s *jsonscan.Scanner, o jsonscan.Token) {
	var usage, groq openAIUsage
	choices := false
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "model":
			m.setModel(s)
		case "error":
			m.setError(s)
		case "usage":
			usage = readOpenAIUsage(s)
		case "x_groq":
			groq = readGroq(s)
		case "choices":
			list := s.Next()
			for c, ok := s.Element(list); ok; c, ok = s.Element(list) {
				choices = true
				m.chatChoice(s, c)
			}
		}
	}
	if !usage.stated() && s.Err() == nil {
		usage = groq // where both are given these are the same numbers, with fewer details
	}
	if usage.stated() {
		m.setUsage(usage.normalised())
		// Beside choices that go on it may be a running count.
		m.final = !choices || m.endings.all()
	}
}

// readGroq reads an x_groq object.
func readGroq(s *jsonscan.Scanner) (u openAIUsage) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		if string(s.Text(key)) == "usage" {
			u = readOpenAIUsage(s)
		}
	}
	return u
}

func (m *Meter) chatChoice(s *jsonscan.Scanner, o jsonscan.Token) {
	var index count
	reason, ended := FinishUnknown, false
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "index":
			index.read(s)
		case "delta", "message":
			m.chatMessage(s)
		case "finish_reason":
			if t := s.Next(); t.Kind == jsonscan.String && len(s.Text(t)) > 0 {
				reason, ended = chatFinish(s.Text(t)), true
			}
		}
	}
	m.endings.saw(index.n)
	if ended {
		m.endings.end(index.n, reason)
	}
}

// chatMessage counts the text of a message or delta, in whatever field a host puts it.
func (m *Meter) chatMessage(s *jsonscan.Scanner) {
	var reasoning int64
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "content":
			m.chatContent(s, s.Next())
		case "reasoning", "reasoning_content": // vLLM and others: the same text under both names
			reasoning = max(reasoning, readTextLen(s))
		case "refusal":
			m.countRefusal(s)
		case "tool_calls":
			list := s.Next()
			for call, ok := s.Element(list); ok; call, ok = s.Element(list) {
				m.tools = true
				m.chatCall(s, call)
			}
		case "function_call":
			if call := s.Next(); call.Kind == jsonscan.Object {
				m.tools = true
				m.chatFunction(s, call)
			}
		}
	}
	m.text += reasoning
}

// countRefusal counts a refusal that stands in place of text; it is null or empty in other answers.
func (m *Meter) countRefusal(s *jsonscan.Scanner) {
	n := readTextLen(s)
	m.text += n
	m.refused = m.refused || n > 0
}

// chatContent counts content that is a string or, as Mistral's reasoning models answer, a list of parts.
func (m *Meter) chatContent(s *jsonscan.Scanner, t jsonscan.Token) {
	if t.Kind == jsonscan.String {
		m.text += textLen(s.Text(t), t.Escaped)
	}
	for part, ok := s.Element(t); ok; part, ok = s.Element(t) {
		for key, ok := s.Member(part); ok; key, ok = s.Member(part) {
			switch string(s.Text(key)) {
			case "text":
				m.countText(s)
			case "thinking":
				m.chatThinking(s)
			}
		}
	}
}

// chatThinking counts a thinking part, a list of text parts.
func (m *Meter) chatThinking(s *jsonscan.Scanner) {
	list := s.Next()
	for part, ok := s.Element(list); ok; part, ok = s.Element(list) {
		for key, ok := s.Member(part); ok; key, ok = s.Member(part) {
			if string(s.Text(key)) == "text" {
				m.countText(s)
			}
		}
	}
}

func (m *Meter) chatCall(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "function", "custom":
			m.chatFunction(s, s.Next())
		}
	}
}

func (m *Meter) chatFunction(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "name", "arguments", "input":
			m.countText(s)
		}
	}
}

// chatFinish maps the finish reasons of OpenAI and of hosts that speak its format: Mistral's model_length, the
// eos_token and stop_sequence of TGI.
func chatFinish(reason []byte) Finish {
	switch string(reason) {
	case "stop", "eos_token", "stop_sequence":
		return FinishStop
	case "length", "model_length":
		return FinishLength
	case "tool_calls", "function_call":
		return FinishTools
	case "content_filter":
		return FinishFiltered
	}
	return FinishUnknown
}

// openAIUsage is the usage object of OpenAI chat and Responses, with the additions of hosts that speak the
// format: DeepSeek's hit and miss, Mistral's num_cached_tokens.
type openAIUsage struct {
	prompt, completion, total    count
	cached, numCached, hit, miss count
	cacheWrite, reasoning        count
}

// readOpenAIUsage reads a usage object. One that is cut short counts as absent, as its last number may be too.
func readOpenAIUsage(s *jsonscan.Scanner) (u openAIUsage) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "prompt_tokens", "input_tokens":
			u.prompt.read(s)
		case "completion_tokens", "output_tokens":
			u.completion.read(s)
		case "total_tokens":
			u.total.read(s)
		case "num_cached_tokens":
			u.numCached.read(s)
		case "prompt_cache_hit_tokens":
			u.hit.read(s)
		case "prompt_cache_miss_tokens":
			u.miss.read(s)
		case "prompt_tokens_details", "input_tokens_details", "completion_tokens_details", "output_tokens_details":
			u.readDetails(s)
		}
	}
	if s.Err() != nil {
		return openAIUsage{}
	}
	return u
}

func (u *openAIUsage) readDetails(s *jsonscan.Scanner) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "cached_tokens":
			u.cached.read(s)
		case "cache_write_tokens":
			u.cacheWrite.read(s)
		case "reasoning_tokens":
			u.reasoning.read(s)
		}
	}
}

// stated reports whether there was a usage at all; null and an empty object are none.
func (u *openAIUsage) stated() bool {
	return u.prompt.set || u.hit.set || u.miss.set
}

// normalised takes the overlapping counts apart. The prompt includes what was read from and written to the
// cache, though the parts of some hosts add up to more (OpenRouter for Gemini). The completion includes
// reasoning, except at hosts whose numbers say otherwise (xAI, Vercel).
func (u *openAIUsage) normalised() pricing.Usage {
	prompt := u.prompt.n
	if !u.prompt.set {
		prompt = u.hit.n + u.miss.n
	}
	read := max(u.cached.n, u.numCached.n, u.hit.n)
	output := u.completion.n
	reasoning := u.reasoning.n
	if reasoning > output || (reasoning > 0 && u.total.n == prompt+output+reasoning) {
		output += reasoning
	}
	return pricing.Usage{
		Input:           max(0, prompt-read-u.cacheWrite.n),
		CacheRead:       read,
		CacheWriteShort: u.cacheWrite.n,
		Output:          output,
		Reasoning:       reasoning,
	}
}
