package e2e

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestFareboxKilledInALoopLosesNothingThatWasAnswered kills it at random moments of the traffic. What was in the air
// then is an estimate with a bound; everything else is on the ledger as it is on the invoice, once.
func TestFareboxKilledInALoopLosesNothingThatWasAnswered(t *testing.T) {
	const rounds = 12
	s := newStack(t, setup{policy: limitedTo(100_000_000_000), provider: []string{"-delay", "2ms"}})
	load := s.traffic(t)
	for range rounds {
		time.Sleep(time.Duration(50+rand.IntN(400)) * time.Millisecond)
		s.farebox.kill(t)
		s.restart(t)
	}
	time.Sleep(200 * time.Millisecond)
	answered, refused := load()
	eventually(t, "nothing is reserved any more", func() bool { return s.summary(t).budget(t).Reserved == 0 })
	sum, total := s.summary(t), s.provider.total(t)
	t.Logf("%d calls were answered, %d refused; %d of %d entries are estimates", answered, refused, sum.Estimated, sum.Calls)
	if answered == 0 || answered != total.Calls {
		t.Errorf("%d calls were answered, the provider served %d", answered, total.Calls)
	}
	// A call that was decided and then refused by Envoy, as farebox was gone, may be on the ledger as an estimate.
	if billed := sum.Calls - sum.outcome("released"); billed < total.Calls || billed > total.Calls+refused {
		t.Errorf("the ledger has %d billed calls, the invoice %d, and %d were refused", billed, total.Calls, refused)
	}
	if sum.Estimated > rounds*callers*2 {
		t.Errorf("%d estimates of %d calls, want those in the air at %d kills", sum.Estimated, sum.Calls, rounds)
	}
	if b := sum.budget(t); b.Spent < total.CostNanos {
		t.Errorf("spent %s USD, invoice %s USD", b.Spent, total.CostNanos)
	}
	s.exact(t, sum)
}

// exact compares every call whose cost farebox has stated with the invoice, and their sum with the ledger.
func (s *stack) exact(t *testing.T, sum summary) {
	t.Helper()
	billed := map[string]nanos{}
	for _, b := range s.provider.bills(t) {
		billed[b.RequestID] = b.CostNanos
	}
	var stated nanos
	n := 0
	for _, line := range s.logged(t, len(billed)) {
		text, ok := line["cost_usd"].(string)
		if !ok {
			continue // nobody was there to say
		}
		var cost nanos
		if err := cost.UnmarshalJSON([]byte(`"` + text + `"`)); err != nil {
			t.Fatal(err)
		}
		id, _ := line["request_id"].(string)
		want, ok := billed[id]
		if !ok {
			continue // refused, or free
		}
		if cost != want {
			t.Errorf("call %s: the ledger has %s USD, the invoice %s", id, cost, want)
		}
		stated += cost
		n++
	}
	if n == 0 || sum.Cost < stated || sum.Cost-stated > sum.Bound {
		t.Errorf("%d calls stated %s USD; ledger %s USD, of it estimates of at most %s", n, stated, sum.Cost, sum.Bound)
	}
}
