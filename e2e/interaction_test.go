package e2e

import (
	"net/http"
	"strings"
	"testing"
)

func interaction(body string) call {
	return post("/v1beta/interactions", body, "x-goog-api-key", "AIza-caller")
}

// TestAnInteractionInTheBackgroundKeepsItsReservationUntilItIsFetched: as a response of OpenAI's does, in Gemini's words.
func TestAnInteractionInTheBackgroundKeepsItsReservationUntilItIsFetched(t *testing.T) {
	begun := interaction(`{"model":"gemini-2.5-flash","input":"Hi [[tokens=40]]","background":true,"generation_config":{"max_output_tokens":100}}`)
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: limitedTo(bound(t, begun))})
		a := s.ok(t, begun)
		if status := field(t, a, "status"); status != `"in_progress"` {
			t.Fatalf("status %s, want in_progress", status)
		}
		fetch := call{method: http.MethodGet, path: "/v1beta/interactions/" + strings.Trim(field(t, a, "id"), `"`)}.with("x-goog-api-key", "AIza-caller")
		if status := field(t, s.ok(t, fetch), "status"); status != `"in_progress"` {
			t.Fatalf("status %s, want in_progress", status)
		}
		if b := s.summary(t).budget(t); b.Reserved == 0 || b.Spent != 0 {
			t.Errorf("while it is in progress: budget %+v, want it reserved", b)
		}
		if again := s.send(t, begun); again.status != http.StatusTooManyRequests {
			t.Errorf("another call: status %d, want 429", again.status)
		}
		if status := field(t, s.ok(t, fetch), "status"); status != `"completed"` {
			t.Fatalf("status %s, want completed", status)
		}
		wantSettled(t, s)
		s.ok(t, fetch) // and again, which costs nothing
		wantSettled(t, s)
		s.quiet(t)
	})
}
