package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
)

// anthropicStream is how far a stream of Anthropic's Messages API has come, whatever frames it.
type anthropicStream struct {
	blocks        openParts
	begun, closed bool // message_start, and message_delta with its stop reason
	over          bool
}

// seeEvent reads an event.
func (a *anthropicStream) seeEvent(e event) {
	kind, index := kindOf(e)
	switch kind {
	case "message_start":
		a.begun = true
	case "content_block_start":
		a.blocks.begin(index)
	case "content_block_stop":
		a.blocks.end(index)
	case "message_delta":
		a.closed = true
	case "message_stop", "error":
		a.over = true
	}
}

// ends hands out the events that end the stream, by name and data.
func (a *anthropicStream) ends(u *pricing.Usage, emit func(name string, data []byte)) bool {
	if !a.begun || a.over {
		return false
	}
	for _, index := range a.blocks {
		emit("content_block_stop", append(appendCount(nil, `{"type":"content_block_stop","index":`, index), '}'))
	}
	if !a.closed {
		data := appendCount(nil, `{"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":`, u.TotalOutput())
		emit("message_delta", append(data, "}}"...))
	}
	emit("message_stop", []byte(`{"type":"message_stop"}`))
	return true
}

// anthropicEvents ends such a stream of server-sent events.
type anthropicEvents struct{ anthropicStream }

func (a *anthropicEvents) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	ok := a.ends(u, func(name string, data []byte) { dst = appendEvent(dst, name, data) })
	return dst, ok
}

// appendEvent appends a server-sent event.
func appendEvent(dst []byte, name string, data []byte) []byte {
	dst = append(append(dst, "event: "...), name...)
	dst = append(append(dst, "\ndata: "...), data...)
	return append(dst, "\n\n"...)
}
