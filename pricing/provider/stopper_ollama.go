package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// ollamaEnding ends a stream of Ollama's own API, a JSON object to a line.
// Source: https://docs.ollama.com/api, read in November 2026.
type ollamaEnding struct {
	chat        bool
	model, at   []byte // as the lines spell them
	begun, over bool
}

func (o *ollamaEnding) see(line []byte) {
	s := jsonscan.New(line)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		o.begun = true
		switch string(s.Text(key)) {
		case "model":
			keep(&o.model, whole(line, s.Skip()))
		case "created_at":
			keep(&o.at, whole(line, s.Skip()))
		case "done":
			o.over = o.over || s.Next().Kind == jsonscan.True
		case "error":
			o.over = true
		}
	}
}

func (o *ollamaEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if !o.begun || o.over || len(o.model) == 0 || len(o.at) == 0 {
		return dst, false
	}
	dst = append(append(dst, `{"model":`...), o.model...)
	dst = append(append(dst, `,"created_at":`...), o.at...)
	if o.chat {
		dst = append(dst, `,"message":{"role":"assistant","content":""}`...)
	} else {
		dst = append(dst, `,"response":""`...)
	}
	dst = append(dst, `,"done":true,"done_reason":"length","total_duration":0,"load_duration":0`...)
	dst = appendCount(dst, `,"prompt_eval_count":`, u.TotalInput())
	dst = appendCount(dst, `,"prompt_eval_duration":0,"eval_count":`, u.TotalOutput())
	return append(dst, ",\"eval_duration\":0}\n"...), true
}
