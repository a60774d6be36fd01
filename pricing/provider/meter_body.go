package provider

import (
	"bytes"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// keepJSON keeps the start of a body, and of one above the limit the end too.
func (m *Meter) keepJSON(p []byte) {
	head := min(len(p), m.limit-len(m.body))
	m.body = append(m.body, p[:head]...)
	p = p[head:]
	if len(p) == 0 {
		return
	}
	if m.tail == nil {
		m.tail = append(make([]byte, 0, 4*maxTail), m.body[len(m.body)-maxTail:]...)
	}
	if len(p) >= maxTail {
		m.tail = append(m.tail[:0], p[len(p)-maxTail:]...)
		return
	}
	if len(m.tail)+len(p) > cap(m.tail) {
		m.tail = m.tail[:copy(m.tail, m.tail[len(m.tail)-maxTail:])]
	}
	m.tail = append(m.tail, p...)
}

// readJSON reads the kept body for what it has, whole or not.
func (m *Meter) readJSON() {
	s := jsonscan.New(m.body)
	m.object(&s, s.Next())
	m.ended = s.Finish() == nil
	if !m.ended && !m.stated {
		m.readTail()
	}
}

// readTail looks for the usage at the end of a body that is too long to keep, or not valid throughout. The end
// of an object from the key on is an object again once a brace is put before it, and it is valid only if the key
// stood at the top level and in no string.
func (m *Meter) readTail() {
	const maxTries = 32 // as many as a hostile body can make cost a few milliseconds
	key := []byte(usageKey(m.api))
	tail := m.tail
	if tail == nil {
		tail = m.body[max(0, len(m.body)-maxTail):]
	}
	tail = bytes.TrimRight(tail, " \t\r\n")
	text, at := m.text, len(tail)
	for range maxTries {
		if at = bytes.LastIndex(tail[:at], key); at < 0 {
			return
		}
		object := append([]byte{'{'}, tail[at:]...)
		if jsonscan.Valid(object) == nil {
			s := jsonscan.New(object)
			m.object(&s, s.Next())
			m.text = text
			return
		}
	}
}

// usageKey is the key that a body's usage stands under, in quotes.
func usageKey(api API) string {
	switch api {
	case GeminiGenerate, GeminiEmbed:
		return `"usageMetadata"`
	case VertexPredict:
		return `"metadata"`
	case CohereEmbed:
		return `"meta"`
	case OllamaEmbed:
		return `"prompt_eval_count"`
	}
	return `"usage"`
}

// event reads one event of a stream.
func (m *Meter) event(e event) {
	data := bytes.TrimSpace(e.data)
	if string(data) == "[DONE]" {
		m.ended = m.ended || m.api == OpenAIChat || m.api == OpenAICompletions
		return
	}
	if string(e.name) == "error" {
		m.failed = true
	}
	m.readEvent(data, e.name)
}

// line reads one of a sequence of objects. One alone that does not say that others follow is a plain body.
func (m *Meter) line(data []byte) {
	if m.readEvent(data, nil) && !m.stream {
		m.ended = true
	}
}

// element reads one of Gemini's array. What follows one that is not valid is read all the same: the usage may.
func (m *Meter) element(data []byte) {
	if !m.readEvent(data, nil) {
		m.objects.broken = true
	}
}

// readEvent reads what a stream carries at a time, under the name of the event if it has one, and reports whether it
// is valid. What is cut, perhaps before the usage that goes with the ending, has ended nothing.
func (m *Meter) readEvent(data, name []byte) bool {
	switch m.api {
	case AnthropicMessages:
		m.anthropicEvent(data, name)
		return true
	case OpenAIResponses:
		m.responsesEvent(data, name)
		return true
	case GeminiInteractions:
		m.interactionEvent(data)
		return true
	case BedrockInvoke:
		look := jsonscan.New(data)
		if shapeOf(&look, look.Next()) == AnthropicMessages {
			m.claude = true
			m.anthropicEvent(data, name)
			return true
		}
	}
	endings, ended := m.endings, m.ended
	s := jsonscan.New(data)
	if o := s.Next(); m.api == BedrockConverse {
		m.converseObject(&s, o, name)
	} else {
		m.object(&s, o)
	}
	if s.Finish() != nil {
		m.endings, m.ended, m.final = endings, ended, false
		return false
	}
	return true
}

// object reads what a body, an element of Gemini's array or a chunk of a stream says at its top level.
func (m *Meter) object(s *jsonscan.Scanner, o jsonscan.Token) {
	switch m.api {
	case OpenAIChat, OpenAICompletions:
		m.chatObject(s, o)
	case OpenAIResponses:
		m.responsesObject(s, o)
	case AnthropicMessages:
		m.anthropicMessage(s, o)
	case GeminiGenerate:
		m.geminiObject(s, o)
	case OpenAIEmbeddings, GeminiEmbed, OllamaEmbed:
		m.embedObject(s, o)
	case GeminiInteractions:
		m.interactionObject(s, o)
	case VertexPredict:
		m.predictObject(s, o)
	case OpenAIImages, OpenAISpeech, OpenAITranscription:
		m.mediaObject(s, o)
	case BedrockConverse:
		m.converseObject(s, o, nil)
	case BedrockInvoke:
		m.invokeObject(s, o)
	case CohereChat, CohereEmbed, CohereRerank:
		m.cohereObject(s, o)
	case OllamaChat, OllamaGenerate:
		m.ollamaObject(s, o)
	case TGIGenerate:
		m.tgiObject(s, o)
	default:
		for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
			if string(s.Text(key)) == "error" {
				m.setError(s)
			}
		}
	}
}

// setModel reads a model's name and keeps it unless it is empty, as Azure's is in the first chunk.
func (m *Meter) setModel(s *jsonscan.Scanner) {
	t := s.Next()
	if t.Kind == jsonscan.String && len(s.Text(t)) > 0 && !s.Equal(t, string(m.model)) {
		m.model = pricing.ModelName(s.String(t))
	}
}

// setService reads the class of service that a call was billed under.
func (m *Meter) setService(s *jsonscan.Scanner) {
	if t := s.Next(); t.Kind == jsonscan.String {
		m.service, m.tiered = serviceOf(s.Text(t)), true
		if m.service == pricing.Flex && m.vendor == Groq {
			m.service = pricing.Standard // dearer is only what waits less: https://console.groq.com/docs/service-tiers
		}
	}
}

// goesOn notes whether a line says that others follow.
func (m *Meter) goesOn(more bool) {
	m.stream, m.ended = m.stream || more, m.ended || !more
}

// setError reads the value of an error key. Responses has one in every answer, null in good ones.
func (m *Meter) setError(s *jsonscan.Scanner) {
	t := s.Next()
	if t.Kind == jsonscan.Object || (t.Kind == jsonscan.String && len(s.Text(t)) > 0) {
		m.failed = true
	}
}

// setUsage takes a usage that was read to its end. One with a negative count that is charged for states nothing.
func (m *Meter) setUsage(u pricing.Usage, negative bool) {
	m.usage, m.stated, m.negative = u, true, negative
}

// countText reads a value and, if it is a string, counts the bytes that it means.
func (m *Meter) countText(s *jsonscan.Scanner) {
	m.text += readTextLen(s)
}

// countJSON reads a value and counts its bytes as they are, for tool arguments that are not in a string.
func (m *Meter) countJSON(s *jsonscan.Scanner) {
	t := s.Skip()
	m.text += int64(t.End - t.Start)
}
