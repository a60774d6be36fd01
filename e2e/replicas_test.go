package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// replica is a farebox without an Envoy of its own, which is not started yet.
func replica(t *testing.T) *stack {
	t.Helper()
	dir := tempDir(t)
	return &stack{owner: t, dir: dir, listen: "unix:" + filepath.Join(dir, "extproc.sock"), reports: newReports()}
}

// known waits until a store that is new gives something out to a replica: for five seconds after the first one has met it,
// it may be one that has lost its memory, and what it gave out before may still be spent. A replica whose budgets let
// calls pass in an outage is ready before.
func (s *stack) known(t *testing.T) {
	t.Helper()
	eventually(t, "the store gives something out", func() bool {
		return s.metric(t, "farebox_shared_round_trips_total") > 1 && s.metric(t, "farebox_shared_down") == 0
	})
}

// newReplicas starts so many fareboxes that share their balances, behind one Envoy. The first is that of the stack.
func newReplicas(t *testing.T, count int, r *redisServer, c setup) []*stack {
	t.Helper()
	list := []*stack{nil}
	const one = `{endpoint: {address: {pipe: {path: %q}}}}`
	more := ""
	for range count - 1 {
		s := replica(t)
		list = append(list, s)
		more += ", " + fmt.Sprintf(one, strings.TrimPrefix(s.listen, "unix:"))
	}
	edit := c.edit
	c.serve = append(r.flags(), c.serve...)
	c.edit = func(config string) string {
		if edit != nil {
			config = edit(config)
		}
		const end = `extproc.sock"}}}}`
		if strings.Count(config, end) != 1 {
			t.Errorf("the configuration has not one address of farebox")
		}
		return strings.Replace(config, end, end+more, 1)
	}
	list[0] = newStack(t, c)
	for _, s := range list[1:] {
		s.policy, s.flags = list[0].policy, list[0].flags
		s.serve(t)
	}
	return list
}

// together sums what the ledgers of all replicas say.
func together(t *testing.T, list []*stack) (sum summary) {
	t.Helper()
	for _, s := range list {
		own := s.summary(t)
		sum.Calls += own.Calls
		sum.Cost += own.Cost
		sum.Estimated += own.Estimated
		sum.Bound += own.Bound
		sum.Overruns += own.Overruns
	}
	return sum
}

func TestReplicasShareABudgetForTen(t *testing.T) {
	const callers, admitted, count = 1000, 10, 5
	c := chat(ask("gpt-4o", "Hi"))
	r := newRedis(t)
	list := newReplicas(t, count, r, setup{policy: limitedTo(bound(t, c) * admitted), edit: patient})
	s := list[0]
	got := s.siege(t, callers, admitted, c)
	if want := (crowd{admitted, callers - admitted}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	var sum summary
	eventually(t, "all calls are booked", func() bool { sum = together(t, list); return sum.Calls >= admitted })
	if total := s.provider.total(t); sum.Calls != admitted || sum.Cost != total.CostNanos || total.Calls != admitted {
		t.Errorf("%d calls for %s USD in all ledgers; invoice %s USD for %d", sum.Calls, sum.Cost, total.CostNanos, total.Calls)
	}
	s.quiet(t)
}

// TestReplicasSpendABudgetOnce: calls in turn, settled at what they cost, use up one limit, whoever decides them.
func TestReplicasSpendABudgetOnce(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi"))
	limit := bound(t, c) * 12
	list := newReplicas(t, 2, newRedis(t), setup{policy: limitedTo(limit)})
	s := list[0]
	refused := 0
	for range 200 {
		if a := s.send(t, c); a.status == http.StatusTooManyRequests {
			if refused++; refused == 10 { // by either replica, more than once
				break
			}
		} else if a.status != http.StatusOK {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
	}
	total := s.provider.total(t)
	if total.CostNanos > limit || total.CostNanos < limit-2*bound(t, c) {
		t.Errorf("spent %s USD of %s, want all but what no call fits into", total.CostNanos, limit)
	}
	for i, r := range list {
		if n := r.summary(t).Calls; n == 0 {
			t.Errorf("replica %d decided no call", i)
		}
	}
	if sum := together(t, list); sum.Cost != total.CostNanos {
		t.Errorf("all ledgers %s USD, invoice %s USD", sum.Cost, total.CostNanos)
	}
}

// TestAReplicaThatDiesLetsNobodyOverspend: what it had reserved stays reserved for the others, and is settled once.
func TestAReplicaThatDiesLetsNobodyOverspend(t *testing.T) {
	const admitted = 10
	c := chat(askStream("gpt-4o", "[[tokens=150]]"))
	limit := bound(t, c) * admitted
	list := newReplicas(t, 2, newRedis(t), setup{policy: limitedTo(limit), provider: []string{"-delay", "30ms"}})
	s := list[0]
	done := make(chan crowd)
	go func() {
		done <- s.crowd(t, admitted, admitted, func() (int, error) {
			a := try(s.url, c)
			return a.status, a.err
		})
	}()
	eventually(t, "all streams have begun", func() bool { return len(s.provider.requests(t)) == admitted })
	s.provider.pause(t) // the streams do not end before these calls
	list[1].farebox.kill(t)
	for range 6 {
		switch a := s.send(t, c); a.status {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable: // of the replica that is gone
		default:
			t.Errorf("status %d, want a refusal", a.status)
		}
	}
	s.provider.resume(t)
	if got := <-done; got.answered != admitted {
		t.Errorf("%d streams came to their end, want %d", got.answered, admitted)
	}
	list[1].serve(t)
	var sum summary
	eventually(t, "all calls are booked", func() bool { sum = together(t, list); return sum.Calls >= admitted })
	total := s.provider.total(t)
	if total.Calls != admitted || sum.Calls != admitted || total.CostNanos > limit {
		t.Errorf("%d calls in all ledgers, %d on the invoice for %s USD of %s", sum.Calls, total.Calls, total.CostNanos, limit)
	}
	if sum.Cost-sum.Bound > total.CostNanos || sum.Estimated == 0 && sum.Cost != total.CostNanos {
		t.Errorf("ledgers %s USD, of it estimates of at most %s; invoice %s USD", sum.Cost, sum.Bound, total.CostNanos)
	}
}

// TestABudgetSaysWhatHappensWithoutItsStore: the last of the lease can be spent, then nothing, or whatever is asked.
func TestABudgetSaysWhatHappensWithoutItsStore(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi"))
	for _, tt := range []struct {
		rule string
		open bool
	}{{"refuse", false}, {"allow", true}} {
		t.Run(tt.rule, func(t *testing.T) {
			const calls = 20
			r := newRedis(t)
			policy := limitedTo(bound(t, c)*3) + "    on_outage: " + tt.rule + "\n"
			s := newStack(t, setup{policy: policy, serve: r.flags()})
			s.known(t)
			s.ok(t, c)
			r.kill(t)
			answered := 0
			for range calls {
				if a := s.send(t, c); a.status == http.StatusOK {
					answered++
				}
			}
			if total := s.provider.total(t); tt.open && answered != calls || !tt.open && total.CostNanos > bound(t, c)*3 {
				t.Errorf("%d of %d calls were answered for %s USD", answered, calls, total.CostNanos)
			}
			r.serve(t)
			if sum, total := s.summary(t), s.provider.total(t); sum.Cost != total.CostNanos {
				t.Errorf("ledger %s USD, invoice %s USD", sum.Cost, total.CostNanos)
			}
		})
	}
}

// TestAnAnswerInTheBackgroundMayBeFetchedThroughAnyReplica: each has an Envoy and a ledger of its own, and one of them
// is down when the answer is fetched through the other.
func TestAnAnswerInTheBackgroundMayBeFetchedThroughAnyReplica(t *testing.T) {
	r := newRedis(t)
	policy := limitedTo(bound(t, responses(later)) * 2)
	a := newStack(t, setup{policy: policy, serve: r.flags()})
	b := newStack(t, setup{policy: policy, serve: r.flags(), replace: map[string]string{"openai": a.provider.url}})
	finish := func(s *stack, id string) {
		t.Helper()
		for range 3 {
			if field(t, s.fetch(t, id), "status") == `"completed"` {
				return
			}
		}
		t.Fatal("the answer was not made in time")
	}
	wantSum := func(calls int64) {
		t.Helper()
		var sum summary
		eventually(t, "the call is settled", func() bool { sum = together(t, []*stack{a, b}); return sum.Calls >= calls })
		if total := a.provider.total(t); sum.Calls != calls || sum.Cost != total.CostNanos || sum.Estimated != 0 {
			t.Errorf("%d calls for %s USD in both ledgers, %d estimated; invoice %s USD", sum.Calls, sum.Cost, sum.Estimated, total.CostNanos)
		}
		if n := a.metric(t, "farebox_reservations_parked"); n != 0 {
			t.Errorf("%g calls are parked, want none", n)
		}
	}
	id := a.queue(t, later)
	finish(b, id)
	wantSum(1)
	finish(a, id) // and again, which costs nothing
	finish(b, id)
	wantSum(1)

	id = a.queue(t, later)
	a.farebox.kill(t)
	finish(b, id)
	a.restart(t)
	wantSum(2)
	b.quiet(t)
}
