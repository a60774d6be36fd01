package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// slowModel is the ledger as one would write it without care for speed: balances are added up from all calls.
type slowModel struct {
	budgets []policies.Budget
	open    map[ID]*modelCall
	settled []*modelCall
	late    []*modelCall // of settled: those that expired
	topUps  []TopUp
}

// modelCall is a reservation and what became of it.
type modelCall struct {
	Reservation
	charged, counted pricing.Money
	until            time.Time // when it expires, or has expired
	parked           string
}

// modelState is what is known of a scope of a budget.
type modelState struct{ Spent, Reserved, Limit pricing.Money }

// modelValue returns the value that a call counts under, "" for none, and "=" before all others.
func modelValue(b *policies.Budget, c *Call, name policies.DimensionName) string {
	switch {
	case name == policies.DimModel && c.Model != "":
		return "=" + string(c.Model)
	case name == policies.DimProvider && c.Route != "":
		return "=" + string(c.Route)
	}
	for _, d := range c.Dims {
		if d.Name == name && (d.Verified || b.Soft) {
			return "=" + d.Value
		}
	}
	return ""
}

// scopeOf spells the values of a budget's dimensions in the order of names.
func scopeOf(b *policies.Budget, c *Call) string {
	text := string(b.Name)
	for _, name := range slices.Sorted(slices.Values(b.Per)) {
		text += " " + cmp.Or(modelValue(b, c, name), None)
	}
	return text
}

func covered(b *policies.Budget, c *Call) bool {
	for _, want := range b.Only {
		if !slices.Contains(want.Values, strings.TrimPrefix(modelValue(b, c, policies.DimensionName(want.Key)), "=")) {
			return false
		}
	}
	return true
}

// counts reports whether calls of a moment count in the window of another.
func counts(b *policies.Budget, at, now time.Time) bool {
	if b.Window == policies.Rolling {
		return now.Before(at.Truncate(b.Grain()).Add(b.Grain() + b.Length))
	}
	return b.Start(at).Equal(b.Start(now))
}

// holds is what a reservation holds on a budget.
func holds(b *policies.Budget, r *Reservation) pricing.Money {
	if b.Soft && r.Estimate > 0 {
		return min(r.Estimate, r.Charge)
	}
	return r.Charge
}

// balances returns the states of the scopes of which anything is taken.
func (m *slowModel) balances(now time.Time) map[string]modelState {
	out := map[string]modelState{}
	for i := range m.budgets {
		b := &m.budgets[i]
		add := func(r *Reservation, spent, held pricing.Money) {
			if !covered(b, &r.Call) || !counts(b, r.At, now) || spent+held == 0 {
				return
			}
			key := scopeOf(b, &r.Call)
			sum := out[key]
			out[key] = modelState{sum.Spent + spent, sum.Reserved + held, m.limit(b, key, now)}
		}
		for _, c := range m.settled {
			if b.AbortedEstimate || b.Soft {
				add(&c.Reservation, c.charged, 0)
			} else {
				add(&c.Reservation, c.counted, 0)
			}
		}
		for _, c := range m.open {
			add(&c.Reservation, 0, holds(b, &c.Reservation))
		}
	}
	return out
}

// limit is a budget's limit for a scope.
func (m *slowModel) limit(b *policies.Budget, scope string, now time.Time) pricing.Money {
	limit := b.Limit
	for i := range m.topUps {
		t := &m.topUps[i]
		c := callIn(t.Scope)
		if t.Budget == b.Name && scopeOf(b, &c) == scope && now.Before(t.Until) {
			limit += t.Amount
		}
	}
	return limit
}

// admits reports whether every hard budget can hold a reservation, with balances as they are now.
func (m *slowModel) admits(r *Reservation, sums map[string]modelState, now time.Time) bool {
	for i := range m.budgets {
		b := &m.budgets[i]
		if b.Soft || !covered(b, &r.Call) {
			continue
		}
		scope := scopeOf(b, &r.Call)
		allowed := m.limit(b, scope, now)
		for _, s := range b.Steps {
			if s.Do == policies.StepRefuse {
				allowed = allowed * pricing.Money(s.Percent) / 100
			}
		}
		left := allowed - sums[scope].Spent - sums[scope].Reserved
		if left < r.Charge || (r.Charge == 0 && left <= 0 && !b.FreeOnly) {
			return false
		}
	}
	return true
}

// left is what a budget has left for a call.
func (m *slowModel) left(b *policies.Budget, c *Call, sums map[string]modelState, now time.Time) pricing.Money {
	if !covered(b, c) {
		return b.Limit
	}
	scope := scopeOf(b, c)
	sum := sums[scope]
	return max(0, m.limit(b, scope, now)-sum.Spent-sum.Reserved)
}

// ledgerBalances returns what the ledger says, in the form of the model.
func ledgerBalances(l *Ledger, now time.Time) map[string]modelState {
	out := map[string]modelState{}
	for _, b := range l.Balances(now) {
		key := string(b.Budget)
		for _, d := range b.Scope {
			if d.Verified {
				key += " =" + d.Value
			} else {
				key += " " + d.Value
			}
		}
		if b.Spent+b.Reserved > 0 {
			out[key] = modelState{b.Spent, b.Reserved, b.Limit}
		}
	}
	return out
}

// run is one sequence of random operations on a ledger and its model.
type run struct {
	t     *testing.T
	rand  *rand.Rand
	dir   string
	l     *Ledger
	m     slowModel
	now   time.Time
	clock atomic.Pointer[time.Time] // now

	calls, topUps int // entries of each
}

// untouchedFor is how long reservations of a run last.
const untouchedFor = 3 * time.Hour

func (r *run) options() Options {
	return Options{
		Now: func() time.Time { return *r.clock.Load() }, FlushInterval: time.Hour, SyncInterval: time.Hour, SegmentBytes: 8 << 10,
		RenewWithin: untouchedFor,
	}
}

// randomBudgets returns a few budgets, some of which share a meter.
func (r *run) randomBudgets() []policies.Budget {
	berlin := time.FixedZone("Berlin", 3600)
	team := []policies.DimensionName{"team"}
	only := []policies.Condition{{Key: "model", Values: []string{"m1", "m2"}}, {Key: "team", Values: []string{"x", ""}}}
	all := []policies.Budget{
		{Name: "a", Limit: 60 * cent, Window: policies.Month, Zone: time.UTC},
		{Name: "b", Limit: 40 * cent, Window: policies.Day, Zone: berlin},
		{Name: "c", Limit: 25 * cent, Per: team, Window: policies.Day, Zone: time.UTC},
		{Name: "d", Limit: 35 * cent, Per: team, Window: policies.Day, Zone: time.UTC, FreeOnly: true},
		{Name: "e", Limit: 15 * cent, Per: []policies.DimensionName{"user", "team"}, Window: policies.Month, Zone: time.UTC, AbortedEstimate: true},
		{Name: "f", Limit: 20 * cent, Window: policies.Hour, Zone: berlin},
		{Name: "g", Limit: 50 * cent, Per: []policies.DimensionName{"provider"}, Window: policies.Week, Zone: time.UTC},
		{Name: "h", Limit: 30 * cent, Window: policies.Rolling, Length: 5 * time.Hour, Zone: time.UTC},
		{Name: "i", Limit: 25 * cent, Per: []policies.DimensionName{"model", "team"}, Window: policies.Rolling, Length: 7001 * time.Second, Zone: time.UTC},
		{Name: "j", Limit: 40 * cent, Only: only, Window: policies.Week, Zone: time.UTC},
		{Name: "k", Limit: 10 * cent, Per: team, Window: policies.Day, Zone: time.UTC, Soft: true},
		{Name: "l", Limit: 10 * cent, Only: only[1:], Window: policies.Rolling, Length: 24 * time.Hour, Zone: time.UTC, Soft: true},
		{Name: "m", Limit: 45 * cent, Window: policies.Day, Zone: time.UTC, Steps: []policies.Step{{Percent: 80, Do: policies.StepRefuse}}},
	}
	r.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:r.rand.IntN(len(all)+1)]
}

// randomCall returns a call as it scopes budgets.
func (r *run) randomCall() Call {
	c := Call{ID: NewID(r.now)}
	for _, name := range []policies.DimensionName{"team", "user"} {
		if r.rand.IntN(4) > 0 {
			value := []string{"x", "y", "", "\xff", None}[r.rand.IntN(5)]
			c.Dims = append(c.Dims, Dim{Name: name, Value: value, Verified: r.rand.IntN(5) > 0})
		}
	}
	c.Model = []pricing.ModelName{"m1", "m2", "m3", ""}[r.rand.IntN(4)]
	c.Route = []policies.RouteName{"openai", "pool", ""}[r.rand.IntN(3)]
	return c
}

// pick returns one of the open reservations, if there is one.
func (r *run) pick() (*modelCall, bool) {
	ids := make([]ID, 0, len(r.m.open))
	for id := range r.m.open {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, false
	}
	slices.SortFunc(ids, func(a, b ID) int { return slices.Compare(a[:], b[:]) })
	return r.m.open[ids[r.rand.IntN(len(ids))]], true
}

func (r *run) reserve() {
	charge := pricing.Money(r.rand.IntN(8)) * cent
	call := Reservation{Call: r.randomCall(), Bound: charge + cent, Charge: charge}
	if r.rand.IntN(2) == 0 {
		call.Estimate = cent / 2
	}
	model := call
	model.At, model.Dims = r.now, validDims(call.Dims)
	sums := r.m.balances(r.now)
	want := r.m.admits(&model, sums, r.now)
	if got := r.l.Admit(&call.Call, charge, r.now) == nil; got != want {
		r.t.Fatalf("admit %+v: got %t, want %t", call, got, want)
	}
	for i := range r.m.budgets {
		b := &r.m.budgets[i]
		got, _, _ := r.l.Left(b, &call.Call, r.now)
		if want := r.m.left(b, &model.Call, sums, r.now); got != want {
			r.t.Fatalf("left of %q for %+v: got %s, want %s", b.Name, call, got, want)
		}
	}
	if r.rand.IntN(10) == 0 {
		refusal, err := r.l.Book(call, r.now)
		if err != nil || (refusal == nil) != want {
			r.t.Fatalf("book %+v: got %v, %v, want admitted %t", call, refusal, err, want)
		}
	} else {
		err := r.l.Reserve(call, r.now)
		if (err == nil) != want || (err != nil && !errors.Is(err, ErrExhausted)) {
			r.t.Fatalf("reserve %+v: got %v, want admitted %t", call, err, want)
		}
		if err != nil {
			return
		}
	}
	r.m.open[call.ID] = &modelCall{Reservation: model, until: r.now.Add(untouchedFor)}
}

// settle settles a call twice, often one that has expired.
func (r *run) settle() {
	late := len(r.m.late) > 0 && r.rand.IntN(3) == 0
	var call *modelCall
	if late {
		call, r.m.late = r.m.late[0], r.m.late[1:]
	} else {
		var ok bool
		if call, ok = r.pick(); !ok {
			return
		}
		delete(r.m.open, call.ID)
		r.m.settled = append(r.m.settled, call)
	}
	cost := pricing.Money(r.rand.Int64N(int64(call.Charge) + 1))
	e := paid(call.ID, cost)
	call.charged, call.counted = cost, cost
	switch r.rand.IntN(4) {
	case 0:
		e = aborted(call.ID, cost)
		call.counted = call.Charge
	case 1:
		must(r.t, r.l.Release(Entry{Call: Call{ID: call.ID}, Detail: "refused", Settled: r.now}))
		call.charged, call.counted = 0, 0
	}
	e.Settled = r.now
	must(r.t, r.l.Settle(e))
	must(r.t, r.l.Settle(e))
	r.calls++
}

func (r *run) park() {
	call, ok := r.pick()
	if !ok {
		return
	}
	call.parked, call.until = "resp_"+call.ID.String(), r.now.Add(time.Duration(r.rand.IntN(30))*time.Hour)
	must(r.t, r.l.Park(call.ID, Parking{Key: call.parked, Attempts: 1, Until: call.until}))
	if id, ok := r.l.Parked(call.parked); !ok || id != call.ID {
		r.t.Fatalf("claim %q: got %s, %t, want %s", call.parked, id, ok, call.ID)
	}
}

func (r *run) renew() {
	if call, ok := r.pick(); ok {
		r.l.Renew(call.ID, r.now)
		if call.parked == "" {
			call.until = r.now.Add(untouchedFor)
		}
	}
}

// lose settles a call as lost in the model.
func (r *run) lose(call *modelCall) {
	estimate := call.Estimate
	if estimate == 0 {
		estimate = call.Bound
	}
	call.charged, call.counted = min(estimate, call.Charge), call.Charge
	delete(r.m.open, call.ID)
	r.m.settled = append(r.m.settled, call)
	r.calls++
}

func (r *run) expire() {
	r.l.expire(r.now)
	forgotten := func(c *modelCall) bool { return r.now.Sub(c.until) > rememberFor }
	r.m.late = slices.DeleteFunc(r.m.late, forgotten)
	for _, call := range r.m.open {
		if !r.now.Before(call.until) {
			r.lose(call)
			call.until = r.now
			r.m.late = append(r.m.late, call)
		}
	}
	slices.SortFunc(r.m.late, func(a, b *modelCall) int { return slices.Compare(a.ID[:], b.ID[:]) })
}

func (r *run) topUp() {
	if len(r.m.budgets) == 0 {
		return
	}
	b := &r.m.budgets[r.rand.IntN(len(r.m.budgets))]
	c := r.randomCall()
	c.normalize()
	scope := newMeter(b).scope(&c)
	t, err := r.l.TopUp(TopUp{Budget: b.Name, Scope: scope, Amount: 5 * cent, Who: "ops", Reason: "launch"}, r.now)
	if slices.ContainsFunc(scope, func(d Dim) bool { return CheckValue(d.Value) != nil }) {
		if !errors.Is(err, ErrBadOrder) {
			r.t.Fatalf("top-up of %v: %v, want %v", scope, err, ErrBadOrder)
		}
		return
	}
	must(r.t, err)
	r.m.topUps = append(r.m.topUps, t)
	r.topUps++
}

func (r *run) hit() {
	must(r.t, r.l.Record(Entry{Call: r.randomCall(), Outcome: CacheHit}, r.now))
	r.calls++
}

func (r *run) reload() {
	r.m.budgets = r.randomBudgets()
	must(r.t, r.l.SetBudgets(r.t.Context(), r.m.budgets, r.now))
}

// crash goes on from what a process that dies now would leave, half a record included.
func (r *run) crash() {
	dir := copyDir(r.t, r.dir)
	must(r.t, r.l.Close())
	if r.rand.IntN(2) == 0 {
		torn := hold(cent)
		frame, err := encodeRecord(kindReservation, &torn)
		must(r.t, err)
		appendTo(r.t, lastSegment(r.t, dir), frame[:r.rand.IntN(len(frame))])
	}
	r.dir = dir
	r.start()
	for _, call := range r.m.open {
		if call.parked == "" || !r.now.Before(call.until) {
			r.lose(call)
		} else if id, ok := r.l.Parked(call.parked); !ok || id != call.ID {
			r.t.Fatalf("claim %q after a crash: got %s, %t, want %s", call.parked, id, ok, call.ID)
		}
	}
	r.m.late = nil // nobody is left to settle them
	must(r.t, r.l.SetBudgets(r.t.Context(), r.m.budgets, r.now))
}

func (r *run) start() {
	var err error
	r.l, err = Open(r.dir, r.options())
	must(r.t, err)
	// A sink that keeps up, and one that often has to read the files.
	r.l.journal.mu.Lock()
	r.l.sink.tail.limit = []int{maxTail, 5}[r.rand.IntN(2)]
	r.l.journal.mu.Unlock()
}

// setClock is for what the ledger does on its own, too.
func (r *run) setClock(now time.Time) {
	r.now = now
	r.clock.Store(&now)
}

func (r *run) later() {
	step := []time.Duration{time.Second, time.Minute, time.Hour}[r.rand.IntN(3)]
	r.setClock(r.now.Add(time.Duration(r.rand.IntN(20)) * step))
}

func (r *run) flush() { must(r.t, r.l.Flush(r.t.Context())) }

// step does something.
func (r *run) step() string {
	steps := []struct {
		weight int
		name   string
		do     func()
	}{
		{45, "reserve", r.reserve}, {30, "settle", r.settle}, {5, "hit", r.hit}, {7, "later", r.later}, {3, "reload", r.reload},
		{3, "flush", r.flush}, {2, "crash", r.crash}, {3, "park", r.park}, {3, "renew", r.renew}, {3, "expire", r.expire},
		{2, "top up", r.topUp},
	}
	n := r.rand.IntN(106)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			s.do()
			return s.name
		}
	}
	panic("internal error: the weights do not add up")
}

func TestBalancesEqualASlowModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := &run{t: t, rand: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir()}
			r.setClock(noon)
			r.m.open = map[ID]*modelCall{}
			r.start()
			defer func() { must(t, r.l.Close()) }()
			for i := range 400 {
				what := r.step()
				if diff := gocmp.Diff(r.m.balances(r.now), ledgerBalances(r.l, r.now)); diff != "" {
					t.Fatalf("balances after step %d, %s (-want +got):\n%s", i, what, diff)
				}
			}
			r.checkEntries()
		})
	}
}

// checkEntries compares the database with the model.
func (r *run) checkEntries() {
	r.t.Helper()
	entries, err := r.l.Entries(r.t.Context(), Filter{}, 10_000)
	must(r.t, err)
	var charged, counted, wantCharged, wantCounted pricing.Money
	topUps := 0
	for i := range entries {
		charged, counted = charged+entries[i].Charge, counted+entries[i].Counted
		if entries[i].Outcome == ToppedUp {
			topUps++
		}
	}
	for _, c := range r.m.settled {
		wantCharged, wantCounted = wantCharged+c.charged, wantCounted+c.counted
	}
	if charged != wantCharged || counted != wantCounted {
		r.t.Errorf("entries charge %s and count %s, want %s and %s", charged, counted, wantCharged, wantCounted)
	}
	if topUps != r.topUps || len(entries)-topUps != r.calls {
		r.t.Errorf("got %d entries and %d top-ups, want %d and %d", len(entries)-topUps, topUps, r.calls, r.topUps)
	}
}
