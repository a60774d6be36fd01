package ledger

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease/redistest"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// recovery is how long the stores of these tests grant nothing after a start.
const recovery = 300 * time.Millisecond

// startRedis starts a server that writes everything to its disk.
func startRedis(tb testing.TB) *redistest.Server {
	tb.Helper()
	return redistest.Start(tb, redistest.Redis, "--appendonly", "yes", "--appendfsync", "always")
}

// patience is how long these tests wait for what must come to pass, on however busy a machine.
const patience = 30 * time.Second

// soon waits until something holds, and reports whether it did.
func soon(holds func() bool) bool {
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// openShared opens a ledger that shares its balances, and returns it when the store grants.
func openShared(tb testing.TB, dir, url string, budgets ...policies.Budget) *Ledger {
	tb.Helper()
	l, err := openSharing(dir, url, budgets...)
	must(tb, err)
	tb.Cleanup(func() { must(tb, l.Close()) })
	return l
}

func openSharing(dir, url string, budgets ...policies.Budget) (*Ledger, error) {
	const timeout = 10 * time.Second // a busy machine must not look like an outage
	store, err := lease.OpenRedis(url, lease.RedisOptions{Recovery: recovery, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	l, err := Open(dir, Options{Shared: store, SyncInterval: 10 * time.Millisecond, sharedTimeout: timeout})
	if err != nil {
		return nil, err
	}
	if err := l.SetBudgets(context.Background(), budgets, time.Now()); err != nil {
		return nil, err
	}
	if !soon(l.granted) {
		return nil, errors.New("the store grants nothing")
	}
	return l, nil
}

// granted has the store told all that a ledger holds, and reports whether it hands something out.
func (l *Ledger) granted() bool {
	l.mu.Lock()
	joined := l.books.shared != nil
	l.mu.Unlock()
	return joined && l.shared.holder.Beat(context.Background()) == nil && !l.shared.holder.Stats().Down
}

// reserveNow reserves an amount at the present time.
func reserveNow(l *Ledger, charge pricing.Money, dims ...Dim) (ID, error) {
	now := time.Now()
	r := hold(charge, dims...)
	r.ID = NewID(now)
	return r.ID, l.Reserve(r, now)
}

// settle has the store told what all ledgers hold, and given back what others may need.
func settle(tb testing.TB, ledgers ...*Ledger) {
	tb.Helper()
	for _, l := range ledgers {
		if l.shared != nil && !soon(l.granted) {
			tb.Fatal("the store grants nothing")
		}
	}
}

// admits reserves an amount until that went well so often as wanted, for which beats may have to bring more, and then
// where nothing is held back any more. It returns how often it went well in all.
func admits(tb testing.TB, want int, charge pricing.Money, ledgers ...*Ledger) int {
	tb.Helper()
	n, outages := 0, 0
	ask := func() {
		for _, l := range ledgers {
			var limit *LimitError
			if _, err := reserveNow(l, charge); err == nil {
				n++
			} else if !errors.As(err, &limit) {
				tb.Fatal(err)
			} else if limit.Outage {
				outages++
			}
		}
	}
	for more := true; n < want && more; {
		more = soon(func() bool { before := n; ask(); return n > before })
	}
	outages = 0
	for range 3 {
		settle(tb, ledgers...)
		ask()
	}
	if outages > 0 {
		tb.Errorf("%d calls refused for an outage, want them refused for the limit", outages)
	}
	return n
}

func TestReplicasShareABudgetToTheLastCall(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	var ledgers []*Ledger
	for range 3 {
		ledgers = append(ledgers, openShared(t, t.TempDir(), s.URL(), company(1000*cent+1)))
	}
	if got := admits(t, 333, 3*cent, ledgers...); got != 333 {
		t.Errorf("%d calls of 3 cents admitted on 1000 cents, want 333", got)
	}
	stats, ok := ledgers[0].Shared()
	if !ok || stats.Trips == 0 || stats.Down {
		t.Errorf("stats of leases: %+v, %t", stats, ok)
	}
}

func TestSettledMoneyGoesBackToOtherReplicas(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	a, b := openShared(t, t.TempDir(), s.URL(), company(100*cent)), openShared(t, t.TempDir(), s.URL(), company(100*cent))
	id, err := reserveNow(a, 90*cent)
	must(t, err)
	var limit *LimitError
	if _, err := reserveNow(b, 20*cent); !errors.As(err, &limit) || limit.Left != 10*cent || limit.Budget != "company" || limit.Outage {
		t.Fatalf("got %v, want a refusal with 10 cents left", err)
	}
	must(t, a.Settle(paid(id, 5*cent)))
	if got := admits(t, 5, 19*cent, b); got != 5 {
		t.Errorf("%d calls of 19 cents admitted on 95 cents, want 5", got)
	}
}

func TestARestartedReplicaSaysWhatItReallySpent(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	dir := t.TempDir()
	a := openShared(t, dir, s.URL(), company(100*cent))
	b := openShared(t, t.TempDir(), s.URL(), company(100*cent))
	id, err := reserveNow(a, 60*cent)
	must(t, err)
	must(t, a.Settle(paid(id, 10*cent)))
	_, err = reserveNow(a, 30*cent) // open when it dies: counted as reserved
	must(t, err)
	crashed := copyDir(t, dir)
	must(t, a.Close())
	if got := admits(t, 6, 10*cent, b); got != 6 {
		t.Errorf("%d calls of 10 cents admitted on 60 cents, want 6", got)
	}
	a = openShared(t, crashed, s.URL(), company(100*cent))
	if _, err := reserveNow(a, cent); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal: 10 and 30 cents here and 60 there are spent", err)
	}
	if used := a.Balances(time.Now())[0]; used.Spent != 40*cent {
		t.Errorf("spent %s here, want 40 cents", used.Spent)
	}
}

func TestAnOutageRefusesUnlessTheBudgetSaysOtherwise(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	lax := company(100 * cent)
	lax.OpenOnOutage = true
	strict, open := openShared(t, t.TempDir(), s.URL(), company(100*cent)), openShared(t, t.TempDir(), s.URL(), lax)
	s.Kill()
	var limit *LimitError
	if _, err := reserveNow(strict, cent); !errors.As(err, &limit) || !limit.Outage {
		t.Errorf("got %v, want a refusal for the outage", err)
	}
	id, err := reserveNow(open, cent)
	must(t, err)
	must(t, open.Settle(paid(id, cent)))
	s.Restart(t)
	settle(t, strict, open)
	if got := admits(t, 9, 10*cent, strict, open); got != 9 {
		t.Errorf("after the outage %d calls of 10 cents admitted, want 9: one cent was spent in it", got)
	}
}

func TestATopUpReachesOtherReplicas(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	a, b := openShared(t, t.TempDir(), s.URL(), company(10*cent)), openShared(t, t.TempDir(), s.URL(), company(10*cent))
	_, err := a.TopUp(TopUp{Budget: "company", Amount: 20 * cent, Who: "ann", Reason: "launch"}, time.Now())
	must(t, err)
	if got := admits(t, 6, 5*cent, b, a); got != 6 {
		t.Errorf("%d calls of 5 cents admitted on 30 cents, want 6", got)
	}
	for replica, want := range map[*Ledger]pricing.Money{a: 0, b: 20 * cent} {
		if got := replica.Balances(time.Now())[0]; got.Elsewhere != want || got.Limit != 30*cent {
			t.Errorf("%s of a limit of %s are of other replicas, want %s of %s", got.Elsewhere, got.Limit, want, 30*cent)
		}
	}
}

// Whoever calls may name as many scopes as they like.
func TestRefusedCallsOfNewScopesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	budgets := []policies.Budget{
		{Name: "each", Per: []policies.DimensionName{"team"}, Limit: cent, Window: policies.Hour, Zone: time.UTC},
		{Name: "roll", Per: []policies.DimensionName{"team"}, Limit: 100 * cent, Window: policies.Rolling, Length: time.Minute, Zone: time.UTC},
	}
	a, b := openShared(t, t.TempDir(), s.URL(), budgets...), openShared(t, t.TempDir(), s.URL(), budgets...)
	end := time.Now().Add(2 * time.Second) // the rolling window moves on each second
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for n := 0; n < 60 || time.Now().Before(end); n++ { // each team about twice, at about the same time
				team := Dim{Name: "team", Value: strconv.Itoa(n*4 + i/2), Verified: true}
				if _, err := reserveNow(a, 2*cent, team); !errors.Is(err, ErrExhausted) {
					t.Errorf("got %v, want a refusal", err)
				}
			}
		})
	}
	callers.Wait()
	known := func() (n int) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, m := range a.books.meters {
			for _, balances := range m.windows {
				n += len(balances)
			}
		}
		return n
	}
	if n, leases := known(), a.shared.holder.Stats().Leases; n != 0 || leases != 0 {
		t.Errorf("got %d balances and %d leases, want none", n, leases)
	}
	// One of whose scope somebody has something is shown, and served when there is enough.
	team := Dim{Name: "team", Value: "7", Verified: true}
	id, err := reserveNow(b, cent, team)
	must(t, err)
	must(t, b.Settle(paid(id, cent/2)))
	if _, err := reserveNow(a, 2*cent, team); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal", err)
	}
	if rows := a.Balances(time.Now()); len(rows) != 1 || rows[0].Scope[0] != team {
		t.Errorf("got %+v, want the team that was refused", rows)
	}
	if got := admits(t, 4, cent/4, a); got != 4 {
		t.Errorf("%d calls of a quarter of a cent admitted without a team, want 4", got)
	}
}

func TestARollingBudgetIsShared(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	rolling := policies.Budget{Name: "rolling", Limit: 100 * cent, Window: policies.Rolling, Length: time.Hour, Zone: time.UTC}
	a, b := openShared(t, t.TempDir(), s.URL(), rolling), openShared(t, t.TempDir(), s.URL(), rolling)
	if got := admits(t, 14, 7*cent, a, b); got != 14 {
		t.Errorf("%d calls of 7 cents admitted on 100 cents, want 14", got)
	}
}

func TestABudgetAddedLaterCountsWhatWasSpent(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	a, b := openShared(t, t.TempDir(), s.URL()), openShared(t, t.TempDir(), s.URL())
	id, err := reserveNow(b, 60*cent)
	must(t, err)
	must(t, b.Settle(paid(id, 60*cent)))
	for _, l := range []*Ledger{a, b} {
		must(t, l.SetBudgets(t.Context(), []policies.Budget{company(100 * cent)}, time.Now()))
	}
	if got := admits(t, 4, 10*cent, a); got != 4 {
		t.Errorf("%d calls of 10 cents admitted, want 4: another replica spent 60 cents before", got)
	}
}

// The leases of several ledgers that crash, restart and lose the store never let more through than the limits, and
// agree with the ledgers when all is quiet.
func TestSharedLedgersNeverPassALimit(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	budgets := []policies.Budget{company(400 * cent), perTeam(120 * cent)}
	random := rand.New(rand.NewPCG(7, 7))
	const replicas = 3
	var dirs [replicas]string
	var ledgers [replicas]*Ledger
	var open [replicas][]Reservation
	start := func(i int, dir string) {
		l, err := openSharing(dir, s.URL(), budgets...)
		must(t, err)
		dirs[i], ledgers[i], open[i] = dir, l, nil
	}
	for i := range replicas {
		start(i, t.TempDir())
	}
	defer func() {
		for _, l := range ledgers {
			must(t, l.Close())
		}
	}()
	taken := func() (company, search pricing.Money) {
		for _, l := range ledgers {
			for _, b := range l.Balances(time.Now()) {
				if b.Budget == "company" {
					company += b.Spent + b.Reserved
				} else if b.Scope[0].Value == "search" {
					search += b.Spent + b.Reserved
				}
			}
		}
		return company, search
	}
	for step := range 3000 {
		i := random.IntN(replicas)
		switch n := random.IntN(1000); {
		case n < 500:
			r := hold(pricing.Money(1+random.IntN(4))*cent/4, team([]string{"search", "ads"}[random.IntN(2)])...)
			if err := ledgers[i].Reserve(r, time.Now()); err == nil {
				open[i] = append(open[i], r)
			} else if !errors.Is(err, ErrExhausted) {
				t.Fatal(err)
			}
		case n < 990:
			if len(open[i]) > 0 {
				r := open[i][0]
				open[i] = open[i][1:]
				must(t, ledgers[i].Settle(paid(r.ID, r.Charge*pricing.Money(random.IntN(3))/2)))
			}
		case n < 994:
			crashed := copyDir(t, dirs[i])
			must(t, ledgers[i].Close())
			start(i, crashed)
		case n < 995:
			s.Kill()
			s.Restart(t)
		}
		if company, search := taken(); company > 400*cent || search > 120*cent {
			t.Fatalf("step %d: spent and reserved %s of 4 USD, search %s of 1.20 USD", step, company, search)
		}
	}
	company, _ := taken()
	left := min(400*cent-company, 120*cent) // the latter is what calls without a team have
	want := int(left / (cent / 4))
	if rest := admits(t, want, cent/4, ledgers[:]...); rest != want {
		t.Errorf("at rest %d calls of a quarter cent admitted, want what %s leave", rest, left)
	}
}

// shows waits until the store has told what a replica shows of its only balance.
func shows(t *testing.T, l *Ledger, want Balance) {
	t.Helper()
	var diff string
	if !soon(func() bool {
		var got []Balance
		for _, b := range l.Balances(time.Now()) {
			got = append(got, Balance{
				Scope: b.Scope, Limit: b.Limit, Spent: b.Spent, Reserved: b.Reserved, Left: b.Left,
				Shared: b.Shared, Known: b.Known, Leased: b.Leased, Granted: b.Granted,
			})
		}
		diff = cmp.Diff([]Balance{want}, got, cmpopts.EquateEmpty())
		return diff == ""
	}) {
		t.Errorf("balances (-want +got):\n%s", diff)
	}
}

func TestBalancesShowWhatAllReplicasHave(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	rolling := company(100 * cent)
	rolling.Window, rolling.Length = policies.Rolling, time.Hour
	for _, budget := range []policies.Budget{company(100 * cent), perTeam(100 * cent), rolling} {
		a, b := openShared(t, t.TempDir(), s.URL(), budget), openShared(t, t.TempDir(), s.URL(), budget)
		var dims []Dim
		if len(budget.Per) > 0 {
			dims = team("search")
		}
		id, err := reserveNow(a, 30*cent, dims...)
		must(t, err)
		_, err = reserveNow(a, 60*cent, dims...)
		must(t, err)
		must(t, a.Settle(paid(id, 20*cent)))
		if _, err := reserveNow(b, 50*cent, dims...); !errors.Is(err, ErrExhausted) {
			t.Fatalf("got %v, want a refusal", err)
		}
		all := Balance{Scope: dims, Limit: 100 * cent, Granted: 80 * cent, Left: 20 * cent, Shared: true, Known: true}
		shows(t, b, all)
		all.Spent, all.Reserved = 20*cent, 60*cent
		shows(t, a, all)
	}
}

func TestWhatIsLeftIsUnknownUntilTheStoreTells(t *testing.T) {
	t.Parallel()
	store, err := lease.OpenRedis("unix://"+filepath.Join(t.TempDir(), "none"), lease.RedisOptions{})
	must(t, err)
	l := openAt(t, t.TempDir(), Options{Shared: store, Now: time.Now}, company(100*cent))
	if got := l.Balances(time.Now())[0]; !got.Shared || got.Known {
		t.Errorf("got %+v, want a shared balance of which nothing is known", got)
	}
}
