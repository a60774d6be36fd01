package e2e

import "testing"

// TestAnAnswerThatNobodyMayFetchCostsItsBound: a cancelled one says nothing of its usage, and is billed.
func TestAnAnswerThatNobodyMayFetchCostsItsBound(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(bound(t, responses(later)))})
	id := s.queue(t, later)
	a := s.ok(t, post("/v1/responses/"+id+"/cancel", "", "authorization", "Bearer sk-caller"))
	if status := field(t, a, "status"); status != `"cancelled"` {
		t.Fatalf("status %s, want cancelled", status)
	}
	wantRefused(t, s.send(t, responses(later)))
	if b, total := s.summary(t).budget(t), s.provider.total(t); b.Spent+b.Reserved < total.CostNanos {
		t.Errorf("budget %+v, invoice %s USD", b, total.CostNanos)
	}
}
