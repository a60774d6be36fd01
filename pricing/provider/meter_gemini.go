package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// geminiObject reads a GenerateContentResponse: a body, an element of a streamed array or a chunk. Source: the
// Gemini API reference, "GenerateContentResponse" and "UsageMetadata".
func (m *Meter) geminiObject(s *jsonscan.Scanner, o jsonscan.Token) {
	counted := false
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "modelVersion":
			m.setModel(s)
		case "error":
			m.setError(s)
		case "usageMetadata":
			counted = m.geminiUsage(s)
		case "promptFeedback":
			m.geminiFeedback(s)
		case "candidates":
			list := s.Next()
			for c, ok := s.Element(list); ok; c, ok = s.Element(list) {
				m.geminiCandidate(s, c)
			}
		}
	}
	m.final = counted && m.endings.all()
}

// geminiFeedback reads promptFeedback, which says why there are no candidates.
func (m *Meter) geminiFeedback(s *jsonscan.Scanner) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		if string(s.Text(key)) == "blockReason" && s.Next().Kind == jsonscan.String {
			m.endings.end(0, FinishFiltered)
		}
	}
}

func (m *Meter) geminiCandidate(s *jsonscan.Scanner, o jsonscan.Token) {
	var index count
	reason, ended := FinishUnknown, false
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "index":
			index.read(s)
		case "finishReason":
			if t := s.Next(); t.Kind == jsonscan.String {
				reason, ended = geminiFinish(s.Text(t)), true
			}
		case "content":
			m.geminiContent(s)
		}
	}
	m.endings.saw(index.n)
	if ended {
		m.endings.end(index.n, reason)
	}
}

func (m *Meter) geminiContent(s *jsonscan.Scanner) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		if string(s.Text(key)) != "parts" {
			continue
		}
		list := s.Next()
		for part, ok := s.Element(list); ok; part, ok = s.Element(list) {
			m.geminiPart(s, part)
		}
	}
}

// geminiPart counts the text of a part, thoughts included, and its calls and code as they are spelled.
func (m *Meter) geminiPart(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "text":
			m.countText(s)
		case "functionCall":
			m.tools = true
			m.countJSON(s)
		case "executableCode":
			m.countJSON(s)
		}
	}
}

// geminiFinish maps finishReason.
func geminiFinish(reason []byte) Finish {
	switch string(reason) {
	case "STOP":
		return FinishStop
	case "MAX_TOKENS":
		return FinishLength
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
		"IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return FinishFiltered
	}
	return FinishUnknown
}

// geminiUsage is a usageMetadata object. Every field may be absent.
type geminiUsage struct {
	prompt, tool, cached, candidates, thoughts, total count
}

// geminiUsage reads a usageMetadata object and reports whether it holds any count; Vertex sends some without. In a
// stream the last one counts; one whose fields do not add up to its own total leaves out what earlier ones said,
// and is read over those.
func (m *Meter) geminiUsage(s *jsonscan.Scanner) bool {
	var u geminiUsage
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "promptTokenCount":
			u.prompt.read(s)
		case "toolUsePromptTokenCount":
			u.tool.read(s)
		case "cachedContentTokenCount":
			u.cached.read(s)
		case "candidatesTokenCount":
			u.candidates.read(s)
		case "thoughtsTokenCount":
			u.thoughts.read(s)
		case "totalTokenCount":
			u.total.read(s)
		}
	}
	if s.Err() != nil || u == (geminiUsage{}) {
		return false
	}
	if !u.addsUp() {
		u.fillFrom(m.gemini)
	}
	m.gemini = u
	m.setUsage(u.normalised())
	return true
}

// addsUp reports whether the fields are all of what the total counts.
func (u *geminiUsage) addsUp() bool {
	visible := u.prompt.n + u.tool.n + u.candidates.n
	return u.prompt.set && u.total.set && (u.total.n == visible+u.thoughts.n || u.total.n == visible)
}

// fillFrom takes from an earlier object what this one leaves out.
func (u *geminiUsage) fillFrom(earlier geminiUsage) {
	for _, f := range [...]struct {
		to   *count
		from count
	}{
		{&u.prompt, earlier.prompt}, {&u.tool, earlier.tool}, {&u.cached, earlier.cached},
		{&u.candidates, earlier.candidates}, {&u.thoughts, earlier.thoughts}, {&u.total, earlier.total},
	} {
		if !f.to.set {
			*f.to = f.from
		}
	}
}

// normalised takes the overlapping counts apart. The prompt includes what came from the cache and excludes what
// tools put in. Candidates exclude thoughts, except in early previews, whose total shows it.
func (u *geminiUsage) normalised() pricing.Usage {
	output, reasoning := u.candidates.n+u.thoughts.n, u.thoughts.n
	visible := u.prompt.n + u.candidates.n
	if u.total.set && (u.total.n == visible+u.tool.n || u.total.n == visible) && reasoning <= u.candidates.n {
		output = u.candidates.n
	}
	return pricing.Usage{
		Input:     max(0, u.prompt.n-u.cached.n) + u.tool.n,
		CacheRead: u.cached.n,
		Output:    output,
		Reasoning: reasoning,
	}
}
