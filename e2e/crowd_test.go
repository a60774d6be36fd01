package e2e

import (
	"context"
	"crypto/rand"
	"errors"
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

// siege sends a call from so many clients at once, of which so many should be admitted. The provider stands still until
// all others were refused, so that nothing is settled before.
func (s *stack) siege(t *testing.T, clients, admitted int64, c call) crowd {
	t.Helper()
	s.provider.pause(t)
	var refused atomic.Int64
	came := make(chan crowd)
	go func() {
		came <- s.crowd(t, int(clients), int(clients), func() (int, error) {
			a := try(s.url, c)
			if a.status == http.StatusTooManyRequests {
				refused.Add(1)
			}
			return a.status, a.err
		})
	}()
	for end := time.Now().Add(45 * time.Second); refused.Load() < clients-admitted && time.Now().Before(end); { // less than try's minute
		time.Sleep(20 * time.Millisecond)
	}
	s.provider.resume(t)
	return <-came
}

func TestABudgetForTenAdmitsTenOfAThousandAtOnce(t *testing.T) {
	const callers, admitted = 1000, 10
	for _, tt := range []traffic{
		{"chat", chat(ask("gpt-4o", "Hi"))},
		{"messages that stream", messages(`{"model":"claude-sonnet-5","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t, setup{policy: limitedTo(bound(t, tt.call) * admitted), edit: patient})
			got := s.siege(t, callers, admitted, tt.call)
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
			s := newStack(t, setup{policy: limitedTo(bound(t, tt.call) * admitted), provider: []string{"-first", "5s"}})
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

// leave sends a call and goes away when the provider has it, before the answer begins, as a client does that loses its
// patience. It counts as answered; a refusal comes before that.
func (s *stack) leave(c call) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	id, watched := rand.Text(), make(chan struct{})
	defer func() { cancel(); <-watched }()
	go func() {
		defer close(watched)
		for ctx.Err() == nil {
			if a := try(s.provider.url, call{method: http.MethodGet, path: "/_/requests"}); strings.Contains(string(a.body), id) {
				cancel()
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	res, err := s.open(ctx, c.with("x-test-call", id))
	if errors.Is(ctx.Err(), context.Canceled) {
		return http.StatusOK, nil
	}
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
