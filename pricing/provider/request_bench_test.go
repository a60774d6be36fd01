package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/pricing/provider"
)

// agentBody is a call of a coding agent of about the size: a third tools, a third system prompt, the rest turns.
func agentBody(size int) string {
	text := strings.Repeat(`Read the file before you edit it.\nPrefer \"small\" steps. `, max(1, size/3/60/4))
	tool := `{"name":"tool","description":"` + text + `","input_schema":{"type":"object","properties":{"path":{"type":"string","description":"a path"}},"required":["path"]}}`
	turn := `{"role":"user","content":[{"type":"text","text":"` + text + `"}]},{"role":"assistant","content":"` + text + `"},`
	return `{"model":"claude-sonnet-4-5","max_tokens":4096,"stream":true,"tools":[` + tool + `,` + tool + `,` + tool + `],"system":[{"type":"text","text":"` +
		text + text + text + `"}],"messages":[` + turn + turn + `{"role":"user","content":"go on"}]}`
}

func eachSize(b *testing.B, bench func(b *testing.B, body string)) {
	for _, size := range []int{2 << 10, 8 << 10, 100 << 10} {
		body := agentBody(size)
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			bench(b, body)
		})
	}
}

func BenchmarkParseRequest(b *testing.B) {
	eachSize(b, func(b *testing.B, body string) {
		text, endpoint := []byte(body), provider.ParsePath(messagesPath)
		for b.Loop() {
			if _, err := provider.ParseRequest(endpoint, messagesPath, text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRewrite(b *testing.B) {
	target := provider.Target{Vendor: provider.Anthropic, Model: "claude-haiku-4-5", SameHost: true, MaxOutput: 1000, MarkPrefix: true}
	eachSize(b, func(b *testing.B, body string) {
		r := parse(b, messagesPath, body)
		room, out := make([]provider.Edit, 0, 8), make([]byte, 0, len(body)+200)
		for b.Loop() {
			edits, err := r.Rewrite(room, target)
			if err != nil {
				b.Fatal(err)
			}
			provider.Apply(out, []byte(body), edits)
		}
	})
}

func BenchmarkCanonical(b *testing.B) {
	eachSize(b, func(b *testing.B, body string) {
		r := parse(b, messagesPath, body)
		for b.Loop() {
			digest(b, &r)
		}
	})
}
