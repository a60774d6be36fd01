package lease

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// gateStore is a store whose operations wait until the test lets them through.
type gateStore struct {
	*modelStore
	pass chan struct{}
}

func (s *gateStore) Do(ctx context.Context, op Op) (Reply, error) {
	<-s.pass
	return s.modelStore.Do(ctx, op)
}

// openBehindGate returns a holder that has reached a store, whose further operations wait.
func openBehindGate(t *testing.T) (*Holder, *gateStore) {
	t.Helper()
	s := &gateStore{modelStore: newModelStore(), pass: make(chan struct{}, 2)}
	s.pass <- struct{}{}
	now := func() time.Time { return s.now }
	h := NewHolder(s, Options{Replica: "a", Incarnation: 1, Now: now, Timeout: time.Minute})
	must(t, h.Beat(t.Context()))
	h.Open()
	return h, s
}

// crowd has so many calls wait for the store, then serves it until all are decided. It returns what they came to.
func (s *gateStore) crowd(t *testing.T, h *Holder, calls int, demands func(i int) []Demand, amount pricing.Money) []error {
	t.Helper()
	errs := make([]error, calls)
	var wait sync.WaitGroup
	for i := range calls {
		wait.Go(func() { errs[i] = h.Take(t.Context(), demands(i), amount) })
	}
	h.lineUp(t, calls)
	close(s.pass)
	wait.Wait()
	return errs
}

// lineUp returns when so many calls wait for the store.
func (h *Holder) lineUp(t *testing.T, calls int) {
	t.Helper()
	eventually(t, "all calls wait", func() error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if n := len(h.book.waiting); n < calls {
			return fmt.Errorf("%d of %d wait", n, calls)
		}
		return nil
	})
}

func TestCallsThatWaitNearALimitShareRoundTrips(t *testing.T) {
	const calls, fit, amount = 500, 50, 100
	for _, tt := range []struct {
		name     string
		sessions bool // every call has an account of its own besides
		trips    int64
	}{
		{"one account", false, 1 + 2},                        // the first call alone, then the others
		{"an account each besides", true, 1 + calls/126 + 1}, // as many as maxClaims lets in
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, s := openBehindGate(t)
			demands := func(i int) []Demand {
				d := []Demand{{Lease: h.Lease(s.hour("x")), Limits: upTo(fit * amount)}}
				if tt.sessions {
					d = append(d, Demand{Lease: h.Lease(s.hour(fmt.Sprint("session ", i))), Limits: upTo(amount)})
				}
				return d
			}
			before := h.Stats().Trips
			held := 0
			for _, err := range s.crowd(t, h, calls, demands, amount) {
				if err == nil {
					held++
				} else if !errors.Is(err, ErrExhausted) {
					t.Fatalf("got %v, want a refusal", err)
				}
			}
			if got := s.granted("x"); held != fit || got != fit*amount {
				t.Errorf("%d calls held, %s granted, want %d and %d", held, got, fit, fit*amount)
			}
			if trips := h.Stats().Trips - before; trips > tt.trips {
				t.Errorf("%d calls took %d round trips, want at most %d", calls, trips, tt.trips)
			}
		})
	}
}

func TestNothingIsGrantedToCallsThatAreRefused(t *testing.T) {
	accounts := []string{"company", "team", "agent"}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := newModelStore()
		limits := map[string]pricing.Money{"company": 100, "team": 60, "agent": 30}
		used := map[string]pricing.Money{}
		type waiting struct {
			*call
			keys []string
		}
		var replicas []*book
		var calls []waiting
		for i := range 2 {
			b := newBook(fmt.Sprint(i), 1)
			replicas = append(replicas, b)
			for range 1 + random.IntN(30) {
				var w waiting
				var demands []Demand
				for _, i := range random.Perm(3)[:1+random.IntN(3)] {
					key := accounts[i]
					w.keys = append(w.keys, key)
					demands = append(demands, Demand{Lease: b.lease(s.hour(key)), Limits: upTo(limits[key])})
				}
				w.call = b.wait(demands, pricing.Money(1+random.IntN(20)))
				calls = append(calls, w)
			}
		}
		for trips := 0; len(replicas[0].waiting)+len(replicas[1].waiting) > 0; trips++ {
			if trips > 6 {
				t.Fatalf("seed %d: calls still wait after %d round trips", seed, trips)
			}
			b := replicas[trips%2]
			if b.sweep(); len(b.waiting) == 0 {
				continue
			}
			op := b.plan()
			r := s.model.do(&op, s.now)
			b.answered(&op, &r)
		}
		for _, c := range calls {
			for _, key := range c.keys {
				if c.err == nil {
					used[key] += c.amount
				}
			}
		}
		for _, key := range accounts {
			if got := s.granted(key); got != used[key] || got > limits[key] {
				t.Errorf("seed %d: %s granted of %q, %s used, limit %s", seed, got, key, used[key], limits[key])
			}
		}
		for _, c := range calls {
			fits := true
			for _, key := range c.keys {
				fits = fits && used[key]+c.amount <= limits[key]
			}
			if c.err != nil && fits {
				t.Errorf("seed %d: a call of %s on %v was refused and fits", seed, c.amount, c.keys)
			}
		}
	}
}

func TestACallThatLeavesIsDecided(t *testing.T) {
	s := newModelStore()
	b := newBook("a", 1)
	x := []Demand{{Lease: b.lease(s.hour("x")), Limits: upTo(1000)}}
	asked := b.wait(x, 500)
	op := b.plan()
	late := b.wait(x, 100)
	b.leave(asked)
	b.leave(late)
	var out *UnavailableError
	if !late.over || !errors.As(late.err, &out) {
		t.Errorf("not asked for: got %t, %v, want unavailable", late.over, late.err)
	}
	if asked.over {
		t.Error("asked for: decided without the answer")
	}
	r := s.model.do(&op, s.now)
	b.answered(&op, &r)
	if !asked.over || asked.err != nil || len(b.waiting) != 0 {
		t.Errorf("asked for: got %t, %v, %d wait, want it held", asked.over, asked.err, len(b.waiting))
	}
	silent := b.wait(x, 100)
	op = b.plan()
	b.leave(silent)
	b.failed(&op)
	b.abandon()
	if !silent.over || !errors.As(silent.err, &out) {
		t.Errorf("without an answer: got %t, %v, want unavailable", silent.over, silent.err)
	}
}

func TestCallsUnderOtherLimitsAskApart(t *testing.T) {
	s := newModelStore()
	b := newBook("a", 1)
	x := b.lease(s.hour("x"))
	before, after := b.wait([]Demand{{Lease: x, Limits: upTo(100)}}, 60), b.wait([]Demand{{Lease: x, Limits: upTo(200)}}, 60)
	for trips := 1; len(b.waiting) > 0; trips++ {
		op := b.plan()
		r := s.model.do(&op, s.now)
		b.answered(&op, &r)
		if trips > 2 {
			t.Fatal("the calls still wait")
		}
	}
	if before.err != nil || after.err != nil {
		t.Errorf("got %v and %v, want both held: the limit was raised", before.err, after.err)
	}
}

func TestAForgottenLeaseIsFoundAgain(t *testing.T) {
	s := newModelStore()
	h := s.open(t, "a")
	found := func() []Demand { return []Demand{{Lease: h.Lease(s.hour("x")), Limits: upTo(10)}} }
	refused, found1, found2 := found(), found(), found()
	if err := h.Take(t.Context(), refused, 11); !errors.Is(err, ErrExhausted) {
		t.Fatalf("got %v, want a refusal", err)
	}
	h.Forget(refused[0].Lease)
	if n := h.Stats().Leases; n != 0 {
		t.Errorf("got %d leases, want none", n)
	}
	must(t, h.Take(t.Context(), found1, 6))
	if err := h.Take(t.Context(), found2, 5); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal: 6 of 10 are taken", err)
	}
	if found1[0].Lease != found2[0].Lease {
		t.Error("two calls of one account have two leases")
	}
	h.Forget(found1[0].Lease) // in use
	must(t, h.Take(t.Context(), found(), 4))
	if got := s.granted("x"); got != 10 {
		t.Errorf("granted %d, want 10", got)
	}
}
