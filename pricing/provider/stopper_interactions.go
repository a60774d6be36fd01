package provider

import (
	"bytes"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// interactionEnding ends a stream of Gemini's Interactions API, with the names that its events have in their version:
// steps, or contents in the first one.
// Source: https://ai.google.dev/gemini-api/docs/interactions/streaming, read in November 2026.
type interactionEnding struct {
	id, model   []byte // as the first event spells them
	parts       openParts
	first       bool // of the versions
	begun, over bool
}

func (i *interactionEnding) seeEvent(e event) {
	if bytes.Equal(bytes.TrimSpace(e.data), []byte("[DONE]")) {
		i.over = true
		return
	}
	kind, index := "", int64(0)
	s := jsonscan.New(e.data)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		switch string(s.Text(key)) {
		case "event_type":
			kind = string(s.Text(s.Next()))
		case "index":
			index, _ = s.Int(s.Next())
		case "interaction":
			i.interaction(whole(e.data, s.Skip()))
		case "error":
			i.over = true
		}
	}
	switch kind {
	case "interaction.created", "interaction.start":
		i.begun, i.first = true, kind == "interaction.start"
	case "step.start", "content.start":
		i.parts.begin(index)
	case "step.stop", "content.stop":
		i.parts.end(index)
	}
}

// interaction reads what an event says of the whole.
func (i *interactionEnding) interaction(object []byte) {
	keep(&i.id, memberOf(object, "id"))
	keep(&i.model, memberOf(object, "model"))
	s := jsonscan.New(memberOf(object, "status"))
	if v := s.Next(); v.Kind == jsonscan.String {
		i.over = i.over || !goesOn(string(s.Text(v)))
	}
}

func (i *interactionEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if !i.begun || i.over || len(i.id) == 0 {
		return dst, false
	}
	stop, completed := "step.stop", "interaction.completed"
	if i.first {
		stop, completed = "content.stop", "interaction.complete"
	}
	for _, index := range i.parts {
		data := appendCount(nil, `{"index":`, index)
		dst = appendEvent(dst, stop, append(append(data, `,"event_type":"`+stop...), `"}`...))
	}
	data := append(append([]byte(`{"interaction":{"id":`), i.id...), `,"status":"incomplete","object":"interaction"`...)
	if len(i.model) > 0 {
		data = append(append(data, `,"model":`...), i.model...)
	}
	data = appendCount(data, `,"usage":{"total_input_tokens":`, u.TotalInput())
	data = appendCount(data, `,"total_output_tokens":`, max(u.TotalOutput()-u.Reasoning, 0))
	data = appendCount(data, `,"total_thought_tokens":`, u.Reasoning)
	data = appendCount(data, `,"total_tokens":`, pricing.AddCapped(u.TotalInput(), u.TotalOutput()))
	dst = appendEvent(dst, completed, append(append(data, `}},"event_type":"`+completed...), `"}`...))
	return appendEvent(dst, "done", []byte("[DONE]")), true
}
