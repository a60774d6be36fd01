package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const observePolicy = "version: 1\nmode: observe\n"

// observing is a policy that would do a lot, if it were let.
const observing = `
version: 1
mode: observe
dimensions:
  team: {from: [header:x-team], trusted: true}
tiers:
  cheap: [openai/gpt-4.1-nano]
rules:
  - name: everything cheap
    tier: cheap
    max_output: 5 tokens
caches:
  exact: {ttl: 1h, per: all}
  prompt: auto
budgets:
  - name: nothing
    limit: $0.000000001 per day
unknown_model: refuse
`

func TestObserveChangesNothing(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		for name, policy := range map[string]string{"empty policy": observePolicy, "policy that would change everything": observing} {
			t.Run(name, func(t *testing.T) {
				s := newStack(t, setup{envoy: r, policy: policy})
				// The same calls in the same order get the same answers.
				twin := startVendor(t, "twin")
				for _, tt := range clients() {
					t.Run(tt.name, func(t *testing.T) {
						want, got := sendTo(t, twin.url, tt.call), s.send(t, tt.call)
						sameRequest(t, twin.last(t), s.provider.last(t))
						sameAnswer(t, want, got)
					})
				}
				s.quiet(t)
			})
		}
	})
}

// sameRequest fails the test if a provider did not receive what it receives without Envoy.
func sameRequest(t *testing.T, want, got received) {
	t.Helper()
	want.Headers, got.Headers = maps.Clone(want.Headers), maps.Clone(got.Headers)
	for _, h := range []map[string]string{want.Headers, got.Headers} {
		delete(h, "host")         // the route's
		delete(h, "x-request-id") // Envoy's own
		delete(h, "expect")       // answered by Envoy
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request at the provider (-without Envoy +with):\n%s", diff)
	}
}

// moment is the time at which an answer was made.
var moment = regexp.MustCompile(`"(created|created_at|completed_at)": ?[0-9]+`)

// sameAnswer fails the test if the client did not get what it gets without Envoy.
func sameAnswer(t *testing.T, want, got answer) {
	t.Helper()
	if want.status != got.status {
		t.Errorf("status %d, without Envoy %d", got.status, want.status)
	}
	if diff := cmp.Diff(moment.ReplaceAllString(string(want.body), ""), moment.ReplaceAllString(string(got.body), "")); diff != "" {
		t.Errorf("answer (-without Envoy +with):\n%s", diff)
	}
	if diff := cmp.Diff(ownHeaders(want.header), ownHeaders(got.header)); diff != "" {
		t.Errorf("headers of the answer (-without Envoy +with):\n%s", diff)
	}
}

// ownHeaders are the headers that come from the provider, and not from the way.
func ownHeaders(h http.Header) http.Header {
	h = h.Clone()
	for name := range h {
		if strings.HasPrefix(name, "X-Farebox-") {
			delete(h, name)
		}
	}
	for _, name := range []string{"Date", "Content-Length", "Transfer-Encoding", "Connection"} {
		delete(h, name)
	}
	return h
}

// billable are calls whose usage the provider reports, in every form that it takes.
func billable() []traffic {
	long := prose(5000, "You answer for the shop.")
	var list []traffic
	add := func(name string, c call) {
		list = append(list, traffic{name, c}, traffic{name + ", gzip", c.with("accept-encoding", "gzip").with("x-test-gzip", "1")})
	}
	add("chat", chat(ask("gpt-4o", "Hello")))
	add("chat that streams", chat(askStream("gpt-4.1-mini", "Hello")))
	add("chat with three answers", chat(`{"model":"gpt-4.1","messages":[{"role":"user","content":"Hello"}],"n":3}`))
	add("chat of a dated model", chat(ask("gpt-4o-2024-05-13", "Hello")))
	add("chat that reasons", chat(`{"model":"o4-mini","messages":[{"role":"user","content":"Hello [[reasoning=500]]"}]}`))
	add("chat that calls a tool", chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"[[tool]]"}],"tools":[{"type":"function","function":{"name":"find","parameters":{"type":"object"}}}]}`))
	add("chat that is cut", chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"[[tokens=50]]"}],"max_tokens":7}`))
	for i := range 3 {
		add(fmt.Sprint("chat that is cached, ", i), chat(fmt.Sprintf(`{"model":"gpt-6-luna","prompt_cache_key":"k","messages":[{"role":"system","content":%q},{"role":"user","content":"Hello"}]}`, long)))
	}
	add("responses", responses(`{"model":"gpt-5","input":"Hello [[reasoning=100]]"}`))
	add("responses that stream", responses(`{"model":"gpt-6.2-sol","input":"Hello","stream":true}`))
	add("messages", messages(`{"model":"claude-opus-5-5","max_tokens":99,"messages":[{"role":"user","content":"Hello"}]}`))
	add("messages that stream", messages(`{"model":"claude-sonnet-5-5","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"Hello"}]}`))
	for i, mark := range []string{`{"type":"ephemeral"}`, `{"type":"ephemeral","ttl":"1h"}`} {
		body := `{"model":"claude-sonnet-4-5","max_tokens":99,"system":[{"type":"text","text":%q,"cache_control":%s}],"messages":[{"role":"user","content":"Hello"}],"stream":%t}`
		add(fmt.Sprint("messages that are cached, ", i), messages(fmt.Sprintf(body, long+fmt.Sprint(i), mark, false)))
		add(fmt.Sprint("messages that stream and are cached, ", i), messages(fmt.Sprintf(body, long+fmt.Sprint(i), mark, true)))
	}
	hello := fmt.Sprintf(`{"systemInstruction":{"parts":[{"text":%q}]},"contents":[{"role":"user","parts":[{"text":"Hello [[reasoning=90]]"}]}]}`, long)
	for i := range 2 {
		add(fmt.Sprint("Gemini, ", i), gemini("gemini-2.5-flash", hello))
		add(fmt.Sprint("Gemini that streams, ", i), geminiStream("gemini-2.5-pro", hello))
	}
	add("Gemini that streams an array", post("/v1beta/models/gemini-2.5-pro:streamGenerateContent", hello, "x-goog-api-key", "k"))
	list = append(list, traffic{"a prompt at the price of long ones", messages(fmt.Sprintf(`{"model":"claude-haiku-5-5","max_tokens":9,"messages":[{"role":"user","content":%q}]}`, prose(101_000, "Read.")))})
	return list
}

func TestTheLedgerEqualsTheInvoice(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: observePolicy})
		calls, billed := int64(0), nanos(0)
		for _, tt := range billable() {
			t.Run(tt.name, func(t *testing.T) {
				a := s.ok(t, tt.call)
				if tt.call.header.Get("x-test-gzip") != "" && a.header.Get("content-encoding") != "gzip" {
					t.Errorf("the answer is not compressed: the test tests nothing")
				}
				calls++
				sum, total := s.settled(t, calls), s.provider.total(t)
				if total.CostNanos == billed {
					t.Fatal("the provider billed nothing: the test tests nothing")
				}
				billed = total.CostNanos
				if sum.Cost != billed || sum.Calls != total.Calls || sum.Estimated != 0 {
					t.Errorf("ledger %s USD for %d calls, %d of them estimated; invoice %s USD for %d", sum.Cost, sum.Calls, sum.Estimated, billed, total.Calls)
				}
				if sum.Baseline != sum.Cost {
					t.Errorf("baseline %s USD, want the cost of %s USD: nothing was changed", sum.Baseline, sum.Cost)
				}
			})
		}
		s.quiet(t)
	})
}

func TestAStreamThatDoesNotReportItsUsageIsAnEstimate(t *testing.T) {
	s := newStack(t, setup{policy: observePolicy})
	a := s.ok(t, chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"Hello [[tokens=120]]"}],"stream":true,"max_tokens":500}`))
	if strings.Contains(string(a.body), `"usage":{`) {
		t.Fatalf("the stream reports its usage: the test tests nothing:\n%s", a.body)
	}
	sum, total := s.settled(t, 1), s.provider.total(t)
	if sum.Estimated != 1 || !sum.Latest[0].Estimated {
		t.Errorf("the call is not flagged as an estimate: %+v", sum.Latest)
	}
	if sum.Bound < total.CostNanos {
		t.Errorf("bound %s USD is below the invoice of %s USD", sum.Bound, total.CostNanos)
	}
	if sum.Cost < total.CostNanos/2 || sum.Cost > total.CostNanos*2 {
		t.Errorf("estimate %s USD is far from the invoice of %s USD", sum.Cost, total.CostNanos)
	}
}

func TestObserveRecordsWhatItWouldHaveDone(t *testing.T) {
	s := newStack(t, setup{policy: observing})
	s.ok(t, chat(ask("gpt-4o", "Hello")))
	s.settled(t, 1)
	line := s.logged(t, 1)[0]
	if line["decision"] != "asked" || line["rule"] != "everything cheap" || line["tier"] != "cheap" || line["model"] != "gpt-4o" {
		t.Errorf("access log %v: want decision asked, rule and tier, and the model as it was asked for", line)
	}
	if line["would"] != "refuse" {
		t.Errorf("access log %v: want would: refuse, as the budget has nothing left", line)
	}
}
