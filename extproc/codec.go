package extproc

import (
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/encoding"
	standard "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Codec is gRPC's codec for protocol buffers, with a short way for the two messages of a stream. It is to be
// installed with grpc.ForceServerCodecV2. The zero value works; methods may run together.
//
// A decoded ProcessingRequest holds what this package reads and nothing else. Raw values of headers are in Value,
// where old releases of Envoy put theirs, so that all text of a message is one allocation. What is not read is
// skipped, whatever it holds; all else follows the rules of protocol buffers: the last value of a field wins,
// messages and lists that come in parts are merged, text is UTF-8.
//
// Replies are encoded in one pass as this package builds them, without unknown fields; a reply with anything
// else in it, and every other message, takes the standard way.
type Codec struct{}

var _ encoding.CodecV2 = Codec{}

// Name is that of the standard codec, as both speak the same.
func (Codec) Name() string { return standard.Name }

// Marshal implements encoding.CodecV2.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(*extprocv3.ProcessingResponse); ok && m != nil {
		if out, ok := encodeReply(m); ok {
			return out, nil
		}
	}
	return encoding.GetCodecV2(standard.Name).Marshal(v)
}

// Unmarshal implements encoding.CodecV2. Nothing in v refers to data afterwards.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*extprocv3.ProcessingRequest)
	if !ok || m == nil {
		return encoding.GetCodecV2(standard.Name).Unmarshal(data, v)
	}
	m.Reset()
	if len(data) == 1 {
		return decodeRequest(decoder{rest: data[0].ReadOnlyData()}, m)
	}
	// A message in pieces has to be copied anyway, so its body need not be copied again.
	return decodeRequest(decoder{rest: data.Materialize(), owned: true}, m)
}
