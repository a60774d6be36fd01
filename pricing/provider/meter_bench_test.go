package provider

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// chunkedStream is a chat stream of 100 events as Envoy hands it on: one event a piece.
func chunkedStream() [][]byte {
	const head = `data: {"id":"chatcmpl-CeB5RtQx8","object":"chat.completion.chunk","created":1763817600,"model":"gpt-4o-mini-2024-07-18",`
	var pieces [][]byte
	for i := range 98 {
		pieces = append(pieces, fmt.Appendf(nil, `%s"choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}],"usage":null}`+"\n\n", head, i))
	}
	return append(pieces,
		[]byte(head+`"choices":[],"usage":{"prompt_tokens":900,"completion_tokens":98,"total_tokens":998}}`+"\n\n"),
		[]byte("data: [DONE]\n\n"))
}

func BenchmarkMeterStream100(b *testing.B) {
	pieces := chunkedStream()
	b.SetBytes(int64(len(bytes.Join(pieces, nil))))
	b.ReportAllocs()
	for b.Loop() {
		m := NewMeter(Endpoint{API: OpenAIChat}, "")
		for _, p := range pieces {
			m.Write(p)
		}
		if r := m.Close(); !r.HasUsage || !r.Complete {
			b.Fatalf("reading: %+v", r)
		}
	}
}

func BenchmarkMeterJSON8K(b *testing.B) {
	body := []byte(`{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat(`An answer of some length.\n`, 290) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":900,"completion_tokens":2000,"total_tokens":2900}}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		m := NewMeter(Endpoint{API: OpenAIChat}, "")
		m.Write(body)
		if r := m.Close(); !r.HasUsage || !r.Complete {
			b.Fatalf("reading: %+v", r)
		}
	}
}
