package provider

import (
	"strconv"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// A Stopper ends a stream before its provider does, so that the client sees a valid end of the API: the answer was
// cut at the cap on the output. It passes whole events, as a stream can be cut only between two of them, and keeps of
// each what the end must repeat. A body that is no stream, as an error in answer to a call for one, passes unchanged
// and has no end.
//
// A Stopper belongs to one goroutine. NewStopper is the only way to make one. It keeps at most one event and, of the
// Responses API, Cohere's first one and TGI's, whose last event repeats the answer, the answer: both up to 8 MiB.
type Stopper struct {
	api   API
	split splitter // nil if the body is no stream
	end   ending
	held  []byte // the start of an event
	out   []byte
	begun bool // the first byte has been seen
	open  bool // the start of an event above maxEvent has passed

	repeats bool // the end repeats the answer
	unread  bool // an event above maxEvent has passed
}

// ending follows a stream and knows how to end it.
type ending interface {
	// see reads a whole event, as it is framed. It keeps no reference to it.
	see(event []byte)
	// finish appends the end of the stream; not ok if nothing has begun or all has ended.
	finish(dst []byte, u *pricing.Usage) (out []byte, ok bool)
}

// NewStopper returns a Stopper for the answer to a call of the endpoint, which is a Request's, nil if that is not a
// stream with an end that is known. The end of a chat or text completion states the usage if the client asked for it
// (IncludeUsage), or if the vendor, which serves the call, states it to everybody.
func NewStopper(ep Endpoint, vendor pricing.ProviderName, asked bool) *Stopper {
	if !ep.Stream {
		return nil
	}
	s := &Stopper{api: ep.API}
	switch ep.API {
	case OpenAIChat, OpenAICompletions:
		s.events(&chatEnding{text: ep.API == OpenAICompletions, asked: asked, always: statesUsage(vendor), model: ep.Model})
	case OpenAIResponses:
		s.repeats = true
		s.events(&responsesEnding{})
	case AnthropicMessages:
		s.events(&anthropicEvents{})
	case GeminiInteractions:
		s.events(&interactionEnding{})
	case CohereChat:
		s.events(&cohereEnding{})
	case GeminiGenerate:
		if ep.SSE {
			s.events(&geminiEnding{})
		} else {
			s.split, s.end = &arraySplitter{}, &arrayEnding{}
		}
	case BedrockConverse:
		s.split, s.end = &frameSplitter{}, &converseEnding{}
	case BedrockInvoke:
		s.split, s.end = &frameSplitter{}, &invokeEnding{}
	case TGIGenerate:
		s.repeats = true
		s.events(&tgiEnding{})
	case OllamaChat, OllamaGenerate:
		s.split, s.end = lineSplitter{}, &ollamaEnding{chat: ep.API == OllamaChat}
	default:
		return nil
	}
	return s
}

func (s *Stopper) events(e eventEnding) {
	x := &events{end: e}
	x.emit = x.end.seeEvent
	s.split, s.end = &blockSplitter{}, x
}

// Write takes the next piece of the stream and returns the events that it completes: that is valid until the next
// call.
func (s *Stopper) Write(p []byte) []byte {
	if !s.begun {
		s.sniff(p)
	}
	s.out = s.out[:0]
	if s.split == nil {
		return append(s.out, p...)
	}
	for len(p) > 0 {
		if b, ok := s.split.(*blockSplitter); ok && b.afterCR && p[0] == '\n' && len(s.held) == 0 {
			b.afterCR = false // it ends the event that has passed
			s.out = append(s.out, '\n')
			p = p[1:]
			continue
		}
		n, ended := s.split.next(p)
		s.held = append(s.held, p[:n]...)
		p = p[n:]
		switch {
		case ended && !s.open && len(s.held) <= maxEvent:
			s.end.see(s.held)
			s.pass()
		case ended, len(s.held) > maxEvent:
			s.open, s.unread = !ended, true
			s.pass()
		}
	}
	return s.out
}

// sniff looks at the first byte of the body, in case it is not framed as was asked for.
func (s *Stopper) sniff(p []byte) {
	for _, c := range p {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		s.begun = true
		_, sse := s.split.(*blockSplitter)
		_, array := s.split.(*arraySplitter)
		switch {
		case sse && c == '{' && s.api == CohereChat:
			s.split, s.end, s.repeats = lineSplitter{}, &cohereLines{}, true
		case sse && (c == '{' || c == '['), array && c != '[':
			s.split = nil
		}
		return
	}
}

func (s *Stopper) pass() {
	s.out = append(s.out, s.held...)
	s.held = s.held[:0]
}

// Stop returns the end of the stream, to be sent after what Write returned and instead of all that follows. The usage
// is what the client is told that the answer came to. It returns false where no end would be valid: before the first
// event, after the last one, within one above 8 MiB, after more than 8 MiB of an answer that the end must repeat, or
// where the format is not known, as that of some models behind Bedrock's InvokeModel. Other calls may succeed later.
func (s *Stopper) Stop(u pricing.Usage) (end []byte, ok bool) {
	if s.open || s.split == nil || s.repeats && s.unread {
		return nil, false
	}
	return s.end.finish(nil, &u)
}

// Close returns what is left when the stream has ended by itself: an event that it cut. What Write returned last stays
// valid.
func (s *Stopper) Close() []byte {
	s.out = nil
	s.pass()
	return s.out
}

// eventEnding is an ending of a stream of server-sent events.
type eventEnding interface {
	seeEvent(e event)
	finish(dst []byte, u *pricing.Usage) (out []byte, ok bool)
}

// events makes an ending of one that knows nothing of framing.
type events struct {
	reader eventReader
	end    eventEnding
	emit   func(event)
}

func (x *events) see(block []byte) { x.reader.feed(block, x.emit) }

func (x *events) finish(dst []byte, u *pricing.Usage) ([]byte, bool) { return x.end.finish(dst, u) }

// kindOf returns the type that the data of an event states, else the name of the event, and the index of the part of
// the answer that it is about.
func kindOf(e event) (kind string, index int64) {
	kind = string(e.name)
	s := jsonscan.New(e.data)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		switch string(s.Text(key)) {
		case "type":
			if v := s.Next(); v.Kind == jsonscan.String {
				kind = s.String(v)
			}
		case "index":
			index, _ = s.Int(s.Next())
		}
	}
	return kind, index
}

// openParts are the indexes of what has begun and not ended: choices, blocks, candidates. It holds a handful.
type openParts []int64

func (o *openParts) begin(i int64) {
	for _, open := range *o {
		if open == i {
			return
		}
	}
	if len(*o) < maxOpen {
		*o = append(*o, i)
	}
}

func (o *openParts) end(i int64) {
	for at, open := range *o {
		if open == i {
			*o = append((*o)[:at], (*o)[at+1:]...)
			return
		}
	}
}

// maxOpen is the most parts of an answer that are followed: providers give at most 128 choices, and blocks come one
// at a time.
const maxOpen = 1024

// keep copies a value as it came, unless it says nothing or is longer than anything that an end repeats.
func keep(dst *[]byte, raw []byte) {
	if string(raw) != "" && string(raw) != `""` && string(raw) != "null" && len(raw) <= maxKept {
		*dst = append((*dst)[:0], raw...)
	}
}

// keptText is the text of an answer, as its events spell it, up to maxEvent bytes. What does not fit is lost, and all
// of the text with it: an end that left a part out would be false.
type keptText struct {
	text []byte
	lost bool
}

func (k *keptText) add(text []byte) {
	if k.lost = k.lost || len(k.text)+len(text) > maxEvent; k.lost {
		k.text = nil
		return
	}
	k.text = append(k.text, text...)
}

// maxKept is the most bytes of an id or a model's name that an end repeats.
const maxKept = 1024

// appendRaw appends a JSON value as it came, or the other one if none came.
func appendRaw(dst, value []byte, other string) []byte {
	if len(value) == 0 {
		return append(dst, other...)
	}
	return append(dst, value...)
}

// appendCount appends a key, as it is given, and a count.
func appendCount(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(dst, key...), n, 10)
}
