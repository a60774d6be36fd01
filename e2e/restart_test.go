package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRestartsUnderTrafficLoseAndDoubleNothing sends calls all the time, whole and streamed, while farebox is
// stopped or killed and started again.
func TestRestartsUnderTrafficLoseAndDoubleNothing(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *process){
		"stopped": func(t *testing.T, p *process) { _ = p.stop(t) },
		"killed":  func(t *testing.T, p *process) { p.kill(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, setup{policy: limitedTo(100_000_000_000), provider: []string{"-delay", "2ms"}})
			load := s.traffic(t)
			for range 3 {
				time.Sleep(400 * time.Millisecond) // of traffic
				end(t, s.farebox)
				s.restart(t)
			}
			time.Sleep(400 * time.Millisecond) // of traffic
			answered, refused := load()
			t.Logf("%d calls were answered, %d refused", answered, refused)
			eventually(t, "nothing is reserved any more", func() bool { return s.summary(t).budget(t).Reserved == 0 })
			sum, total := s.summary(t), s.provider.total(t)
			if answered == 0 || answered != total.Calls {
				t.Errorf("%d calls were answered, the provider served %d", answered, total.Calls)
			}
			if billed := sum.Calls - sum.outcome("released"); billed < total.Calls {
				t.Errorf("the ledger has %d billed calls, the invoice %d", billed, total.Calls)
			}
			if b := sum.budget(t); b.Spent < total.CostNanos {
				t.Errorf("spent %s USD, invoice %s USD", b.Spent, total.CostNanos)
			}
			if got := sum.Cost - sum.Bound; sum.Estimated == 0 && sum.Cost != total.CostNanos || got > total.CostNanos {
				t.Errorf("ledger %s USD, of it estimates of at most %s USD; invoice %s USD", sum.Cost, sum.Bound, total.CostNanos)
			}
			if got := s.metric(t, "farebox_overruns_total"); got != 0 {
				t.Errorf("farebox_overruns_total %g, want 0", got)
			}
		})
	}
}

// callers is how many send calls at a time.
const callers = 8

// traffic sends calls until the returned function is called, which says how many were answered and refused.
func (s *stack) traffic(t *testing.T) (end func() (answered, refused int64)) {
	t.Helper()
	var stop atomic.Bool
	var good, bad atomic.Int64
	var wait sync.WaitGroup
	for i := range callers {
		wait.Go(func() {
			for n := 0; !stop.Load(); n++ {
				text := fmt.Sprint("Question ", i, " ", n, " [[tokens=20]]")
				c := chat(ask("gpt-4o", text))
				if n%2 == 1 {
					c = chat(askStream("gpt-4o", text))
				}
				switch a := try(s.url, c); {
				case a.status == http.StatusOK && a.err == nil:
					good.Add(1)
				case a.status == http.StatusServiceUnavailable && a.err == nil:
					bad.Add(1)
					time.Sleep(10 * time.Millisecond) // a refusal is quick
				default:
					t.Errorf("status %d, %v: %s", a.status, a.err, a.body)
					return
				}
			}
		})
	}
	return func() (int64, int64) {
		stop.Store(true)
		wait.Wait()
		return good.Load(), bad.Load()
	}
}

func TestSeveralPeopleCannotServeOneState(t *testing.T) {
	s := newStack(t, setup{policy: observePolicy})
	p := start(t, "second farebox", bin+"/farebox", "serve", "--policy", s.policy, "--listen", "unix:"+s.dir+"/other.sock", "--admin", "127.0.0.1:0", "--state", s.state())
	<-p.done
	if p.err == nil {
		t.Errorf("a second farebox served the same state:\n%s", p.log)
	}
	s.ok(t, chat(ask("gpt-4o", "Hi")))
	s.settled(t, 1)
}
