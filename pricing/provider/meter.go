package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// Limits of what a Meter keeps of one response, in bytes.
const (
	maxJSON = 32 << 20 // of a JSON body from its start
	maxTail = 64 << 10 // of a longer one from its end, where the usage stands
	maxGzip = 16 << 20 // of a compressed body
)

// Meter reads a copy of one response as it passes, in pieces of any size, and says what the provider counted.
// It finds out from the first bytes whether it reads a JSON object, Gemini's array of them, JSON lines, a stream of
// events, an AWS event stream or gzip around any of these, so an API error or a plain answer to a request for a stream
// needs no hint. Other encodings and formats give a Reading without usage.
//
// Events and the elements of Gemini's array are read as they arrive; JSON and gzip bodies are kept and read by Close. A
// JSON body above 32 MiB is read up to there, and its usage is looked for in its last 64 KiB; a gzip body is decoded up
// to 64 MiB and 200 times its size. No response makes a Meter fail.
//
// A Meter belongs to one goroutine. NewMeter is the only way to make one.
type Meter struct {
	api       API
	vendor    pricing.ProviderName
	form      form
	limit     int  // of JSON from its start: maxJSON, in tests less; at least maxTail
	selective bool // the client chose what of the answer it gets

	nested bool // this Meter reads what another one decompressed
	closed bool

	body    []byte // JSON or gzip from the start, up to its limit
	tail    []byte // JSON beyond that: the last bytes, at least maxTail of them
	events  eventReader
	objects objectReader
	frames  frameReader
	scratch []byte // a decoded chunk of a frame

	statement
}

// statement is what a response has said so far.
type statement struct {
	id       string
	model    pricing.ModelName
	service  pricing.Service
	tiered   bool // service was stated
	region   string
	cost     charge
	usage    pricing.Usage // what was stated last, normalised
	stated   bool          // there was a usage
	half     bool          // it leaves the prompt out
	negative bool          // it cannot be: a count that is charged for is below zero
	final    bool          // nothing can follow it
	ended    bool          // the API's end marker was seen, or a JSON body was whole
	failed   bool
	pending  bool // the provider goes on in the background
	tools    bool // a call of a client's tool was seen
	refused  bool // a refusal was seen in place of text
	claude   bool // an invoked model answered in Anthropic's format
	whole    bool // what is being read repeats what was counted
	stream   bool
	text     int64
	endings  endings

	said        tally // of usage objects that are read over each other
	headers     tally // of Bedrock's response headers
	serverTools serverTools
	queries     int64 // of Gemini's web searches
	grounded    bool  // their results were used
	pictures    int64
}

// form is how a response body is framed.
type form uint8

const (
	formUnknown form = iota // nothing but white space yet
	formJSON
	formObjects // JSON objects, each read as it ends
	formArray   // one array of them, as Gemini streams
	formEvents
	formFrames // an AWS event stream
	formGzip
	formOpaque // nothing that can be read
)

// NewMeter returns a Meter for the response to a call of e that vendor serves, "" if nobody knows: some vendors count
// in their own way in a format that others share. For an API that is not read it recognises errors at most.
func NewMeter(e Endpoint, vendor pricing.ProviderName) *Meter {
	return &Meter{api: e.API, vendor: vendor, selective: e.Selective, limit: maxJSON}
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
	case formObjects:
		m.objects.feed(p, m.line)
	case formArray:
		m.objects.feed(p, m.element)
	case formFrames:
		m.frames.feed(p, m.frame)
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
	case formObjects:
		m.objects.flush(m.line)
	case formArray:
		m.objects.flush(m.element)
		m.ended = m.objects.closed()
	case formJSON:
		m.readJSON()
	case formGzip:
		m.readGzip()
	}
	m.body, m.tail, m.scratch = nil, nil, nil
	m.events, m.objects, m.frames = eventReader{}, objectReader{}, frameReader{}
	return m.Reading()
}

// Reading returns what the response has said so far. Until Close, a body that is not a stream has said nothing.
func (m *Meter) Reading() Reading {
	r := Reading{
		ID:        m.id,
		Model:     m.model,
		Usage:     m.usage,
		Service:   m.service,
		HasTerms:  m.tiered,
		Region:    m.region,
		HasUsage:  m.stated && !m.half && m.settled(),
		Complete:  m.complete(),
		Failed:    m.failed,
		Pending:   m.pending,
		Finish:    m.finish(),
		TextBytes: m.text,
		Stream:    m.stream,
	}
	if m.negative {
		r.Usage, r.HasUsage = pricing.Usage{}, false
	}
	r.OtherModels = m.serverTools.paints() || m.said.advisers.besides(m.model)
	m.readHeaders(&r)
	m.serverTools.into(&r.Usage)
	if !plausible(&r.Usage) {
		r.Usage, r.HasUsage = pricing.Usage{}, false
	}
	if m.cost.set && m.settled() {
		r.Stated, r.HasStated = m.cost.amount, true
	}
	if m.selective { // what was not chosen may have cost most
		r.HasUsage, r.HasStated = false, false
	}
	r.Partial = !r.HasUsage && !r.Complete && m.form != formOpaque
	if (m.api == AnthropicMessages || m.claude) && r.HasUsage && r.Finish == FinishFiltered && r.TextBytes == 0 {
		// Not billed: a refusal that comes before any output.
		// Source: https://platform.claude.com/docs/en/release-notes/overview, 2 June 2026. It speaks of Anthropic's own
		// API; other hosts of its models are assumed to do the same.
		r.Usage = pricing.Usage{}
	}
	return r
}

// readHeaders takes what Bedrock counts in its headers where the body counts nothing. An embedding has no output.
func (m *Meter) readHeaders(r *Reading) {
	if m.api != BedrockInvoke || m.stated || m.stream || !m.headers.states(ofPrompt) {
		return
	}
	if !m.headers.negativeApart() {
		r.Usage, r.HasUsage = m.headers.bedrockUsage(), m.closed
	}
}

// settled reports whether the usage that was stated last is the one that the provider charges for.
func (m *Meter) settled() bool {
	return !m.stream || m.final || m.complete() // a plain body states its usage once
}

// maxPlausible is the most of a kind that a usage may state: more is a fault of the host, and no call's. It is several
// times what the longest contexts hold and what batches of embeddings come to.
const maxPlausible = 100_000_000

// plausible reports whether a call may have used that much.
func plausible(u *pricing.Usage) bool {
	for _, n := range u.All() {
		if n > maxPlausible {
			return false
		}
	}
	return true
}

func (m *Meter) complete() bool {
	if m.stream && m.api == GeminiGenerate {
		// Its streams have no end marker; the array form has at least a bracket.
		return m.closed && m.endings.all() && (m.ended || m.form != formArray)
	}
	return m.ended && !m.pending
}

func (m *Meter) finish() Finish {
	f := m.endings.finish()
	switch {
	case f == FinishStop && m.refused:
		return FinishFiltered
	case f == FinishStop && m.tools:
		return FinishTools // OpenAI says "stop" for a forced tool, Gemini, Ollama and Responses for any
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
		switch {
		case m.api == OllamaChat, m.api == OllamaGenerate, m.api == CohereChat:
			m.form = formObjects
		case m.api == GeminiGenerate && p[0] == '[':
			m.form, m.stream = formArray, true
			return p[1:]
		}
	case ':', 'd', 'e', 'i', 'r': // a comment, or the fields data, event, id and retry
		m.form, m.stream = formEvents, true
	case 0, 1: // the length of a message of less than 32 MiB
		if m.form = formOpaque; m.api == BedrockConverse || m.api == BedrockInvoke {
			m.form, m.stream = formFrames, true
		}
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
