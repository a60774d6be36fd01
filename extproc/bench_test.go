package extproc

import (
	"strings"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
)

// typical are the further headers of a call of an official SDK through Envoy.
var typical = []string{
	"content-type", "application/json", "content-length", "8192", "accept", "application/json", "accept-encoding", "gzip, deflate",
	"user-agent", "OpenAI/Python 3.54.0", "x-stainless-lang", "python", "x-stainless-os", "Linux", "x-request-id", "0198c9a4",
	"x-forwarded-proto", "https", "x-stainless-retry-count", "0", "x-feature", "small",
}

// BenchmarkStream is a call of 8 KB over gRPC in memory, client included: four messages each way.
func BenchmarkStream(b *testing.B) {
	g := newGateway(b, "mode: enforce\ndimensions:\n  feature: [header:x-feature]\ntiers:\n  small: [openai/gpt-4.1-nano]\nrules:\n  - {when: {feature: small}, tier: small}\n", nil)
	text := strings.Replace(asked, "Hi", strings.Repeat("word ", 1600), 1)
	messages := []*extprocv3.ProcessingRequest{
		headers(typical...), body(text, true), telling(piece(said[:20], false), 200, "via_upstream"), piece(said[20:], true),
	}
	b.ReportAllocs()
	for b.Loop() {
		e := g.open(b, b.Context())
		for _, m := range messages {
			e.ask(m)
		}
		e.ends()
	}
}

// BenchmarkMessages is what turning messages into phases and replies into messages takes.
func BenchmarkMessages(b *testing.B) {
	m := headers(typical...)
	reply := exchange.Reply{
		Reroute: true, Set: []exchange.Header{{Name: "content-length", Value: "8192"}, {Name: "accept-encoding", Value: "identity"}}, Body: []byte("{}"),
		Metadata: []exchange.Header{{Name: "route", Value: "openai"}, {Name: "decision", Value: "tier"}, {Name: "model", Value: "gpt-4.1-nano"}, {Name: "requested_model", Value: "gpt-4o"}, {Name: "id", Value: "0198"}},
	}
	b.ReportAllocs()
	for b.Loop() {
		in := incoming(m, m.GetRequestHeaders())
		if len(in.Headers) == 0 || bodyReply(&reply) == nil {
			b.Fatal("nothing came of it")
		}
	}
}
