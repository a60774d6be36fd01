package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// noon is when tests happen unless they say otherwise.
var noon = time.Date(2026, time.March, 14, 12, 0, 0, 0, time.UTC)

const cent = pricing.Dollar / 100

// company is a budget for everybody.
func company(limit pricing.Money) policies.Budget {
	return policies.Budget{Name: "company", Limit: limit, Window: policies.Month, Zone: time.UTC}
}

// perTeam is a daily budget for each team.
func perTeam(limit pricing.Money) policies.Budget {
	return policies.Budget{
		Name: "every team", Limit: limit, Per: []policies.DimensionName{"team"}, Window: policies.Day, Zone: time.UTC,
	}
}

// quiet keeps the background from doing anything by itself.
var quiet = Options{Now: func() time.Time { return noon }, FlushInterval: time.Hour, SyncInterval: time.Hour}

func openAt(t testing.TB, dir string, o Options, budgets ...policies.Budget) *Ledger {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	setBudgets(t, l, budgets...)
	return l
}

func openNew(t testing.TB, budgets ...policies.Budget) *Ledger {
	t.Helper()
	return openAt(t, t.TempDir(), quiet, budgets...)
}

func setBudgets(t testing.TB, l *Ledger, budgets ...policies.Budget) {
	t.Helper()
	if err := l.SetBudgets(t.Context(), budgets, noon); err != nil {
		t.Fatal(err)
	}
}

// team returns the dimensions of a call by a team that the mesh vouches for.
func team(name string) []Dim { return []Dim{{Name: "team", Value: name, Verified: true}} }

// hold returns a reservation of an API call.
func hold(charge pricing.Money, dims ...Dim) Reservation {
	return Reservation{Call: Call{ID: NewID(noon), Dims: dims, Model: "gpt-6-luna"}, Bound: charge, Charge: charge}
}

// paid returns the entry of an API call that cost what was asked for.
func paid(id ID, cost pricing.Money) Entry {
	return Entry{Call: Call{ID: id}, Outcome: OK, Cost: cost, Baseline: cost, Charge: cost, Settled: noon}
}

// aborted returns the entry of a call whose cost is an estimate.
func aborted(id ID, estimate pricing.Money) Entry {
	e := paid(id, estimate)
	e.Outcome, e.Estimated = Cancelled, true
	return e
}

// unbilled says of a call that it is not billed.
func unbilled(id ID, why string) Entry { return Entry{Call: Call{ID: id}, Detail: why, Settled: noon} }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reserved reserves and returns the id.
func reserved(t testing.TB, l *Ledger, r Reservation) ID {
	t.Helper()
	must(t, l.Reserve(r, noon))
	return r.ID
}

// state describes balances as "budget scope: spent + reserved, left".
func state(l *Ledger, now time.Time) []string {
	var lines []string
	for _, b := range l.Balances(now) {
		name := string(b.Budget)
		for _, d := range b.Scope {
			name += " " + d.Value
		}
		lines = append(lines, fmt.Sprintf("%s: %d + %d, %d left", name, b.Spent/cent, b.Reserved/cent, b.Left/cent))
	}
	return lines
}

func checkState(t testing.TB, l *Ledger, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, state(l, noon)); diff != "" {
		t.Errorf("balances in cents (-want +got):\n%s", diff)
	}
}

func TestACallHoldsItsBoundAndThenCountsItsCost(t *testing.T) {
	l := openNew(t, company(100*cent), perTeam(50*cent))
	checkState(t, l, "company: 0 + 0, 100 left")
	id := reserved(t, l, hold(30*cent, team("search")...))
	checkState(t, l, "company: 0 + 30, 70 left", "every team search: 0 + 30, 20 left")
	must(t, l.Settle(paid(id, 10*cent)))
	checkState(t, l, "company: 10 + 0, 90 left", "every team search: 10 + 0, 40 left")
}

func TestARefusalHoldsNothingAndNamesTheBudget(t *testing.T) {
	l := openNew(t, company(100*cent), perTeam(50*cent))
	reserved(t, l, hold(30*cent, team("search")...))
	err := l.Reserve(hold(30*cent, team("search")...), noon)
	want := &LimitError{
		Budget: "every team", Scope: team("search"), Limit: 50 * cent, Need: 30 * cent, Left: 20 * cent,
		Refills: time.Date(2026, time.March, 15, 0, 0, 0, 0, time.UTC),
	}
	var got *LimitError
	if !errors.As(err, &got) || !errors.Is(err, ErrExhausted) {
		t.Fatalf("got %v, want a LimitError", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
	if want := `budget "every team": need 0.300000000 USD, 0.200000000 USD left until 2026-03-15T00:00:00Z`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	checkState(t, l, "company: 0 + 30, 70 left", "every team search: 0 + 30, 20 left")
}

func TestOfSeveralRefusalsTheOneThatRefillsLastIsNamed(t *testing.T) {
	l := openNew(t, perTeam(10*cent), company(20*cent))
	var got *LimitError
	if err := l.Reserve(hold(30*cent, team("search")...), noon); !errors.As(err, &got) || got.Budget != "company" {
		t.Errorf("got %v, want a refusal of the company's budget", err)
	}
}

func TestCallsWithoutAVerifiedValueShareABudget(t *testing.T) {
	l := openNew(t, perTeam(50*cent))
	reserved(t, l, hold(20*cent))
	reserved(t, l, hold(20*cent, Dim{Name: "team", Value: "made-up"}))
	reserved(t, l, hold(20*cent, team(None)...))
	if err := l.Reserve(hold(20*cent, Dim{Name: "team", Value: "another"}), noon); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal: labels do not open a budget of their own", err)
	}
	checkState(t, l, "every team (none): 0 + 40, 10 left", "every team (none): 0 + 20, 30 left")
}

func TestWhatIsFreePassesWhileMoneyIsLeft(t *testing.T) {
	for _, tt := range []struct {
		name     string
		freeOnly bool
		spent    pricing.Money
		refused  bool
	}{
		{name: "some left", spent: 99 * cent},
		{name: "spent", spent: 100 * cent, refused: true},
		{name: "spent, free only", spent: 100 * cent, freeOnly: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			budget := company(100 * cent)
			budget.FreeOnly = tt.freeOnly
			l := openNew(t, budget)
			must(t, l.Settle(paid(reserved(t, l, hold(tt.spent)), tt.spent)))
			pool := hold(0)
			pool.Bound = 5 * cent
			for what, err := range map[string]error{"admit": l.Admit(&Call{}, 0, noon), "reserve": l.Reserve(pool, noon)} {
				if errors.Is(err, ErrExhausted) != tt.refused {
					t.Errorf("%s: got %v, want refused %t", what, err, tt.refused)
				}
			}
			if err := l.Admit(&Call{}, 2*cent, noon); !errors.Is(err, ErrExhausted) {
				t.Errorf("admit 2 cents: got %v, want a refusal", err)
			}
		})
	}
}

func TestObserveBooksWhatItWouldRefuse(t *testing.T) {
	l := openNew(t, company(10*cent))
	for _, wantRefusal := range []bool{false, true} {
		r := hold(7 * cent)
		refusal, err := l.Book(r, noon)
		must(t, err)
		if (refusal != nil) != wantRefusal {
			t.Errorf("got refusal %v, want %t", refusal, wantRefusal)
		}
		must(t, l.Settle(paid(r.ID, 6*cent)))
	}
	checkState(t, l, "company: 12 + 0, 0 left")
	entries, err := l.Entries(t.Context(), Filter{}, 10)
	must(t, err)
	if len(entries) != 2 || !entries[0].Observed {
		t.Errorf("got %+v, want two observed entries", entries)
	}
}

func TestACallIsSettledOnce(t *testing.T) {
	l := openNew(t, company(100*cent))
	id := reserved(t, l, hold(30*cent))
	must(t, l.Settle(paid(id, 10*cent)))
	must(t, l.Settle(paid(id, 20*cent)))
	must(t, l.Release(unbilled(id, "late")))
	must(t, l.Settle(paid(NewID(noon), 20*cent)))
	checkState(t, l, "company: 10 + 0, 90 left")
	if got := l.Stats().Duplicates; got != 3 {
		t.Errorf("got %d duplicates, want 3", got)
	}
	if err := l.Reserve(Reservation{Call: Call{ID: id}}, noon); err != nil {
		t.Errorf("reserve a settled id: %v", err)
	}
	if err := l.Reserve(Reservation{Call: Call{ID: id}}, noon); !errors.Is(err, ErrInvalid) {
		t.Errorf("reserve an open id: got %v, want ErrInvalid", err)
	}
}

func TestAReleasedCallCostsNothing(t *testing.T) {
	l := openNew(t, company(100*cent))
	id := reserved(t, l, hold(30*cent))
	must(t, l.Release(unbilled(id, "connection refused")))
	checkState(t, l, "company: 0 + 0, 100 left")
	entries, err := l.Entries(t.Context(), Filter{ID: id}, 10)
	must(t, err)
	if len(entries) != 1 || entries[0].Outcome != Released || entries[0].Cost != 0 || entries[0].Detail != "connection refused" {
		t.Errorf("got %+v, want one released entry", entries)
	}
}

func TestAnEstimateCountsAtItsBound(t *testing.T) {
	estimate := company(100 * cent)
	estimate.Name, estimate.AbortedEstimate = "estimates", true
	l := openNew(t, company(100*cent), estimate)
	id := reserved(t, l, hold(30*cent))
	must(t, l.Settle(aborted(id, 4*cent)))
	checkState(t, l, "company: 30 + 0, 70 left", "estimates: 4 + 0, 96 left")
	entries, err := l.Entries(t.Context(), Filter{Estimated: true}, 10)
	must(t, err)
	if len(entries) != 1 || entries[0].Cost != 4*cent || entries[0].Bound != 30*cent || entries[0].Counted != 30*cent {
		t.Errorf("got %+v, want cost, bound and counted of 4, 30 and 30 cents", entries)
	}
}

func TestMoreThanWasReservedIsAnOverrun(t *testing.T) {
	l := openNew(t, company(100*cent))
	must(t, l.Settle(paid(reserved(t, l, hold(30*cent)), 31*cent)))
	if got := l.Stats().Overruns; got != 1 {
		t.Errorf("got %d overruns, want 1", got)
	}
	checkState(t, l, "company: 31 + 0, 69 left")
}

func TestACallWithoutAKnownBoundHasNoOverrun(t *testing.T) {
	l := openNew(t, company(100*cent))
	r := hold(0)
	r.Estimate = 2 * cent // what a crash would show
	must(t, l.Settle(paid(reserved(t, l, r), 31*cent)))
	if got := l.Stats().Overruns; got != 0 {
		t.Errorf("got %d overruns, want none", got)
	}
	checkState(t, l, "company: 31 + 0, 69 left")
}

func TestACallCountsInTheWindowInWhichItWasReserved(t *testing.T) {
	l := openNew(t, perTeam(50*cent))
	r := hold(40 * cent)
	must(t, l.Reserve(r, noon))
	tomorrow := noon.Add(24 * time.Hour)
	must(t, l.Reserve(hold(45*cent), tomorrow))
	must(t, l.Settle(paid(r.ID, 20*cent)))
	checkState(t, l, "every team (none): 20 + 0, 30 left")
	if diff := cmp.Diff([]string{"every team (none): 0 + 45, 5 left"}, state(l, tomorrow)); diff != "" {
		t.Errorf("the day after (-want +got):\n%s", diff)
	}
}

func TestBudgetsReloadFromEntries(t *testing.T) {
	l := openNew(t, company(100*cent))
	must(t, l.Settle(paid(reserved(t, l, hold(30*cent, team("search")...)), 10*cent)))
	reserved(t, l, hold(5*cent, team("search")...))
	renamed := company(200 * cent)
	renamed.Name = "everybody"
	setBudgets(t, l, renamed, perTeam(50*cent))
	checkState(t, l, "everybody: 10 + 5, 185 left", "every team search: 10 + 5, 35 left")
	setBudgets(t, l)
	checkState(t, l)
	must(t, l.Settle(paid(reserved(t, l, hold(30*cent, team("ads")...)), 10*cent)))
	setBudgets(t, l, company(100*cent), perTeam(50*cent))
	checkState(t, l, "company: 20 + 5, 75 left", "every team ads: 10 + 0, 40 left", "every team search: 10 + 5, 35 left")
}

func TestAHitCostsNothing(t *testing.T) {
	l := openNew(t, company(100*cent))
	hit := Entry{Call: Call{ID: NewID(noon)}, Outcome: CacheHit, Baseline: 3 * cent}
	hit.Savings[pricing.LeverExactCache] = 3 * cent
	must(t, l.Record(hit, noon))
	checkState(t, l, "company: 0 + 0, 100 left")
	if err := l.Record(paid(NewID(noon), cent), noon); !errors.Is(err, ErrInvalid) {
		t.Errorf("record a cost: got %v, want ErrInvalid", err)
	}
}

func TestContradictionsAreRefused(t *testing.T) {
	l := openNew(t, company(100*cent))
	id := reserved(t, l, hold(10*cent))
	for _, tt := range []struct {
		name string
		edit func(*Entry)
	}{
		{"a negative cost in enforce mode", func(e *Entry) { e.WouldCost = -1 }},
		{"savings do not add up", func(e *Entry) { e.Savings[pricing.LeverTier] = 1 }},
		{"negative cost", func(e *Entry) { e.Cost = -1 }},
		{"charged more than it cost", func(e *Entry) { e.Charge++ }},
		{"no outcome", func(e *Entry) { e.Outcome = "" }},
		{"no id", func(e *Entry) { e.ID = ID{} }},
		{"too large a record", func(e *Entry) { e.Detail = strings.Repeat("x", maxPayload) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := paid(id, cent)
			tt.edit(&e)
			if err := l.Settle(e); !errors.Is(err, ErrInvalid) {
				t.Errorf("settle: got %v, want ErrInvalid", err)
			}
		})
	}
	must(t, l.Settle(paid(id, cent)))
	for name, r := range map[string]Reservation{
		"negative charge": {Call: Call{ID: id}, Charge: -1}, "charge above bound": {Call: Call{ID: id}, Charge: 1},
		"no id": {}, "too large": {Call: Call{ID: id, Asked: pricing.ModelName(strings.Repeat("x", maxPayload))}},
	} {
		if err := l.Reserve(r, noon); !errors.Is(err, ErrInvalid) {
			t.Errorf("reserve, %s: got %v, want ErrInvalid", name, err)
		}
		if _, err := l.Book(r, noon); !errors.Is(err, ErrInvalid) {
			t.Errorf("book, %s: got %v, want ErrInvalid", name, err)
		}
	}
	if got := l.Stats().Open; got != 0 {
		t.Errorf("got %d open reservations, want none", got)
	}
	if err := l.SetBudgets(t.Context(), []policies.Budget{{Name: "raw"}}, noon); !errors.Is(err, ErrInvalid) {
		t.Errorf("budget that was not compiled: got %v, want ErrInvalid", err)
	}
}

// A settlement may be in the journal, and so in the database, before the balances know of it.
func TestABudgetThatIsAddedDuringASettlementCountsItOnce(t *testing.T) {
	l := openNew(t, company(100*cent))
	id := reserved(t, l, hold(30*cent))
	e := paid(id, 10*cent)
	claimed, _ := l.claim(id)
	e.bookOn(&claimed.Reservation)
	frame, err := encodeRecord(kindSettlement, &e)
	must(t, err)
	seq, err := l.journal.book(kindSettlement, frame, &e)
	must(t, err)
	setBudgets(t, l, company(100*cent), perTeam(50*cent))
	checkState(t, l, "company: 0 + 30, 70 left", "every team (none): 10 + 30, 10 left")
	l.apply(&e, seq)
	checkState(t, l, "company: 10 + 0, 90 left", "every team (none): 10 + 0, 40 left")
}

// together runs n calls at once and waits for them.
func together(n int, call func()) {
	var wait sync.WaitGroup
	start := make(chan struct{})
	for range n {
		wait.Go(func() {
			<-start
			call()
		})
	}
	close(start)
	wait.Wait()
}

func TestOfAThousandCallsABudgetForTenAdmitsTen(t *testing.T) {
	l := openNew(t, company(10*cent), perTeam(1000*cent))
	var admitted atomic.Int64
	together(1000, func() {
		if l.Reserve(hold(cent, team("search")...), noon) == nil {
			admitted.Add(1)
		}
	})
	if got := admitted.Load(); got != 10 {
		t.Errorf("admitted %d, want 10", got)
	}
	checkState(t, l, "company: 0 + 10, 0 left", "every team search: 0 + 10, 990 left")
}

func TestOfAHundredAbortedCallsABudgetForTenAdmitsTen(t *testing.T) {
	l := openNew(t, company(10*cent))
	var admitted atomic.Int64
	together(100, func() {
		r := hold(cent)
		if l.Reserve(r, noon) == nil {
			admitted.Add(1)
			if err := l.Settle(aborted(r.ID, cent/10)); err != nil {
				t.Error(err)
			}
		}
	})
	if got := admitted.Load(); got != 10 {
		t.Errorf("admitted %d, want 10", got)
	}
	checkState(t, l, "company: 10 + 0, 0 left")
}

func TestBudgetsChangeUnderTraffic(t *testing.T) {
	o := quiet
	o.FlushInterval, o.SyncInterval = time.Millisecond, time.Millisecond
	l := openAt(t, t.TempDir(), o)
	const workers, calls = 4, 1000
	var wait sync.WaitGroup
	var done atomic.Int64
	for range workers {
		wait.Go(func() {
			for range calls {
				r := hold(2*cent, team("search")...)
				if _, err := l.Book(r, noon); err != nil {
					t.Error(err)
				}
				if err := l.Settle(paid(r.ID, cent)); err != nil {
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	for done.Load() < workers*calls {
		setBudgets(t, l, company(100*cent))
		setBudgets(t, l, company(100*cent), perTeam(50*cent))
		setBudgets(t, l)
	}
	setBudgets(t, l, company(pricing.Dollar), perTeam(pricing.Dollar))
	wait.Wait()
	for _, b := range l.Balances(noon) {
		if want := pricing.Money(workers*calls) * cent; b.Spent != want || b.Reserved != 0 {
			t.Errorf("%s: spent %s and reserved %s, want %s and nothing", b.Budget, b.Spent, b.Reserved, want)
		}
	}
}

func TestTheFolderBelongsToOneProcess(t *testing.T) {
	dir := t.TempDir()
	openAt(t, dir, quiet)
	_, err := Open(dir, quiet)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "held by process ") {
		t.Errorf("got %v, want ErrInUse and the holder", err)
	}
}

func TestAClosedLedgerRefuses(t *testing.T) {
	l := openNew(t, company(100*cent))
	id := reserved(t, l, hold(cent))
	must(t, l.Close())
	if err := l.Reserve(hold(cent), noon); !errors.Is(err, ErrClosed) {
		t.Errorf("reserve: got %v, want ErrClosed", err)
	}
	if err := l.Settle(paid(id, cent)); !errors.Is(err, ErrClosed) {
		t.Errorf("settle: got %v, want ErrClosed", err)
	}
	if err := l.Flush(context.Background()); !errors.Is(err, ErrClosed) && err != nil {
		t.Errorf("flush: got %v, want nil or ErrClosed", err)
	}
}
