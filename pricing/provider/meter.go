package provider

import (
	"bytes"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// Limits of what a Meter keeps of one response, in bytes.
const (
	maxJSON = 32 << 20 // of a JSON body from its start
	maxTail = 64 << 10 // of a longer one from its end, where the usage stands
	maxGzip = 16 << 20 // of a compressed body
)

// Meter reads a copy of one response as it passes, in pieces of any size, and says what the provider counted.
// It finds out from the first bytes whether it reads a JSON object, Gemini's array of them, a stream of events
// or gzip around any of these, so an API error or a plain answer to a request for a stream needs no hint. Other
// encodings and formats give a Reading without usage.
//
// Events are read as they arrive; JSON and gzip bodies are kept and read by Close. A JSON body above 32 MiB is
// read up to there, and its usage is looked for in its last 64 KiB; a gzip body is decoded up to 64 MiB and
// 200 times its size. No response makes a Meter fail.
//
// A Meter belongs to one goroutine. NewMeter is the only way to make one.
type Meter struct {
	api    API
	form   form
	limit  int  // of JSON from its start: maxJSON, in tests less; at least maxTail
	nested bool // this Meter reads what another one decompressed
	closed bool
	body   []byte // JSON or gzip from the start, up to its limit
	tail   []byte // JSON beyond that: the last bytes, at least maxTail of them
	events eventReader

	model     pricing.ModelName
	usage     pricing.Usage // what was stated last, normalised
	stated    bool          // there was a usage
	final     bool          // nothing can follow it
	ended     bool          // the API's end marker was seen, or a JSON body was whole
	failed    bool
	tools     bool // a call of a client's tool was seen
	refused   bool // a refusal was seen in place of text
	stream    bool
	text      int64
	endings   endings
	anthropic anthropicUsage
	gemini    geminiUsage
}

// form is how a response body is framed.
type form uint8

const (
	formUnknown form = iota // nothing but white space yet
	formJSON
	formEvents
	formGzip
	formOpaque // nothing that can be read
)

// NewMeter returns a Meter for a response of api. For an API that is not read it recognises errors at most.
func NewMeter(api API) *Meter {
	return &Meter{api: api, limit: maxJSON}
}

// Write reads the next piece of the body. It keeps no reference to p and never fails. Pieces after Close are
// ignored.
func (m *Meter) Write(p []byte) {
	if m.closed {
		return
	}
	if m.form == formUnknown {
		p = m.sniff(p)
	}
	switch m.form {
	case formEvents:
		m.events.feed(p, m.event)
	case formJSON:
		m.keepJSON(p)
	case formGzip:
		m.body = append(m.body, p[:min(len(p), maxGzip-len(m.body))]...)
	}
}

// Close says that the response has ended, whole or cut, and returns the final Reading. Further calls return the
// same.
func (m *Meter) Close() Reading {
	if m.closed {
		return m.Reading()
	}
	m.closed = true
	switch m.form {
	case formEvents:
		m.events.flush(m.event)
	case formJSON:
		m.readJSON()
	case formGzip:
		m.readGzip()
	}
	m.body, m.tail, m.events = nil, nil, eventReader{}
	return m.Reading()
}

// Reading returns what the response has said so far. Until Close, a body that is not a stream has said nothing.
func (m *Meter) Reading() Reading {
	r := Reading{
		Model:     m.model,
		Usage:     m.usage,
		HasUsage:  m.stated && m.settled(),
		Complete:  m.complete(),
		Failed:    m.failed,
		Finish:    m.finish(),
		TextBytes: m.text,
		Stream:    m.stream,
	}
	r.Partial = !r.HasUsage && !r.Complete && m.form != formOpaque
	if m.api == AnthropicMessages && r.HasUsage && r.Finish == FinishFiltered && r.TextBytes == 0 {
		// Not billed: a refusal that comes before any output.
		// Source: https://platform.claude.com/docs/en/release-notes/overview, 2 June 2026. It speaks of Anthropic's own
		// API; other hosts of its models are assumed to do the same.
		r.Usage = pricing.Usage{}
	}
	return r
}

// settled reports whether the usage that was stated last is the one that the provider charges for.
func (m *Meter) settled() bool {
	return !m.stream || m.final || m.complete() // a plain body states its usage once
}

func (m *Meter) complete() bool {
	if m.stream && m.api == GeminiGenerate {
		// Its streams have no end marker; the array form has at least a bracket.
		return m.closed && m.endings.all() && (m.ended || m.form != formJSON)
	}
	return m.ended
}

func (m *Meter) finish() Finish {
	f := m.endings.finish()
	switch {
	case f == FinishStop && m.refused:
		return FinishFiltered
	case f == FinishStop && m.tools:
		return FinishTools // OpenAI says "stop" for a forced tool, Gemini and Responses for any
	}
	return f
}

// sniff looks for the first byte that says what the body is, and returns the body from there on. White space
// before it is a keep-alive (DeepSeek) or means nothing.
func (m *Meter) sniff(p []byte) []byte {
	const ignored = " \t\r\n\xEF\xBB\xBF" // the last three are the byte order mark
	for len(p) > 0 && strings.IndexByte(ignored, p[0]) >= 0 {
		p = p[1:]
	}
	if len(p) == 0 {
		return p
	}
	switch p[0] {
	case '{', '[':
		m.form = formJSON
	case ':', 'd', 'e', 'i', 'r': // a comment, or the fields data, event, id and retry
		m.form, m.stream = formEvents, true
	case 0x1f: // RFC 1952, section 2.3.1
		m.form = formGzip
		if m.nested {
			m.form = formOpaque
		}
	default:
		m.form = formOpaque
	}
	return p
}

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
	root := s.Next()
	if root.Kind == jsonscan.Array {
		m.stream = m.api == GeminiGenerate
		for o, ok := s.Element(root); ok; o, ok = s.Element(root) {
			m.object(&s, o)
		}
	} else {
		m.object(&s, root)
	}
	m.ended = s.Finish() == nil
	if !m.ended && !m.stated {
		m.readTail(root.Kind == jsonscan.Array)
	}
}

// readTail looks for the usage at the end of a body that is too long to keep, or not valid throughout. The end
// of an object from the key on is an object again once a brace is put before it, and it is valid only if the key
// stood at the top level and in no string.
func (m *Meter) readTail(array bool) {
	const maxTries = 32 // as many as a hostile body can make cost a few milliseconds
	key := []byte(`"usage"`)
	if m.api == GeminiGenerate {
		key = []byte(`"usageMetadata"`)
	}
	tail := m.tail
	if tail == nil {
		tail = m.body[max(0, len(m.body)-maxTail):]
	}
	tail = bytes.TrimRight(tail, " \t\r\n")
	if array {
		tail = bytes.TrimSuffix(tail, []byte{']'})
	}
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

// event reads one event of a stream.
func (m *Meter) event(e event) {
	data := bytes.TrimSpace(e.data)
	if string(data) == "[DONE]" {
		m.ended = m.ended || m.api == OpenAIChat
		return
	}
	if string(e.name) == "error" {
		m.failed = true
	}
	switch m.api {
	case AnthropicMessages:
		m.anthropicEvent(data, e.name)
	case OpenAIResponses:
		m.responsesEvent(data, e.name)
	default:
		before := m.endings
		s := jsonscan.New(data)
		m.object(&s, s.Next())
		if s.Finish() != nil { // cut, perhaps before the usage that goes with the ending
			m.endings, m.final = before, false
		}
	}
}

// object reads what a body, an element of Gemini's array or a chunk of a stream says at its top level.
func (m *Meter) object(s *jsonscan.Scanner, o jsonscan.Token) {
	switch m.api {
	case OpenAIChat:
		m.chatObject(s, o)
	case OpenAIResponses:
		m.responsesObject(s, o)
	case AnthropicMessages:
		m.anthropicMessage(s, o)
	case GeminiGenerate:
		m.geminiObject(s, o)
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

// setError reads the value of an error key. Responses has one in every answer, null in good ones.
func (m *Meter) setError(s *jsonscan.Scanner) {
	t := s.Next()
	if t.Kind == jsonscan.Object || (t.Kind == jsonscan.String && len(s.Text(t)) > 0) {
		m.failed = true
	}
}

// setUsage takes a usage that was read to its end.
func (m *Meter) setUsage(u pricing.Usage) {
	m.usage, m.stated = u, true
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
