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
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

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
