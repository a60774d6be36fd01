package e2e

import (
	"strings"
	"syscall"
	"testing"
)

const cheapPolicy = `
version: 1
mode: enforce
tiers: {cheap: [openai/gpt-4.1-nano]}
rules: [{name: all, tier: cheap}]
`

// asks tells which model serves a call for gpt-4o.
func (s *stack) asks(t *testing.T) string {
	t.Helper()
	return s.ok(t, chat(ask("gpt-4o", "Hi"))).header.Get("x-farebox-model")
}

func TestAPolicyIsReloaded(t *testing.T) {
	const plain = "version: 1\nmode: enforce\n"
	s := newStack(t, setup{policy: plain})
	if got := s.asks(t); got != "gpt-4o" {
		t.Fatalf("model %q, want gpt-4o", got)
	}
	t.Run("when the file changes", func(t *testing.T) {
		s.setPolicy(t, cheapPolicy)
		eventually(t, "the new policy holds", func() bool { return s.asks(t) == "gpt-4.1-nano" })
	})
	t.Run("at SIGHUP", func(t *testing.T) {
		s.reload(t, plain)
		if got := s.asks(t); got != "gpt-4o" {
			t.Errorf("model %q, want gpt-4o", got)
		}
	})
	t.Run("but not if it is wrong", func(t *testing.T) {
		s.reload(t, cheapPolicy)
		s.setPolicy(t, strings.Replace(cheapPolicy, "tier: cheap", "tier: chaep", 1))
		s.farebox.signal(t, syscall.SIGHUP)
		eventually(t, "the reload is refused", func() bool { return s.metric(t, "farebox_config_last_reload_successful") == 0 })
		if got := s.asks(t); got != "gpt-4.1-nano" {
			t.Errorf("model %q, want the old policy's gpt-4.1-nano", got)
		}
		log := s.farebox.log.String()
		if !strings.Contains(log, "reload refused") || !strings.Contains(log, "chaep") {
			t.Errorf("the log does not say what is wrong:\n%s", s.farebox.log.tail())
		}
		if _, text := s.admin(t, "/policy"); !strings.Contains(string(text), "tier: cheap") {
			t.Errorf("/policy does not show the policy in force:\n%s", text)
		}
	})
	t.Run("and again when it is right", func(t *testing.T) {
		s.reload(t, plain)
		if got := s.metric(t, "farebox_config_last_reload_successful"); got != 1 {
			t.Errorf("farebox_config_last_reload_successful %g, want 1", got)
		}
		if got := s.asks(t); got != "gpt-4o" {
			t.Errorf("model %q, want gpt-4o", got)
		}
	})
}

func TestACallEndsUnderThePolicyThatItBeganWith(t *testing.T) {
	s := newStack(t, setup{policy: cheapPolicy, provider: slowly})
	stream := streaming(t, s)
	s.reload(t, "version: 1\nmode: enforce\n")
	runsToItsEnd(t, stream)
	sum, total := s.settled(t, 1), s.provider.total(t)
	if sum.Cost != total.CostNanos || sum.Latest[0].Model != "gpt-4.1-nano" || sum.lever("tier") <= 0 {
		t.Errorf("ledger %s USD, invoice %s USD: %+v", sum.Cost, total.CostNanos, sum.Latest[0])
	}
}

func TestTheAdminPortAnswers(t *testing.T) {
	s := newStack(t, setup{policy: cheapPolicy})
	s.asks(t)
	for path, want := range map[string]string{
		"/": "farebox", "/healthz": "ok", "/readyz": "ready", "/metrics": "farebox_requests_total{", "/policy": "tiers: {cheap:", "/api/summary": `"saved_usd"`,
	} {
		if status, body := s.admin(t, path); status != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: status %d, want %q in %.300s", path, status, want, body)
		}
	}
	if cost, total := s.metric(t, `farebox_cost_dollars_total{model="gpt-4.1-nano",provider="openai",tier="cheap"}`), s.provider.total(t); nanos(cost*1e9+0.5) != total.CostNanos {
		t.Errorf("farebox_cost_dollars_total %g, invoice %s USD", cost, total.CostNanos)
	}
}
