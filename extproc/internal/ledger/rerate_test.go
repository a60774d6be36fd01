package ledger

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
)

// perToken prices every token of input at a cent, but models that it does not know.
func perToken(e *Entry) (pricing.Money, string, bool) {
	return pricing.Money(e.Usage.Input) * cent, "list", e.Model != "nobody's"
}

// rerate re-rates a ledger, applies the corrections and returns what each call cost and costs, in cents.
func rerate(t *testing.T, l *Ledger) map[string][2]pricing.Money {
	t.Helper()
	got := map[string][2]pricing.Money{}
	for c, err := range Corrections(l.Between(t.Context(), time.Time{}, noon.AddDate(1, 0, 0)), perToken) {
		must(t, err)
		if c.Kept != Rerated {
			got[string(c.Call.Model)+": "+string(c.Kept)] = [2]pricing.Money{c.Call.Cost / cent, c.Cost / cent}
			continue
		}
		got[string(c.Call.Model)] = [2]pricing.Money{c.Call.Cost / cent, c.Cost / cent}
		if c.Changed() {
			must(t, l.Adjust(c.Entry(noon.Add(time.Hour))))
		}
	}
	return got
}

func TestRerating(t *testing.T) {
	l := openNew(t, company(1000*cent))
	call := func(model string, tokens int64, cost pricing.Money, change func(*Reservation, *Entry)) {
		t.Helper()
		r, e := hold(50*cent, team("search")...), paid(ID{}, cost)
		r.Model, r.Asked, r.Route = pricing.ModelName(model), pricing.ModelName(model), "openai"
		e.Usage.Input = tokens
		if change != nil {
			change(&r, &e)
		}
		e.ID = reserved(t, l, r)
		must(t, l.Settle(e))
	}
	call("dearer", 7, 4*cent, nil)
	call("cheaper", 3, 8*cent, nil)
	call("right", 5, 5*cent, nil)
	call("rewritten", 2, 3*cent, func(r *Reservation, e *Entry) {
		r.Asked, e.Baseline, e.Savings[pricing.LeverTier] = "top", 9*cent, 6*cent
	})
	call("estimated", 30, 20*cent, func(_ *Reservation, e *Entry) { e.Estimated, e.Outcome = true, Cut })
	call("retried", 4, 10*cent, func(_ *Reservation, e *Entry) { e.Extra = 2 * cent })
	call("said", 1, 9*cent, func(_ *Reservation, e *Entry) { e.Stated = true })
	call("bare", 0, 9*cent, nil)
	call("nobody's", 1, 9*cent, nil)
	call("own", 1, 9*cent, func(r *Reservation, e *Entry) {
		r.Route, r.Pool, r.Charge, e.Charge = "gpu", "gpu", 0, 0
	})
	must(t, l.Record(Entry{Call: Call{ID: NewID(noon), Model: "hit"}, Outcome: CacheHit, Usage: pricing.Usage{Input: 9}, Settled: noon}, noon))
	must(t, l.Release(unbilled(reserved(t, l, hold(cent)), "never sent")))
	// Charged: 4 + 8 + 5 + 3 + 50 (the bound of an estimate) + 10 + 9 + 9 + 9 = 107.
	checkState(t, l, "company: 107 + 0, 893 left")

	want := map[string][2]pricing.Money{
		"dearer": {4, 7}, "cheaper": {8, 3}, "right": {5, 5}, "rewritten": {3, 2}, "estimated": {20, 30}, "retried": {10, 6},
		"said: stated": {9, 9}, "bare: no usage": {9, 9}, "nobody's: unknown model": {9, 9}, "own: own pool": {9, 9},
	}
	if diff := cmp.Diff(want, rerate(t, l)); diff != "" {
		t.Errorf("first run, cents before and after (-want +got):\n%s", diff)
	}
	// 3 more, 5, 1 and 4 less; the estimate still counts at its bound.
	checkState(t, l, "company: 100 + 0, 900 left")
	for model, costs := range want {
		want[model] = [2]pricing.Money{costs[1], costs[1]}
	}
	if diff := cmp.Diff(want, rerate(t, l)); diff != "" {
		t.Errorf("second run, cents before and after (-want +got):\n%s", diff)
	}
	entries, err := l.Entries(t.Context(), Filter{Outcome: Adjusted}, 100)
	must(t, err)
	if len(entries) != 5 {
		t.Errorf("got %d corrections, want 5", len(entries))
	}
	s, err := l.Summary(t.Context(), noon, noon.Add(time.Hour))
	must(t, err)
	if s.Calls != 12 || s.Cost != (7+3+5+2+30+6+9+9+9+9)*cent || s.Savings.Total() != s.Baseline-s.Cost {
		t.Errorf("got %d calls of %s USD, baseline %s, savings %s", s.Calls, s.Cost, s.Baseline, s.Savings.Total())
	}

	again := openAt(t, copyDir(t, l.journal.dir), quiet, company(1000*cent))
	checkState(t, again, "company: 100 + 0, 900 left")
}

func TestACorrectionThatComesTwiceCountsOnce(t *testing.T) {
	l := openNew(t, company(100*cent))
	r, e := hold(50*cent), paid(ID{}, 10*cent)
	e.Usage.Input = 4
	e.ID = reserved(t, l, r)
	must(t, l.Settle(e))
	var corrections []Entry
	for range 2 { // two who re-rate at once
		for c, err := range Corrections(l.Between(t.Context(), time.Time{}, noon.Add(time.Hour)), perToken) {
			must(t, err)
			corrections = append(corrections, c.Entry(noon))
		}
	}
	for _, c := range corrections {
		must(t, l.Adjust(c))
	}
	again := openAt(t, copyDir(t, l.journal.dir), quiet, company(100*cent))
	checkState(t, again, "company: 4 + 0, 96 left")
}

func TestACallThatWasSettledLateIsReratedByItsUsage(t *testing.T) {
	call := Entry{Call: Call{ID: ID{1}, At: noon, Model: "m"}, Outcome: Lost, Estimated: true, Cost: 50 * cent, Charge: 50 * cent, Counted: 50 * cent}
	late := Entry{Call: Call{ID: ID{2}, At: noon, Model: "m"}, Outcome: Adjusted, Adjusts: ID{1}, Cost: -40 * cent, Charge: -40 * cent, Counted: -40 * cent}
	late.Usage.Input = 12
	other := Entry{Call: Call{ID: ID{3}, At: noon.Add(1), Model: "m"}, Outcome: OK, Cost: cent, Usage: pricing.Usage{Input: 1}}
	all := slices.Values([]*Entry{&late, &call, &other})
	got := map[ID]pricing.Money{}
	for c, err := range Corrections(func(yield func(*Entry, error) bool) {
		for e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}, perToken) {
		must(t, err)
		got[c.Call.ID] = c.Entry(noon).Cost
	}
	if want := map[ID]pricing.Money{{1}: 2 * cent, {3}: 0}; !maps.Equal(want, got) {
		t.Errorf("got differences %v, want %v", got, want)
	}
}

func TestEntriesCanBeReadWhileTheFolderIsInUse(t *testing.T) {
	l := openNew(t)
	want := fill(t, l)
	must(t, l.Flush(t.Context()))
	x, err := ReadEntries(l.journal.dir)
	must(t, err)
	defer x.Close()
	var got []Entry
	for e, err := range x.Between(t.Context(), noon, noon.Add(3*time.Second)) {
		must(t, err)
		got = append(got, *e)
	}
	slices.Reverse(got)
	if diff := cmp.Diff(want[1:], got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if _, err := ReadEntries(t.TempDir()); err == nil {
		t.Error("a folder without a database: got nil, want an error")
	}
}
