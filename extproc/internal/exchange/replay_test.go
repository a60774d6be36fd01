package exchange

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/pricing"
)

const caching = `mode: enforce
dimensions:
  team: [jwt:team]
  label: [header:x-label]
tiers:
  small: [openai/gpt-4.1-nano]
rules:
  - {when: {label: small}, tier: small}
  - {when: {label: brief}, max_output: 5 tokens}
caches:
  exact: {ttl: 1h, per: team}
`

// of is a call of a team.
func of(team string, c call) call {
	c.claims = map[string]string{"team": team}
	return c
}

const streamed = "data: {\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n" +
	"data: {\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
	"data: {\"model\":\"gpt-4o\",\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":100}}\n\ndata: [DONE]\n\n"

func TestAHitIsReplayedByteForByte(t *testing.T) {
	stream := strings.Replace(ask, "{", `{"stream":true,"stream_options":{"include_usage":true},`, 1)
	for _, tt := range []struct{ name, ask, said, contentType string }{
		{"whole", ask, said, "application/json"},
		{"stream", stream, streamed, "text/event-stream"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, caching)
			c := of("a", chat(tt.ask))
			w.answer(t, c, tt.said)
			x, reply := w.send(t, c)
			a := reply.Answer
			if a == nil || a.Status != 200 || a.ContentType != tt.contentType || a.Details != "farebox_cache_hit" {
				t.Fatalf("got %+v", a)
			}
			if diff := cmp.Diff(tt.said, string(a.Body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			want := map[string]string{"x-farebox-cache": "hit", "x-farebox-decision": "replay", "x-farebox-model": "gpt-4o"}
			if diff := cmp.Diff(want, fields(a.Headers)); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			x.End(StreamEnded)
			e := w.entries(t)[0]
			if e.Outcome != ledger.CacheHit || e.Cost != 0 || e.Baseline != 3_500_000 || e.Savings[pricing.LeverExactCache] != 3_500_000 {
				t.Errorf("entry %+v", e)
			}
		})
	}
}

func TestWhatIsNoHit(t *testing.T) {
	first := of("a", chat(ask))
	with := func(c call, h ...Header) call { c.headers = h; return c }
	for _, tt := range []struct {
		name string
		next call
	}{
		{"another team", of("b", chat(ask))},
		{"no team", chat(ask)},
		{"a team that only a header names", with(chat(ask), Header{"x-label", "a"})},
		{"another prompt", of("a", chat(strings.Replace(ask, "Hi", "Ho", 1)))},
		{"another model", of("a", with(chat(ask), Header{"x-label", "small"}))},
		{"another cap", of("a", with(chat(ask), Header{"x-label", "brief"}))},
		{"a stream", of("a", chat(strings.Replace(ask, "{", `{"stream":true,`, 1)))},
		{"another path", of("a", call{path: "/prefix/v1/chat/completions", body: ask})},
		{"another beta", of("a", with(chat(ask), Header{"openai-beta", "x"}))},
		{"a temperature", of("a", chat(strings.Replace(ask, "{", `{"temperature":0.5,`, 1)))},
		{"no-store", of("a", with(chat(ask), Header{"cache-control", "max-age=0"}, Header{"cache-control", "No-Store"}))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, caching)
			w.answer(t, first, said)
			if _, reply := w.send(t, tt.next); reply.Answer != nil {
				t.Errorf("got an answer: %s", reply.Answer.Body)
			}
			if _, reply := w.send(t, first); reply.Answer == nil {
				t.Error("the answer is gone")
			}
			w.clock.set(w.clock.now().Add(time.Hour))
			if _, reply := w.send(t, first); reply.Answer != nil {
				t.Error("the answer outlived its time")
			}
		})
	}
}

// What the canonical request leaves out must be told apart by the key.
func TestAStreamWithUsageAnswersNoStreamWithout(t *testing.T) {
	plain := strings.Replace(ask, "{", `{"stream":true,`, 1)
	usage := strings.Replace(ask, "{", `{"stream":true,"stream_options":{"include_usage":true},`, 1)
	for _, pair := range [][2]string{{plain, usage}, {usage, plain}} {
		w := newWorld(t, caching)
		w.answer(t, of("a", chat(pair[0])), streamed)
		if _, reply := w.send(t, of("a", chat(pair[1]))); reply.Answer != nil {
			t.Errorf("%s was answered with what %s got", pair[1], pair[0])
		}
	}
}

func TestAnswersThatAreNotKept(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		said   string
		whole  bool
	}{
		{"cut by the client", 200, said, false},
		{"of unknown status", 0, said, true},
		{"partial content", 206, said, true},
		{"cut at the cap", 200, strings.Replace(said, `"stop"`, `"length"`, 1), true},
		{"filtered", 200, strings.Replace(said, `"stop"`, `"content_filter"`, 1), true},
		{"calls a tool", 200, strings.Replace(said, `"stop"`, `"tool_calls"`, 1), true},
		{"an error", 200, failed, true},
		{"damaged", 200, said[:len(said)-1], true},
		{"compressed", 200, zip(said), true},
		{"too long", 200, said + strings.Repeat(" ", maxKept), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, caching)
			c := of("a", chat(ask))
			x, _ := w.send(t, c)
			x.ResponseStatus(Status{Code: tt.status, Details: "via_upstream"})
			_, err := x.ResponseBody([]byte(tt.said), tt.whole)
			must(t, err)
			x.End(StreamEnded)
			if _, reply := w.send(t, c); reply.Answer != nil {
				t.Errorf("replayed: %.200s", reply.Answer.Body)
			}
		})
	}
}

func TestAHitNeedsABudgetThatAdmitsIt(t *testing.T) {
	for steps, hit := range map[string]bool{"": false, ", steps: {100%: free only}": true} {
		w := newWorld(t, caching+"budgets:\n  - {name: company, limit: $1 per day"+steps+"}\n")
		c := of("a", chat(ask))
		w.answer(t, c, said)
		w.spend(t, pricing.Dollar-3_500_000)
		_, reply := w.send(t, c)
		if a := reply.Answer; a == nil || (a.Status == 200) != hit || (a.Status == 429) == hit {
			t.Errorf("budget with %q: got %+v", steps, a)
		}
	}
}

func TestAnAnswerOfAnotherOptionIsNotKeptForThePreferredOne(t *testing.T) {
	w := newWorld(t, `mode: enforce
pools:
  gpu: {endpoints: [http://127.0.0.1:8000], cost: $2 per gpu-hour, gpus: 1, throughput: 2500 tokens per second, use: when cheaper}
tiers:
  small: [openai/gpt-4.1-nano, gpu/llama]
rules:
  - {name: all, tier: small}
caches:
  exact: {ttl: 1h, per: all}
budgets:
  - {name: company, limit: $1 per day, steps: {100%: free only}}
`)
	w.spend(t, pricing.Dollar)
	c := chat(ask)
	if got := w.answer(t, c, said); got["cost_usd"] == "" {
		t.Errorf("metadata %v", got)
	}
	if e := w.entries(t)[0]; e.Model != "llama" {
		t.Fatalf("served by %q, want the pool", e.Model)
	}
	w.clock.set(noon.Add(24 * time.Hour))
	if _, reply := w.send(t, c); reply.Answer != nil {
		t.Errorf("the pool's answer was replayed as that of the API's model: %+v", fields(reply.Metadata))
	}
}
