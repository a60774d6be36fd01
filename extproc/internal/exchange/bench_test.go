package exchange

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// chatOf is a chat call of some size in kilobytes.
func chatOf(kilobytes int) string {
	return `{"model":"gpt-4o","max_tokens":100,"messages":[{"role":"system","content":"` + strings.Repeat("You answer for the shop. ", kilobytes*1000/25) +
		`"},{"role":"user","content":"Hi"}]}`
}

// typical are the headers of a call of an official SDK.
var typical = []Header{
	{"authorization", "Bearer sk-caller"}, {"content-type", "application/json"}, {"content-length", "8192"}, {"accept", "application/json"},
	{"accept-encoding", "gzip, deflate"}, {"user-agent", "OpenAI/Python 3.54.0"}, {"x-stainless-lang", "python"}, {"x-request-id", "0198c9a4"},
	{"x-forwarded-proto", "https"}, {"x-stainless-retry-count", "0"}, {"x-farebox-feature", "small"}, {"x-team", "search"},
}

const benched = `mode: enforce
dimensions:
  team: {from: [header:x-team], trusted: true}
  feature: [header:x-farebox-feature]
tiers:
  small: [openai/gpt-4.1-nano]
rules:
  - {when: {feature: small}, tier: small}
budgets:
  - {name: company, limit: $1M per month}
  - {name: every team, per: team, limit: $1M per day}
`

// BenchmarkExchange is a call from its headers to its settlement, journal included.
func BenchmarkExchange(b *testing.B) {
	for _, size := range []int{2, 8, 100} {
		for _, mode := range []string{"enforce", "observe"} {
			b.Run(fmt.Sprintf("%s/%dKB", mode, size), func(b *testing.B) {
				w := newWorld(b, strings.Replace(strings.ReplaceAll(benched, "$1M", "$1000000"), "enforce", mode, 1))
				run(b, w, chatOf(size), true)
			})
		}
	}
}

// BenchmarkExchangeAlone is the same without a ledger: what the exchange itself takes.
func BenchmarkExchangeAlone(b *testing.B) {
	w := newWorld(b, strings.ReplaceAll(benched, "$1M", "$1000000"))
	w.ledger = forgetful{}
	run(b, w, chatOf(8), true)
}

// BenchmarkHit is a call that is answered from the exact cache.
func BenchmarkHit(b *testing.B) {
	for _, size := range []int{2, 8, 100} {
		b.Run(fmt.Sprintf("%dKB", size), func(b *testing.B) {
			w := newWorld(b, strings.ReplaceAll(benched, "$1M", "$1000000")+"caches:\n  exact: {ttl: 1h, per: team}\n")
			text := chatOf(size)
			w.answer(b, chat(text, typical...), said)
			run(b, w, text, false)
		})
	}
}

// run sends calls until the benchmark is over. leaves says that they go on to a provider.
func run(b *testing.B, w *world, text string, leaves bool) {
	body, response := []byte(text), []byte(said)
	in := chat(text, typical...).incoming()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		x := w.Begin()
		if _, err := x.RequestHeaders(in); err != nil {
			b.Fatal(err)
		}
		reply, err := x.RequestBody(body)
		if err != nil || (reply.Answer == nil) != leaves {
			b.Fatalf("%v, answer %+v", err, reply.Answer)
		}
		if leaves {
			x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
			if _, err := x.ResponseBody(response, true); err != nil {
				b.Fatal(err)
			}
		}
		x.End(StreamEnded)
	}
}

// forgetful is a ledger that admits everything and keeps nothing.
type forgetful struct{ Ledger }

func (forgetful) Reserve(ledger.Reservation, time.Time) error { return nil }
func (forgetful) Settle(ledger.Entry) error                   { return nil }
func (forgetful) Left(*policies.Budget, *ledger.Call, time.Time) (left, limit pricing.Money, covered bool) {
	return 0, 0, false
}
func (forgetful) Expect(policies.RouteName, pricing.ModelName, []ledger.Dim) int64 { return 0 }
