package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// faultCalls are calls of every API, as whole answers and as streams.
func faultCalls() []traffic {
	return []traffic{
		{"chat", chat(ask("gpt-4o", "Hi"))},
		{"chat that streams", chat(askStream("gpt-4o", "Hi"))},
		{"responses", responses(`{"model":"gpt-5","input":"Hi","max_output_tokens":300}`)},
		{"responses that stream", responses(`{"model":"gpt-5","input":"Hi","stream":true,"max_output_tokens":300}`)},
		{"messages", messages(`{"model":"claude-sonnet-5","max_tokens":300,"messages":[{"role":"user","content":"Hi"}]}`)},
		{"messages that stream", messages(`{"model":"claude-sonnet-5","max_tokens":300,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`)},
		{"Gemini", gemini("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"Hi"}]}]}`)},
		{"Gemini that streams", geminiStream("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"Hi"}]}]}`)},
	}
}

func TestAnErrorOfTheProviderCostsNothing(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(10_000_000_000)})
	calls := int64(0)
	for _, status := range []int{400, 401, 404, 429, 500, 503, 529} {
		for _, tt := range faultCalls() {
			t.Run(fmt.Sprint(status, " to ", tt.name), func(t *testing.T) {
				want := sendTo(t, s.provider.url, tt.call.with("x-test-fault", fmt.Sprint("status=", status)))
				a := s.send(t, tt.call.with("x-test-fault", fmt.Sprint("status=", status)))
				calls++
				if a.status != status || messageOf(t, a) != messageOf(t, want) {
					t.Errorf("status %d: %s\nwithout farebox %d: %s", a.status, a.body, want.status, want.body)
				}
			})
		}
	}
	sum := s.settled(t, calls)
	if b := sum.budget(t); b.Spent != 0 || b.Reserved != 0 || sum.Cost != 0 || sum.outcome("released") != calls {
		t.Errorf("ledger %s USD, budget %+v, outcomes %v; want all %d calls released", sum.Cost, b, sum.Outcomes, calls)
	}
	s.quiet(t)
}

func TestAProviderThatCannotBeReachedCostsNothing(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(10_000_000_000)})
	s.provider.kill(t)
	for i, tt := range faultCalls() {
		t.Run(tt.name, func(t *testing.T) {
			a := s.send(t, tt.call)
			if a.status != http.StatusServiceUnavailable {
				t.Errorf("status %d, want 503", a.status)
			}
			messageOf(t, a)
			sum := s.settled(t, int64(i+1))
			if b := sum.budget(t); b.Spent != 0 || b.Reserved != 0 {
				t.Errorf("budget %+v, want nothing spent or reserved: %+v", b, sum.Latest[0])
			}
		})
	}
}

func TestAnAnswerThatIsCutIsAnEstimate(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(10_000_000_000)})
	calls, billed := int64(0), nanos(0)
	for _, fault := range []string{"cut=0", "cut=1", "cut=5", "garbage"} {
		for _, tt := range faultCalls() {
			t.Run(fault+" to "+tt.name, func(t *testing.T) {
				before := s.summary(t)
				s.send(t, tt.call.with("x-test-fault", fault))
				calls++
				sum := s.settled(t, calls)
				total := s.provider.total(t).CostNanos
				cost := total - billed
				billed = total
				if sum.Estimated != before.Estimated+1 {
					t.Errorf("the call is no estimate: %+v", sum.Latest[0])
				}
				if got := sum.Bound - before.Bound; got < cost {
					t.Errorf("bound %s USD, invoice %s USD", got, cost)
				}
				if got := sum.budget(t).Spent - before.budget(t).Spent; got < cost {
					t.Errorf("spent %s USD, invoice %s USD", got, cost)
				}
				if sum.budget(t).Reserved != 0 {
					t.Errorf("%s USD are still reserved", sum.budget(t).Reserved)
				}
			})
		}
	}
}

func TestAClientThatGoesAwayIsSettled(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(10_000_000_000)})
	for i, tt := range faultCalls() {
		t.Run(tt.name, func(t *testing.T) {
			before := s.summary(t)
			var err error
			if strings.Contains(tt.name, "stream") {
				_, err = s.abort(tt.call.with("x-test-fault", "stall-after=2,1m"), 1)
			} else {
				_, err = s.leave(tt.call.with("x-test-fault", "hang=1m"))
			}
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "the provider has noticed", func() bool { return s.provider.total(t).Calls == int64(i+1) })
			bills := s.provider.bills(t)
			bill := bills[len(bills)-1]
			if !bill.Cancelled {
				t.Fatal("the provider was done before the client went: the test tests nothing")
			}
			sum := s.settled(t, int64(i+1))
			if sum.Estimated != before.Estimated+1 || sum.Latest[0].Outcome != "cancelled" {
				t.Errorf("want a cancelled estimate: %+v", sum.Latest[0])
			}
			if got := sum.budget(t).Spent - before.budget(t).Spent; got < bill.CostNanos {
				t.Errorf("spent %s USD, invoice %s USD", got, bill.CostNanos)
			}
			if sum.budget(t).Reserved != 0 {
				t.Errorf("%s USD are still reserved", sum.budget(t).Reserved)
			}
		})
	}
}

func TestAClientThatClosesAfterTheLastEventIsDone(t *testing.T) {
	s := newStack(t, setup{policy: observePolicy})
	res, err := s.open(t.Context(), responses(`{"model":"gpt-5","input":"Hi","stream":true,"max_output_tokens":300}`))
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]byte, 0, 1<<16)
	for !strings.Contains(string(seen), "event: response.completed") || !strings.HasSuffix(string(seen), "\n\n") {
		piece := make([]byte, 4096)
		n, err := res.Body.Read(piece)
		seen = append(seen, piece[:n]...)
		if err != nil {
			break
		}
	}
	res.Body.Close()
	sum, total := s.settled(t, 1), s.provider.total(t)
	if sum.Cost != total.CostNanos || sum.Estimated != 0 {
		t.Errorf("ledger %s USD, %d estimated; invoice %s USD", sum.Cost, sum.Estimated, total.CostNanos)
	}
}

// slow is a stream of some three seconds.
func slow() call {
	return chat(`{"model":"gpt-4o","messages":[{"role":"user","content":"[[tokens=100]]"}],"max_tokens":100,"stream":true,"stream_options":{"include_usage":true}}`)
}

var slowly = []string{"-delay", "25ms"}

// streaming opens the slow stream, reads its first bytes and returns the rest.
func streaming(t *testing.T, s *stack) io.Reader {
	t.Helper()
	res, err := s.open(t.Context(), slow())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if _, err := io.ReadFull(res.Body, make([]byte, 200)); err != nil {
		t.Fatal(err)
	}
	return res.Body
}

// runsToItsEnd reads the rest of a chat stream.
func runsToItsEnd(t *testing.T, stream io.Reader) {
	t.Helper()
	rest, err := io.ReadAll(stream)
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("the stream was cut: %v after %d bytes: %s", err, len(rest), rest[max(0, len(rest)-200):])
	}
}

func TestKillingFareboxCutsNobodyAndLetsNobodyOut(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: limitedTo(10_000_000_000), provider: slowly})
		stream := streaming(t, s)
		s.farebox.kill(t)
		for _, tt := range refusals {
			t.Run(tt.name+" is refused", func(t *testing.T) {
				c := tt.call.with("x-farebox-route", "openai").with("x-farebox-decision", "asked")
				a := s.send(t, c)
				if a.status != http.StatusServiceUnavailable {
					t.Errorf("status %d, want 503", a.status)
				}
				messageOf(t, a)
			})
		}
		runsToItsEnd(t, stream)
		if got := len(s.provider.requests(t)); got != 1 {
			t.Errorf("the provider received %d requests, want the stream only", got)
		}
		s.restart(t)
		sum, total := s.settled(t, 1), s.provider.total(t)
		if sum.Estimated != 1 || sum.Latest[0].Outcome != "lost" || sum.Bound < total.CostNanos {
			t.Errorf("want a lost call with a bound of at least %s USD: %+v, bound %s", total.CostNanos, sum.Latest[0], sum.Bound)
		}
		if b := sum.budget(t); b.Spent < total.CostNanos || b.Reserved != 0 {
			t.Errorf("budget %+v, invoice %s USD", b, total.CostNanos)
		}
		s.ok(t, chat(ask("gpt-4o", "Hi")))
	})
}

func TestObserveGoesOnWithoutFarebox(t *testing.T) {
	s := newStack(t, setup{policy: observePolicy})
	s.farebox.kill(t)
	for _, tt := range faultCalls() {
		t.Run(tt.name, func(t *testing.T) { s.ok(t, tt.call) })
	}
}

func TestAPausedFareboxRefusesAndRecovers(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(10_000_000_000)})
	s.ok(t, chat(ask("gpt-4o", "Hi")))
	s.farebox.pause(t)
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			a := s.send(t, tt.call)
			if a.status != http.StatusServiceUnavailable {
				t.Errorf("status %d, want 503", a.status)
			}
			messageOf(t, a)
		})
	}
	s.farebox.resume(t)
	s.reached(t)
	s.ok(t, chat(ask("gpt-4o", "Hi")))
	eventually(t, "nothing is reserved any more", func() bool { return s.summary(t).budget(t).Reserved == 0 })
	sum, total := s.summary(t), s.provider.total(t)
	if total.Calls != 2 || sum.Cost != total.CostNanos || sum.budget(t).Spent != total.CostNanos {
		t.Errorf("ledger %s USD, budget %+v; invoice %s USD for %d calls, want 2", sum.Cost, sum.budget(t), total.CostNanos, total.Calls)
	}
}

func TestAStreamThatPausesWithFareboxRunsToItsEnd(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(10_000_000_000), provider: slowly})
	stream := streaming(t, s)
	s.farebox.pause(t)
	runsToItsEnd(t, stream)
	s.farebox.resume(t)
	sum, total := s.settled(t, 1), s.provider.total(t)
	if b := sum.budget(t); b.Spent < total.CostNanos || b.Reserved != 0 {
		t.Errorf("budget %+v, invoice %s USD", b, total.CostNanos)
	}
}

func TestShuttingDownSettlesAndCutsNobody(t *testing.T) {
	for name, flags := range map[string][]string{"within the drain time": {"--drain", "15s"}, "beyond the drain time": {"--drain", "500ms"}} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, setup{policy: limitedTo(10_000_000_000), provider: slowly, serve: flags})
			stream := streaming(t, s)
			ended := make(chan error, 1)
			go func() { ended <- s.farebox.stop(t) }()
			runsToItsEnd(t, stream)
			if err := <-ended; err != nil {
				t.Errorf("farebox ended with %v, want status 0\n%s", err, s.farebox.log)
			}
			s.restart(t)
			sum, total := s.settled(t, 1), s.provider.total(t)
			if sum.budget(t).Spent < total.CostNanos || sum.budget(t).Reserved != 0 {
				t.Errorf("budget %+v, invoice %s USD", sum.budget(t), total.CostNanos)
			}
			if sum.outcome("lost") != 0 {
				t.Errorf("the call was not settled at the end: %+v", sum.Latest[0])
			}
			if name == "within the drain time" && (sum.Cost != total.CostNanos || sum.Estimated != 0) {
				t.Errorf("ledger %s USD, %d estimated; invoice %s USD", sum.Cost, sum.Estimated, total.CostNanos)
			}
		})
	}
}

func TestErrorsOfTheWayAreJSON(t *testing.T) {
	s := newStack(t, setup{policy: observePolicy})
	s.provider.kill(t)
	a := s.send(t, messages(`{"model":"claude-sonnet-5","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`))
	var body struct {
		Type  string
		Error struct{ Type, Message string }
	}
	if err := json.Unmarshal(a.body, &body); err != nil || body.Type != "error" || body.Error.Type == "" || body.Error.Message == "" {
		t.Errorf("status %d, %v: %s; want an error of Anthropic's shape", a.status, err, a.body)
	}
}
