package extproc

import (
	"slices"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/structpb"
)

// encoder writes a message from its end to its start, so that every length is known when it is due. Where there is
// no more room it goes on counting.
type encoder struct {
	buf   []byte
	start int  // of what is written, in buf; negative by what there was no room for
	odd   bool // the message has something that is left to the standard codec
}

// scratch is the room for a first try. Replies that need more take a buffer of gRPC's pool, which has none for
// smaller ones.
const scratch = 1 << 10

// encodeReply reports whether it could encode the reply.
func encodeReply(m *extprocv3.ProcessingResponse) (mem.BufferSlice, bool) {
	var room [scratch]byte
	e := encoder{buf: room[:], start: len(room)}
	e.reply(m)
	if e.odd {
		return nil, false
	}
	if e.start >= 0 {
		return mem.BufferSlice{mem.SliceBuffer(append([]byte(nil), e.buf[e.start:]...))}, true
	}
	pool := mem.DefaultBufferPool()
	buf := pool.Get(e.size())
	whole := encoder{buf: *buf, start: len(*buf)}
	whole.reply(m)
	return mem.BufferSlice{mem.NewBuffer(buf, pool)}, true
}

// size returns how much is written or counted.
func (e *encoder) size() int { return len(e.buf) - e.start }

// room returns where the next n bytes go, nil if there is no room for them.
func (e *encoder) room(n int) []byte {
	e.start -= n
	if e.start < 0 {
		return nil
	}
	return e.buf[e.start : e.start+n]
}

// varint writes a tag, a length or a number.
func (e *encoder) varint(v uint64) {
	if to := e.room(protowire.SizeVarint(v)); to != nil {
		protowire.AppendVarint(to[:0], v)
	}
}

// message makes a field of what was written since the size was as it was before.
func (e *encoder) message(number protowire.Number, before int) {
	e.varint(uint64(e.size() - before))
	e.varint(protowire.EncodeTag(number, protowire.BytesType))
}

func (e *encoder) bytes(number protowire.Number, b []byte) {
	before := e.size()
	copy(e.room(len(b)), b)
	e.message(number, before)
}

func (e *encoder) string(number protowire.Number, s string) {
	e.odd = e.odd || !utf8.ValidString(s)
	before := e.size()
	copy(e.room(len(s)), s)
	e.message(number, before)
}

// enum writes a value of an enumeration. Zero is what a missing one is taken for.
func (e *encoder) enum(number protowire.Number, v int32) {
	if v != 0 {
		e.varint(uint64(v))
		e.varint(protowire.EncodeTag(number, protowire.VarintType))
	}
}

func (e *encoder) reply(m *extprocv3.ProcessingResponse) {
	//nolint:staticcheck // a deprecated field that is set must not get lost
	e.odd = len(m.TypedDynamicMetadata) > 0 || m.RequestDrain || m.RequestDrainRequests || m.RequestDrainResponses ||
		m.OverrideMessageTimeout != nil || m.ServerWindowUpdate != nil
	if o := m.ModeOverride; o != nil {
		before := e.size()
		e.mode(o)
		e.message(9, before)
	}
	if s := m.DynamicMetadata; s != nil {
		before := e.size()
		e.metadata(s)
		e.message(8, before)
	}
	switch r := m.Response.(type) {
	case *extprocv3.ProcessingResponse_RequestHeaders:
		e.phase(1, r.RequestHeaders.GetResponse())
	case *extprocv3.ProcessingResponse_ResponseHeaders:
		e.phase(2, r.ResponseHeaders.GetResponse())
	case *extprocv3.ProcessingResponse_RequestBody:
		e.phase(3, r.RequestBody.GetResponse())
	case *extprocv3.ProcessingResponse_ResponseBody:
		e.phase(4, r.ResponseBody.GetResponse())
	case *extprocv3.ProcessingResponse_RequestTrailers:
		e.trailers(5, r.RequestTrailers)
	case *extprocv3.ProcessingResponse_ResponseTrailers:
		e.trailers(6, r.ResponseTrailers)
	case *extprocv3.ProcessingResponse_ImmediateResponse:
		e.immediate(7, r.ImmediateResponse)
	default:
		e.odd = true
	}
}

func (e *encoder) mode(m *filterv3.ProcessingMode) {
	e.enum(6, int32(m.ResponseTrailerMode))
	e.enum(5, int32(m.RequestTrailerMode))
	e.enum(4, int32(m.ResponseBodyMode))
	e.enum(3, int32(m.RequestBodyMode))
	e.enum(2, int32(m.ResponseHeaderMode))
	e.enum(1, int32(m.RequestHeaderMode))
}

// phase writes a HeadersResponse or BodyResponse, which have the same form.
func (e *encoder) phase(number protowire.Number, c *extprocv3.CommonResponse) {
	outer := e.size()
	if c != nil {
		before := e.size()
		e.common(c)
		e.message(1, before)
	}
	e.message(number, outer)
}

func (e *encoder) common(c *extprocv3.CommonResponse) {
	e.odd = e.odd || c.Status != 0 || c.Trailers != nil
	if c.ClearRouteCache {
		e.enum(5, 1)
	}
	if b := c.BodyMutation; b != nil {
		body, ok := b.Mutation.(*extprocv3.BodyMutation_Body)
		before := e.size()
		if ok {
			e.bytes(1, body.Body)
		}
		e.message(3, before)
		e.odd = e.odd || !ok
	}
	e.mutation(2, c.HeaderMutation)
}

func (e *encoder) mutation(number protowire.Number, m *extprocv3.HeaderMutation) {
	if m == nil {
		return
	}
	outer := e.size()
	for _, name := range slices.Backward(m.RemoveHeaders) {
		e.string(2, name)
	}
	for _, o := range slices.Backward(m.SetHeaders) {
		before := e.size()
		e.header(o)
		e.message(1, before)
	}
	e.message(number, outer)
}

func (e *encoder) header(o *corev3.HeaderValueOption) {
	//nolint:staticcheck // a deprecated field that is set must not get lost
	if o == nil || o.Header == nil || o.Header.Value != "" || o.Append != nil || o.KeepEmptyValue {
		e.odd = true
		return
	}
	e.enum(3, int32(o.AppendAction))
	before := e.size()
	if len(o.Header.RawValue) > 0 {
		e.bytes(3, o.Header.RawValue)
	}
	e.string(1, o.Header.Key)
	e.message(1, before)
}

func (e *encoder) trailers(number protowire.Number, r *extprocv3.TrailersResponse) {
	e.odd = e.odd || r.GetHeaderMutation() != nil
	e.message(number, e.size())
}

func (e *encoder) immediate(number protowire.Number, r *extprocv3.ImmediateResponse) {
	if r == nil || r.Status == nil || r.GrpcStatus != nil {
		e.odd = true
		return
	}
	outer := e.size()
	if r.Details != "" {
		e.string(5, r.Details)
	}
	if len(r.Body) > 0 {
		e.bytes(3, r.Body)
	}
	e.mutation(2, r.Headers)
	before := e.size()
	e.enum(1, int32(r.Status.Code))
	e.message(1, before)
	e.message(number, outer)
}

// metadata writes a Struct of texts and further Structs.
func (e *encoder) metadata(s *structpb.Struct) {
	for name, v := range s.GetFields() {
		entry := e.size()
		switch k := v.GetKind().(type) {
		case *structpb.Value_StringValue:
			e.string(3, k.StringValue)
		case *structpb.Value_StructValue:
			e.metadata(k.StructValue)
			e.message(5, entry)
		default:
			e.odd = true
		}
		e.message(2, entry)
		e.string(1, name)
		e.message(1, entry)
	}
}
