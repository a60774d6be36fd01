package exchange

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// watching is a policy that would do a lot, if it were let.
const watching = `mode: observe
dimensions:
  team: {from: [header:x-team], trusted: true}
tiers:
  cheap: [openai/gpt-4.1-nano]
rules:
  - {when: {team: tiny}, max_output: 5 tokens}
  - {tier: cheap}
caches:
  exact: {ttl: 1h, per: team}
  prompt: auto
budgets:
  - {name: company, limit: $1 per day}
unknown_model: refuse
`

// mutate changes a few bytes of a body.
func mutate(r *rand.Rand, body string) string {
	b := []byte(body)
	for range r.IntN(4) {
		if len(b) > 0 {
			b[r.IntN(len(b))] = byte(r.IntN(256))
		}
	}
	return string(b[:len(b)-r.IntN(len(b)+1)/8])
}

func TestObserveModeNeverEditsAndNeverRefuses(t *testing.T) {
	w := newWorld(t, watching)
	r := rand.New(rand.NewPCG(1, 2))
	bodies := []string{
		ask, "", "null", `{"model":"gpt-4o","model":"gpt-5"}`, `{"model":"unheard-of","messages":[]}`, zip(ask), zip(strings.Repeat(" ", 3<<20)),
		`{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],"temperature":1.5,"stream":true,"n":3}`,
		`{"model":"claude-sonnet-4-6","max_tokens":9,"system":"s","messages":[{"role":"user","content":"Hi"}]}`,
	}
	paths := []string{"/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/gemini-2.5-pro:generateContent"}
	statuses := []Status{{}, {Code: 200, Details: "via_upstream"}, {Code: 500, Details: "via_upstream"}, {Code: 503, Details: "no_healthy_upstream"}}
	calls := 0
	for i := range 500 {
		c := call{path: paths[r.IntN(len(paths))], body: bodies[r.IntN(len(bodies))]}
		c.headers = []Header{{"x-team", fmt.Sprint("t", i%3)}, {"x-farebox-route", "gpu"}, {"authorization", "Bearer k"}}
		if strings.HasPrefix(c.body, "\x1f\x8b") || r.IntN(10) == 0 {
			c.headers = append(c.headers, Header{"content-encoding", []string{"gzip", "br"}[r.IntN(2)]})
		}
		if r.IntN(2) == 0 {
			c.body = mutate(r, c.body)
		}
		x, reply := w.send(t, c)
		calls++
		if reply.Answer != nil || reply.Body != nil || len(reply.Set) > 0 || len(reply.Remove) > 0 {
			t.Fatalf("call %+v: reply %+v", c, reply)
		}
		x.ResponseStatus(statuses[r.IntN(len(statuses))])
		_, err := x.ResponseBody([]byte(said), r.IntN(2) == 0)
		must(t, err)
		x.End(StreamEnded)
	}
	if got := w.books.Stats(); got.Open != 0 || got.Duplicates != 0 {
		t.Errorf("ledger %+v, want nothing open and nothing twice", got)
	}
	sum, err := w.books.Summary(t.Context(), noon, noon.Add(1))
	must(t, err)
	if sum.Calls != int64(calls) {
		t.Errorf("%d calls in the ledger, want %d", sum.Calls, calls)
	}
}

func TestObserveModeRecordsWhatItWouldHaveDone(t *testing.T) {
	const nano = 140_000 // of 1,000 and 100 tokens at 0.10 and 0.40 USD per million
	for _, tt := range []struct {
		name  string
		calls []call // the last one counts
		spent pricing.Money
		would string
		model pricing.ModelName
		cost  pricing.Money
	}{
		{"another model", []call{chat(ask)}, 0, "tier", "gpt-4.1-nano", nano},
		{"a cap", []call{chat(ask, Header{"x-team", "tiny"})}, 0, "asked", "gpt-4o", 3_500_000},
		{"a refusal by the budget", []call{chat(ask)}, pricing.Dollar, "refuse", "", 0},
		{"a refusal of a model", []call{chat(`{"model":"unheard-of","max_tokens":9}`, Header{"x-team", "tiny"})}, 0, "refuse", "", 0},
		{"a refusal of a body", []call{chat(`{`)}, 0, "refuse", "", 0},
		{"a replay", []call{chat(ask, Header{"x-team", "a"}), chat(ask, Header{"x-team", "a"})}, 0, "replay", "gpt-4.1-nano", 0},
		{"no replay for others", []call{chat(ask, Header{"x-team", "a"}), chat(ask, Header{"x-team", "b"})}, 0, "tier", "gpt-4.1-nano", nano},
		{"no replay where nothing is left", []call{chat(ask, Header{"x-team", "a"}), chat(strings.Replace(ask, "Hi", "Ho", 1)), chat(ask, Header{"x-team", "a"})}, pricing.Dollar - 5_000_000, "refuse", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, watching)
			w.spend(t, tt.spent)
			for i, c := range tt.calls {
				w.clock.set(noon.Add(time.Duration(i + 1)))
				if got := w.answer(t, c, said); got["cost_usd"] == "" {
					t.Errorf("metadata %v", got)
				}
			}
			e := w.entries(t)[0]
			if e.Would != tt.would || e.WouldModel != tt.model || e.WouldCost != tt.cost || !e.Observed {
				t.Errorf("would %q by %q for %s USD, want %q by %q for %s", e.Would, e.WouldModel, e.WouldCost, tt.would, tt.model, tt.cost)
			}
			if e.Cost != 3_500_000 || e.Baseline != e.Cost {
				t.Errorf("cost %s USD, baseline %s, want what gpt-4o costs", e.Cost, e.Baseline)
			}
		})
	}
}

func TestWhatObserveModeKeptIsNeverReplayed(t *testing.T) {
	w := newWorld(t, watching)
	c := chat(ask, Header{"x-team", "a"})
	w.answer(t, c, said)
	w.Publish(snapshot(t, compile(t, strings.Replace(watching, "mode: observe", "mode: enforce", 1))))
	if _, reply := w.send(t, c); reply.Answer != nil {
		t.Errorf("another model's answer was replayed: %+v", reply.Answer)
	}
}
