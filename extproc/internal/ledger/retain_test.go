package ledger

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// spendAt books a call of a cent for a team at a moment.
func spendAt(t *testing.T, l *Ledger, at time.Time) {
	t.Helper()
	r, e := typical(hold(2*cent), paid(ID{}, cent))
	e.ID = r.ID
	must(t, l.Reserve(r, at))
	must(t, l.Settle(e))
}

func TestEntriesAreForgottenAndTheirTotalsStay(t *testing.T) {
	l := openNew(t, company(1000*cent), perTeam(1000*cent))
	for _, at := range []time.Time{
		noon.AddDate(0, -3, 0), noon.AddDate(0, -3, 0).Add(time.Hour), noon.AddDate(0, -2, 0), // gone
		noon.AddDate(0, 0, -13), noon.AddDate(0, 0, -2), noon, // in this month
	} {
		spendAt(t, l, at)
	}
	whole, err := l.Summary(t.Context(), noon.AddDate(-1, 0, 0), noon.Add(time.Hour))
	must(t, err)
	check := func(keep time.Duration, want int) {
		t.Helper()
		l.SetKeep(keep)
		l.sink.retainAt = time.Time{}
		must(t, l.sink.retain(t.Context(), l.keepFrom(), noon))
		entries, err := l.Entries(t.Context(), Filter{}, 100)
		must(t, err)
		if len(entries) != want {
			t.Errorf("keep %s: got %d entries, want %d", keep, len(entries), want)
		}
		got, err := l.Summary(t.Context(), noon.AddDate(-1, 0, 0), noon.Add(time.Hour))
		must(t, err)
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("keep %s: summary (-before +after):\n%s", keep, diff)
		}
	}
	check(0, 6)
	check(80*24*time.Hour, 4)
	check(24*time.Hour, 3) // a budget of this month may be added yet
	if s, err := l.Summary(t.Context(), noon.AddDate(0, -3, 0).Add(time.Minute), noon.AddDate(0, -2, 0)); err != nil || s.Calls != 1 {
		t.Errorf("from the middle of a forgotten day to the middle of another: got %+v, %v, want all of the other", s, err)
	}
	again := openAt(t, copyDir(t, l.journal.dir), quiet, company(1000*cent), perTeam(1000*cent))
	checkState(t, again, "company: 3 + 0, 997 left", "every team search: 1 + 0, 999 left")
	// A rolling budget that reaches back further counts forgotten days by their totals.
	setBudgets(t, again, policies.Budget{
		Name: "quarter", Limit: 100 * cent, Window: policies.Rolling, Length: 70 * 24 * time.Hour, Zone: time.UTC,
	})
	checkState(t, again, "quarter: 4 + 0, 96 left")
}

func TestWhatABudgetInForceNeedsIsKept(t *testing.T) {
	l := openNew(t, policies.Budget{
		Name: "quarter", Limit: 100 * cent, Window: policies.Rolling, Length: 90 * 24 * time.Hour, Zone: time.UTC,
	})
	l.SetKeep(24 * time.Hour)
	if from := l.keepFrom(); from.After(noon.Add(-90 * 24 * time.Hour)) {
		t.Errorf("got entries kept from %s, want those of 90 days", from)
	}
}

func TestForgettingGoesInSteps(t *testing.T) {
	l := openNew(t)
	for range forgetBatch + 1 {
		must(t, l.Record(Entry{Call: Call{ID: NewID(noon)}, Outcome: CacheHit, Settled: noon}, noon))
	}
	must(t, l.Flush(t.Context()))
	for _, want := range []bool{true, false, false} {
		if more, err := l.store.Forget(t.Context(), noon.AddDate(0, 0, 1).Truncate(day)); err != nil || more != want {
			t.Errorf("got more %t, %v, want %t", more, err, want)
		}
	}
	dir := l.journal.dir
	must(t, l.Close())
	before := fileSize(t, filepath.Join(dir, "ledger.db"))
	must(t, Compact(t.Context(), dir, noon))
	if after := fileSize(t, filepath.Join(dir, "ledger.db")); after >= before/2 {
		t.Errorf("compacted from %d to %d bytes, want less than half", before, after)
	}
}

func TestVersionOneIsBroughtUpToDate(t *testing.T) {
	dir := t.TempDir()
	first := openAt(t, dir, quiet)
	must(t, first.Close())
	must(t, os.Remove(filepath.Join(dir, "ledger.db")))
	st := &store{scopes: map[string]int64{}, labels: map[labels]int64{}}
	text, err := migrations.ReadFile("migrations/0001_entries.sql")
	must(t, err)
	must(t, st.openWriter(filepath.Join(dir, "ledger.db")))
	for _, step := range []string{
		string(text), "PRAGMA user_version = 1", "UPDATE position SET seq = 3",
		`INSERT INTO scopes VALUES (7, '[{"n":"team","v":"search","ok":true}]')`,
		"INSERT INTO labels VALUES (5, 'openai', 'openai_chat', 'openai', 'asked', 'model', '', '', 'medium', 'ok', 'list', '', '')",
		`INSERT INTO entries VALUES (3, x'000102030405060708090a0b0c0d0e0f', 1773489600000000000, 1773489601000000000, 7, 5, '', 0, 200,
			'a word', 1, 10, 20, 30, 40, 50, 60, 10000000, 15000000, 5000000, 0, 0, 0, 0, 0, 0, 0, 1, 0, 10000000, 20000000, 10000000, 1, 9)`,
	} {
		_, err := st.writer.Exec(step)
		must(t, err)
	}
	must(t, st.Close())

	l := openAt(t, dir, quiet, perTeam(100*cent))
	want := Entry{
		Call: Call{
			ID: ID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, At: noon, Dims: team("search"), Provider: "openai",
			API: "openai_chat", Route: "openai", Asked: "asked", Model: "model", Tier: "medium",
		},
		Settled: noon.Add(time.Second), Status: 200, Outcome: OK, Detail: "a word", Attempts: 1,
		Usage: pricing.Usage{Input: 10, CacheRead: 20, CacheWriteShort: 30, CacheWriteLong: 40, Output: 50, Reasoning: 60},
		Cost:  cent, Baseline: 15 * cent / 10, Savings: pricing.Savings{pricing.LeverTier: cent / 2}, Eligible: 1,
		PriceSource: "list", Charge: cent, Bound: 2 * cent, Counted: cent, Overrun: true, WouldCost: 9,
	}
	got, err := l.Entries(t.Context(), Filter{}, 10)
	must(t, err)
	if diff := cmp.Diff([]Entry{want}, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	checkState(t, l, "every team search: 1 + 0, 99 left")
	s, err := l.Summary(t.Context(), noon.Truncate(day), noon.Truncate(day).Add(day))
	must(t, err)
	if s.Calls != 1 || s.Usage != want.Usage || s.Savings != want.Savings || s.Overruns != 1 {
		t.Errorf("got %+v, want the call", s)
	}
}
