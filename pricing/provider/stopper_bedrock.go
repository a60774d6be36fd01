package provider

import (
	"encoding/base64"
	"hash/crc32"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// converseEnding ends a stream of Bedrock's ConverseStream.
// Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html, read in November 2026.
type converseEnding struct {
	blocks         openParts
	begun, stopped bool
	over           bool
}

func (c *converseEnding) see(frame []byte) {
	name, exception, payload := cutFrame(frame)
	if exception {
		c.over = true
		return
	}
	index := int64(0)
	s := jsonscan.New(payload)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		if string(s.Text(key)) == "contentBlockIndex" {
			index, _ = s.Int(s.Next())
		}
	}
	switch name {
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
	data []byte
}

func (v *invokeEnding) see(frame []byte) {
	_, exception, payload := cutFrame(frame)
	if exception {
		v.over = true
		return
	}
	s := jsonscan.New(payload)
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

// appendFrame appends a frame that holds an event.
func appendFrame(dst []byte, name string, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, framePrelude)...)
	dst = appendFrameHeader(dst, ":event-type", name)
	dst = appendFrameHeader(dst, ":content-type", "application/json")
	dst = appendFrameHeader(dst, ":message-type", "event")
	headers := len(dst) - start - framePrelude
	dst = append(dst, payload...)
	putUint32(dst[start:], uint32(len(dst)-start+frameSum))
	putUint32(dst[start+4:], uint32(headers))
	putUint32(dst[start+8:], crc32.ChecksumIEEE(dst[start:start+8]))
	sum := crc32.ChecksumIEEE(dst[start:])
	dst = append(dst, 0, 0, 0, 0)
	putUint32(dst[len(dst)-frameSum:], sum)
	return dst
}

func appendFrameHeader(dst []byte, name, value string) []byte {
	dst = append(append(dst, byte(len(name))), name...)
	dst = append(dst, headerString, byte(len(value)>>8), byte(len(value)))
	return append(dst, value...)
}

// cutFrame takes a frame apart: the name of its event, whether it is an exception instead, and the payload. What is
// no frame has none of these.
func cutFrame(frame []byte) (name string, exception bool, payload []byte) {
	if len(frame) < framePrelude+frameSum {
		return "", false, nil
	}
	headers, end := int(getUint32(frame[4:])), len(frame)-frameSum
	if headers < 0 || headers > end-framePrelude {
		return "", false, nil
	}
	payload = frame[framePrelude+headers : end]
	for rest := frame[framePrelude : framePrelude+headers]; ; {
		var key, value string
		var ok bool
		if key, value, rest, ok = cutFrameHeader(rest); !ok {
			return name, exception, payload
		}
		switch key {
		case ":event-type":
			name = value
		case ":message-type":
			exception = value == "exception" || value == "error"
		}
	}
}

// cutFrameHeader returns the first header, if it is a string, and what follows it. AWS sends no others here.
func cutFrameHeader(b []byte) (key, value string, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < int(b[0])+4 {
		return "", "", nil, false
	}
	key, b = string(b[1:1+b[0]]), b[1+b[0]:]
	length := int(b[1])<<8 | int(b[2])
	if b[0] != headerString || len(b) < 3+length {
		return "", "", nil, false
	}
	return key, string(b[3 : 3+length]), b[3+length:], true
}

func getUint32(b []byte) uint32 {
	_ = b[3]
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func putUint32(b []byte, n uint32) {
	_ = b[3]
	b[0], b[1], b[2], b[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
}
