package lease

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease/redistest"
	"github.com/farebox-mesh/farebox/pricing"
)

// modelStore is a Store of a model, which may lose answers.
type modelStore struct {
	mu     sync.Mutex
	model  *model
	now    time.Time
	silent bool     // operations are done, answers are lost
	gone   bool     // nothing is done
	during func(Op) // called while an operation is under way
}

func newModelStore() *modelStore {
	m := newModel("run", 0)
	m.lastRun = "run" // has its data
	return &modelStore{model: m, now: time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)}
}

func (s *modelStore) Do(_ context.Context, op Op) (Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.during != nil {
		s.during(op)
	}
	if s.gone {
		return Reply{}, errNoStore
	}
	r := s.model.do(&op, s.now)
	if s.silent {
		return Reply{}, errNoStore
	}
	return r, nil
}

func (s *modelStore) TopUp(_ context.Context, t TopUp) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.model.topUp(&t)
	return nil
}

// Order takes every order for the first one.
func (s *modelStore) Order(_ context.Context, o Order, _ time.Duration) (Order, error) { return o, nil }

func (s *modelStore) Close() error { return nil }

// granted returns what the store has granted of an account to all.
func (s *modelStore) granted(key string) pricing.Money {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.model.account(key).granted(s.now)
}

func (s *modelStore) hour(key string) Account {
	start := s.now.Truncate(time.Hour)
	return Account{Key: key, Start: start, End: start.Add(time.Hour), Expires: start.Add(time.Hour)}
}

// open returns a holder that has reached the store, and whose calls wait their turn however slow the machine is.
func (s *modelStore) open(t *testing.T, replica string) *Holder {
	t.Helper()
	h := NewHolder(s, Options{Replica: replica, Incarnation: 1, Now: func() time.Time { return s.now }, Timeout: time.Minute})
	if err := h.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.Open()
	return h
}

// upTo is the limit of an account that one budget reads.
func upTo(amount pricing.Money) []Limit { return []Limit{{"budget", amount, 100}} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMostCallsComeWithoutARoundTrip(t *testing.T) {
	s := newModelStore()
	h := s.open(t, "a")
	demands := []Demand{{Lease: h.Lease(s.hour("company")), Limits: upTo(1_000_000)}, {Lease: h.Lease(s.hour("team")), Limits: upTo(100_000)}}
	before := h.Stats().Trips
	for i := range 1000 {
		if err := h.Take(t.Context(), demands, 10); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	if trips := h.Stats().Trips - before; trips > 30 {
		t.Errorf("1000 calls took %d round trips", trips)
	}
}

func TestALargeCallAsksForNoMoreThanItself(t *testing.T) {
	s := newModelStore()
	h := s.open(t, "a")
	must(t, h.Take(t.Context(), []Demand{{Lease: h.Lease(s.hour("x")), Limits: upTo(1000)}}, 10))
	if got := s.granted("x"); got != 10 {
		t.Errorf("granted %s, want what the call needs", got)
	}
}

func TestACallReservesOnAllAccountsOrNone(t *testing.T) {
	s := newModelStore()
	h := s.open(t, "a")
	company, team := h.Lease(s.hour("company")), h.Lease(s.hour("team"))
	err := h.Take(t.Context(), []Demand{{Lease: company, Limits: upTo(1000)}, {Lease: team, Limits: upTo(40)}}, 50)
	var refused *RefusedError
	if !errors.As(err, &refused) || !errors.Is(err, ErrExhausted) || *refused != (RefusedError{Index: 1, Left: 40}) {
		t.Errorf("got %v, want the second demand refused with 40 left", err)
	}
	if got := s.granted("company"); got != 0 {
		t.Errorf("the first account has %s granted, want nothing", got)
	}
}

func TestALostAnswerIsTakenBackByTheNextBeat(t *testing.T) {
	s := newModelStore()
	h := s.open(t, "a")
	x := h.Lease(s.hour("x"))
	s.silent = true
	err := h.Take(t.Context(), []Demand{{Lease: x, Limits: upTo(1000)}}, 50)
	var out *UnavailableError
	if !errors.As(err, &out) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
	if got := s.granted("x"); got != 50 {
		t.Fatalf("granted %s, want 50 that nobody knows of", got)
	}
	s.silent = false
	must(t, h.Beat(t.Context()))
	if got := s.granted("x"); got != 0 {
		t.Errorf("after a beat %s are granted, want nothing", got)
	}
}

func TestAnOutageCostsOneCallARoundTrip(t *testing.T) {
	s := newModelStore()
	h := s.open(t, "a")
	closed, open := s.hour("closed"), s.hour("open")
	must(t, h.Take(t.Context(), []Demand{{Lease: h.Lease(closed), Limits: upTo(100_000)}}, 100)) // a chunk of 1000
	s.gone = true
	admitted, before := 0, h.Stats().Trips
	for range 100 {
		if h.Take(t.Context(), []Demand{{Lease: h.Lease(closed), Limits: upTo(100_000)}}, 100) == nil {
			admitted++
		}
	}
	if admitted != 9 {
		t.Errorf("%d calls admitted in an outage, want the 9 that the lease holds", admitted)
	}
	if trips := h.Stats().Trips - before; trips != 1 || !h.Stats().Down {
		t.Errorf("%d round trips in an outage, want 1; down %t", trips, h.Stats().Down)
	}
	if h.Stats().Since.IsZero() {
		t.Error("nothing says since when the store is away")
	}
	both := []Demand{{Lease: h.Lease(open), Limits: upTo(100_000), Open: true}, {Lease: h.Lease(closed), Limits: upTo(100_000)}}
	if err := h.Take(t.Context(), both, 100); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a call on an open and a closed budget: got %v, want unavailable", err)
	}
	must(t, h.Take(t.Context(), both[:1], 100))
	s.gone = false
	must(t, h.Beat(t.Context()))
	if got := s.granted("open"); got != 100 || h.Stats().Down {
		t.Errorf("after the outage %s are granted, want the 100 that were let through; down %t", got, h.Stats().Down)
	}
	if since := h.Stats().Since; !since.IsZero() {
		t.Errorf("after the outage it is away since %s", since)
	}
}

func TestABeatGivesBackWhatOthersNeed(t *testing.T) {
	s := newModelStore()
	a, b := s.open(t, "a"), s.open(t, "b")
	take := func(h *Holder, amount pricing.Money) error {
		return h.Take(t.Context(), []Demand{{Lease: h.Lease(s.hour("x")), Limits: upTo(1000)}}, amount)
	}
	must(t, take(a, 5)) // and 5 spare
	must(t, take(b, 990))
	if err := take(b, 3); !errors.Is(err, ErrExhausted) {
		t.Fatalf("got %v, want a refusal while the other replica has the rest", err)
	}
	must(t, a.Beat(t.Context()))
	must(t, take(b, 5))
	if err := take(b, 1); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal: 1000 are used", err)
	}
}

func TestWhatIsBeingGivenBackIsNotTaken(t *testing.T) {
	s := newModelStore()
	h := s.open(t, "a")
	demands := []Demand{{Lease: h.Lease(s.hour("x")), Limits: upTo(100_000)}}
	must(t, h.Take(t.Context(), demands, 100)) // a chunk of 1000
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	taken := 0
	s.during = func(op Op) {
		if h.Take(ctx, demands, 100) == nil { // does not wait for its turn
			taken++
		}
		for _, c := range op.Claims {
			if l := demands[0].Lease; l.used > c.Have { // nobody else is here
				t.Errorf("%s are used when the store is told of %s", l.used, c.Have)
			}
		}
	}
	must(t, h.Beat(t.Context())) // keeps the chunk, of which some is spent meanwhile
	h.Run(ctx)                   // gives all back
	if got, want := s.granted("x"), pricing.Money(100+100*taken); got != want || taken == 0 {
		t.Errorf("%d calls during beats, granted %s, want %s", taken, got, want)
	}
}

func TestAHolderThatEndsGivesItsRestBack(t *testing.T) {
	s := newModelStore()
	h := s.open(t, "a")
	x := h.Lease(s.hour("x"))
	must(t, h.Take(t.Context(), []Demand{{Lease: x, Limits: upTo(100_000)}}, 100))
	h.Change(x, -40)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.Run(ctx)
	if got := s.granted("x"); got != 60 {
		t.Errorf("granted %s, want the 60 that were spent", got)
	}
}

func TestAWindowOfAnotherTimeIsToldApart(t *testing.T) {
	s := newModelStore()
	own := s.now
	h := NewHolder(s, Options{Replica: "a", Incarnation: 1, Now: func() time.Time { return own }})
	must(t, h.Beat(t.Context()))
	h.Open()
	s.now = s.now.Add(2 * time.Hour)
	stale := Account{Key: "x", Start: own.Truncate(time.Hour), End: own.Truncate(time.Hour).Add(time.Hour), Expires: own.Add(time.Hour)}
	if err := h.Take(t.Context(), []Demand{{Lease: h.Lease(stale), Limits: upTo(10)}}, 1); !errors.Is(err, ErrWindow) {
		t.Errorf("got %v, want ErrWindow", err)
	}
	if diff := cmp.Diff(s.now, h.Now()); diff != "" {
		t.Errorf("time of the store (-want +got):\n%s", diff)
	}
}

func TestATopUpCountsOnce(t *testing.T) { redistest.Each(t, testATopUpCountsOnce) }

func testATopUpCountsOnce(t *testing.T, program string) {
	s := redistest.Start(t, program)
	r := openRedis(t, s, RedisOptions{Recovery: time.Millisecond})
	h := NewHolder(r, Options{Replica: "a", Incarnation: 1, Timeout: slow})
	must(t, h.Beat(t.Context()))
	h.Open()
	time.Sleep(2 * time.Millisecond)
	x := hourOf("x")
	for range 2 {
		must(t, r.TopUp(t.Context(), TopUp{Account: x, Budget: "budget", ID: "one", Amount: 50}))
	}
	demands := []Demand{{Lease: h.Lease(x), Limits: upTo(100)}}
	must(t, h.Take(t.Context(), demands, 150))
	if err := h.Take(t.Context(), demands, 1); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal beyond limit and top-up", err)
	}
}

func TestTwoProcessesWithOneIdAreToldApart(t *testing.T) {
	s := newModelStore()
	first := s.open(t, "a")
	second := NewHolder(s, Options{Replica: "a", Incarnation: 2, Now: func() time.Time { return s.now }})
	must(t, second.Beat(t.Context()))
	second.Open()
	must(t, second.Take(t.Context(), []Demand{{Lease: second.Lease(s.hour("x")), Limits: upTo(10)}}, 1))
	if err := first.Take(t.Context(), []Demand{{Lease: first.Lease(s.hour("x")), Limits: upTo(10)}}, 1); !errors.Is(err, ErrUnavailable) {
		t.Errorf("the older process got %v, want unavailable", err)
	}
}

func TestIncarnationsRise(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	first, err := NextIncarnation(dir, now)
	must(t, err)
	second, err := NextIncarnation(dir, now.Add(-time.Hour)) // the clock was set back
	must(t, err)
	if second <= first {
		t.Errorf("second start is %d, first was %d", second, first)
	}
	must(t, writeDurably(dir+"/incarnation", "nonsense\n"))
	if _, err := NextIncarnation(dir, now); err == nil {
		t.Error("a damaged count was taken")
	}
}

func TestCallsThatWaitAreRefusedTogether(t *testing.T) {
	const calls = 200
	s := newModelStore()
	h := s.open(t, "a")
	demands := []Demand{{Lease: h.Lease(s.hour("x")), Limits: upTo(1000)}}
	must(t, h.Take(t.Context(), demands, 1000))
	h.turn <- struct{}{} // all others wait
	before := h.Stats().Trips
	errs := make(chan error, calls)
	for range calls {
		go func() { errs <- h.Take(t.Context(), demands, 100) }()
	}
	h.lineUp(t, calls)
	<-h.turn
	for range calls {
		if err := <-errs; !errors.Is(err, ErrExhausted) {
			t.Fatalf("got %v, want a refusal", err)
		}
	}
	if trips := h.Stats().Trips - before; trips > calls/10 {
		t.Errorf("%d calls that waited cost %d round trips", calls, trips)
	}
	other := s.open(t, "b")
	if err := other.Take(t.Context(), []Demand{{Lease: other.Lease(s.hour("x")), Limits: upTo(1000)}}, 100); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal", err)
	}
	h.Change(demands[0].Lease, -100) // a call is released
	must(t, h.Beat(t.Context()))     // and what it held given back
	must(t, h.Take(t.Context(), demands, 100))
	if err := h.Take(t.Context(), demands, 100); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal: 1000 are used", err)
	}
}

func TestASmallerCallThanTheRefusedOneAsksItself(t *testing.T) {
	b := newBook("a", 1)
	x := b.lease(Account{Key: "x"})
	b.wait([]Demand{{Lease: x, Limits: upTo(1000)}}, 100)
	op := b.plan()
	b.answered(&op, &Reply{Status: Done, Results: []Result{{Refused, 0}}, Figures: []Figure{{All: 950}}})
	for _, tt := range []struct {
		name          string
		amount, limit pricing.Money
		since         int64
		want          int
	}{
		{"as much", 100, 1000, 0, 0},
		{"more", 101, 1000, 0, 0},
		{"less", 99, 1000, 0, -1},
		{"of a larger limit", 100, 1001, 0, -1},
		{"came after the store was asked", 100, 1000, op.Sequence, -1},
	} {
		if got := b.refused([]Demand{{Lease: x, Limits: upTo(tt.limit)}}, tt.amount, tt.since); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	b.wait([]Demand{{Lease: x, Limits: upTo(1000)}}, 50)
	op = b.plan()
	b.answered(&op, &Reply{Status: Done, Results: []Result{{Status: Done}}, Figures: []Figure{{Own: 50, All: 900}}})
	if got := b.refused([]Demand{{Lease: x, Limits: upTo(1000)}}, 100, 0); got != -1 {
		t.Errorf("after a newer answer: got %d, want -1", got)
	}
}
