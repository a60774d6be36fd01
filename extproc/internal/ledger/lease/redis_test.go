package lease

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease/redistest"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// slow is how long a round trip may take on a machine that is busy with other tests.
const slow = 10 * time.Second

// openRedis returns a store on a server, which may be slow.
func openRedis(tb testing.TB, s *redistest.Server, o RedisOptions) *Redis {
	tb.Helper()
	if o.Timeout == 0 {
		o.Timeout = slow
	}
	r, err := OpenRedis(s.URL(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.Close() })
	return r
}

// randomOps makes operations that often meet on the same accounts.
type randomOps struct {
	rand     *rand.Rand
	sequence int64
	accounts []Account
	budgets  []policies.BudgetName
	model    *model // which they are made for
}

func newRandomOps(seed uint64, m *model) *randomOps {
	now := time.Now().Truncate(time.Second)
	hour := Account{Key: "hour", Start: now.Add(-time.Hour), End: now.Add(time.Hour), Expires: now.Add(time.Hour)}
	big := Account{Key: "big", Start: now.Add(-time.Hour), End: now.Add(time.Hour), Expires: now.Add(time.Hour)}
	ops := &randomOps{model: m, rand: rand.New(rand.NewPCG(seed, 5)), accounts: []Account{hour, big}, budgets: []policies.BudgetName{"team", "a/b +?"}}
	for i := range 4 { // grains of a rolling window: two that are over, one of them counting no more
		start := now.Add(time.Duration(i-2) * time.Minute)
		ops.accounts = append(ops.accounts, Account{Key: "rolling", Start: start, End: start.Add(time.Minute), Expires: start.Add(100 * time.Second)})
	}
	return ops
}

func (g *randomOps) amount(limit pricing.Money) pricing.Money {
	return []pricing.Money{0, 1, limit / 1000, limit / 150, limit / 30, limit / 4, limit, limit + 1}[g.rand.IntN(8)] +
		pricing.Money(g.rand.IntN(3))
}

func (g *randomOps) next() Op {
	g.sequence++
	op := Op{Replica: strconv.Itoa(g.rand.IntN(3)), Incarnation: 1 + g.sequence/100, Sequence: g.sequence}
	if g.rand.IntN(8) == 0 { // late
		op.Sequence = max(1, op.Sequence-int64(g.rand.IntN(5)))
		op.Incarnation = max(1, op.Incarnation-int64(g.rand.IntN(2)))
	}
	for _, i := range g.rand.Perm(len(g.accounts))[:g.rand.IntN(4)] {
		op.Claims = append(op.Claims, g.claim(g.accounts[i]))
	}
	for range g.rand.IntN(5) {
		if ask := g.ask(&op); len(ask) > 0 {
			op.Asks = append(op.Asks, ask)
		}
	}
	return op
}

func (g *randomOps) claim(a Account) Claim {
	limit := []pricing.Money{7, 1000, 10_000 * pricing.Dollar, 8_000_000 * pricing.Dollar}[g.rand.IntN(4)]
	if a.Key == "big" {
		limit = 9_000_000_000*pricing.Dollar + pricing.Money(g.rand.IntN(3)) // beyond what a float64 counts exactly
	}
	c := Claim{Account: a, Have: min(g.amount(limit/3), limit), Exact: g.rand.IntN(2) == 0}
	for i := range 1 + g.rand.IntN(2) {
		percent := []int64{100, 80, 33, 1 + g.rand.Int64N(100)}[g.rand.IntN(4)]
		c.Limits = append(c.Limits, Limit{g.budgets[i], limit - pricing.Money(i*g.rand.IntN(5)), percent})
	}
	return c
}

// topUp raises a limit of an account.
func (g *randomOps) topUp(id int) TopUp {
	return TopUp{
		Account: g.accounts[g.rand.IntN(2)], Budget: g.budgets[g.rand.IntN(2)], ID: strconv.Itoa(id),
		Amount: pricing.Money(g.rand.Int64N(int64(4*pricing.Dollar) >> g.rand.IntN(30))),
	}
}

// ask needs something of some claims, often just what the first ask can get of it or a nano-dollar more.
func (g *randomOps) ask(op *Op) (ask Ask) {
	for i := range op.Claims {
		c := &op.Claims[i]
		amount := g.amount(c.Limits[0].Amount / 2)
		if c.Key == "big" {
			amount = pricing.Money(g.rand.IntN(100))
		} else if g.rand.IntN(3) == 0 {
			amount = g.model.left(op.Replica, c, time.Now()) + pricing.Money(g.rand.IntN(2))
		}
		if amount > 0 {
			ask = append(ask, Need{i, amount})
		}
	}
	return ask
}

func TestScriptAgreesWithItsModel(t *testing.T) { redistest.Each(t, testScriptAgreesWithItsModel) }

func testScriptAgreesWithItsModel(t *testing.T, program string) {
	s := redistest.Start(t, program)
	seen := map[Status]int{}
	for seed := range uint64(6) {
		r := openRedis(t, s, RedisOptions{Name: fmt.Sprint(seed), Recovery: time.Millisecond})
		m := newModel("", time.Millisecond)
		g := newRandomOps(seed, m)
		for i := range 500 {
			if g.rand.IntN(50) == 0 {
				up := g.topUp(i)
				if err := r.TopUp(t.Context(), up); err != nil {
					t.Fatal(err)
				}
				m.topUp(&up)
			}
			op := g.next()
			got, err := r.Do(t.Context(), op)
			if err != nil {
				t.Fatalf("seed %d, operation %d: %v", seed, i, err)
			}
			m.run = got.Epoch
			want := m.do(&op, got.Now)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d, operation %d %+v (-model +script):\n%s", seed, i, op, diff)
			}
			seen[got.Status]++
			for _, a := range got.Results {
				seen["ask "+a.Status]++
			}
		}
	}
	for _, status := range []Status{Done, Recovering, Stale, "ask " + Done, "ask " + Refused, "ask " + WrongWindow} {
		if seen[status] == 0 {
			t.Errorf("no operation was %q: %v", status, seen)
		}
	}
}

// hourOf returns an account for an hour around now.
func hourOf(key string) Account {
	now := time.Now().Truncate(time.Second)
	return Account{Key: key, Start: now.Add(-time.Hour), End: now.Add(time.Hour), Expires: now.Add(time.Hour)}
}

func TestAWipedServerGrantsNothingForTheRecoveryTime(t *testing.T) {
	redistest.Each(t, testAWipedServerGrantsNothingForTheRecoveryTime)
}

func testAWipedServerGrantsNothingForTheRecoveryTime(t *testing.T, program string) {
	s := redistest.Start(t, program)
	r := openRedis(t, s, RedisOptions{Recovery: 200 * time.Millisecond})
	op := Op{Replica: "a", Incarnation: 1, Claims: []Claim{{Account: hourOf("x"), Limits: upTo(100), Have: 7, Exact: true}}, Asks: []Ask{{{0, 1}}}}
	next := func() Reply {
		t.Helper()
		op.Sequence++
		reply, err := r.Do(t.Context(), op)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	untilDone := func() Reply {
		t.Helper()
		if reply := next(); reply.Status != Recovering || reply.Figures[0].All != 7 {
			t.Fatalf("first operation: got %+v, want recovering, with what the replica has noted", reply)
		}
		for range 100 {
			if reply := next(); reply.Status != Recovering {
				return reply
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("still recovering")
		return Reply{}
	}
	first := untilDone()
	if first.Status != Done || first.Figures[0].Own != 8 {
		t.Errorf("after the recovery time: got %+v, want one granted", first)
	}
	s.Kill()
	if _, err := r.Do(t.Context(), op); err == nil {
		t.Error("a server that is gone answered")
	}
	s.Restart(t)
	second := untilDone()
	if second.Epoch == first.Epoch {
		t.Errorf("epoch %q is the same after a restart", second.Epoch)
	}
}

func TestKeysGoWithTheirWindows(t *testing.T) { redistest.Each(t, testKeysGoWithTheirWindows) }

func testKeysGoWithTheirWindows(t *testing.T, program string) {
	s := redistest.Start(t, program)
	r := openRedis(t, s, RedisOptions{Name: "keys"})
	a := hourOf("x")
	if _, err := r.Do(t.Context(), Op{Replica: "a", Incarnation: 1, Sequence: 1, Claims: []Claim{{Account: a, Limits: upTo(100), Have: 7}}}); err != nil {
		t.Fatal(err)
	}
	c := s.Client(t)
	at, err := c.Do(t.Context(), "pexpiretime", "{farebox:keys}:x").Int64()
	if want := a.Expires.Add(time.Minute).UnixMilli(); err != nil || at != want {
		t.Errorf("key expires at %d, %v, want %d", at, err, want)
	}
}

func TestAKeyOfNothingGoesSoon(t *testing.T) { redistest.Each(t, testAKeyOfNothingGoesSoon) }

func testAKeyOfNothingGoesSoon(t *testing.T, program string) {
	s := redistest.Start(t, program)
	r := openRedis(t, s, RedisOptions{Name: "keys", Recovery: time.Millisecond})
	a, c := hourOf("x"), s.Client(t)
	sequence := int64(0)
	ask := func(limit, need pricing.Money) (Status, int64) {
		t.Helper()
		sequence++
		reply, err := r.Do(t.Context(), Op{
			Replica: "a", Incarnation: 1, Sequence: sequence, Claims: []Claim{{Account: a, Limits: upTo(limit), Exact: true}}, Asks: []Ask{{{0, need}}},
		})
		must(t, err)
		at, err := c.Do(t.Context(), "pexpiretime", "{farebox:keys}:x").Int64()
		must(t, err)
		if reply.Status != Done {
			return reply.Status, at
		}
		return reply.Results[0].Status, at
	}
	eventually(t, "a refusal", func() error {
		if got, _ := ask(5, 6); got != Refused {
			return fmt.Errorf("got %q", got)
		}
		return nil
	})
	if _, at := ask(5, 6); at <= 0 || at > time.Now().Add(time.Minute+time.Second).UnixMilli() {
		t.Errorf("after a refusal the key expires at %d, want a minute from now", at)
	}
	want := a.Expires.Add(time.Minute).UnixMilli()
	if got, at := ask(5, 4); got != Done || at != want {
		t.Errorf("after a grant: got %q and a key that expires at %d, want %d", got, at, want)
	}
	if got, at := ask(5, 6); got != Refused || at != want {
		t.Errorf("after a refusal: got %q and a key that expires at %d, want %d", got, at, want)
	}
}

func TestAGrantIsNotUsedUntilReplicasOfTheServerHaveIt(t *testing.T) {
	redistest.Each(t, testAGrantIsNotUsedUntilReplicasOfTheServerHaveIt)
}

func testAGrantIsNotUsedUntilReplicasOfTheServerHaveIt(t *testing.T, program string) {
	s := redistest.Start(t, program)
	r := openRedis(t, s, RedisOptions{Replicas: 1, Recovery: time.Millisecond, Timeout: 4 * time.Second})
	op := Op{Replica: "a", Incarnation: 1, Sequence: 1, Claims: []Claim{{Account: hourOf("x"), Limits: upTo(100)}}, Asks: []Ask{{{0, 1}}}}
	if _, err := r.Do(t.Context(), op); err == nil || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("without a replica: got %v, want an error that says so", err)
	}
}

func TestOpenRedisSaysWhatIsWrongAndNoPassword(t *testing.T) {
	for _, address := range []string{
		"http://user:secret@host", "redis://user:secret@host/x", "redis://u:secret@h?nonsense=1", "redis://u:secret@h?name=a}b",
		"::secret", "file:/nowhere/secret-file",
	} {
		_, err := OpenRedis(address, RedisOptions{})
		if err == nil {
			t.Errorf("%s: no error", address)
		} else if strings.Contains(err.Error(), ":secret@") {
			t.Errorf("%s: error shows the password: %v", address, err)
		}
	}
}

func TestOpenRedisReadsTheAddressFromAFile(t *testing.T) {
	s := redistest.Start(t, redistest.Redis)
	path := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(path, []byte(s.URL()+"?name=other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := OpenRedis("file:"+path, RedisOptions{Timeout: slow})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Do(t.Context(), Op{Replica: "a"}); err != nil || r.key != "{farebox:other}" {
		t.Errorf("key %q, %v", r.key, err)
	}
}

var errNoStore = errors.New("no store")
