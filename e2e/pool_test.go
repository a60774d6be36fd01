package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pooling sends easy questions to an own pool, if that is cheaper: its GPU costs 0.0012 USD in 24 hours.
const pooling = `
version: 1
mode: enforce
dimensions:
  feature: [header:x-farebox-feature]
tiers:
  easy: [gpu/pool-model, openai/gpt-4.1-mini]
rules:
  - name: easy questions
    when: {feature: easy}
    tier: easy
pools:
  gpu:
    endpoints: [http://127.0.0.1:1]
    cost: $0.00005 per gpu-hour
    throughput: 2 tokens per second
    use: when cheaper
    credential: file:KEY
`

func newPooling(t *testing.T, policy string) *stack {
	t.Helper()
	key := filepath.Join(t.TempDir(), "pool.key")
	if err := os.WriteFile(key, []byte("pool-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return newStack(t, setup{policy: strings.ReplaceAll(policy, "KEY", key), pool: true})
}

// easy is a call that the pool may serve, with all that a caller's account may show in.
func easy(text string) call {
	return chat(ask("gpt-4o", text)).with("x-farebox-feature", "easy").with("openai-organization", "org-1").with("openai-project", "p").
		with("cookie", "session=1").with("x-api-key", "k").with("api-key", "k").with("x-goog-api-key", "k").with("anthropic-beta", "b")
}

func TestHeavyVolumeMovesToTheOwnPool(t *testing.T) {
	s := newPooling(t, pooling)
	calls := int64(0)
	ask := func() string {
		calls++
		return s.ok(t, easy(fmt.Sprint("Question ", calls))).header.Get("x-farebox-decision")
	}
	t.Run("it starts at the API", func(t *testing.T) {
		if got := ask(); got != "tier" {
			t.Fatalf("decision %q, want tier", got)
		}
	})
	t.Run("it moves when the API would have cost more than the GPUs", func(t *testing.T) {
		for ask() != "pool" {
			if calls > 40 {
				t.Fatal("40 calls went to the API")
			}
		}
		sum := s.settled(t, calls)
		if api := s.provider.total(t).CostNanos; api < 1_200_000 || api > 2_000_000 {
			t.Errorf("the API was paid %s USD before the pool took over, want little more than 0.0012", api)
		}
		if len(sum.Pools) != 1 || !sum.Pools[0].Cheaper {
			t.Errorf("the summary does not say that the pool is cheaper: %+v", sum.Pools)
		}
	})
	t.Run("the caller's account does not go there", func(t *testing.T) {
		ask()
		if total := s.pool.total(t); total.Leaks != 0 {
			t.Errorf("%d calls to the pool carried a credential: %v", total.Leaks, s.pool.last(t).Headers)
		}
		if got := s.pool.last(t).Headers["authorization"]; got != "Bearer pool-key" {
			t.Errorf("authorization %q at the pool, want the pool's own", got)
		}
	})
	t.Run("explain shows it", func(t *testing.T) { explainsPool(t, s) })
	for name, end := range map[string]func(){
		"a restart changes nothing":             func() { _ = s.farebox.stop(t) },
		"a kill after the state was saved, too": func() { s.farebox.kill(t) },
	} {
		t.Run(name, func(t *testing.T) {
			end()
			s.restart(t)
			if got := ask(); got != "pool" {
				t.Errorf("decision %q, want pool", got)
			}
		})
	}
	t.Run("the ledger knows what it saved", func(t *testing.T) {
		sum := s.settled(t, calls)
		if sum.lever("self_hosting") <= 0 {
			t.Errorf("self-hosting saved %s USD", sum.lever("self_hosting"))
		}
		var gpu nanos
		for _, c := range sum.Latest {
			if c.Route == "gpu" && c.Cost <= 0 {
				t.Errorf("a call to the pool cost %s USD, want its share of the GPU", c.Cost)
			}
			if c.Route == "gpu" {
				gpu += c.Cost
			}
		}
		if calls <= int64(len(sum.Latest)) && sum.Cost-gpu != s.provider.total(t).CostNanos {
			t.Errorf("ledger without the pool %s USD, invoice %s USD", sum.Cost-gpu, s.provider.total(t).CostNanos)
		}
	})
}

// explainsPool asks farebox explain, beside the running server, where a call would go. The server saves its state
// every few seconds.
func explainsPool(t *testing.T, s *stack) {
	t.Helper()
	body := easy("And now?").body
	eventually(t, "explain says that the pool is cheaper", func() bool {
		text := string(command(t, body, "explain", "--policy", s.policy, "--path", "/v1/chat/completions", "--header", "x-farebox-feature: easy", "--state", s.state()))
		return strings.Contains(text, "cheaper than the API") && strings.Contains(text, "gpu/pool-model")
	})
}

func TestAPoolStreamsAndIsMetered(t *testing.T) {
	s := newPooling(t, strings.Replace(pooling, "when cheaper", "always", 1))
	a := s.ok(t, chat(askStream("gpt-4o", "Hi")).with("x-farebox-feature", "easy"))
	wantDecision(t, a, "pool", "pool-model")
	if !strings.HasSuffix(string(a.body), "data: [DONE]\n\n") {
		t.Errorf("the stream has no end:\n%s", a.body)
	}
	sum := s.settled(t, 1)
	if sum.Estimated != 0 || sum.Cost <= 0 {
		t.Errorf("cost %s USD, %d estimated", sum.Cost, sum.Estimated)
	}
	if n := s.provider.total(t).Calls; n != 0 {
		t.Errorf("the provider served %d calls, want none", n)
	}
}

func TestWhatThePoolCannotServeStaysWhereItIs(t *testing.T) {
	s := newPooling(t, strings.Replace(pooling, "when cheaper", "always", 1))
	for _, tt := range []traffic{
		{"another API", messages(`{"model":"claude-sonnet-5","max_tokens":50,"messages":[{"role":"user","content":"Hi"}]}`)},
		{"responses", responses(`{"model":"gpt-4o","input":"Hi"}`)},
		{"Gemini", gemini("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"Hi"}]}]}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.ok(t, tt.call.with("x-farebox-feature", "easy")).header.Get("x-farebox-decision"); got == "pool" {
				t.Error("the call went to the pool")
			}
		})
	}
	if n := len(s.pool.requests(t)); n != 0 {
		t.Errorf("the pool received %d requests, want none", n)
	}
}
