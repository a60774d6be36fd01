package ledger

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// newBooks returns books with budgets in force.
func newBooks(budgets ...policies.Budget) *books {
	k := &books{}
	k.publish(k.layOut(budgets, 0, false), noon)
	return k
}

// rolling is a budget for the last hour, which moves on by the minute.
func rolling(limit pricing.Money) policies.Budget {
	return policies.Budget{Name: "rolling", Limit: limit, Window: policies.Rolling, Length: time.Hour, Zone: time.UTC}
}

func TestARollingWindowGivesBackWhatIsOlderThanItsLength(t *testing.T) {
	l := openNew(t, rolling(10*cent))
	at := func(offset time.Duration) time.Time { return noon.Add(offset) }
	spend := func(offset time.Duration, amount pricing.Money) {
		t.Helper()
		r := hold(amount)
		must(t, l.Reserve(r, at(offset)))
		must(t, l.Settle(paid(r.ID, amount)))
	}
	spend(30*time.Second, 4*cent)
	spend(10*time.Minute, 5*cent)
	var refusal *LimitError
	if err := l.Reserve(hold(2*cent), at(59*time.Minute)); !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a refusal", err)
	}
	if want := at(61 * time.Minute); refusal.Left != cent || !refusal.Refills.Equal(want) {
		t.Errorf("got %s left until %s, want a cent until %s", refusal.Left, refusal.Refills, want)
	}
	// What is partly out of the window counts until all of its minute is.
	if err := l.Reserve(hold(2*cent), at(61*time.Minute-1)); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal until the grain is over", err)
	}
	spend(61*time.Minute, 5*cent)
	if err := l.Reserve(hold(9*cent), at(62*time.Minute)); !errors.As(err, &refusal) || !refusal.Refills.Equal(at(122*time.Minute)) {
		t.Errorf("got %v, want a refusal until the last call is out", err)
	}
	row := l.Balances(at(62 * time.Minute))[0]
	if row.Spent != 10*cent || !row.Start.Equal(at(2*time.Minute)) || !row.Refills.Equal(at(71*time.Minute)) {
		t.Errorf("got %s since %s, next back %s", row.Spent, row.Start, row.Refills)
	}
}

func TestAReservationThatOutlivesARollingWindowFreesNothing(t *testing.T) {
	l := openNew(t, rolling(10*cent))
	old := hold(6 * cent)
	must(t, l.Reserve(old, noon))
	later := noon.Add(2 * time.Hour)
	must(t, l.Reserve(hold(10*cent), later))
	must(t, l.Settle(paid(old.ID, 6*cent)))
	if row := l.Balances(later)[0]; row.Reserved != 10*cent || row.Spent != 0 || row.Left != 0 {
		t.Errorf("got %+v, want 10 cents reserved alone", row)
	}
}

func TestIdleScopesOfARollingWindowAreForgotten(t *testing.T) {
	b := rolling(10 * cent)
	b.Per = []policies.DimensionName{"team"}
	k := newBooks(b)
	for i := range 1000 {
		r := hold(cent, team(string(rune('a'+i)))...)
		r.At = noon
		holds, _ := k.hold(&r, noon, true)
		k.free(holds)
	}
	k.rows(noon.Add(3 * time.Hour))
	if n := len(k.meters[0].windows[0]); n != 0 {
		t.Errorf("got %d scopes, want none", n)
	}
}

func TestASoftBudgetHoldsWhatIsExpectedAndRefusesNothing(t *testing.T) {
	soft := company(10 * cent)
	soft.Soft = true
	l := openNew(t, soft)
	r := hold(8 * cent)
	r.Estimate = 2 * cent
	id := reserved(t, l, r)
	checkState(t, l, "company: 0 + 2, 8 left")
	must(t, l.Settle(aborted(id, 3*cent)))
	checkState(t, l, "company: 3 + 0, 7 left")
	reserved(t, l, hold(50*cent))
	checkState(t, l, "company: 3 + 50, 0 left")
}

func TestASoftBudgetCountsLabels(t *testing.T) {
	soft := perTeam(10 * cent)
	soft.Name, soft.Soft = "soft", true
	l := openNew(t, soft, perTeam(50*cent))
	reserved(t, l, hold(4*cent, Dim{Name: "team", Value: "claimed"}))
	checkState(t, l, "soft claimed: 0 + 4, 6 left", "every team (none): 0 + 4, 46 left")
}

func TestModelAndRouteScopeBudgets(t *testing.T) {
	b := company(10 * cent)
	b.Per = []policies.DimensionName{policies.DimProvider, policies.DimModel}
	l := openNew(t, b)
	call := func(route policies.RouteName, model pricing.ModelName) Reservation {
		r := hold(6 * cent)
		r.Route, r.Model = route, model
		return r
	}
	reserved(t, l, call("openai", "gpt-6-luna"))
	reserved(t, l, call("openai", "gpt-6-sol"))
	reserved(t, l, call("azure", "gpt-6-luna"))
	if err := l.Reserve(call("azure", "gpt-6-luna"), noon); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal", err)
	}
	checkState(t, l,
		"company gpt-6-luna azure: 0 + 6, 4 left", "company gpt-6-luna openai: 0 + 6, 4 left", "company gpt-6-sol openai: 0 + 6, 4 left")
	left, _, _ := l.Left(&b, &Call{Route: "azure", Model: "gpt-6-luna"}, noon)
	if left != 4*cent {
		t.Errorf("got %s left, want 4 cents", left)
	}
}

func TestABudgetForSomeCallsLeavesOthersAlone(t *testing.T) {
	b := company(10 * cent)
	b.Only = []policies.Condition{{Key: "team", Values: []string{"search*"}}}
	l := openNew(t, b)
	reserved(t, l, hold(8*cent, team("search-eu")...))
	reserved(t, l, hold(80*cent, team("shop")...))
	reserved(t, l, hold(80*cent, Dim{Name: "team", Value: "search-eu"})) // nobody vouches for it
	checkState(t, l, "company: 0 + 8, 2 left")
	if left, _, _ := l.Left(&b, &Call{Dims: team("shop")}, noon); left != 10*cent {
		t.Errorf("got %s left for a call that it does not cover, want its limit", left)
	}
}

func TestAStepBelowTheLimitKeepsTheRestInReserve(t *testing.T) {
	b := company(100 * cent)
	b.Steps = []policies.Step{{Percent: 80, Do: policies.StepRefuse}}
	l := openNew(t, b)
	reserved(t, l, hold(80*cent))
	var refusal *LimitError
	if err := l.Reserve(hold(cent), noon); !errors.As(err, &refusal) || refusal.Left != 0 || refusal.Limit != 100*cent {
		t.Errorf("got %+v, %v, want a refusal with nothing left of a dollar", refusal, err)
	}
	checkState(t, l, "company: 0 + 80, 20 left")
}

func TestAStepIsToldOnceForEachScopeAndWindow(t *testing.T) {
	var told []string
	o := quiet
	o.OnStep = func(e StepEvent) {
		told = append(told, string(e.Step.Do)+" "+ScopeText(e.Scope)+" "+e.Taken.String())
	}
	b := perTeam(100 * cent)
	b.Steps = []policies.Step{{Percent: 50, Do: policies.StepAlert}, {Percent: 50, Do: policies.StepCapTier, Tier: "medium"}, {Percent: 90, Do: policies.StepPools}}
	l := openAt(t, t.TempDir(), o, b)
	id := reserved(t, l, hold(49*cent, team("search")...))
	must(t, l.Release(unbilled(id, "refused")))
	id = reserved(t, l, hold(60*cent, team("search")...))
	must(t, l.Settle(paid(id, 10*cent)))
	reserved(t, l, hold(90*cent, team("search")...))
	reserved(t, l, hold(50*cent, team("shop")...))
	must(t, l.Reserve(hold(50*cent, team("search")...), noon.AddDate(0, 0, 1)))
	want := []string{
		"alert team=search 0.600000000", "cap tier team=search 0.600000000", "prefer pools team=search 1.000000000",
		"alert team=shop 0.500000000", "cap tier team=shop 0.500000000",
		"alert team=search 0.500000000", "cap tier team=search 0.500000000",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	told = nil
	setBudgets(t, l, b, company(1000*cent))
	reserved(t, l, hold(cent, team("shop")...))
	if len(told) > 0 {
		t.Errorf("told %v after a reload, want nothing that was passed before", told)
	}
}

func TestASoftBudgetTellsThatItIsSpent(t *testing.T) {
	var told []StepEvent
	o := quiet
	o.OnStep = func(e StepEvent) { told = append(told, e) }
	b := company(10 * cent)
	b.Soft = true
	l := openAt(t, t.TempDir(), o, b)
	reserved(t, l, hold(10*cent))
	if len(told) != 1 || told[0].Step.Percent != 100 || !told[0].Soft {
		t.Errorf("told %+v, want one alert at 100%%", told)
	}
}

// Hard limits hold after every step of random operations, and what is settled, held and left adds up.
func TestAHardLimitIsNeverPassed(t *testing.T) {
	weekly := perTeam(70 * cent)
	weekly.Name, weekly.Window = "weekly", policies.Week
	k := newBooks(company(200*cent), perTeam(30*cent), rolling(25*cent), weekly)
	r := rand.New(rand.NewPCG(5, 6))
	type call struct {
		Reservation
		holds []held
	}
	var open []call
	now := noon
	finish := func(i int) {
		c := open[i]
		open = append(open[:i], open[i+1:]...)
		k.free(c.holds)
		e := paid(c.ID, pricing.Money(r.Int64N(int64(c.Charge)+1)))
		if r.IntN(3) == 0 {
			e.Estimated = true
		}
		e.bookOn(&c.Reservation)
		k.spend(&e, 1)
	}
	check := func() {
		t.Helper()
		for _, b := range k.rows(now) {
			if b.Spent+b.Reserved > b.Limit || b.Spent < 0 || b.Reserved < 0 || b.Left != b.Limit-b.Spent-b.Reserved {
				t.Fatalf("%+v does not add up", b)
			}
			if len(open) == 0 && b.Reserved != 0 {
				t.Fatalf("%+v reserves with no call open", b)
			}
		}
	}
	for range 20_000 {
		switch n := r.IntN(100); {
		case n < 50:
			c := call{Reservation: hold(pricing.Money(r.IntN(10))*cent, team(string(rune('a'+r.IntN(3))))...)}
			c.At = now
			var refusal *LimitError
			c.holds, refusal = k.hold(&c.Reservation, now, true)
			if refusal == nil {
				open = append(open, c)
			}
		case n < 90 && len(open) > 0:
			finish(r.IntN(len(open)))
		case n < 99:
			now = now.Add(time.Duration(r.IntN(200)) * time.Second)
		default:
			for len(open) > 0 {
				finish(0)
			}
		}
		check()
	}
}
