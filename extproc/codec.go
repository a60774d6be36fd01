package extproc

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/encoding"
	standard "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
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

// How fields are written. The cases below are tags, a field's number and how it is written, and are followed by its
// name. They are those of envoy/service/ext_proc/v3/external_processor.proto, envoy/config/core/v3/base.proto,
// envoy/extensions/filters/http/ext_proc/v3/processing_mode.proto and google/protobuf/struct.proto.
const (
	varint  = uint64(protowire.VarintType)
	fixed64 = uint64(protowire.Fixed64Type)
	length  = uint64(protowire.BytesType)

	entries    = 1<<3 | length // of HeaderMap: headers; of Metadata: filter_metadata; of Struct: fields
	entryKey   = 1<<3 | length // of an entry of a map
	entryValue = 2<<3 | length
)

var (
	errFieldNumber = errors.New("field number out of range")
	errUTF8        = errors.New("text is not UTF-8")
)

// decoder reads the fields of one message, one after the other. Once next returned false, err says whether the
// message was malformed.
type decoder struct {
	rest  []byte // what is still to read
	owned bool   // rest is not shared, so parts of it may be kept

	tag    uint64 // of the current field
	bytes  []byte // its content, if it has a length
	number uint64 // its content, if it is a number
	err    error
}

// next goes to the next field. A field of a kind that is not in use anywhere is read like any other, and dropped.
func (d *decoder) next() bool {
	if len(d.rest) == 0 || d.err != nil {
		return false
	}
	var n int
	if d.tag, n = protowire.ConsumeVarint(d.rest); n < 0 {
		return d.check(protowire.ParseError(n))
	}
	number, kind := protowire.Number(d.tag>>3), protowire.Type(d.tag&7)
	if d.tag>>3 < uint64(protowire.MinValidNumber) || d.tag>>3 > uint64(protowire.MaxValidNumber) {
		return d.check(errFieldNumber)
	}
	d.rest = d.rest[n:]
	switch kind {
	case protowire.BytesType:
		d.bytes, n = protowire.ConsumeBytes(d.rest)
	case protowire.VarintType:
		d.number, n = protowire.ConsumeVarint(d.rest)
	case protowire.Fixed64Type:
		d.number, n = protowire.ConsumeFixed64(d.rest)
	default:
		n = protowire.ConsumeFieldValue(number, kind, d.rest)
	}
	if n < 0 {
		return d.check(protowire.ParseError(n))
	}
	d.rest = d.rest[n:]
	return true
}

// check ends the message if err is not nil. It reports whether the message goes on.
func (d *decoder) check(err error) bool {
	if err != nil {
		d.err = err
	}
	return d.err == nil
}

// inner reads the current field as a message.
func (d *decoder) inner() decoder { return decoder{rest: d.bytes, owned: d.owned} }

// values reads the values of an entry of a map. There is one, or none or several to be merged.
func (d decoder) values(read func(decoder) error) error {
	for d.next() {
		if d.tag == entryValue {
			d.check(read(d.inner()))
		}
	}
	return d.err
}

// count returns how many fields of the message have a tag. Malformed ones do not count.
func (d decoder) count(tag uint64) (n int) {
	for d.next() {
		if d.tag == tag {
			n++
		}
	}
	return n
}

// text is where the strings of a message are kept together.
type text struct{ strings.Builder }

// keep returns a copy of b. It costs no allocation as long as there is room.
func (t *text) keep(b []byte) string {
	start := t.Len()
	t.Write(b)
	return t.String()[start:]
}

// decodeRequest adds to m what d holds.
func decodeRequest(d decoder, m *extprocv3.ProcessingRequest) error {
	for d.next() {
		switch d.tag {
		case 2<<3 | length: // request_headers
			h := cmp.Or(m.GetRequestHeaders(), new(extprocv3.HttpHeaders))
			m.Request = &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: h}
			d.check(decodeHeaders(d.inner(), h))
		case 3<<3 | length: // response_headers
			h := cmp.Or(m.GetResponseHeaders(), new(extprocv3.HttpHeaders))
			m.Request = &extprocv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: h}
			d.check(decodeHeaders(d.inner(), h))
		case 4<<3 | length: // request_body
			b := cmp.Or(m.GetRequestBody(), new(extprocv3.HttpBody))
			m.Request = &extprocv3.ProcessingRequest_RequestBody{RequestBody: b}
			d.check(decodeBody(d.inner(), b))
		case 5<<3 | length: // response_body
			b := cmp.Or(m.GetResponseBody(), new(extprocv3.HttpBody))
			m.Request = &extprocv3.ProcessingRequest_ResponseBody{ResponseBody: b}
			d.check(decodeBody(d.inner(), b))
		case 6<<3 | length: // request_trailers
			m.Request = &extprocv3.ProcessingRequest_RequestTrailers{RequestTrailers: new(extprocv3.HttpTrailers)}
		case 7<<3 | length: // response_trailers
			m.Request = &extprocv3.ProcessingRequest_ResponseTrailers{ResponseTrailers: new(extprocv3.HttpTrailers)}
		case 8<<3 | length: // metadata_context
			d.check(decodeMetadata(d.inner(), m))
		case 9<<3 | length: // attributes
			d.check(decodeAttributes(d.inner(), m))
		case 11<<3 | length: // protocol_config
			m.ProtocolConfig = cmp.Or(m.ProtocolConfig, new(extprocv3.ProtocolConfiguration))
			d.check(decodeProtocol(d.inner(), m.ProtocolConfig))
		}
	}
	return d.err
}

func decodeHeaders(d decoder, h *extprocv3.HttpHeaders) error {
	for d.next() {
		switch d.tag {
		case 1<<3 | length: // headers
			h.Headers = cmp.Or(h.Headers, new(corev3.HeaderMap))
			d.check(decodeHeaderMap(d.inner(), h.Headers))
		case 3<<3 | varint: // end_of_stream
			h.EndOfStream = protowire.DecodeBool(d.number)
		}
	}
	return d.err
}

func decodeHeaderMap(d decoder, h *corev3.HeaderMap) error {
	values := make([]corev3.HeaderValue, d.count(entries))
	if h.Headers == nil {
		h.Headers = make([]*corev3.HeaderValue, 0, len(values))
	}
	var t text
	t.Grow(len(d.rest))
	for d.next() {
		if d.tag == entries {
			d.check(decodeHeader(d.inner(), &t, &values[0]))
			h.Headers, values = append(h.Headers, &values[0]), values[1:]
		}
	}
	return d.err
}

// decodeHeader puts the raw value into Value, if there is one.
func decodeHeader(d decoder, t *text, h *corev3.HeaderValue) error {
	var key, value, raw []byte
	for d.next() {
		switch d.tag {
		case 1<<3 | length: // key
			key = d.utf8()
		case 2<<3 | length: // value
			value = d.utf8()
		case 3<<3 | length: // raw_value
			raw = d.bytes
		}
	}
	if len(raw) > 0 {
		value = raw
	}
	h.Key, h.Value = t.keep(key), t.keep(value)
	return d.err
}

// utf8 returns the current field, which is text.
func (d *decoder) utf8() []byte {
	if !utf8.Valid(d.bytes) {
		d.check(errUTF8)
	}
	return d.bytes
}

func decodeBody(d decoder, b *extprocv3.HttpBody) error {
	for d.next() {
		switch d.tag {
		case 1<<3 | length: // body
			b.Body = slices.Clip(d.bytes)
			if !d.owned {
				b.Body = bytes.Clone(d.bytes)
			}
		case 2<<3 | varint: // end_of_stream
			b.EndOfStream = protowire.DecodeBool(d.number)
		}
	}
	return d.err
}

func decodeProtocol(d decoder, c *extprocv3.ProtocolConfiguration) error {
	for d.next() {
		switch d.tag {
		case 1<<3 | varint: // request_body_mode
			c.RequestBodyMode = filterv3.ProcessingMode_BodySendMode(d.number)
		case 2<<3 | varint: // response_body_mode
			c.ResponseBodyMode = filterv3.ProcessingMode_BodySendMode(d.number)
		}
	}
	return d.err
}

// decodeMetadata reads the claims of a token and skips the metadata of all other filters.
func decodeMetadata(d decoder, m *extprocv3.ProcessingRequest) error {
	for d.next() {
		if d.tag != entries {
			continue
		}
		key, err := decodeKey(d.inner())
		if !d.check(err) || string(key) != jwtNamespace {
			continue
		}
		claims := new(structpb.Struct)
		d.check(d.inner().values(func(v decoder) error { return merge(v.rest, claims) }))
		m.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{jwtNamespace: claims}}
	}
	return d.err
}

// decodeKey returns the key of an entry of a map, which may be written after the value.
func decodeKey(d decoder) (key []byte, err error) {
	for d.next() {
		if d.tag == entryKey {
			key = d.utf8()
		}
	}
	return key, d.err
}

func decodeAttributes(d decoder, m *extprocv3.ProcessingRequest) error {
	key, err := decodeKey(d)
	if err != nil {
		return err
	}
	s := new(structpb.Struct)
	if m.Attributes == nil {
		m.Attributes = make(map[string]*structpb.Struct, 1)
	}
	m.Attributes[string(key)] = s
	return d.values(func(v decoder) error { return decodeStruct(v, s) })
}

// attributeValue is a Value with the kinds that attributes have, in one allocation.
type attributeValue struct {
	structpb.Value
	text   structpb.Value_StringValue
	number structpb.Value_NumberValue
}

func decodeStruct(d decoder, s *structpb.Struct) error {
	values := make([]attributeValue, d.count(entries))
	if s.Fields == nil {
		s.Fields = make(map[string]*structpb.Value, len(values))
	}
	var t text
	t.Grow(len(d.rest))
	for d.next() {
		if d.tag == entries {
			d.check(decodeField(d.inner(), &t, s, &values[0]))
			values = values[1:]
		}
	}
	return d.err
}

func decodeField(d decoder, t *text, s *structpb.Struct, v *attributeValue) error {
	key, err := decodeKey(d)
	if err != nil {
		return err
	}
	s.Fields[t.keep(key)] = &v.Value
	return d.values(func(value decoder) error { return decodeValue(value, t, v) })
}

func decodeValue(d decoder, t *text, v *attributeValue) error {
	whole := d.rest
	for d.next() {
		switch d.tag {
		case 2<<3 | fixed64: // number_value
			v.number.NumberValue = math.Float64frombits(d.number)
			v.Kind = &v.number
		case 3<<3 | length: // string_value
			v.text.StringValue = t.keep(d.utf8())
			v.Kind = &v.text
		case 1<<3 | varint, 4<<3 | varint, 5<<3 | length, 6<<3 | length: // null, bool, struct, list
			// No attribute is one of these. Reading numbers and text twice does not matter, as the last one wins.
			return merge(whole, &v.Value)
		}
	}
	return d.err
}

// merge adds to m what b holds, the standard way.
func merge(b []byte, m proto.Message) error {
	return proto.UnmarshalOptions{Merge: true, DiscardUnknown: true}.Unmarshal(b, m)
}

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
