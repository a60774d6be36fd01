package provider

import (
	"encoding/base64"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// invokeEnding ends a stream of Bedrock's InvokeModel, whose chunks hold, in Base64, what the model answers in its own
// format: that of Anthropic, Amazon's Nova and Titan, Llama, Mistral's texts or Cohere. Others have no end.
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
