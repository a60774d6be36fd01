package extproc

import (
	"strings"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/encoding"
	standard "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
)

// codecs are the ones to compare.
var codecs = []struct {
	name  string
	codec encoding.CodecV2
}{{"own", Codec{}}, {"standard", encoding.GetCodecV2(standard.Name)}}

// browsing are twenty headers as an SDK sends them through an Envoy, with what the configuration asks for.
func browsing() *extprocv3.ProcessingRequest {
	m := headers("content-type", "application/json", "content-length", "8190", "accept", "application/json",
		"accept-encoding", "gzip, deflate", "user-agent", "OpenAI/Python 2.8.1", "x-stainless-lang", "python",
		"x-stainless-package-version", "2.8.1", "x-stainless-os", "Linux", "x-stainless-arch", "x64",
		"x-stainless-runtime", "CPython", "x-stainless-runtime-version", "3.13.7", "x-stainless-async", "false",
		"x-stainless-retry-count", "0", "x-stainless-read-timeout", "600", "x-forwarded-proto", "https",
		"x-request-id", "6d0a1a39-8f4c-4d55-9d0a-0a7d6f3c1b2e")
	m.Attributes = map[string]*structpb.Struct{attributesKey: {Fields: map[string]*structpb.Value{
		"source.address":                          structpb.NewStringValue("10.4.7.19:51234"),
		"connection.uri_san_peer_certificate":     structpb.NewStringValue("spiffe://cluster.local/ns/shop/sa/assistant"),
		"request.id":                              structpb.NewStringValue("6d0a1a39-8f4c-4d55-9d0a-0a7d6f3c1b2e"),
		"upstream.request_attempt_count":          structpb.NewNumberValue(1),
		"connection.requested_server_name.lookup": structpb.NewStringValue("api.openai.com"),
	}}}
	return m
}

func BenchmarkUnmarshal(b *testing.B) {
	for _, tt := range []struct {
		name    string
		message *extprocv3.ProcessingRequest
		pieces  int
	}{
		{"headers", browsing(), 1},
		{"body of 8 KB", body(strings.Repeat("x", 8<<10), true), 1},
		{"body of 8 KB in two pieces", body(strings.Repeat("x", 8<<10), true), 2},
		{"chunk of 2 KB", piece(strings.Repeat("x", 2<<10), false), 1},
		{"chunk of 2 KB with attributes", telling(piece(strings.Repeat("x", 2<<10), false), 200, "via_upstream"), 1},
	} {
		wire, err := proto.Marshal(tt.message)
		ok(b, err)
		for _, c := range codecs {
			b.Run(tt.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					ok(b, c.codec.Unmarshal(pieces(wire, tt.pieces), new(extprocv3.ProcessingRequest)))
				}
			})
		}
	}
}

// pieces are a message as it arrives in frames.
func pieces(wire []byte, n int) (list mem.BufferSlice) {
	for i := range n {
		list = append(list, mem.SliceBuffer(wire[len(wire)*i/n:len(wire)*(i+1)/n]))
	}
	return list
}

func BenchmarkMarshal(b *testing.B) {
	noted := []exchange.Header{
		{Name: "route", Value: "openai"}, {Name: "decision", Value: "asked"}, {Name: "model", Value: "gpt-5.2-mini"},
		{Name: "tier", Value: "economy"}, {Name: "rule", Value: "off-hours"}, {Name: "payer", Value: "team-shop"},
	}
	settled := append(noted, exchange.Header{Name: "cost_usd", Value: "0.003500000"}, exchange.Header{Name: "usage", Value: `{"input":1000,"output":100}`})
	decided := exchange.Reply{
		Set:    []exchange.Header{{Name: "x-farebox-route", Value: "openai"}, {Name: "authorization", Value: "Bearer secret"}},
		Remove: []string{"x-farebox-tier"}, Reroute: true, Metadata: noted,
	}
	rewritten := decided
	rewritten.Body = []byte(strings.Repeat("x", 8<<10))
	for _, tt := range []struct {
		name  string
		reply *extprocv3.ProcessingResponse
	}{
		{"metered headers", headersReply(&exchange.Reply{Metered: true})},
		{"decision", bodyReply(&decided)},
		{"decision with a body of 8 KB", bodyReply(&rewritten)},
		{"pass", pass},
		{"settlement", pieceReply(&exchange.Piece{Metadata: settled})},
	} {
		for _, c := range codecs {
			b.Run(tt.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					out, err := c.codec.Marshal(tt.reply)
					ok(b, err)
					out.Free()
				}
			})
		}
	}
}
