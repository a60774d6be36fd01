package provider

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// lyingFrame is the prelude of a message that says it is as long as can be.
func lyingFrame() []byte {
	b := binary.BigEndian.AppendUint32(nil, 1<<32-1)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// TestHostileStreamsKeepMemoryBounded feeds what never ends: a line, a comment, a JSON object and a frame.
func TestHostileStreamsKeepMemoryBounded(t *testing.T) {
	const pieces = 5 // of half a limit each
	filler := bytes.Repeat([]byte{'x'}, maxFrame/2)
	for _, tt := range []struct {
		name, path string
		start      []byte
	}{
		{"a line of data", chatPath, []byte("data: ")},
		{"a comment", chatPath, []byte(": ")},
		{"a response's event", responsesPath, []byte("event: response.output_text.delta\ndata: ")},
		{"an array's element", "/v1beta/models/m:streamGenerateContent", []byte(`[{"a":"`)},
		{"a line of JSON", "/api/chat", []byte(`{"a":"`)},
		{"a frame", "/model/m/converse-stream", lyingFrame()},
		{"an invocation's frame", "/model/m/invoke-with-response-stream", lyingFrame()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ep := ParsePath(tt.path)
			ep.Stream = true
			stop, meter := NewStopper(ep, "", true), NewMeter(ep, "")
			var strip UsageStripper
			passed := 0
			write := func(p []byte) {
				passed += len(stop.Write(p))
				strip.Write(p)
				meter.Write(p)
				held := max(cap(meter.events.line), cap(meter.events.data), cap(meter.frames.held), cap(meter.objects.held), cap(meter.body))
				if held > 3*maxFrame || cap(meter.tail) > 4*maxTail {
					t.Fatalf("the meter keeps %d and %d bytes", held, cap(meter.tail))
				}
				if len(stop.held) > maxEvent || len(strip.held) > maxUsageEvent {
					t.Fatalf("the stopper keeps %d bytes, the stripper %d", len(stop.held), len(strip.held))
				}
			}
			write(tt.start)
			for range pieces {
				write(filler)
			}
			if want := len(tt.start) + pieces*len(filler); passed != want {
				t.Errorf("%d bytes passed the stopper, want all %d", passed, want)
			}
			if _, ok := stop.Stop(meter.Reading().Usage); ok {
				t.Error("the stream was ended within an event")
			}
		})
	}
}
