package provider

import (
	"strings"

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
			counted = m.readGemini(s)
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
	m.serverTools.atLeast(&serverTools{webSearches: geminiSearches(m.model, m.queries, m.grounded)})
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
			if t := s.Next(); t.Kind == jsonscan.String || t.Kind == jsonscan.Number {
				reason, ended = geminiFinish(s.Text(t)), true
			}
		case "content":
			m.geminiContent(s)
		case "groundingMetadata":
			m.geminiGrounding(s)
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

// geminiFinish maps finishReason. Clients may ask for enums as numbers ("$alt=json;enum-encoding=int").
func geminiFinish(reason []byte) Finish {
	switch string(reason) {
	case "STOP", "1":
		return FinishStop
	case "MAX_TOKENS", "2":
		return FinishLength
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
		"IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return FinishFiltered
	}
	return FinishUnknown
}

// geminiTable is a usageMetadata object. Every field may be absent. Source: the Gemini API reference, "UsageMetadata";
// Vertex AI adds trafficType.
var geminiTable = table{
	"promptTokenCount":           {to: ofPrompt},
	"toolUsePromptTokenCount":    {to: ofToolPrompt},
	"cachedContentTokenCount":    {to: ofCacheRead},
	"candidatesTokenCount":       {to: ofAnswer},
	"thoughtsTokenCount":         {to: ofReasoning},
	"totalTokenCount":            {to: ofTotal},
	"promptTokensDetails":        {take: takePromptModes},
	"promptTokenDetails":         {take: takePromptModes}, // of embeddings
	"cacheTokensDetails":         {take: takeCacheModes},
	"candidatesTokensDetails":    {take: takeAnswerModes},
	"toolUsePromptTokensDetails": {take: takeToolModes},
	"trafficType":                {take: takeService},
	"serviceTier":                {take: takeService},
}

// modes reads a list of {modality, tokenCount}. Text, video and documents have no rate of their own. Numbers are those of
// the enum Modality (google/ai/generativelanguage/v1beta/content.proto).
func (t *tally) modes(s *jsonscan.Scanner, audio, image tallied) {
	var sounds, images count
	list := s.Next()
	for o, ok := s.Element(list); ok; o, ok = s.Element(list) {
		mode, n := readMode(s, o)
		switch string(mode) {
		case "AUDIO", "audio", "4":
			sounds = sounds.plus(n)
		case "IMAGE", "image", "2":
			images = images.plus(n)
		}
	}
	if list.Kind == jsonscan.Array {
		t.n[audio], t.n[image] = sounds, images
	}
}

func readMode(s *jsonscan.Scanner, o jsonscan.Token) (mode []byte, n count) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "tokenCount", "tokens": // of interactions
			n.read(s)
		case "modality":
			mode = s.Text(s.Next())
		}
	}
	return mode, n
}

// readGemini reads a usageMetadata object and reports whether it holds any count; Vertex sends some without. In a
// stream the last one counts; one whose fields do not add up to its own total leaves out what earlier ones said,
// and is read over those.
func (m *Meter) readGemini(s *jsonscan.Scanner) bool {
	t := readTally(s, geminiTable)
	if t.tiered {
		m.service, m.tiered = t.service, true
	}
	if t.n == [lastTallied]count{} {
		return false
	}
	if !t.geminiAddsUp() {
		t.fillFrom(&m.said)
	}
	m.said = t
	if !t.states(ofPrompt) || !t.states(ofAnswer, ofTotal) && m.api != GeminiEmbed { // nobody knows what else there was
		return false
	}
	m.setUsage(t.geminiUsage(m.api == GeminiEmbed), t.negative(ofReasoning))
	return true
}

// geminiAddsUp reports whether the counts are all of what the total counts.
func (t *tally) geminiAddsUp() bool {
	visible := t.of(ofPrompt) + t.of(ofToolPrompt) + t.of(ofAnswer)
	return t.states(ofPrompt) && t.states(ofTotal) && (t.of(ofTotal) == visible+t.of(ofReasoning) || t.of(ofTotal) == visible)
}

// geminiUsage takes the overlapping counts apart. The prompt includes what came from the cache and excludes what
// tools put in. Candidates exclude thoughts, except in early previews, whose total shows it. Only embeddings have a
// rate of their own for images that are read; elsewhere they cost what text costs and are counted with it.
func (t *tally) geminiUsage(embed bool) (u pricing.Usage) {
	answer, reasoning := t.of(ofAnswer)+t.of(ofReasoning), t.of(ofReasoning)
	visible := t.of(ofPrompt) + t.of(ofAnswer)
	total, tool := t.of(ofTotal), t.of(ofToolPrompt)
	if t.states(ofTotal) && (total == visible+tool || total == visible) && reasoning <= t.of(ofAnswer) {
		answer = t.of(ofAnswer)
	}
	if !embed {
		t.n[ofInputImage] = count{}
	}
	t.prompt(&u, t.of(ofPrompt))
	toolAudio := min(t.of(ofToolAudio), tool)
	u.InputAudio += toolAudio
	u.Input += tool - toolAudio
	t.answer(&u, answer, reasoning)
	return u
}

// geminiSearches is how often a response was grounded in Google's search, in the unit that is billed: since Gemini 3
// the query, before that the prompt. Source: https://ai.google.dev/gemini-api/docs/google-search, "Pricing".
func geminiSearches(model pricing.ModelName, queries int64, grounded bool) int64 {
	if family, ok := strings.CutPrefix(string(model), "gemini-"); ok && family >= "3" {
		return queries
	}
	if grounded {
		return 1
	}
	return 0
}

// geminiGrounding reads groundingMetadata: the queries of web searches, and whether their results were used.
func (m *Meter) geminiGrounding(s *jsonscan.Scanner) {
	o := s.Next()
	var queries int64
	grounded := false
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "webSearchQueries":
			list := s.Next()
			for q, ok := s.Element(list); ok; q, ok = s.Element(list) {
				if q.Kind == jsonscan.String && len(s.Text(q)) > 0 {
					queries++
				}
			}
		case "groundingChunks":
			list := s.Next()
			for _, ok := s.Element(list); ok; _, ok = s.Element(list) {
				grounded = true
			}
		}
	}
	m.queries, m.grounded = max(m.queries, queries), m.grounded || grounded || queries > 0
}
