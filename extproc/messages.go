package extproc

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
)

const (
	// metadataNamespace is where route table, response headers and access log look.
	metadataNamespace = "farebox"
	// attributesKey is where Envoy puts the attributes that its configuration asks for.
	attributesKey = "envoy.filters.http.ext_proc"
	// unsentRetries starts the names of routes that retry only what was never sent, as the shipped ones do.
	unsentRetries = "unsent-retries:"
	// jwtNamespace is where Envoy's jwt_authn filter leaves the claims of a token that it verified.
	jwtNamespace = "envoy.filters.http.jwt_authn"
)

// incoming reads the request headers. Values come in raw_value, older ones in value; Codec, which a server may
// do without, has moved them all to value.
func incoming(m *extprocv3.ProcessingRequest, h *extprocv3.HttpHeaders) exchange.Incoming {
	list := h.GetHeaders().GetHeaders()
	in := exchange.Incoming{
		Headers: make([]exchange.Header, 0, len(list)), NoBody: h.EndOfStream, Misfit: misfit(m.ProtocolConfig),
	}
	values := joinValues(list)
	for _, f := range list {
		value := f.Value
		if n := len(f.RawValue); n > 0 {
			value, values = values[:n], values[n:]
		}
		switch f.Key {
		case ":method":
			in.Method = value
		case ":path":
			in.Path = value
		case ":authority":
			in.Host = value
		}
		if !strings.HasPrefix(f.Key, ":") {
			in.Headers = append(in.Headers, exchange.Header{Name: f.Key, Value: value})
		}
	}
	in.PeerURI = attribute(m, "connection.uri_san_peer_certificate").GetStringValue()
	if claims := m.GetMetadataContext().GetFilterMetadata()[jwtNamespace]; claims != nil {
		in.Claim = func(name string) string { return claim(claims, name) }
	}
	return in
}

// joinValues returns all raw values in one string, which costs one allocation instead of one per header, and none
// where Codec left no raw values.
func joinValues(list []*corev3.HeaderValue) string {
	size := 0
	for _, f := range list {
		size += len(f.RawValue)
	}
	var b strings.Builder
	b.Grow(size)
	for _, f := range list {
		b.Write(f.RawValue)
	}
	return b.String()
}

// statusOf reads the status from response headers, 0 if it is not there.
func statusOf(h *extprocv3.HttpHeaders) int {
	for _, f := range h.GetHeaders().GetHeaders() {
		if f.Key == ":status" {
			code, _ := strconv.Atoi(cmp.Or(string(f.RawValue), f.Value))
			return code
		}
	}
	return 0
}

func attribute(m *extprocv3.ProcessingRequest, name string) *structpb.Value {
	return m.GetAttributes()[attributesKey].GetFields()[name]
}

// claim looks for a claim in the payloads of all issuers, in the order of their names. Only text, numbers and
// booleans are values.
func claim(payloads *structpb.Struct, name string) string {
	for _, issuer := range slices.Sorted(maps.Keys(payloads.GetFields())) {
		v := payloads.Fields[issuer].GetStructValue().GetFields()[name]
		switch k := v.GetKind().(type) {
		case *structpb.Value_StringValue:
			return k.StringValue
		case *structpb.Value_NumberValue:
			return strconv.FormatFloat(k.NumberValue, 'f', -1, 64)
		case *structpb.Value_BoolValue:
			return strconv.FormatBool(k.BoolValue)
		}
	}
	return ""
}

// responseStatus reads the attributes that come with the first message of a response.
func responseStatus(m *extprocv3.ProcessingRequest) (exchange.Status, bool) {
	if len(m.GetAttributes()) == 0 {
		return exchange.Status{}, false
	}
	told := exchange.Status{
		Code:     int(number(attribute(m, "response.code"))),
		Details:  attribute(m, "response.code_details").GetStringValue(),
		Attempts: int(number(attribute(m, "upstream.request_attempt_count"))),
	}
	told.Unsent = strings.HasPrefix(attribute(m, "xds.route_name").GetStringValue(), unsentRetries)
	return told, true
}

// number reads a numeric attribute, which releases of Envoy state as a number or as text.
func number(v *structpb.Value) float64 {
	if s := v.GetStringValue(); s != "" {
		f, _ := strconv.ParseFloat(s, 64)
		return f
	}
	return v.GetNumberValue()
}

// profile names both body modes, as Envoy takes an omitted one for NONE.
func profile(r *exchange.Reply) *filterv3.ProcessingMode {
	p := &filterv3.ProcessingMode{
		RequestBodyMode: filterv3.ProcessingMode_NONE, ResponseBodyMode: filterv3.ProcessingMode_NONE,
		ResponseHeaderMode: filterv3.ProcessingMode_SKIP, ResponseTrailerMode: filterv3.ProcessingMode_SKIP,
	}
	if r.Metered {
		p.RequestBodyMode, p.ResponseBodyMode = filterv3.ProcessingMode_BUFFERED, filterv3.ProcessingMode_STREAMED
	}
	if r.Fetched {
		p.ResponseBodyMode = filterv3.ProcessingMode_STREAMED
	}
	if r.Headers {
		p.ResponseHeaderMode = filterv3.ProcessingMode_SEND
	}
	return p
}

// misfit says how Envoy's body modes differ from those of the shipped configuration, "" if they do not or if an
// Envoy does not tell. The first message of a stream states them.
func misfit(c *extprocv3.ProtocolConfiguration) string {
	if c == nil || (c.RequestBodyMode == filterv3.ProcessingMode_BUFFERED && c.ResponseBodyMode == filterv3.ProcessingMode_STREAMED) {
		return ""
	}
	return "request body " + c.RequestBodyMode.String() + ", want BUFFERED; response body " + c.ResponseBodyMode.String() + ", want STREAMED"
}

func headersReply(r *exchange.Reply) *extprocv3.ProcessingResponse {
	if r.Answer != nil {
		return immediate(r)
	}
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_RequestHeaders{
			RequestHeaders: &extprocv3.HeadersResponse{Response: common(r)},
		},
		ModeOverride:    profile(r),
		DynamicMetadata: metadata(r.Metadata),
	}
}

func bodyReply(r *exchange.Reply) *extprocv3.ProcessingResponse {
	if r.Answer != nil {
		return immediate(r)
	}
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_RequestBody{
			RequestBody: &extprocv3.BodyResponse{Response: common(r)},
		},
		DynamicMetadata: metadata(r.Metadata),
	}
}

func common(r *exchange.Reply) *extprocv3.CommonResponse {
	c := &extprocv3.CommonResponse{ClearRouteCache: r.Reroute}
	if r.Reroute || len(r.Set) > 0 || len(r.Remove) > 0 {
		// Envoy ignores ClearRouteCache in a reply without header mutation.
		c.HeaderMutation = &extprocv3.HeaderMutation{RemoveHeaders: r.Remove}
		if len(r.Set) > 0 {
			c.HeaderMutation.SetHeaders = appendRaw(nil, r.Set)
		}
	}
	if r.Body != nil {
		c.BodyMutation = &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_Body{Body: r.Body}}
	}
	return c
}

// pass lets a piece of a response through. It is never changed, so streams share it.
var pass = pieceReply(&exchange.Piece{})

// moreTime asks Envoy to wait longer for the reply that follows.
var moreTime = &extprocv3.ProcessingResponse{OverrideMessageTimeout: durationpb.New(slowTimeout)}

// pieceReply lets a piece of a response pass, or what an edit made of it.
func pieceReply(p *exchange.Piece) *extprocv3.ProcessingResponse {
	body := &extprocv3.BodyResponse{}
	if p.Edited {
		body.Response = &extprocv3.CommonResponse{
			BodyMutation: &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_Body{Body: p.Body}},
		}
	}
	return &extprocv3.ProcessingResponse{
		Response:        &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: body},
		DynamicMetadata: metadata(p.Metadata),
	}
}

func requestTrailersReply() *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_RequestTrailers{RequestTrailers: &extprocv3.TrailersResponse{}},
	}
}

func responseHeadersReply(m []exchange.Header) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{
		Response:        &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{}},
		DynamicMetadata: metadata(m),
	}
}

func responseTrailersReply(m []exchange.Header) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{
		Response:        &extprocv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extprocv3.TrailersResponse{}},
		DynamicMetadata: metadata(m),
	}
}

func immediate(r *exchange.Reply) *extprocv3.ProcessingResponse {
	a := r.Answer
	set := appendRaw(nil, []exchange.Header{{Name: "content-type", Value: a.ContentType}})
	set = appendRaw(set, a.Headers)
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(a.Status)}, Body: a.Body, Details: a.Details,
			Headers: &extprocv3.HeaderMutation{SetHeaders: set},
		}},
		DynamicMetadata: metadata(r.Metadata),
	}
}

// metadata puts values into our namespace. They share an allocation, as there are many and they live as long.
func metadata(list []exchange.Header) *structpb.Struct {
	if len(list) == 0 {
		return nil
	}
	room := make([]struct {
		value structpb.Value
		text  structpb.Value_StringValue
	}, len(list))
	fields := make(map[string]*structpb.Value, len(list))
	for i, h := range list {
		room[i].text.StringValue = strings.ToValidUTF8(h.Value, "\uFFFD")
		room[i].value.Kind = &room[i].text
		fields[h.Name] = &room[i].value
	}
	inner := structpb.NewStructValue(&structpb.Struct{Fields: fields})
	return &structpb.Struct{Fields: map[string]*structpb.Value{metadataNamespace: inner}}
}

// appendRaw appends headers as Envoy takes them: in raw_value, replacing what was there. They share an allocation.
func appendRaw(options []*corev3.HeaderValueOption, list []exchange.Header) []*corev3.HeaderValueOption {
	room := make([]struct {
		option corev3.HeaderValueOption
		header corev3.HeaderValue
	}, len(list))
	options = slices.Grow(options, len(list))
	for i, h := range list {
		room[i].header.Key, room[i].header.RawValue = h.Name, []byte(h.Value)
		room[i].option.Header = &room[i].header
		room[i].option.AppendAction = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		options = append(options, &room[i].option)
	}
	return options
}
