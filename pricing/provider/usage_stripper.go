package provider

import (
	"bytes"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// maxUsageEvent is the most bytes of an event that is taken for a usage chunk: those of all vendors stay below 2 KB.
const maxUsageEvent = 64 << 10

// A UsageStripper takes the chunk out of a stream of chat or text completions that states the usage and nothing else:
// "choices" is an empty list, "usage" an object. Providers send it to callers who ask for include_usage, and a client
// who did not ask must not see it. All other bytes stay as they are, and pass at once unless they start an event that
// may be the chunk.
//
// It is for streams of server-sent events; other bodies pass unchanged. The zero value is ready for the first byte.
// It belongs to one goroutine.
type UsageStripper struct {
	ends    blockSplitter
	held    []byte // the start of an event that may be the chunk
	looked  int    // bytes of held when it was last looked at
	inside  bool   // of an event
	passing bool   // that event is another one
	dropped bool   // the last event was the chunk
	out     []byte
	data    []byte
}

// Write takes the next piece of the stream and returns what may go on. That is valid until the next call.
func (s *UsageStripper) Write(p []byte) []byte {
	s.out = s.out[:0]
	if !s.inside && s.ends.afterCR && len(p) > 0 && p[0] == '\n' {
		p = s.lineFeed(p)
	}
	for len(p) > 0 {
		n, ended := s.ends.next(p)
		s.take(p[:n], ended)
		if p = p[n:]; ended && s.ends.afterCR && len(p) > 0 && p[0] == '\n' {
			p = s.lineFeed(p)
		}
	}
	return s.out
}

// Close returns what is left when the stream has ended: an event that it cut, unless that is the chunk. What Write
// returned last stays valid.
func (s *UsageStripper) Close() []byte {
	s.out = nil
	s.take(nil, true)
	return s.out
}

// lineFeed takes the LF that belongs to the CR before it, and to the fate of the event that this ended.
func (s *UsageStripper) lineFeed(p []byte) []byte {
	s.ends.afterCR = false
	if !s.dropped {
		s.out = append(s.out, '\n')
	}
	return p[1:]
}

// take takes a part of the current event, and with the last one decides it.
func (s *UsageStripper) take(part []byte, ended bool) {
	s.inside, s.dropped = !ended, false
	if s.passing {
		s.out = append(s.out, part...)
		s.passing = !ended
		return
	}
	s.held = append(s.held, part...)
	s.passComments()
	switch {
	case ended:
		if s.dropped = s.isUsage(); !s.dropped {
			s.out = append(s.out, s.held...)
		}
		s.held, s.looked = s.held[:0], 0
	case len(s.held) >= 2*s.looked: // so that looking again stays linear in the length of the event
		s.looked = len(s.held)
		if s.passing = !mayBeUsage(s.held); s.passing {
			s.out = append(s.out, s.held...)
			s.held, s.looked = s.held[:0], 0
		}
	}
}

// passComments lets comments before an event pass: they keep the connection alive.
func (s *UsageStripper) passComments() {
	n := 0
	for n < len(s.held) && s.held[n] == ':' {
		line, rest := cutLine(s.held[n:])
		if end := n + len(line); end == len(s.held) || s.held[end] == '\r' && end+1 == len(s.held) {
			break // an LF may follow
		}
		n = len(s.held) - len(rest)
	}
	s.out = append(s.out, s.held[:n]...)
	s.held = s.held[:copy(s.held, s.held[n:])]
}

// isUsage reports whether the event that is held is the chunk.
func (s *UsageStripper) isUsage() bool {
	if !mayBeUsage(s.held) {
		return false
	}
	s.data = s.data[:0]
	for rest := s.held; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		if value, ok := bytes.CutPrefix(line, dataField); ok {
			s.data = append(append(s.data, value...), '\n')
		}
	}
	return usageChunk(s.data, true)
}

var dataField = []byte("data:")

// mayBeUsage reports whether an event that starts with held may be the chunk. Where it is false once, it is false for
// all that follows, so how the stream is cut makes no difference.
func mayBeUsage(held []byte) bool {
	if len(held) > maxUsageEvent {
		return false
	}
	for rest := held; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		if len(line) > 0 && line[0] == '{' {
			return false // bare JSON
		}
		if data, ok := bytes.CutPrefix(line, dataField); ok {
			return usageChunk(data, false)
		}
	}
	return true
}

// usageChunk reports whether data is a chunk of usage alone, or, if it is not whole, may become one.
func usageChunk(data []byte, whole bool) bool {
	s := jsonscan.New(data)
	root := s.Next()
	if root.Kind != jsonscan.Object {
		return root.Kind == jsonscan.Invalid && !whole
	}
	lists, usages := 0, 0
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		var kind jsonscan.Kind
		switch string(s.Text(key)) {
		case "choices":
			list := s.Next()
			if _, some := s.Element(list); some {
				return false
			}
			kind = list.Kind
			if kind == jsonscan.Array {
				lists++
			}
		case "usage":
			if kind = s.Next().Kind; kind == jsonscan.Object {
				usages++
			}
		default:
			continue
		}
		if kind != jsonscan.Array && kind != jsonscan.Object && kind != jsonscan.Invalid {
			return false
		}
	}
	return !whole || s.Finish() == nil && lists == 1 && usages == 1
}

// cutLine cuts the first line off b, without what ends it.
func cutLine(b []byte) (line, rest []byte) {
	end := bytes.IndexAny(b, "\r\n")
	if end < 0 {
		return b, nil
	}
	if rest = b[end+1:]; b[end] == '\r' && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	return b[:end], rest
}
