package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

func TestReplicasKnowTheKeysOfEachOther(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	budgets := []policies.Budget{company(100 * cent), perTeam(10 * cent)}
	a, b := openShared(t, t.TempDir(), s.URL(), budgets...), openShared(t, t.TempDir(), s.URL(), budgets...)
	order := TopUp{Budget: "every team", Scope: team("search"), Amount: 5 * cent, Who: "ada", Reason: "launch", Key: "ticket 7"}
	first, err := a.TopUp(order, time.Now())
	must(t, err)
	for name, change := range map[string]func(*TopUp){
		"amount": func(o *TopUp) { o.Amount++ },
		"scope":  func(o *TopUp) { o.Scope = team("shop") },
		"budget": func(o *TopUp) { o.Budget, o.Scope = "company", nil },
		"until":  func(o *TopUp) { o.Until = first.Until.Add(-time.Nanosecond) },
		"who":    func(o *TopUp) { o.Who = "bob" },
		"reason": func(o *TopUp) { o.Reason = "another" },
	} {
		other := order
		change(&other)
		if got, err := b.TopUp(other, time.Now()); !errors.Is(err, ErrTaken) {
			t.Errorf("other %s: got %+v and %v, want %v", name, got, err, ErrTaken)
		}
	}
	again, err := b.TopUp(order, time.Now())
	must(t, err)
	if again.ID != first.ID || !again.Until.Equal(first.Until) {
		t.Errorf("the same order got %s until %s, want %s until %s", again.ID, again.Until, first.ID, first.Until)
	}
	for name, l := range map[string]*Ledger{"told first": a, "told second": b} {
		for dim, want := range map[string]pricing.Money{"search": 15 * cent, "shop": 10 * cent} {
			if _, err := reserveNow(l, cent, team(dim)...); err != nil {
				t.Fatal(err)
			}
			for _, balance := range l.Balances(time.Now()) {
				if len(balance.Scope) > 0 && balance.Scope[0].Value == dim && balance.Limit != want {
					t.Errorf("%s: %s has a limit of %s, want %s", name, dim, balance.Limit, want)
				}
			}
		}
	}
}

func TestTheKeyOfATopUpThatIsOverIsTakenEverywhere(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	rolling := policies.Budget{Name: "roll", Limit: cent, Window: policies.Rolling, Length: time.Second, Zone: time.UTC}
	a, b := openShared(t, t.TempDir(), s.URL(), rolling), openShared(t, t.TempDir(), s.URL(), rolling)
	order := TopUp{Budget: "roll", Amount: cent, Who: "ada", Reason: "launch", Key: "ticket 7"}
	now := time.Now()
	first, err := a.TopUp(order, now)
	must(t, err)
	later := now.Add(first.Until.Sub(first.From) + time.Second)
	for name, until := range map[string]time.Time{"same": {}, "another": later.Add(time.Millisecond)} {
		order.Until = until
		if got, err := b.TopUp(order, later); !errors.Is(err, ErrTaken) {
			t.Errorf("%s: got %+v and %v, want %v", name, got, err, ErrTaken)
		}
	}
}

func TestWithoutTheStoreOnlyKeysOfOursAreTaken(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	a, b := openShared(t, t.TempDir(), s.URL(), company(cent)), openShared(t, t.TempDir(), s.URL(), company(cent))
	order := TopUp{Budget: "company", Amount: cent, Who: "ada", Reason: "launch", Key: "ticket 7"}
	_, err := a.TopUp(order, time.Now())
	must(t, err)
	s.Kill()
	if _, err := a.TopUp(order, time.Now()); err != nil {
		t.Errorf("an order of ours again: %v", err)
	}
	if _, err := b.TopUp(order, time.Now()); !errors.Is(err, ErrAway) {
		t.Errorf("an order with a key: got %v, want %v", err, ErrAway)
	}
	order.Key = ""
	if _, err := b.TopUp(order, time.Now()); err != nil {
		t.Errorf("an order without a key: %v", err)
	}
}

func TestKeysAreToldAgainToAStoreThatForgotThem(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	a, b := openShared(t, t.TempDir(), s.URL(), company(cent)), openShared(t, t.TempDir(), s.URL(), company(cent))
	order := TopUp{Budget: "company", Amount: cent, Who: "ada", Reason: "launch", Key: "ticket 7"}
	first, err := a.TopUp(order, time.Now())
	must(t, err)
	must(t, s.Client(t).FlushAll(t.Context()).Err())
	a.repeatTopUp(t.Context(), &first)
	order.Amount = 100 * cent
	if got, err := b.TopUp(order, time.Now()); !errors.Is(err, ErrTaken) {
		t.Errorf("another order: got %+v and %v, want %v", got, err, ErrTaken)
	}
}
