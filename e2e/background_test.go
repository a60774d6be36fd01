package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// queue sends a call that is answered later, and returns the name of its answer.
func (s *stack) queue(t *testing.T, body string) string {
	t.Helper()
	a := s.ok(t, responses(body))
	if status := field(t, a, "status"); status != `"queued"` {
		t.Fatalf("status %s, want queued", status)
	}
	return strings.Trim(field(t, a, "id"), `"`)
}

// fetch asks for an answer, as its client does.
func (s *stack) fetch(t *testing.T, id string) answer {
	t.Helper()
	return s.ok(t, call{method: http.MethodGet, path: "/v1/responses/" + id}.with("authorization", "Bearer sk-caller"))
}

const later = `{"model":"gpt-5","input":"Hi [[tokens=40]]","background":true,"max_output_tokens":100}`

func TestAnAnswerInTheBackgroundKeepsItsReservationUntilItIsFetched(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: limitedTo(bound(t, responses(later)))})
		id := s.queue(t, later)
		if b := s.summary(t).budget(t); b.Reserved == 0 || b.Spent != 0 {
			t.Errorf("while it is queued: budget %+v, want it reserved", b)
		}
		wantRefused(t, s.send(t, responses(later)))
		if status := field(t, s.fetch(t, id), "status"); status != `"in_progress"` {
			t.Fatalf("status %s, want in_progress", status)
		}
		if b := s.summary(t).budget(t); b.Reserved == 0 || b.Spent != 0 {
			t.Errorf("while it is in progress: budget %+v, want it reserved", b)
		}
		if status := field(t, s.fetch(t, id), "status"); status != `"completed"` {
			t.Fatalf("status %s, want completed", status)
		}
		wantSettled(t, s)
		s.fetch(t, id) // and again, which costs nothing
		wantSettled(t, s)
		s.quiet(t)
	})
}

// wantSettled checks that the one call is settled at what it cost.
func wantSettled(t *testing.T, s *stack) {
	t.Helper()
	sum, total := s.settled(t, 1), s.provider.total(t)
	if b := sum.budget(t); b.Spent != total.CostNanos || b.Reserved != 0 || sum.Cost != total.CostNanos || sum.Estimated != 0 {
		t.Errorf("ledger %s USD, %d estimated, budget %+v; invoice %s USD", sum.Cost, sum.Estimated, b, total.CostNanos)
	}
}

func TestAnAnswerInTheBackgroundOutlivesFarebox(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(bound(t, responses(later)))})
	id := s.queue(t, later)
	s.farebox.kill(t)
	s.restart(t)
	wantRefused(t, s.send(t, responses(later)))
	s.fetch(t, id)
	s.fetch(t, id)
	wantSettled(t, s)
}

func TestAStreamInTheBackgroundSettlesAtItsEnd(t *testing.T) {
	body := strings.Replace(later, "{", `{"stream":true,`, 1)
	s := newStack(t, setup{policy: limitedTo(bound(t, responses(body)))})
	a := s.ok(t, responses(body))
	if !strings.Contains(string(a.body), "event: response.completed") {
		t.Errorf("no end in %s", a.body)
	}
	wantSettled(t, s)
}

func TestAForeignAnswerIsNoSettlement(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(bound(t, responses(later)))})
	id := s.queue(t, later)
	for _, path := range []string{"/v1/responses/resp_other", "/v1/responses/" + id + "x", "/v1/responses/" + id + "/input_items"} {
		a := s.send(t, call{method: http.MethodGet, path: path}.with("authorization", "Bearer sk-caller"))
		if b := s.summary(t).budget(t); b.Reserved == 0 {
			t.Errorf("%s: status %d settled the call: %+v", fmt.Sprint(path), a.status, b)
		}
	}
}
