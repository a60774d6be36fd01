package provider

import (
	"bytes"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// chatEnding ends a stream of OpenAI chat or text completions: a chunk whose choices finish for their length, the
// usage, and the marker. Who asked for the usage gets it in a chunk of its own. Vendors that always state it do so with
// the last choice, as clients who did not ask take every chunk for one with a choice.
type chatEnding struct {
	text   bool // text completions
	asked  bool // for the usage
	always bool // the vendor states it
	model  pricing.ModelName

	id, created, name []byte // as the chunks spell them
	choices           openParts
	begun, chosen     bool // a chunk, and one with a choice
	stated, over      bool
}

func (c *chatEnding) seeEvent(e event) {
	if bytes.Equal(bytes.TrimSpace(e.data), []byte("[DONE]")) {
		c.over = true
		return
	}
	s := jsonscan.New(e.data)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		c.begun = true
		switch string(s.Text(key)) {
		case "id":
			keep(&c.id, whole(e.data, s.Skip()))
		case "created":
			keep(&c.created, whole(e.data, s.Skip()))
		case "model":
			keep(&c.name, whole(e.data, s.Skip()))
		case "choices":
			list := s.Next()
			for choice, ok := s.Element(list); ok; choice, ok = s.Element(list) {
				c.choice(&s, choice)
			}
		case "usage":
			c.stated = s.Next().Kind == jsonscan.Object
		case "error":
			c.over = true
		}
	}
}

func (c *chatEnding) choice(s *jsonscan.Scanner, choice jsonscan.Token) {
	index, done := int64(0), false
	for key, ok := s.Member(choice); ok; key, ok = s.Member(choice) {
		switch string(s.Text(key)) {
		case "index":
			index, _ = s.Int(s.Next())
		case "finish_reason":
			done = s.Next().Kind == jsonscan.String
		}
	}
	c.chosen = true
	c.choices.begin(index)
	if done {
		c.choices.end(index)
	}
}

func (c *chatEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if !c.begun || c.over {
		return dst, false
	}
	if !c.chosen {
		c.choices.begin(0)
	}
	if len(c.choices) > 0 {
		dst = append(c.head(dst), `"choices":[`...)
		for i, index := range c.choices {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendCount(dst, `{"index":`, index), c.emptyChoice()...)
		}
		dst = append(dst, ']')
		if c.always { // what earlier chunks state, they state of the answer until then
			dst = chatUsage(dst, u)
		}
		dst = append(dst, "}\n\n"...)
	}
	if !c.stated && (c.always && len(c.choices) == 0 || c.asked && !c.always) {
		dst = append(chatUsage(append(c.head(dst), `"choices":[]`...), u), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...), true
}

// chatUsage appends the usage as the last member of a chunk.
func chatUsage(dst []byte, u *pricing.Usage) []byte {
	dst = appendCount(dst, `,"usage":{"prompt_tokens":`, u.TotalInput())
	dst = appendCount(dst, `,"completion_tokens":`, u.TotalOutput())
	dst = appendCount(dst, `,"total_tokens":`, pricing.AddCapped(u.TotalInput(), u.TotalOutput()))
	return append(dst, '}')
}

// emptyChoice is the rest of a choice that adds nothing and is cut.
func (c *chatEnding) emptyChoice() string {
	switch {
	case c.text:
		return `,"text":"","logprobs":null,"finish_reason":"length"}`
	case !c.chosen:
		return `,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":"length"}`
	}
	return `,"delta":{},"logprobs":null,"finish_reason":"length"}`
}

// head appends the start of a chunk.
func (c *chatEnding) head(dst []byte) []byte {
	dst = appendRaw(append(dst, `data: {"id":`...), c.id, `"farebox"`)
	object := `,"object":"chat.completion.chunk","created":`
	if c.text {
		object = `,"object":"text_completion","created":`
	}
	dst = appendRaw(append(dst, object...), c.created, `0`)
	dst = append(dst, `,"model":`...)
	if len(c.name) == 0 {
		dst = jsonscan.AppendString(dst, string(c.model))
	} else {
		dst = append(dst, c.name...)
	}
	return append(dst, ',')
}
