package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// benchEntries is how many entries the benchmarks of queries run on: FAREBOX_BENCH_ENTRIES, of which ten million take
// some ten minutes and three gigabytes in the folder for temporary files.
func benchEntries(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("FAREBOX_BENCH_ENTRIES"))
	if err != nil {
		return 20_000
	}
	return n
}

// synthetic returns the i-th of n entries, spread evenly over the 30 days before noon, of 250 scopes and 40 labels.
func synthetic(i, n int) Numbered {
	at := noon.Add(-30 * day).Add(time.Duration(float64(i) / float64(n) * float64(30*day)))
	r, e := typical(hold(2*cent), paid(NewID(at), cent))
	e.Call = r.Call
	e.ID, e.At, e.Settled = NewID(at), at, at.Add(3*time.Second)
	e.Dims = []Dim{
		{Name: "team", Value: fmt.Sprintf("team %d", i*7%50), Verified: true},
		{Name: "feature", Value: fmt.Sprintf("feature %d", i*3%5)},
	}
	e.Model = pricing.ModelName(fmt.Sprintf("model %d", i%8))
	e.Tier = policies.TierName(fmt.Sprintf("tier %d", i%5))
	e.Usage.Input = int64(i % 4000)
	return Numbered{&e, Position{Segment: 1, Offset: int64(i), Seq: int64(i) + 1}}
}

// bigStore fills a database with benchEntries and returns how long an entry took.
func bigStore(b *testing.B) (*store, time.Duration) {
	b.Helper()
	n := benchEntries(b)
	st, err := openStore(b.TempDir())
	must(b, err)
	b.Cleanup(func() { must(b, st.Close()) })
	var spent time.Duration
	batch := make([]Numbered, 0, sinkBatch)
	for i := 0; i < n; i += len(batch) {
		batch = batch[:0]
		for j := i; j < min(i+sinkBatch, n); j++ {
			batch = append(batch, synthetic(j, n))
		}
		start := time.Now()
		must(b, st.Apply(b.Context(), batch, batch[len(batch)-1].After))
		spent += time.Since(start)
	}
	return st, spent / time.Duration(n)
}

// BenchmarkQueries is what people and a start wait for.
func BenchmarkQueries(b *testing.B) {
	st, perEntry := bigStore(b)
	path := ""
	must(b, st.reader.QueryRow("SELECT file FROM pragma_database_list").Scan(&path))
	n := benchEntries(b)
	info, err := os.Stat(filepath.Clean(path))
	must(b, err)
	b.Logf("%d entries: %s each to write, %d bytes each", n, perEntry, info.Size()/int64(n))
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(b, err)
	march := time.Date(2026, time.March, 1, 0, 0, 0, 0, berlin)
	summary := func(since, until time.Time) func() error {
		return func() error {
			s := &Summary{Since: since, Until: until, Outcomes: map[Outcome]int64{}, Dims: map[policies.DimensionName][]Share{}}
			return st.read(context.Background(), func(tx *sql.Tx) error { return s.read(context.Background(), tx) })
		}
	}
	balances := func(q spentQuery) func() error {
		q.last = int64(n)
		return func() error {
			_, err := st.spent(context.Background(), q)
			return err
		}
	}
	latest := func(f Filter) func() error {
		return func() error {
			where, values := f.where()
			_, err := st.entries(context.Background(), " WHERE "+where+" ORDER BY e.at DESC, e.seq DESC LIMIT 100", values...)
			return err
		}
	}
	for _, bm := range []struct {
		name  string
		query func() error
	}{
		{"report of 30 days by team and model", summary(noon.Add(-30*day).Truncate(day), noon.Add(day))},
		{"report of today", summary(noon.Truncate(day), noon.Add(time.Hour))},
		{"report of the last 24 hours", summary(noon.Add(-day), noon)},
		{"balances of a month in another zone", balances(spentQuery{from: march, until: march.AddDate(0, 1, 0)})},
		{"balances of a rolling day", balances(spentQuery{from: noon.Add(-day), until: noon, grain: 5 * time.Minute})},
		{"latest 100 entries", latest(Filter{})},
		{"latest 100 of a model", latest(Filter{Model: "model 3"})},
	} {
		b.Run(bm.name, func(b *testing.B) {
			for b.Loop() {
				must(b, bm.query())
			}
		})
	}
}
