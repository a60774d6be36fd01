package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// tgiEnding ends a stream of TGI's own API: an event with a special token, which clients do not show, and all of the
// text.
// Source: https://huggingface.github.io/text-generation-inference, "StreamResponse", read in November 2026.
type tgiEnding struct {
	answer      keptText
	index       int64 // of the last token
	begun, over bool
}

func (t *tgiEnding) seeEvent(e event) {
	s := jsonscan.New(e.data)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		switch string(s.Text(key)) {
		case "index":
			t.index, _ = s.Int(s.Next())
		case "token":
			t.begun = true
			t.token(&s)
		case "generated_text":
			t.over = s.Next().Kind == jsonscan.String || t.over
		case "error":
			t.over = true
		}
	}
}

// token keeps the text of one, unless it is special: those are no part of the text.
func (t *tgiEnding) token(s *jsonscan.Scanner) {
	var text []byte
	special := false
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "text":
			if v := s.Next(); v.Kind == jsonscan.String {
				text = s.Text(v)
			}
		case "special":
			special = s.Next().Kind == jsonscan.True
		}
	}
	if !special {
		t.answer.add(text)
	}
}

func (t *tgiEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if !t.begun || t.over || t.answer.lost {
		return dst, false
	}
	dst = appendCount(dst, `data:{"index":`, t.index+1)
	dst = append(dst, `,"token":{"id":0,"text":"","logprob":0.0,"special":true},"generated_text":"`...)
	dst = append(append(dst, t.answer.text...), `","details":{"finish_reason":"length","generated_tokens":`...)
	dst = appendCount(dst, "", u.TotalOutput())
	dst = appendCount(dst, `,"seed":null,"input_length":`, u.TotalInput())
	return append(dst, "}}\n\n"...), true
}
