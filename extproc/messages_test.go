package extproc

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
)

func TestIncoming(t *testing.T) {
	m := headers("x-a", "1", "x-empty", "", "x-a", "2")
	h := m.GetRequestHeaders()
	h.Headers.Headers = append(h.Headers.Headers, &corev3.HeaderValue{Key: "x-old", Value: "in value"})
	h.EndOfStream = true
	m.Attributes = structs(t, attributesKey, map[string]any{"connection.uri_san_peer_certificate": "spiffe://td/ns/shop"})
	m.MetadataContext = &corev3.Metadata{FilterMetadata: structs(t, jwtNamespace, map[string]any{
		"b": map[string]any{"team": "second", "level": 3, "admin": true, "list": []any{"x"}},
		"a": map[string]any{"team": "first"},
	})}
	in := incoming(m, h)
	want := []exchange.Header{
		{Name: "authorization", Value: "Bearer k"}, {Name: "x-a", Value: "1"}, {Name: "x-empty"}, {Name: "x-a", Value: "2"}, {Name: "x-old", Value: "in value"},
	}
	if diff := cmp.Diff(want, in.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if in.Method != "POST" || in.Path != "/v1/chat/completions" || in.Host != "api.openai.com" || !in.NoBody || in.PeerURI != "spiffe://td/ns/shop" {
		t.Errorf("got %+v", in)
	}
	for name, want := range map[string]string{"team": "first", "level": "3", "admin": "true", "list": "", "none": ""} {
		if got := in.Claim(name); got != want {
			t.Errorf("claim %s is %q, want %q", name, got, want)
		}
	}
}

func structs(t *testing.T, name string, fields map[string]any) map[string]*structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(fields)
	ok(t, err)
	return map[string]*structpb.Struct{name: s}
}

func TestResponseStatus(t *testing.T) {
	for _, tt := range []struct {
		code any
		want int
	}{{200, 200}, {"503", 503}, {"CelMap value", 0}, {nil, 0}} {
		got, told := responseStatus(telling(piece("", false), tt.code, "via_upstream"))
		if want := (exchange.Status{Code: tt.want, Details: "via_upstream", Attempts: 1}); !told || got != want {
			t.Errorf("code %v: got %+v, %t, want %+v", tt.code, got, told, want)
		}
	}
	if _, told := responseStatus(piece("", false)); told {
		t.Error("a message without attributes tells a status")
	}
}

func TestAReplyWithoutRerouteOrEditsHasNoMutation(t *testing.T) {
	if got := common(&exchange.Reply{Metered: true}); got.HeaderMutation != nil || got.BodyMutation != nil || got.ClearRouteCache {
		t.Errorf("got %v", got)
	}
	got := common(&exchange.Reply{Reroute: true, Body: []byte{}})
	if got.HeaderMutation == nil || got.GetBodyMutation().GetMutation() == nil || !got.ClearRouteCache {
		t.Errorf("got %v: Envoy ignores a cleared route cache without header mutation", got)
	}
}

func TestHeadersAreRaw(t *testing.T) {
	r := immediate(&exchange.Reply{Answer: &exchange.Answer{Status: 429, ContentType: "application/json", Headers: []exchange.Header{{Name: "retry-after", Value: "60"}}}})
	for _, h := range r.GetImmediateResponse().Headers.SetHeaders {
		if h.Header.Value != "" || len(h.Header.RawValue) == 0 || h.AppendAction != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			t.Errorf("header %v", h)
		}
	}
	if _, isImmediate := bodyReply(&exchange.Reply{Answer: &exchange.Answer{}}).Response.(*extprocv3.ProcessingResponse_ImmediateResponse); !isImmediate {
		t.Error("an answer is no immediate response")
	}
}

func TestMetadataIsUTF8(t *testing.T) {
	if got := metadata([]exchange.Header{{Name: "model", Value: "a\xff"}}).Fields[metadataNamespace].GetStructValue().AsMap(); got["model"] != "a\uFFFD" {
		t.Errorf("got %q", got)
	}
	if metadata(nil) != nil {
		t.Error("no metadata became some")
	}
}
