package provider

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// converseStream is how far a stream of Bedrock's ConverseStream has come, or of a model of Amazon's that is invoked.
// Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html, read in November 2026.
type converseStream struct {
	blocks         openParts
	begun, stopped bool
	over           bool
}

func (c *converseStream) seeEvent(name string, payload []byte) {
	s := jsonscan.New(memberOf(payload, "contentBlockIndex"))
	index, _ := s.Int(s.Next())
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

// ends hands out the events that end the stream, by name and payload.
func (c *converseStream) ends(u *pricing.Usage, emit func(name string, payload []byte)) bool {
	if !c.begun || c.over {
		return false
	}
	for _, index := range c.blocks {
		emit("contentBlockStop", append(appendCount(nil, `{"contentBlockIndex":`, index), '}'))
	}
	if !c.stopped {
		emit("messageStop", []byte(`{"stopReason":"max_tokens"}`))
	}
	input, read, written := bedrockInput(u)
	end := appendCount(nil, `{"usage":{"inputTokens":`, input)
	end = appendCount(end, `,"outputTokens":`, u.TotalOutput())
	end = appendCount(end, `,"totalTokens":`, pricing.AddCapped(u.TotalInput(), u.TotalOutput()))
	if read > 0 || written > 0 {
		end = appendCount(end, `,"cacheReadInputTokens":`, read)
		end = appendCount(end, `,"cacheWriteInputTokens":`, written)
	}
	emit("metadata", append(end, `},"metrics":{"latencyMs":0}}`...))
	return true
}

// bedrockInput splits a prompt as Bedrock counts it, who keeps the cache out of the input.
func bedrockInput(u *pricing.Usage) (input, read, written int64) {
	written = pricing.AddCapped(u.CacheWriteShort, u.CacheWriteLong)
	read = pricing.AddCapped(u.CacheRead, u.CacheReadAudio)
	return max(u.TotalInput()-read-written, 0), read, written
}

// converseEnding ends such a stream.
type converseEnding struct {
	converseStream
	reader frameReader
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
	c.seeEvent(string(f.event), f.payload)
}

func (c *converseEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	ok := c.ends(u, func(name string, payload []byte) { dst = appendFrame(dst, name, payload) })
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
