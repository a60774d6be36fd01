package provider

import (
	"cmp"
	"encoding/base64"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// invokeEnding ends a stream of Bedrock's InvokeModel, whose chunks hold, in Base64, what the model answers in its own
// format: that of Anthropic, Amazon's Nova and Titan, Llama, Mistral or Cohere, or of chat completions. Others have no
// end.
type invokeEnding struct {
	reader frameReader
	data   []byte
	format chunkFormat // nil before the first chunk, and if nobody knows it
	begun  bool
	over   bool
}

// chunkFormat is how a model's own format ends.
type chunkFormat interface {
	seeChunk(data []byte)
	// endChunks hands out the chunks that end the stream; false if it has not begun or has ended.
	endChunks(u *pricing.Usage, emit func(chunk []byte)) bool
}

func (v *invokeEnding) see(message []byte) {
	v.reader.feed(message, v.seeFrame)
	v.over = v.over || v.reader.broken
}

func (v *invokeEnding) seeFrame(f frame) {
	if f.exception {
		v.over = true
		return
	}
	s := jsonscan.New(f.payload)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		if string(s.Text(key)) != "bytes" {
			continue
		}
		text := s.Next()
		if text.Kind != jsonscan.String {
			continue
		}
		var err error
		if v.data, err = base64.StdEncoding.AppendDecode(v.data[:0], s.Text(text)); err == nil {
			v.seeChunk(v.data)
		}
	}
}

func (v *invokeEnding) seeChunk(data []byte) {
	if !v.begun {
		v.begun, v.format = true, chunkFormatOf(data)
	}
	if v.format != nil {
		v.format.seeChunk(data)
	}
}

func (v *invokeEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if v.over || v.format == nil {
		return dst, false
	}
	ok := v.format.endChunks(u, func(data []byte) {
		chunk := base64.StdEncoding.AppendEncode([]byte(`{"bytes":"`), data)
		dst = appendFrame(dst, "chunk", append(chunk, `"}`...))
	})
	return dst, ok
}

// chunkFormatOf tells the format by the keys of the first chunk, nil if it is none of those that are known.
func chunkFormatOf(data []byte) chunkFormat {
	s := jsonscan.New(data)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		switch string(s.Text(key)) {
		case "type":
			return &anthropicChunks{}
		case "messageStart":
			return &novaChunks{}
		case "generation":
			return &foundationChunks{end: llamaEnd}
		case "outputText":
			return &foundationChunks{end: titanEnd}
		case "outputs":
			return &foundationChunks{end: mistralEnd}
		case "event_type", "is_finished":
			return &cohereChunks{}
		case "choices":
			return &choiceChunks{}
		}
	}
	return nil
}

type anthropicChunks struct{ anthropicStream }

func (a *anthropicChunks) seeChunk(data []byte) { a.seeEvent(event{data: data}) }

func (a *anthropicChunks) endChunks(u *pricing.Usage, emit func([]byte)) bool {
	return a.ends(u, func(_ string, data []byte) { emit(data) })
}

// novaChunks are those of Amazon's Nova: the events of ConverseStream, each under its name.
// Source: https://docs.aws.amazon.com/nova/latest/userguide/complete-request-schema.html, read in November 2026.
type novaChunks struct{ converseStream }

func (n *novaChunks) seeChunk(data []byte) {
	s := jsonscan.New(data)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		name := string(s.Text(key))
		n.seeEvent(name, s.Text(s.Skip()))
	}
}

func (n *novaChunks) endChunks(u *pricing.Usage, emit func([]byte)) bool {
	return n.ends(u, func(name string, payload []byte) {
		chunk := append([]byte(`{"`+name+`":`), payload...)
		if name == "metadata" {
			chunk = appendMetrics(append(chunk, ','), u)
		}
		emit(append(chunk, '}'))
	})
}

// cohereChunks are the lines of Cohere's first API.
type cohereChunks struct{ cohereLines }

func (c *cohereChunks) seeChunk(data []byte) { c.see(data) }

func (c *cohereChunks) endChunks(u *pricing.Usage, emit func([]byte)) bool {
	if !c.begun || c.over {
		return false
	}
	chunk := []byte(`{"is_finished":true,"finish_reason":"MAX_TOKENS"`)
	if c.named {
		c.chat = true // Bedrock has no other events
		chunk = c.last(nil, u)
	}
	emit(append(appendMetrics(append(chunk, ','), u), '}'))
	return true
}

// foundationChunks are pieces of text of which the last states why it is the last.
// Source: the "Inference request parameters and response fields for foundation models" of the Amazon Bedrock user
// guide, read in November 2026.
type foundationChunks struct {
	end  func(dst []byte, u *pricing.Usage) []byte // appends the last one, but for the metrics
	over bool
}

func (f *foundationChunks) seeChunk(data []byte) {
	s := jsonscan.New(data)
	f.look(&s, s.Next())
}

// look reads a chunk, or a text in one.
func (f *foundationChunks) look(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "stop_reason", "completionReason":
			f.over = s.Next().Kind == jsonscan.String || f.over
		case "amazon-bedrock-invocationMetrics":
			f.over = true
		case "outputs":
			list := s.Next()
			for text, ok := s.Element(list); ok; text, ok = s.Element(list) {
				f.look(s, text)
			}
		}
	}
}

func (f *foundationChunks) endChunks(u *pricing.Usage, emit func([]byte)) bool {
	if f.over {
		return false
	}
	emit(append(appendMetrics(f.end(nil, u), u), '}'))
	return true
}

func llamaEnd(dst []byte, u *pricing.Usage) []byte {
	dst = appendCount(dst, `{"generation":"","prompt_token_count":null,"generation_token_count":`, u.TotalOutput())
	return append(dst, `,"stop_reason":"length",`...)
}

func titanEnd(dst []byte, u *pricing.Usage) []byte {
	dst = appendCount(dst, `{"outputText":"","index":0,"totalOutputTextTokenCount":`, u.TotalOutput())
	return append(dst, `,"completionReason":"LENGTH","inputTextTokenCount":null,`...)
}

func mistralEnd(dst []byte, _ *pricing.Usage) []byte {
	return append(dst, `{"outputs":[{"text":"","stop_reason":"length"}],`...)
}

// choiceChunks are those of models that answer as chat completions do: Mistral's larger ones, which put a message and a
// stop_reason into each choice, and OpenAI's, which put a delta and a finish_reason there.
// Source: "Mistral AI chat completion" of the Amazon Bedrock user guide, which shows a whole answer and no chunk: the end
// takes the names that the chunks had.
type choiceChunks struct {
	piece, reason string // "message" or "delta", "stop_reason" or "finish_reason"; "" before a choice had one
	choices       openParts
	chosen, over  bool
}

func (c *choiceChunks) seeChunk(data []byte) {
	s := jsonscan.New(data)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		switch string(s.Text(key)) {
		case "amazon-bedrock-invocationMetrics":
			c.over = true
		case "choices":
			list := s.Next()
			for choice, ok := s.Element(list); ok; choice, ok = s.Element(list) {
				c.choice(&s, choice)
			}
		}
	}
}

func (c *choiceChunks) choice(s *jsonscan.Scanner, choice jsonscan.Token) {
	index, done := int64(0), false
	for key, ok := s.Member(choice); ok; key, ok = s.Member(choice) {
		switch name := string(s.Text(key)); name {
		case "index":
			index, _ = s.Int(s.Next())
		case "message", "delta":
			c.piece = name
		case "stop_reason", "finish_reason":
			if c.reason == "" || name == "finish_reason" { // both of those that are run by vLLM
				c.reason = name
			}
			done = s.Next().Kind == jsonscan.String || done
		}
	}
	c.chosen = true
	c.choices.begin(index)
	if done {
		c.choices.end(index)
	}
}

// endChunks ends what is open, in one chunk with the metrics.
func (c *choiceChunks) endChunks(u *pricing.Usage, emit func([]byte)) bool {
	if c.over || !c.chosen {
		return false
	}
	chunk := []byte(`{"choices":[`)
	for i, index := range c.choices {
		if i > 0 {
			chunk = append(chunk, ',')
		}
		chunk = appendCount(chunk, `{"index":`, index)
		chunk = append(chunk, `,"`+cmp.Or(c.piece, "message")+`":{"role":"assistant","content":""},"`+cmp.Or(c.reason, "stop_reason")+`":"length"}`...)
	}
	emit(append(appendMetrics(append(chunk, `],`...), u), '}'))
	return true
}

// appendMetrics appends what the last chunk of any model counts.
func appendMetrics(dst []byte, u *pricing.Usage) []byte {
	input, read, written := bedrockInput(u)
	dst = appendCount(dst, `"amazon-bedrock-invocationMetrics":{"inputTokenCount":`, input)
	dst = appendCount(dst, `,"outputTokenCount":`, u.TotalOutput())
	dst = append(dst, `,"invocationLatency":0,"firstByteLatency":0`...)
	if read > 0 || written > 0 {
		dst = appendCount(dst, `,"cacheReadInputTokenCount":`, read)
		dst = appendCount(dst, `,"cacheWriteInputTokenCount":`, written)
	}
	return append(dst, '}')
}
