package ledger

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farebox-mesh/farebox/pricing"
)

func TestTailKeepsTheLatestEntries(t *testing.T) {
	place := func(seq int64) Position { return Position{Segment: 1, Offset: 100 * seq, Seq: seq} }
	tl := tail{limit: 3, from: place(0)}
	add := func(from, until int64) {
		for seq := from; seq <= until; seq++ {
			tl.add(&Entry{Attempts: int(seq)}, place(seq-1), place(seq))
		}
	}
	check := func(after int64, limit int, end int64, want []int, next int64, ok bool) {
		t.Helper()
		entries, gotNext, gotOK := tl.after(place(after), limit, place(end))
		var got []int
		for i := range entries {
			got = append(got, entries[i].Attempts)
		}
		if diff := cmp.Diff(want, got); diff != "" || gotNext != place(next) || gotOK != ok {
			t.Errorf("after %d: got next %v, %t, want %v, %t, entries (-want +got):\n%s", after, gotNext, gotOK, place(next), ok, diff)
		}
	}
	check(0, 2, 0, nil, 0, true)
	add(1, 3)
	check(0, 2, 5, []int{1, 2}, 2, true)
	check(0, 2, 5, []int{1, 2}, 2, true) // the database refused them
	check(2, 2, 5, []int{3}, 5, true)    // 4 and 5 are reservations
	check(5, 2, 5, nil, 5, true)
	add(6, 9)
	check(5, 2, 9, nil, 8, false)
	check(7, 2, 9, nil, 8, false)
	check(8, 2, 9, []int{9}, 9, true)
}

// What the sink hears of in memory is what it would have read, whatever is in an entry.
func TestEntriesFromMemoryEqualThoseFromFiles(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet)
	r := rand.New(rand.NewPCG(3, 4))
	var want []Entry
	for i := range 200 {
		var e Entry
		scramble(t, reflect.ValueOf(&e).Elem(), r)
		e.ID = NewID(noon)
		e.At = noon.Add(-time.Duration(i) * time.Second) // newest first
		e.Cost, e.Charge, e.Extra, e.Baseline, e.WouldCost, e.ListCost = 0, 0, 0, e.Savings.Total(), 0, 3
		e.Outcome = Outcome(names[r.IntN(5)])
		for _, s := range []*string{(*string)(&e.Provider), (*string)(&e.API), (*string)(&e.Route), (*string)(&e.Rule),
			(*string)(&e.Tier), (*string)(&e.Pool), &e.Would} {
			*s = names[r.IntN(len(names))] // names of the policy, which are valid
		}
		for i := range e.Dims {
			e.Dims[i].Name = "team"
		}
		must(t, l.Record(e, e.At))
		e.normalize()
		e.Counted, e.Bound, e.Overrun = 0, 0, false
		want = append(want, e)
	}
	files := openAt(t, copyDir(t, dir), quiet)
	for name, l := range map[string]*Ledger{"memory": l, "files": files} {
		got, err := l.Entries(t.Context(), Filter{}, 1000)
		must(t, err)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("entries from %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestASinkThatFallsBehindCatchesUpFromTheFiles(t *testing.T) {
	const callers, calls = 8, 150
	l := openAt(t, t.TempDir(), Options{FlushInterval: time.Millisecond, SegmentBytes: 32 << 10}, company(pricing.Dollar<<20))
	l.journal.mu.Lock()
	l.sink.tail.limit = 3
	l.journal.mu.Unlock()
	together(callers, func() {
		for range calls {
			r := hold(2 * cent)
			if err := l.Reserve(r, noon); err != nil {
				t.Error(err)
			}
			if err := l.Settle(paid(r.ID, cent)); err != nil {
				t.Error(err)
			}
		}
	})
	s, err := l.Summary(t.Context(), noon, noon.Add(time.Second))
	must(t, err)
	if s.Calls != callers*calls || s.Cost != callers*calls*cent {
		t.Errorf("got %d calls of %s USD, want %d of a cent", s.Calls, s.Cost, callers*calls)
	}
}
