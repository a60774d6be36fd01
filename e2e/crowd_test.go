package e2e

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd is what came of many calls.
type crowd struct{ answered, refused int64 }

// crowd sends a call as often as said at once, by at most so many clients at a time, each with its own way of
// waiting for the answer, and fails the test if one is neither answered nor refused.
func (s *stack) crowd(t *testing.T, calls, clients int, send func() (status int, err error)) crowd {
	t.Helper()
	var answered, refused atomic.Int64
	slots := make(chan struct{}, clients)
	var wait sync.WaitGroup
	for range calls {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			switch status, err := send(); {
			case err == nil && status == http.StatusOK:
				answered.Add(1)
			case err == nil && status == http.StatusTooManyRequests:
				refused.Add(1)
			default:
				t.Errorf("status %d, %v", status, err)
			}
		})
	}
	wait.Wait()
	return crowd{answered.Load(), refused.Load()}
}

func TestABudgetForTenAdmitsTenOfAThousandAtOnce(t *testing.T) {
	const callers, admitted = 1000, 10
	for _, tt := range []traffic{
		{"chat", chat(ask("gpt-4o", "Hi"))},
		{"messages that stream", messages(`{"model":"claude-sonnet-5","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t, setup{policy: limitedTo(bound(t, tt.call) * admitted), edit: patient})
			s.provider.fail(t, callers, "hang=8s") // nothing is settled before all have asked
			got := s.crowd(t, callers, callers, func() (int, error) {
				a := try(s.url, tt.call)
				return a.status, a.err
			})
			if want := (crowd{admitted, callers - admitted}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			sum, total := s.settled(t, admitted), s.provider.total(t)
			if b := sum.budget(t); b.Spent != total.CostNanos || b.Reserved != 0 || total.Calls != admitted {
				t.Errorf("budget %+v, invoice %s USD for %d calls", b, total.CostNanos, total.Calls)
			}
			s.quiet(t)
		})
	}
}

// patient lets Envoy wait longer for farebox: a machine with two cores, which the clients share, needs more than a
// second for a thousand connections at once.
func patient(config string) string {
	return strings.NewReplacer("message_timeout: 1s", "message_timeout: 20s", "connect_timeout: 0.25s", "connect_timeout: 20s").Replace(config)
}

// TestAHundredAbortedPlainCallsOnABudgetForTenAdmitTen: the provider goes on and bills in full, though nobody waits.
func TestAHundredAbortedPlainCallsOnABudgetForTenAdmitTen(t *testing.T) {
	const callers, admitted = 100, 10
	for _, tt := range []traffic{
		{"chat", chat(ask("gpt-4o", "[[tokens=200]]"))},
		{"responses", responses(`{"model":"gpt-5","input":"[[tokens=200]]","max_output_tokens":200}`)},
		{"messages", messages(`{"model":"claude-sonnet-5","max_tokens":200,"messages":[{"role":"user","content":"[[tokens=200]]"}]}`)},
		{"Gemini", gemini("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"[[tokens=200]]"}]}],"generationConfig":{"maxOutputTokens":200}}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t, setup{policy: limitedTo(bound(t, tt.call) * admitted), provider: []string{"-first", "1s"}})
			got := s.crowd(t, callers, 20, func() (int, error) { return s.leave(tt.call) })
			if want := (crowd{admitted, callers - admitted}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			sum := s.settled(t, admitted)
			eventually(t, "the provider has billed", func() bool { return s.provider.total(t).Calls == admitted })
			total := s.provider.total(t)
			if sum.Estimated != admitted || sum.budget(t).Spent < total.CostNanos || sum.budget(t).Reserved != 0 {
				t.Errorf("%d estimates, budget %+v; invoice %s USD", sum.Estimated, sum.budget(t), total.CostNanos)
			}
			if got := s.metric(t, "farebox_overruns_total"); got != 0 {
				t.Errorf("farebox_overruns_total %g, want 0", got)
			}
		})
	}
}

// leave sends a call and goes away before the answer has begun, as a client does that gave it a short time. It counts
// as answered; a refusal comes before that.
func (s *stack) leave(c call) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	res, err := s.open(ctx, c)
	if ctx.Err() != nil {
		return http.StatusOK, nil
	}
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
