package provider

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// converseEnding ends a stream of Bedrock's ConverseStream.
// Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html, read in November 2026.
type converseEnding struct {
	reader         frameReader
	blocks         openParts
	begun, stopped bool
	over           bool
}

func (c *converseEnding) see(message []byte) {
	c.reader.feed(message, c.seeFrame)
	c.over = c.over || c.reader.broken
}

func (c *converseEnding) seeFrame(f frame) {
	if f.exception {
		c.over = true
		return
	}
	index := int64(0)
	s := jsonscan.New(f.payload)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		if string(s.Text(key)) == "contentBlockIndex" {
			index, _ = s.Int(s.Next())
		}
	}
	switch string(f.event) {
	case "messageStart":
		c.begun = true
	case "contentBlockStart", "contentBlockDelta":
		c.blocks.begin(index)
	case "contentBlockStop":
		c.blocks.end(index)
	case "messageStop":
		c.stopped = true
	case "metadata":
		c.over = true
	}
}

func (c *converseEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if !c.begun || c.over {
		return dst, false
	}
	for _, index := range c.blocks {
		dst = appendFrame(dst, "contentBlockStop", append(appendCount(nil, `{"contentBlockIndex":`, index), '}'))
	}
	if !c.stopped {
		dst = appendFrame(dst, "messageStop", []byte(`{"stopReason":"max_tokens"}`))
	}
	written := pricing.AddCapped(u.CacheWriteShort, u.CacheWriteLong)
	read := pricing.AddCapped(u.CacheRead, u.CacheReadAudio)
	end := appendCount(nil, `{"usage":{"inputTokens":`, max(u.TotalInput()-read-written, 0))
	end = appendCount(end, `,"outputTokens":`, u.TotalOutput())
	end = appendCount(end, `,"totalTokens":`, pricing.AddCapped(u.TotalInput(), u.TotalOutput()))
	if read > 0 || written > 0 {
		end = appendCount(end, `,"cacheReadInputTokens":`, read)
		end = appendCount(end, `,"cacheWriteInputTokens":`, written)
	}
	return appendFrame(dst, "metadata", append(end, `},"metrics":{"latencyMs":0}}`...)), true
}

// invokeEnding ends a stream of Bedrock's InvokeModel if the model speaks Anthropic's format: its events stand, in
// Base64, in the chunks.
type invokeEnding struct {
	anthropicStream
	reader frameReader
	data   []byte
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
			v.seeEvent(event{data: v.data})
		}
	}
}

func (v *invokeEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	ok := v.ends(u, func(_ string, data []byte) {
		chunk := base64.StdEncoding.AppendEncode([]byte(`{"bytes":"`), data)
		dst = appendFrame(dst, "chunk", append(chunk, `"}`...))
	})
	return dst, ok
}

// headerString is the type of a header that is a string.
const headerString = 7

// appendFrame appends a message of an AWS event stream that holds an event.
func appendFrame(dst []byte, event string, payload []byte) []byte {
	var headers []byte
	for _, h := range [...][2]string{{":event-type", event}, {":content-type", "application/json"}, {":message-type", "event"}} {
		headers = append(append(headers, byte(len(h[0]))), h[0]...)
		headers = binary.BigEndian.AppendUint16(append(headers, headerString), uint16(len(h[1])))
		headers = append(headers, h[1]...)
	}
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(framePrelude+len(headers)+len(payload)+frameSum))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(headers)))
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
	dst = append(append(dst, headers...), payload...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}
