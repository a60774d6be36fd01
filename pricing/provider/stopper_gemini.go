package provider

import (
	"bytes"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// geminiEnding ends a stream of Gemini's generateContent: a chunk whose candidates finish at the cap.
type geminiEnding struct {
	version, id []byte // as the chunks spell them
	candidates  openParts
	begun       bool // a chunk
	chosen      bool // one with a candidate
	over        bool
}

func (g *geminiEnding) seeEvent(e event) { g.chunk(e.data) }

func (g *geminiEnding) chunk(data []byte) {
	s := jsonscan.New(data)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		g.begun = true
		switch string(s.Text(key)) {
		case "modelVersion":
			keep(&g.version, whole(data, s.Skip()))
		case "responseId":
			keep(&g.id, whole(data, s.Skip()))
		case "candidates":
			list := s.Next()
			for c, ok := s.Element(list); ok; c, ok = s.Element(list) {
				g.candidate(&s, c)
			}
		case "error":
			g.over = true
		}
	}
}

func (g *geminiEnding) candidate(s *jsonscan.Scanner, c jsonscan.Token) {
	index, done := int64(0), false
	for key, ok := s.Member(c); ok; key, ok = s.Member(c) {
		switch string(s.Text(key)) {
		case "index":
			index, _ = s.Int(s.Next())
		case "finishReason":
			v := s.Next()
			done = v.Kind == jsonscan.String && string(s.Text(v)) != "FINISH_REASON_UNSPECIFIED"
		}
	}
	g.chosen = true
	g.candidates.begin(index)
	if done {
		g.candidates.end(index)
	}
}

// finish appends nothing where all candidates have ended: the stream has no marker of its end.
func (g *geminiEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if !g.begun || g.over {
		return dst, false
	}
	if g.chosen && len(g.candidates) == 0 {
		return dst, true
	}
	return append(g.last(append(dst, "data: "...), u), "\r\n\r\n"...), true
}

// last appends the chunk that ends what is open.
func (g *geminiEnding) last(dst []byte, u *pricing.Usage) []byte {
	if !g.chosen {
		g.candidates.begin(0)
	}
	dst = append(dst, `{"candidates":[`...)
	for i, index := range g.candidates {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"MAX_TOKENS"`...)
		dst = append(appendCount(dst, `,"index":`, index), '}')
	}
	dst = appendCount(dst, `],"usageMetadata":{"promptTokenCount":`, u.TotalInput())
	dst = appendCount(dst, `,"candidatesTokenCount":`, max(u.TotalOutput()-u.Reasoning, 0))
	if u.Reasoning > 0 {
		dst = appendCount(dst, `,"thoughtsTokenCount":`, u.Reasoning)
	}
	dst = appendCount(dst, `,"totalTokenCount":`, pricing.AddCapped(u.TotalInput(), u.TotalOutput()))
	dst = append(dst, '}')
	if len(g.version) > 0 {
		dst = append(append(dst, `,"modelVersion":`...), g.version...)
	}
	if len(g.id) > 0 {
		dst = append(append(dst, `,"responseId":`...), g.id...)
	}
	return append(dst, '}')
}

// arrayEnding ends such a stream that is one JSON array.
type arrayEnding struct{ geminiEnding }

// see reads an element with the bracket or comma before it.
func (a *arrayEnding) see(element []byte) {
	a.chunk(bytes.TrimLeft(element, "[, \t\r\n"))
}

func (a *arrayEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if !a.begun || a.over {
		return dst, false
	}
	if !a.chosen || len(a.candidates) > 0 {
		dst = a.last(append(dst, ",\r\n"...), u)
	}
	return append(dst, "]"...), true
}
