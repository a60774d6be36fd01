package provider

import (
	"bytes"
	"io"
	"slices"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// Canonical writes everything in the body that shapes the answer, to a collision-resistant hash: a client who could
// make two calls collide would choose what others read from the cache.
//
// The order of the top level and white space outside of strings make no difference; the spelling of numbers and
// strings does. Left out are the model and the stream flag, which the caller adds as they will be sent; the stream
// options, of which the caller adds what shapes the answer: whether Facts has IncludeUsage; what names the end user or
// the class of service, or concerns storage and prompt caches; and cache marks, up to the four that a call may have.
// Responses and interactions keep what names the end user, as their answers repeat it.
//
// An error is w's.
func (r *Request) Canonical(w io.Writer) error {
	c := canon{w: w}
	c.token(jsonscan.String, []byte(r.API))
	var room [32]memberSpans
	members := r.shapingMembers(room[:0])
	slices.SortStableFunc(members, func(a, b memberSpans) int {
		return bytes.Compare(r.body[a.key.Start:a.key.End], r.body[b.key.Start:b.key.End])
	})
	for _, m := range members {
		c.token(jsonscan.Key, r.body[m.key.Start:m.key.End])
		c.value(r, m.value)
	}
	c.flush()
	return c.err
}

// memberSpans is a member of the body.
type memberSpans struct{ key, value Span }

// shapingMembers appends the members of the body that shape the answer.
func (r *Request) shapingMembers(dst []memberSpans) []memberSpans {
	s := jsonscan.New(r.body)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		if v := s.Skip(); r.shapes(s.Text(key)) {
			dst = append(dst, memberSpans{spanOf(key), spanOf(v)})
		}
	}
	return dst
}

// shapes reports whether a member of the body shapes the answer.
func (r *Request) shapes(key []byte) bool {
	switch string(key) {
	case "model", "stream", "stream_options", "store", "cache_control", "service_tier", "serviceTier",
		"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "requestMetadata", "keep_alive":
		return false
	case "user", "metadata", "safety_identifier", "labels":
		return r.API == OpenAIResponses || r.API == GeminiInteractions
	}
	return true
}

// canon writes tokens so that no two sequences of them are the same bytes: each after its kind, a byte that cannot
// occur within a token.
type canon struct {
	w   io.Writer
	buf [1024]byte
	n   int
	err error
}

// value writes a value of the body, without the cache marks in it.
func (c *canon) value(r *Request, at Span) {
	text := r.body[at.Start:at.End]
	s := jsonscan.New(text)
	for t := s.Next(); t.Kind != jsonscan.End && t.Kind != jsonscan.Invalid; t = s.Next() {
		if t.Kind == jsonscan.Key && r.isMark(at.Start+t.Start) {
			s.Skip()
			continue
		}
		c.token(t.Kind, text[t.Start:t.End])
	}
}

// isMark reports whether a cache mark's key is at the offset.
func (r *Request) isMark(at int) bool {
	for _, m := range r.marks[:min(r.nmarks, maxMarks)] {
		if m.Start == at {
			return true
		}
	}
	return false
}

func (c *canon) token(k jsonscan.Kind, text []byte) {
	if c.n+1+len(text) > len(c.buf) {
		c.flush()
	}
	c.buf[c.n] = byte(k)
	c.n++
	if c.n+len(text) > len(c.buf) {
		c.flush()
		c.write(text)
		return
	}
	c.n += copy(c.buf[c.n:], text)
}

func (c *canon) flush() {
	c.write(c.buf[:c.n])
	c.n = 0
}

func (c *canon) write(b []byte) {
	if c.err == nil && len(b) > 0 {
		_, c.err = c.w.Write(b)
	}
}
