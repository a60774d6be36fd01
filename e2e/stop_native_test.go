package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestAStreamOfAnotherFormIsEnded: of Cohere's own API, and Gemini's as one array.
func TestAStreamOfAnotherFormIsEnded(t *testing.T) {
	calls := []struct {
		name  string
		call  call
		valid func(text string) bool
		whole int // about how many bytes the whole stream has
	}{
		{"Cohere", bearing("api.cohere.com", "/v2/chat", `{"model":"command-r7b-12-2024","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"[[tokens=3000]]"}]}`),
			func(text string) bool {
				_, end, _ := strings.Cut(text, "event: message-end\ndata: ")
				return strings.Contains(end, `"finish_reason":"MAX_TOKENS"`) && strings.HasSuffix(end, "\n\n")
			}, 400000},
		{"Gemini's array", post("/v1beta/models/gemini-2.5-flash:streamGenerateContent",
			`{"contents":[{"parts":[{"text":"[[tokens=3000]]"}]}],"generationConfig":{"maxOutputTokens":100}}`, "x-goog-api-key", "AIza-caller").at("generativelanguage.googleapis.com"),
			func(text string) bool {
				return json.Valid([]byte(text)) && strings.Contains(text[strings.LastIndex(text, `{"candidates"`):], "MAX_TOKENS")
			}, 100000},
	}
	eachEnvoy(t, func(t *testing.T, r release) {
		policy := everywhere + "budgets:\n  - {name: company, limit: $1 per day, stop_on_budget: true}\n"
		s := newStack(t, setup{envoy: r, policy: policy, houses: houses, provider: []string{"-delay", "1ms"}})
		for i, tt := range calls {
			t.Run(tt.name, func(t *testing.T) {
				a := s.send(t, tt.call.with("x-test-overshoot", "1"))
				text := string(a.body)
				if a.status != 200 || a.err != nil || !tt.valid(text) {
					t.Fatalf("status %d, %v: ...%s", a.status, a.err, text[max(0, len(text)-300):])
				}
				if n := len(text) * 100 / tt.whole; n < 1 || n > 50 {
					t.Errorf("%d%% of the stream reached the client, want some and not most: %d bytes", n, len(text))
				}
				s.settled(t, int64(i+1))
				if got := s.metric(t, "farebox_streams_stopped_total"); got != float64(i+1) {
					t.Errorf("farebox_streams_stopped_total %g, want %d", got, i+1)
				}
			})
		}
		s.quiet(t)
	})
}
