package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// slowModel is the ledger as one would write it without care for speed: balances are added up from all calls.
type slowModel struct {
	budgets []policies.Budget
	open    map[ID]Reservation
	settled []modelEntry
}

type modelEntry struct {
	Reservation
	estimate, counted pricing.Money
}

// scopeOf spells the values of a budget's dimensions in the order of names.
func scopeOf(b *policies.Budget, dims []Dim) string {
	text := ""
	for _, name := range slices.Sorted(slices.Values(b.Per)) {
		value := None
		for _, d := range dims {
			if d.Name == name && d.Verified {
				value = "=" + d.Value
				break
			}
		}
		text += " " + value
	}
	return text
}

// balances returns spent and reserved by budget and scope, in the windows that contain now.
func (m *slowModel) balances(now time.Time) map[string][2]pricing.Money {
	out := map[string][2]pricing.Money{}
	for i := range m.budgets {
		b := &m.budgets[i]
		add := func(r *Reservation, spent, held pricing.Money) {
			if b.Start(r.At).Equal(b.Start(now)) && spent+held > 0 {
				key := string(b.Name) + scopeOf(b, r.Dims)
				sum := out[key]
				out[key] = [2]pricing.Money{sum[0] + spent, sum[1] + held}
			}
		}
		for _, e := range m.settled {
			spent := e.counted
			if b.AbortedEstimate {
				spent = e.estimate
			}
			add(&e.Reservation, spent, 0)
		}
		for _, r := range m.open {
			add(&r, 0, r.Charge)
		}
	}
	return out
}

// admits reports whether every budget can hold need more.
func (m *slowModel) admits(dims []Dim, need pricing.Money, now time.Time) bool {
	sums := m.balances(now)
	for i := range m.budgets {
		b := &m.budgets[i]
		sum := sums[string(b.Name)+scopeOf(b, dims)]
		left := b.Limit - sum[0] - sum[1]
		if left < need || (need == 0 && left <= 0 && !b.FreeOnly) {
			return false
		}
	}
	return true
}

// ledgerBalances returns what the ledger says, in the form of the model.
func ledgerBalances(l *Ledger, now time.Time) map[string][2]pricing.Money {
	out := map[string][2]pricing.Money{}
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
			out[key] = [2]pricing.Money{b.Spent, b.Reserved}
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
	calls int
}

func (r *run) options() Options {
	return Options{
		Now: func() time.Time { return r.now }, FlushInterval: time.Hour, SyncInterval: time.Hour, SegmentBytes: 8 << 10,
	}
}

// randomBudgets returns a few budgets, some of which share a meter.
func (r *run) randomBudgets() []policies.Budget {
	berlin := time.FixedZone("Berlin", 3600)
	all := []policies.Budget{
		{Name: "a", Limit: 60 * cent, Window: policies.Month, Zone: time.UTC},
		{Name: "b", Limit: 40 * cent, Window: policies.Day, Zone: berlin},
		{Name: "c", Limit: 25 * cent, Per: []policies.DimensionName{"team"}, Window: policies.Day, Zone: time.UTC},
		{Name: "d", Limit: 35 * cent, Per: []policies.DimensionName{"team"}, Window: policies.Day, Zone: time.UTC, FreeOnly: true},
		{Name: "e", Limit: 15 * cent, Per: []policies.DimensionName{"user", "team"}, Window: policies.Month, Zone: time.UTC, AbortedEstimate: true},
	}
	r.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:r.rand.IntN(len(all)+1)]
}

func (r *run) randomDims() []Dim {
	var dims []Dim
	for _, name := range []policies.DimensionName{"team", "user"} {
		if r.rand.IntN(4) > 0 {
			value := []string{"x", "y", "", "\xff", None}[r.rand.IntN(5)]
			dims = append(dims, Dim{Name: name, Value: value, Verified: r.rand.IntN(5) > 0})
		}
	}
	return dims
}

// pick returns an open reservation, if there is one.
func (r *run) pick() (Reservation, bool) {
	ids := make([]ID, 0, len(r.m.open))
	for id := range r.m.open {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return Reservation{}, false
	}
	slices.SortFunc(ids, func(a, b ID) int { return slices.Compare(a[:], b[:]) })
	return r.m.open[ids[r.rand.IntN(len(ids))]], true
}

func (r *run) reserve() {
	charge := pricing.Money(r.rand.IntN(8)) * cent
	call := Reservation{Call: Call{ID: NewID(r.now), Dims: r.randomDims()}, Bound: charge + cent, Charge: charge}
	if r.rand.IntN(2) == 0 {
		call.Estimate = cent / 2
	}
	model := call
	model.At, model.Dims = r.now, validDims(call.Dims)
	want := r.m.admits(model.Dims, charge, r.now)
	if got := r.l.Admit(call.Dims, charge, r.now) == nil; got != want {
		r.t.Fatalf("admit %v %s: got %t, want %t", call.Dims, charge, got, want)
	}
	if r.rand.IntN(10) == 0 {
		refusal, err := r.l.Book(call, r.now)
		if err != nil || (refusal == nil) != want {
			r.t.Fatalf("book %v %s: got %v, %v, want admitted %t", call.Dims, charge, refusal, err, want)
		}
		r.m.open[call.ID] = model
		return
	}
	err := r.l.Reserve(call, r.now)
	if (err == nil) != want || (err != nil && !errors.Is(err, ErrExhausted)) {
		r.t.Fatalf("reserve %v %s: got %v, want admitted %t", call.Dims, charge, err, want)
	}
	if err == nil {
		r.m.open[call.ID] = model
	}
}

func (r *run) settle() {
	call, ok := r.pick()
	if !ok {
		return
	}
	cost := pricing.Money(r.rand.Int64N(int64(call.Charge) + 1))
	e := paid(call.ID, cost)
	counted := cost
	if r.rand.IntN(3) == 0 {
		e = aborted(call.ID, cost)
		counted = call.Charge
	}
	must(r.t, r.l.Settle(e))
	must(r.t, r.l.Settle(e))
	delete(r.m.open, call.ID)
	r.m.settled = append(r.m.settled, modelEntry{call, cost, counted})
	r.calls++
}

func (r *run) release() {
	if call, ok := r.pick(); ok {
		must(r.t, r.l.Release(call.ID, "refused", r.now))
		delete(r.m.open, call.ID)
		r.calls++
	}
}

func (r *run) hit() {
	must(r.t, r.l.Record(Entry{Call: Call{ID: NewID(r.now), Dims: r.randomDims()}, Outcome: CacheHit}, r.now))
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
	for id, call := range r.m.open {
		estimate := call.Estimate
		if estimate == 0 {
			estimate = call.Bound
		}
		r.m.settled = append(r.m.settled, modelEntry{call, min(estimate, call.Charge), call.Charge})
		delete(r.m.open, id)
		r.calls++
	}
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

func (r *run) step() string {
	switch n := r.rand.IntN(100); {
	case n < 45:
		r.reserve()
		return "reserve"
	case n < 75:
		r.settle()
		return "settle"
	case n < 82:
		r.release()
		return "release"
	case n < 87:
		r.hit()
		return "hit"
	case n < 92:
		r.now = r.now.Add(time.Duration(r.rand.IntN(20)) * time.Hour)
		return "later"
	case n < 95:
		r.reload()
		return "reload"
	case n < 98:
		must(r.t, r.l.Flush(r.t.Context()))
		return "flush"
	default:
		r.crash()
		return "crash"
	}
}

func TestBalancesEqualASlowModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := &run{t: t, rand: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), now: noon}
			r.m.open = map[ID]Reservation{}
			r.start()
			defer func() { must(t, r.l.Close()) }()
			for i := range 400 {
				what := r.step()
				if diff := cmp.Diff(r.m.balances(r.now), ledgerBalances(r.l, r.now)); diff != "" {
					t.Fatalf("balances after step %d, %s (-want +got):\n%s", i, what, diff)
				}
			}
			s, err := r.l.Summary(t.Context(), time.Unix(0, 0), r.now.AddDate(1, 0, 0))
			must(t, err)
			if int(s.Calls) != r.calls {
				t.Errorf("got %d entries, want %d", s.Calls, r.calls)
			}
		})
	}
}
