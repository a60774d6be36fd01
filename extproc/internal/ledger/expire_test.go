package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

func TestAReservationThatNobodyRenewsIsSettledAtItsBound(t *testing.T) {
	o := quiet
	o.RenewWithin = time.Minute
	l := openAt(t, t.TempDir(), o, company(100*cent))
	idle, streaming := hold(30*cent), hold(20*cent)
	idle.Estimate = 5 * cent
	reserved(t, l, idle)
	reserved(t, l, streaming)
	l.Renew(streaming.ID, noon.Add(50*time.Second))
	l.expire(noon.Add(time.Minute))
	checkState(t, l, "company: 30 + 20, 50 left")
	if s := l.Stats(); s.Expired != 1 || s.Open != 1 {
		t.Errorf("got %d expired and %d open, want 1 and 1", s.Expired, s.Open)
	}
	l.expire(noon.Add(110 * time.Second))
	checkState(t, l, "company: 50 + 0, 50 left")
	entries, err := l.Entries(t.Context(), Filter{Outcome: Lost}, 10)
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("got %d lost entries, want 2", len(entries))
	}
}

func TestASettlementAfterTheLeaseCorrectsTheEntry(t *testing.T) {
	for _, tt := range []struct {
		name   string
		settle func(*Ledger, ID) error
		cost   pricing.Money // of both entries
		state  string
	}{
		{"for less", func(l *Ledger, id ID) error { return l.Settle(paid(id, 2*cent)) }, 2 * cent, "company: 2 + 0, 98 left"},
		{"for more", func(l *Ledger, id ID) error { return l.Settle(paid(id, 40*cent)) }, 40 * cent, "company: 40 + 0, 60 left"},
		{"aborted", func(l *Ledger, id ID) error { return l.Settle(aborted(id, 3*cent)) }, 3 * cent, "company: 30 + 0, 70 left"},
		{"unbilled", func(l *Ledger, id ID) error { return l.Release(unbilled(id, "refused")) }, 0, "company: 0 + 0, 100 left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			l := openAt(t, dir, quiet, company(100*cent))
			r := hold(30 * cent)
			r.Estimate = 5 * cent
			reserved(t, l, r)
			l.expire(noon.Add(time.Hour))
			checkState(t, l, "company: 30 + 0, 70 left")
			must(t, tt.settle(l, r.ID))
			must(t, tt.settle(l, r.ID))
			checkState(t, l, tt.state)
			if s := l.Stats(); s.Adjusted != 1 || s.Duplicates != 1 {
				t.Errorf("got %d adjusted and %d duplicates, want 1 and 1", s.Adjusted, s.Duplicates)
			}
			s, err := l.Summary(t.Context(), noon.Add(-time.Hour), noon.Add(time.Hour))
			must(t, err)
			if s.Calls != 1 || s.Cost != tt.cost || s.Savings.Total() != s.Baseline-s.Cost {
				t.Errorf("got %d calls of %s USD, baseline %s USD, want one of %s USD", s.Calls, s.Cost, s.Baseline, tt.cost)
			}
			again := openAt(t, copyDir(t, dir), quiet, company(100*cent))
			checkState(t, again, tt.state)
		})
	}
}

func TestAParkedReservationOutlivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	o := quiet
	o.SegmentBytes = 1 // every record starts a new segment
	l := openAt(t, dir, o, company(100*cent))
	r := hold(30 * cent)
	r.Asked = "gpt-6-sol"
	reserved(t, l, r)
	until := noon.Add(24 * time.Hour)
	facts := policies.BillFacts{LongWrites: true, Contexts: 16}
	must(t, l.Park(r.ID, Parking{Key: "resp_1", Attempts: 1, Facts: facts, Until: until}))
	l.Renew(r.ID, noon.Add(72*time.Hour)) // its time is that of the answer
	reserved(t, l, hold(10*cent))
	for name, err := range map[string]error{
		"a key in use": l.Park(reserved(t, l, hold(cent)), Parking{Key: "resp_1", Until: until}), "no call": l.Park(NewID(noon), Parking{Key: "resp_2", Until: until}), "no key": l.Park(r.ID, Parking{Until: until}),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("park with %s: got %v, want ErrInvalid", name, err)
		}
	}
	again := openAt(t, copyDir(t, dir), o, company(100*cent))
	checkState(t, again, "company: 11 + 30, 59 left") // the other two calls were lost
	id, ok := again.Parked("resp_1")
	if !ok || id != r.ID {
		t.Fatalf("got %s, %t, want %s", id, ok, r.ID)
	}
	got, ok := again.Reservation(id)
	if want := (Reservation{Call: got.Call, Bound: 30 * cent, Charge: 30 * cent, Attempts: 1, Facts: facts}); !ok || !cmp.Equal(want, got) || got.Asked != "gpt-6-sol" {
		t.Errorf("got %+v, %t", got, ok)
	}
	again.expire(noon.Add(23 * time.Hour))
	must(t, again.Settle(paid(id, 4*cent)))
	checkState(t, again, "company: 15 + 0, 85 left")
	if _, ok := again.Parked("resp_1"); ok {
		t.Error("it is parked after it was settled")
	}
}

func TestAnAnswerThatNobodyFetchesIsSettledAtItsBound(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet, company(100*cent))
	id := reserved(t, l, hold(30*cent))
	must(t, l.Park(id, Parking{Key: "resp_1", Attempts: 1, Until: noon.Add(time.Hour)}))
	late := quiet
	late.Now = func() time.Time { return noon.Add(time.Hour) }
	checkState(t, openAt(t, copyDir(t, dir), late, company(100*cent)), "company: 30 + 0, 70 left")
	l.expire(noon.Add(time.Hour))
	checkState(t, l, "company: 30 + 0, 70 left")
}

// 100 calls at once on a budget for ten, all of which are aborted.
func TestAHundredAbortedCallsOnABudgetForTenAdmitTen(t *testing.T) {
	l := openNew(t, company(10*cent), rolling(10*cent))
	admitted := make(chan ID, 100)
	together(100, func() {
		r := hold(cent)
		switch err := l.Reserve(r, noon); {
		case err == nil:
			admitted <- r.ID
			if err := l.Settle(aborted(r.ID, 0)); err != nil {
				t.Error(err)
			}
		case !errors.Is(err, ErrExhausted):
			t.Error(err)
		}
	})
	if len(admitted) != 10 {
		t.Errorf("got %d admitted, want 10", len(admitted))
	}
	checkState(t, l, "company: 10 + 0, 0 left", "rolling: 10 + 0, 0 left")
}

func TestATopUpRaisesALimitUntilTheWindowEnds(t *testing.T) {
	dir := t.TempDir()
	o := quiet
	o.SegmentBytes = 1
	l := openAt(t, dir, o, company(100*cent), perTeam(10*cent))
	reserved(t, l, hold(10*cent, team("search")...))
	got, err := l.TopUp(TopUp{Budget: "every team", Scope: team("search"), Amount: 5 * cent, Who: "ada", Reason: "launch"}, noon)
	must(t, err)
	if end := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC); !got.Until.Equal(end) {
		t.Errorf("until %s, want %s", got.Until, end)
	}
	reserved(t, l, hold(4*cent, team("search")...))
	if err := l.Reserve(hold(11*cent, team("shop")...), noon); !errors.Is(err, ErrExhausted) {
		t.Errorf("another team: got %v, want a refusal", err)
	}
	checkState(t, l, "company: 0 + 14, 86 left", "every team search: 0 + 14, 1 left")
	again := openAt(t, copyDir(t, dir), o, company(100*cent), perTeam(10*cent))
	checkState(t, again, "company: 14 + 0, 86 left", "every team search: 14 + 0, 1 left")
	if diff := cmp.Diff([]TopUp{got}, again.Balances(noon)[1].TopUps); diff != "" {
		t.Errorf("top-ups after a restart (-want +got):\n%s", diff)
	}
	entries, err := again.Entries(t.Context(), Filter{Outcome: ToppedUp}, 10)
	must(t, err)
	want := "team=search of every team topped up by 0.050000000 USD until 2026-03-15T00:00:00Z by ada: launch"
	if len(entries) != 1 || entries[0].Detail != want {
		t.Errorf("got %d entries %+v, want one: %s", len(entries), entries, want)
	}
	calls, err := again.Entries(t.Context(), Filter{Calls: true}, 10)
	if must(t, err); slices.ContainsFunc(calls, func(e Entry) bool { return !e.IsCall() }) {
		t.Errorf("a top-up is among the calls: %+v", calls)
	}
	tomorrow := noon.AddDate(0, 0, 1)
	must(t, again.Reserve(hold(10*cent, team("search")...), tomorrow))
	if err := again.Reserve(hold(cent, team("search")...), tomorrow); !errors.Is(err, ErrExhausted) {
		t.Errorf("in the next window: got %v, want a refusal", err)
	}
	again.expire(tomorrow)
	if n := len(again.journal.openFrames()); n != 1 {
		t.Errorf("got %d records kept, want the one of the reservation", n)
	}
}

func TestATopUpEndsWithItsTimeOrTheWindow(t *testing.T) {
	l := openNew(t, perTeam(10*cent))
	raise := func(until time.Time) TopUp {
		t.Helper()
		got, err := l.TopUp(TopUp{Budget: "every team", Scope: team("search"), Amount: 5 * cent, Until: until}, noon)
		must(t, err)
		return got
	}
	if got := raise(noon.AddDate(0, 1, 0)); !got.Until.Equal(noon.Add(12 * time.Hour)) {
		t.Errorf("got %s, want the end of the day", got.Until)
	}
	raise(noon.Add(time.Hour))
	for at, want := range map[time.Time]pricing.Money{noon: 20 * cent, noon.Add(time.Hour): 15 * cent, noon.AddDate(0, 0, 1): 10 * cent} {
		b := perTeam(10 * cent)
		if got, _, _ := l.Left(&b, &Call{Dims: team("search")}, at); got != want {
			t.Errorf("at %s: got %s left, want %s", at, got, want)
		}
	}
}

func TestATopUpThatIsNoneIsRefused(t *testing.T) {
	l := openNew(t, perTeam(10*cent))
	for name, tt := range map[string]struct {
		topUp TopUp
		want  error
	}{
		"unknown budget": {TopUp{Budget: "company", Amount: cent}, ErrNoBudget},
		"other scope":    {TopUp{Budget: "every team", Amount: cent, Scope: []Dim{{Name: "user", Value: "ada", Verified: true}}}, ErrBadOrder},
		"nothing":        {TopUp{Budget: "every team"}, ErrBadOrder},
		"less":           {TopUp{Budget: "every team", Amount: -cent}, ErrBadOrder},
		"over already":   {TopUp{Budget: "every team", Amount: cent, Until: noon}, ErrBadOrder},
		"an empty value": {TopUp{Budget: "every team", Amount: cent, Scope: team("")}, ErrBadOrder},
		"a long value":   {TopUp{Budget: "every team", Amount: cent, Scope: team(strings.Repeat("x", policies.MaxValue+1))}, ErrBadOrder},
		"no UTF-8":       {TopUp{Budget: "every team", Amount: cent, Scope: team("a\xff")}, ErrBadOrder},
		"a NUL":          {TopUp{Budget: "every team", Amount: cent, Scope: team("a\x00")}, ErrBadOrder},
	} {
		if _, err := l.TopUp(tt.topUp, noon); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestATopUpWithAKeyCountsOnce(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet, company(100*cent), perTeam(10*cent))
	order := TopUp{Budget: "every team", Scope: team("search"), Amount: 5 * cent, Who: "ada", Reason: "launch", Key: "ticket 7"}
	first, err := l.TopUp(order, noon)
	must(t, err)
	taken := func(l *Ledger, at time.Time, change func(*TopUp)) {
		t.Helper()
		other := order
		change(&other)
		if got, err := l.TopUp(other, at); !errors.Is(err, ErrTaken) {
			t.Errorf("%+v: got %+v and %v, want %v", other, got, err, ErrTaken)
		}
	}
	again := func(l *Ledger) {
		t.Helper()
		got, err := l.TopUp(order, noon.Add(time.Minute))
		must(t, err)
		if diff := cmp.Diff(first, got); diff != "" {
			t.Errorf("the same order (-first +second):\n%s", diff)
		}
		taken(l, noon, func(o *TopUp) { o.Amount++ })
		taken(l, noon, func(o *TopUp) { o.Scope = team("shop") })
		taken(l, noon, func(o *TopUp) { o.Budget, o.Scope = "company", nil })
		taken(l, noon, func(o *TopUp) { o.Until = noon.Add(time.Hour) })
		taken(l, noon, func(o *TopUp) { o.Reason = "another" })
		b := perTeam(10 * cent)
		if left, _, _ := l.Left(&b, &Call{Dims: team("search")}, noon); left != 15*cent {
			t.Errorf("%s left, want 15 cents", left)
		}
	}
	again(l)
	restarted := openAt(t, copyDir(t, dir), quiet, company(100*cent), perTeam(10*cent))
	again(restarted)
	tomorrow := noon.AddDate(0, 0, 1)
	restarted.expire(tomorrow)
	taken(restarted, tomorrow, func(*TopUp) {})
	order.Key = "ticket 8"
	if other, err := restarted.TopUp(order, tomorrow); err != nil || other.ID == first.ID {
		t.Errorf("another key: got %+v and %v", other, err)
	}
}

func TestExpectationsAreLearnedAndSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet)
	answer := func(feature string, tokens int64, change func(*Entry)) {
		r := hold(cent, Dim{Name: "feature", Value: feature})
		r.Route = "openai"
		must(t, l.Reserve(r, noon))
		e := paid(r.ID, cent)
		e.Usage.Output = tokens
		change(&e)
		must(t, l.Settle(e))
	}
	whole := func(*Entry) {}
	for range 100 {
		answer("intent", 10, whole)
	}
	answer("chat", 900, whole)
	answer("chat", 1_000_000, func(e *Entry) { e.Outcome = Cut })
	answer("chat", 1_000_000, func(e *Entry) { e.Estimated = true })
	for name, l := range map[string]*Ledger{"running": l, "restarted": openAt(t, copyDir(t, dir), quiet)} {
		for _, tt := range []struct {
			feature string
			want    int64
		}{{"intent", 10}, {"chat", 900}, {"new", 65}} {
			if got := l.Expect("openai", "gpt-6-luna", []Dim{{Name: "feature", Value: tt.feature}}); got != tt.want {
				t.Errorf("%s, feature %q: got %d, want %d", name, tt.feature, got, tt.want)
			}
		}
		if got := l.Expect("openai", "gpt-6-sol", []Dim{{Name: "feature", Value: "intent"}}); got != 0 {
			t.Errorf("%s, unknown model: got %d, want 0", name, got)
		}
	}
}

func TestWhatIsLearnedIsBounded(t *testing.T) {
	var k learned
	for i := range 3 * maxLearned {
		k.observe(learnKey{"openai", pricing.ModelName(fmt.Sprint(i)), ""}, 5)
	}
	if len(k) > maxLearned {
		t.Errorf("got %d keys, want at most %d", len(k), maxLearned)
	}
}

func TestStatsSayHowFarOffPredictionsWere(t *testing.T) {
	l := openNew(t)
	for _, cost := range []pricing.Money{cent, 5 * cent, 12 * cent} {
		r := hold(10 * cent)
		r.Estimate = 4 * cent
		must(t, l.Settle(paid(reserved(t, l, r), cost)))
	}
	must(t, l.Settle(aborted(reserved(t, l, hold(10*cent)), cent))) // says nothing
	s := l.Stats()
	bounds, estimates := s.Bounds.Cumulative(), s.Estimates.Cumulative()
	if bounds[0.1] != 1 || bounds[0.5] != 2 || bounds[1] != 2 || bounds[1.25] != 3 || s.Bounds.Count != 3 || s.Bounds.Sum != 1800 {
		t.Errorf("bounds: got %v, %d, sum %d", bounds, s.Bounds.Count, s.Bounds.Sum)
	}
	if estimates[0.3] != 1 || estimates[1.25] != 2 || estimates[4] != 3 || s.Overruns != 1 {
		t.Errorf("estimates: got %v; %d overruns", estimates, s.Overruns)
	}
}

func TestARatioAboveAnEdgeIsAboveIt(t *testing.T) {
	for _, tt := range []struct {
		a, b pricing.Money
		want int64
	}{{1, 1, 1000}, {1_000_000_001, 1_000_000_000, 1001}, {0, 5, 0}, {1<<63 - 1, 1, 1<<63 - 1}, {1<<63 - 1, 1<<63 - 1, 1000}} {
		if got := thousandths(tt.a, tt.b); got != tt.want {
			t.Errorf("%d by %d: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// TestALateSettlementIsCountedAfterTheEntryThatItCorrects: the journal is down when a call expires, and back when its
// owner comes.
func TestALateSettlementIsCountedAfterTheEntryThatItCorrects(t *testing.T) {
	for _, down := range []bool{false, true} {
		dir := t.TempDir()
		o := quiet
		var told []pricing.Money
		o.OnSettle = func(e *Entry) { told = append(told, e.Cost) }
		l := openAt(t, dir, o, company(100*cent))
		id := reserved(t, l, hold(30*cent))
		full, stuck := true, false
		l.journal.file = fullDisk{l.journal.file, &full, &stuck}
		l.expire(noon.Add(time.Hour))
		full = down
		if err := l.Settle(paid(id, 2*cent)); !errors.Is(err, ErrJournal) {
			t.Errorf("journal down %t: got %v, want ErrJournal as an entry waits", down, err)
		}
		checkState(t, l, "company: 0 + 30, 70 left")
		full = false
		l.retryQueue()
		checkState(t, l, "company: 2 + 0, 98 left")
		must(t, l.Healthy())
		checkState(t, openAt(t, copyDir(t, dir), quiet, company(100*cent)), "company: 2 + 0, 98 left")
		if want := []pricing.Money{30 * cent, -28 * cent}; !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
	}
}

func TestEverySettlementIsToldOnce(t *testing.T) {
	dir := t.TempDir()
	o := quiet
	told := map[Outcome]int{}
	overruns := int64(0)
	o.OnSettle = func(e *Entry) {
		told[e.Outcome]++
		if e.Overrun {
			overruns++
		}
	}
	l := openAt(t, dir, o, company(100*cent))
	id := reserved(t, l, hold(10*cent))
	must(t, l.Settle(paid(id, 11*cent)))
	must(t, l.Settle(paid(id, 11*cent)))
	must(t, l.Release(unbilled(reserved(t, l, hold(cent)), "refused")))
	late := reserved(t, l, hold(cent))
	l.expire(noon.Add(time.Hour))
	must(t, l.Settle(paid(late, 2*cent)))
	must(t, l.Settle(paid(late, 2*cent)))
	if s := l.Stats(); s.Overruns != 2 || overruns != 2 {
		t.Errorf("%d overruns in the statistics, %d told, want 2 of each", s.Overruns, overruns)
	}
	reserved(t, l, hold(cent))
	openAt(t, copyDir(t, dir), o, company(100*cent))
	if diff := cmp.Diff(map[Outcome]int{OK: 1, Released: 1, Lost: 2, Adjusted: 1}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
