package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// stopping ends streams that have used up their reservation.
func stopping(limit nanos) string { return limitedTo(limit) + "    stop_on_budget: true\n" }

// overlong are streams that go on beyond the cap that was reserved for, and how a valid one ends.
var overlong = []struct {
	name string
	call call
	ends string
}{
	{"chat", chat(`{"model":"gpt-4o","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"[[tokens=3000]]"}]}`), "data: [DONE]\n\n"},
	{"chat that asked for its usage", chat(`{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"max_tokens":100,"messages":[{"role":"user","content":"[[tokens=3000]]"}]}`), "data: [DONE]\n\n"},
	{"responses", responses(`{"model":"gpt-4.1","input":"[[tokens=3000]]","stream":true,"max_output_tokens":100}`), "}}\n\n"},
	{"messages", messages(`{"model":"claude-sonnet-5","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"[[tokens=3000]]"}]}`), "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
	{"Gemini", geminiStream("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"[[tokens=3000]]"}]}],"generationConfig":{"maxOutputTokens":100}}`), "}\n\n"},
}

func TestAStreamThatPassesItsReservationIsEnded(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: stopping(1_000_000_000), provider: []string{"-delay", "1ms"}})
		for i, tt := range overlong {
			t.Run(tt.name, func(t *testing.T) {
				before := s.summary(t).Cost
				a := s.send(t, tt.call.with("x-test-overshoot", "1"))
				text := strings.ReplaceAll(string(a.body), "\r\n", "\n")
				if a.status != 200 || a.err != nil || !strings.HasSuffix(text, tt.ends) {
					t.Fatalf("status %d, %v: ...%s", a.status, a.err, text[max(0, len(text)-300):])
				}
				if n := strings.Count(text, "\n\n"); n < 10 || n > 1500 {
					t.Errorf("%d events reached the client, want some and not all", n)
				}
				sum := s.settled(t, int64(i+1))
				if cost := sum.Cost - before; cost <= 0 || cost > 2*bound(t, tt.call) {
					t.Errorf("charged %s USD, want about the %s that were reserved", cost, bound(t, tt.call))
				}
				if sum.budget(t).Reserved != 0 || sum.Estimated != int64(i+1) {
					t.Errorf("budget %+v, %d estimated of %d", sum.budget(t), sum.Estimated, i+1)
				}
			})
		}
		if got := s.metric(t, "farebox_streams_stopped_total"); got != float64(len(overlong)) {
			t.Errorf("farebox_streams_stopped_total %g, want %d", got, len(overlong))
		}
		s.quiet(t)
	})
}

func TestAStreamWithinItsReservationIsNotEnded(t *testing.T) {
	s := newStack(t, setup{policy: stopping(10_000_000_000)})
	twin := startVendor(t, "twin")
	for i, tt := range overlong {
		t.Run(tt.name, func(t *testing.T) {
			want, got := sendTo(t, twin.url, tt.call), s.send(t, tt.call)
			if tt.name == "chat" { // farebox asks for the usage there, by which every chunk has a null
				want, got = answer{body: fmt.Append(nil, chunkTexts(t, want))}, answer{body: fmt.Append(nil, chunkTexts(t, got))}
			}
			if string(got.body) != string(want.body) {
				t.Errorf("got %s\nwithout farebox %s", got.body, want.body)
			}
			sum, total := s.settled(t, int64(i+1)), s.provider.total(t)
			if sum.Cost != total.CostNanos {
				t.Errorf("ledger %s USD, invoice %s USD", sum.Cost, total.CostNanos)
			}
		})
	}
}

// chunkTexts is what a stream of chat says.
func chunkTexts(t *testing.T, a answer) []string {
	t.Helper()
	var texts []string
	for _, c := range chunks(t, a) {
		for _, choice := range c.Choices {
			texts = append(texts, choice.Delta.Content+choice.Finish)
		}
	}
	return texts
}

// TestTheOfficialSDKsReadAnEndedStream: the end that farebox writes is a valid one to them.
func TestTheOfficialSDKsReadAnEndedStream(t *testing.T) {
	python, node := sdkPython(t), sdkNode(t)
	s := newStack(t, setup{policy: stopping(1_000_000_000), provider: []string{"-delay", "1ms"}})
	group := []string{"stopped=" + s.url}
	n := passed(t, sdk(t, python, "sdk.py", group), s)
	n += passed(t, sdk(t, node, "sdk.mjs", group), s)
	if got := s.metric(t, "farebox_streams_stopped_total"); got != float64(n) {
		t.Errorf("farebox_streams_stopped_total %g, want %d", got, n)
	}
}
