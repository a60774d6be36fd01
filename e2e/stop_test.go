package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// stopping ends streams that have used up their reservation.
func stopping(limit nanos) string { return limitedTo(limit) + "    stop_on_budget: true\n" }

// overlong are streams that go on beyond the cap that was reserved for, and how a valid one ends.
var overlong = []struct {
	name  string
	call  call
	ends  string
	whole int // about how many bytes the whole stream has
}{
	{"chat", chat(`{"model":"gpt-4o","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"[[tokens=3000]]"}]}`), "data: [DONE]\n\n", 700000},
	{"chat that asked for its usage", chat(`{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"max_tokens":100,"messages":[{"role":"user","content":"[[tokens=3000]]"}]}`), "data: [DONE]\n\n", 700000},
	{"responses", responses(`{"model":"gpt-4.1","input":"[[tokens=3000]]","stream":true,"max_output_tokens":100}`), "}}\n\n", 600000},
	{"messages", messages(`{"model":"claude-sonnet-5","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"[[tokens=3000]]"}]}`), "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", 300000},
	{"Gemini", geminiStream("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"[[tokens=3000]]"}]}],"generationConfig":{"maxOutputTokens":100}}`), "}\n\n", 100000},
}

func TestAStreamThatPassesItsReservationIsEnded(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: stopping(1_000_000_000), provider: []string{"-delay", "1ms"}})
		for i, tt := range overlong {
			t.Run(tt.name, func(t *testing.T) {
				before, billed := s.summary(t), s.provider.total(t)
				a := s.send(t, tt.call.with("x-test-overshoot", "1"))
				text := strings.ReplaceAll(string(a.body), "\r\n", "\n")
				if a.status != 200 || a.err != nil || !strings.HasSuffix(text, tt.ends) {
					t.Fatalf("status %d, %v: ...%s", a.status, a.err, text[max(0, len(text)-300):])
				}
				if n := len(text) * 100 / tt.whole; n < 1 || n > 50 {
					t.Errorf("%d%% of the stream reached the client, want some and not most", n)
				}
				sum := s.settled(t, int64(i+1))
				cost, invoice := sum.Cost-before.Cost, s.provider.total(t).CostNanos-billed.CostNanos
				// The provider may go on, and say in the end what it bills.
				if sum.Estimated == before.Estimated && cost != invoice || sum.Estimated > before.Estimated && (cost <= 0 || cost > 2*bound(t, tt.call)) {
					t.Errorf("charged %s USD, %d estimated; reserved %s, invoice %s USD", cost, sum.Estimated-before.Estimated, bound(t, tt.call), invoice)
				}
				if sum.budget(t).Reserved != 0 {
					t.Errorf("budget %+v", sum.budget(t))
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
			if undated(got) != undated(want) {
				t.Errorf("got %s\nwithout farebox %s", got.body, want.body)
			}
			sum, total := s.settled(t, int64(i+1)), s.provider.total(t)
			if sum.Cost != total.CostNanos {
				t.Errorf("ledger %s USD, invoice %s USD", sum.Cost, total.CostNanos)
			}
		})
	}
}

var created = regexp.MustCompile(`"created(_at)?": ?[0-9]+`)

// undated is the body without the second in which it was made.
func undated(a answer) string { return created.ReplaceAllString(string(a.body), "") }

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

// TestAStreamThatWasEndedIsChargedForWhatWasSent: its client leaves right after the end that farebox wrote, so that
// nobody hears what the provider bills.
func TestAStreamThatWasEndedIsChargedForWhatWasSent(t *testing.T) {
	s := newStack(t, setup{policy: stopping(1_000_000_000), provider: []string{"-delay", "1ms"}})
	for i, tt := range overlong {
		t.Run(tt.name, func(t *testing.T) {
			before, billed := s.summary(t), s.provider.total(t)
			s.leaveAfter(t, tt.call.with("x-test-overshoot", "1"), strings.TrimSpace(tt.ends), s.metric(t, "farebox_streams_stopped_total"))
			sum := s.settled(t, int64(i+1))
			most := bound(t, tt.call)
			cost, counted := sum.Cost-before.Cost, sum.budget(t).Spent-spentBefore(before)
			// What comes until the client is gone counts, too: on a busy machine that is several times what fitted.
			if sum.Estimated != before.Estimated+1 || cost < most || cost > 20*most || counted < most || counted < cost {
				t.Errorf("charged %s USD, counted %s, %d estimated; want an estimate of 1 to 20 times the %s that was reserved", cost, counted, sum.Estimated-before.Estimated, most)
			}
			eventually(t, "the provider has billed", func() bool { return s.provider.total(t).Calls > billed.Calls })
			if overruns := s.metric(t, "farebox_overruns_total"); overruns != float64(sum.Overruns) || sum.Overruns != before.Overruns+1 {
				t.Errorf("%g overruns in the metrics, %d in the ledger after %d", overruns, sum.Overruns, before.Overruns)
			}
		})
	}
	s.quiet(t)
}

// spentBefore is what the one budget had spent, which has no row before the first call.
func spentBefore(sum summary) (spent nanos) {
	for _, b := range sum.Budgets {
		spent += b.Spent
	}
	return spent
}

// leaveAfter reads a stream until farebox has ended it, and goes away.
func (s *stack) leaveAfter(t *testing.T, c call, end string, stopped float64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	res, err := s.open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var text strings.Builder
	for piece := make([]byte, 4<<10); ; {
		n, err := res.Body.Read(piece)
		text.Write(piece[:n])
		got := strings.TrimSpace(strings.ReplaceAll(text.String(), "\r\n", "\n"))
		if strings.HasSuffix(got, end) && s.metric(t, "farebox_streams_stopped_total") > stopped {
			return
		}
		if err != nil {
			t.Fatalf("%v before farebox ended it: ...%s", err, got[max(0, len(got)-300):])
		}
	}
}
