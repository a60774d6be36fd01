package extproc

import (
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
)

const (
	// metadataNamespace is where route table, response headers and access log look.
	metadataNamespace = "farebox"
	// attributesKey is where Envoy puts the attributes that its configuration asks for.
	attributesKey = "envoy.filters.http.ext_proc"
	// jwtNamespace is where Envoy's jwt_authn filter leaves the claims of a token that it verified.
	jwtNamespace = "envoy.filters.http.jwt_authn"
)

// incoming reads the request headers. Values come in raw_value, older ones in value.
func incoming(m *extprocv3.ProcessingRequest, h *extprocv3.HttpHeaders) exchange.Incoming {
	list := h.GetHeaders().GetHeaders()
	in := exchange.Incoming{Headers: make([]exchange.Header, 0, len(list)), NoBody: h.EndOfStream}
	for _, f := range list {
		value := f.Value
		if len(f.RawValue) > 0 {
			value = string(f.RawValue)
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

func attribute(m *extprocv3.ProcessingRequest, name string) *structpb.Value {
	return m.GetAttributes()[attributesKey].GetFields()[name]
}

// claim looks for a claim in the payloads of all issuers. Only text, numbers and booleans are values.
func claim(payloads *structpb.Struct, name string) string {
	for _, p := range payloads.GetFields() {
		v := p.GetStructValue().GetFields()[name]
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
	return exchange.Status{
		Code:     int(number(attribute(m, "response.code"))),
		Details:  attribute(m, "response.code_details").GetStringValue(),
		Attempts: int(number(attribute(m, "upstream.request_attempt_count"))),
	}, true
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
func profile(metered bool) *filterv3.ProcessingMode {
	p := &filterv3.ProcessingMode{
		RequestBodyMode: filterv3.ProcessingMode_NONE, ResponseBodyMode: filterv3.ProcessingMode_NONE,
		ResponseHeaderMode: filterv3.ProcessingMode_SKIP, ResponseTrailerMode: filterv3.ProcessingMode_SKIP,
	}
	if metered {
		p.RequestBodyMode, p.ResponseBodyMode = filterv3.ProcessingMode_BUFFERED, filterv3.ProcessingMode_STREAMED
	}
	return p
}

func headersReply(r *exchange.Reply) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_RequestHeaders{
			RequestHeaders: &extprocv3.HeadersResponse{Response: common(r)},
		},
		ModeOverride:    profile(r.Metered),
		DynamicMetadata: metadata(r.Metadata),
	}
}

func bodyReply(r *exchange.Reply) *extprocv3.ProcessingResponse {
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
		for _, h := range r.Set {
			c.HeaderMutation.SetHeaders = append(c.HeaderMutation.SetHeaders, rawHeader(h.Name, h.Value))
		}
	}
	if r.Body != nil {
		c.BodyMutation = &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_Body{Body: r.Body}}
	}
	return c
}

// pieceReply lets a piece of a response pass.
func pieceReply(m []exchange.Header) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{
		Response:        &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{}},
		DynamicMetadata: metadata(m),
	}
}

func immediate(r *exchange.Reply) *extprocv3.ProcessingResponse {
	a := r.Answer
	set := []*corev3.HeaderValueOption{rawHeader("content-type", a.ContentType)}
	for _, h := range a.Headers {
		set = append(set, rawHeader(h.Name, h.Value))
	}
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(a.Status)}, Body: a.Body, Details: a.Details,
			Headers: &extprocv3.HeaderMutation{SetHeaders: set},
		}},
		DynamicMetadata: metadata(r.Metadata),
	}
}

func metadata(list []exchange.Header) *structpb.Struct {
	if len(list) == 0 {
		return nil
	}
	fields := make(map[string]*structpb.Value, len(list))
	for _, h := range list {
		fields[h.Name] = structpb.NewStringValue(strings.ToValidUTF8(h.Value, "\uFFFD"))
	}
	inner := &structpb.Struct{Fields: fields}
	return &structpb.Struct{Fields: map[string]*structpb.Value{metadataNamespace: structpb.NewStructValue(inner)}}
}
