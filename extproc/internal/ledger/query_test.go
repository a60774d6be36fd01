package ledger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// fill books three calls and a hit, and returns the entries as they should be read back, newest first.
func fill(t *testing.T, l *Ledger) []Entry {
	t.Helper()
	r, e := typical(hold(20*cent), paid(ID{}, 3*cent))
	e.ID = reserved(t, l, r)
	must(t, l.Settle(e))
	e.Call, e.At, e.Bound, e.Counted = r.Call, noon, r.Bound, e.Charge

	p := Reservation{Call: r.Call, Bound: 9 * cent}
	p.ID, p.Route, p.Model, p.Pool, p.Tier, p.Dims = NewID(noon), "gpu", "deepseek-r1", "gpu", "coding", team("ads")
	pool := Entry{Call: Call{ID: p.ID}, Outcome: OK, Cost: cent, Baseline: 5 * cent, Eligible: 4 * cent, Settled: noon}
	pool.Usage = pricing.Usage{Input: 100, Output: 50, Reasoning: 20}
	pool.Savings[pricing.LeverTier], pool.Savings[pricing.LeverSelfHosting] = cent, 3*cent
	must(t, l.Reserve(p, noon.Add(time.Second)))
	must(t, l.Settle(pool))
	pool.Call, pool.At, pool.Bound = p.Call, noon.Add(time.Second), p.Bound

	cut := hold(8 * cent)
	must(t, l.Reserve(cut, noon.Add(2*time.Second)))
	gone := aborted(cut.ID, 2*cent)
	gone.Would, gone.WouldModel, gone.WouldCost = "tier", "gpt-6-luna", cent/2
	must(t, l.Settle(gone))
	gone.Call, gone.At, gone.Bound, gone.Counted = cut.Call, noon.Add(2*time.Second), 8*cent, 8*cent

	hit := Entry{Call: Call{ID: NewID(noon), Model: "gpt-6-luna", Dims: team("search")}, Outcome: CacheHit, Baseline: cent, Settled: noon}
	hit.Savings[pricing.LeverExactCache] = cent
	must(t, l.Record(hit, noon.Add(3*time.Second)))
	hit.At = noon.Add(3 * time.Second)
	return []Entry{hit, gone, pool, e}
}

func TestEntriesComeBackAsTheyWere(t *testing.T) {
	l := openNew(t, company(pricing.Dollar))
	want := fill(t, l)
	for _, tt := range []struct {
		name   string
		filter Filter
		limit  int
		want   []Entry
	}{
		{"all", Filter{}, 10, want},
		{"latest", Filter{}, 2, want[:2]},
		{"estimated", Filter{Estimated: true}, 10, want[1:2]},
		{"by model", Filter{Model: "deepseek-r1"}, 10, want[2:3]},
		{"by outcome", Filter{Outcome: CacheHit}, 10, want[:1]},
		{"by id", Filter{ID: want[3].ID}, 10, want[3:]},
		{"by time", Filter{Since: noon.Add(time.Second), Until: noon.Add(3 * time.Second)}, 10, want[1:3]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := l.Entries(t.Context(), tt.filter, tt.limit)
			must(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	l := openNew(t, company(pricing.Dollar))
	fill(t, l)
	got, err := l.Summary(t.Context(), noon, noon.Add(time.Hour))
	must(t, err)
	want := &Summary{
		Since: noon, Until: noon.Add(time.Hour),
		Sums:      Sums{Calls: 4, Cost: 6 * cent, Baseline: 18 * cent},
		Usage:     pricing.Usage{Input: 1300, CacheRead: 4096, Output: 230, Reasoning: 20},
		Savings:   pricing.Savings{pricing.LeverTier: 8 * cent, pricing.LeverExactCache: cent, pricing.LeverSelfHosting: 3 * cent},
		Estimated: 1, Bound: 8 * cent,
		Observed: Sums{1, 2 * cent, 2 * cent}, Would: cent / 2,
		Outcomes: map[Outcome]int64{OK: 2, Cancelled: 1, CacheHit: 1},
		Models: []Share{
			{"gpt-6-luna", Sums{3, 5 * cent, 13 * cent}}, {"deepseek-r1", Sums{1, cent, 5 * cent}},
		},
		Asked:  []Share{{"gpt-6-astra", Sums{2, 4 * cent, 15 * cent}}, {"", Sums{2, 2 * cent, 3 * cent}}},
		Tiers:  []Share{{"medium", Sums{1, 3 * cent, 10 * cent}}, {"", Sums{2, 2 * cent, 3 * cent}}, {"coding", Sums{1, cent, 5 * cent}}},
		Rules:  []Share{{"easy questions", Sums{2, 4 * cent, 15 * cent}}, {"", Sums{2, 2 * cent, 3 * cent}}},
		Routes: []Share{{"openai", Sums{1, 3 * cent, 10 * cent}}, {"", Sums{2, 2 * cent, 3 * cent}}, {"gpu", Sums{1, cent, 5 * cent}}},
		Dims: map[policies.DimensionName][]Share{
			"team": {{"search", Sums{2, 3 * cent, 11 * cent}}, {"ads", Sums{1, cent, 5 * cent}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if got.Savings.Total() != got.Baseline-got.Cost {
		t.Errorf("savings of %s, but baseline %s less cost %s", got.Savings.Total(), got.Baseline, got.Cost)
	}
}

func TestFoldersWithStrangeNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "50% off? #1")
	l := openAt(t, dir, quiet, company(pricing.Dollar))
	fill(t, l)
	must(t, l.Flush(t.Context()))
	if _, err := os.Stat(filepath.Join(dir, "ledger.db")); err != nil {
		t.Error(err)
	}
}

func TestADatabaseOfANewerFareboxIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet)
	_, err := l.store.writer.Exec("PRAGMA user_version = 99")
	must(t, err)
	must(t, l.Close())
	if _, err := Open(dir, quiet); err == nil || !strings.Contains(err.Error(), "version 99 is of a newer farebox") {
		t.Errorf("got %v, want the version to be named", err)
	}
}
