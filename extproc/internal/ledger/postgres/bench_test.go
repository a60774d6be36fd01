package postgres

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/pricing"
)

// benchEntries is how many entries the benchmark of queries runs on: FAREBOX_BENCH_ENTRIES.
func benchEntries() int {
	n, err := strconv.Atoi(os.Getenv("FAREBOX_BENCH_ENTRIES"))
	if err != nil {
		return 20_000
	}
	return n
}

// synthetic returns the i-th of n entries, spread evenly over the 30 days before noon, of 250 scopes and 40 labels.
func synthetic(i, n int) ledger.Numbered {
	const month = 30 * 24 * time.Hour
	at := noon.Add(-month).Add(time.Duration(float64(i) / float64(n) * float64(month)))
	e := &ledger.Entry{
		Call: ledger.Call{
			ID: ledger.NewID(at), At: at, Provider: "openai", API: "openai_chat", Route: "openai", Asked: "gpt-6-astra",
			Model: pricing.ModelName(fmt.Sprintf("model %d", i%8)), Rule: "easy questions", Tier: "medium",
			Dims: []ledger.Dim{
				{Name: "team", Value: fmt.Sprintf("team %d", i*7%50), Verified: true},
				{Name: "feature", Value: fmt.Sprintf("feature %d", i*3%5)},
			},
		},
		Settled: at.Add(3 * time.Second), Outcome: ledger.OK, Status: 200, Attempts: 1 + i%5/4,
		Usage: pricing.Usage{Input: int64(i % 4000), CacheRead: 4096, Output: 180},
		Cost:  cent, Charge: cent, Counted: cent, Bound: 2 * cent, Baseline: 4 * cent, PriceSource: "list",
	}
	e.Savings[pricing.LeverTier] = 3 * cent
	return ledger.Numbered{Entry: e, After: ledger.Position{Segment: 1, Offset: int64(i), Seq: int64(i) + 1}}
}

// feedSynthetic applies the entries from one number up to another, of n, as the journal would.
func feedSynthetic(b *testing.B, s *Sink, from, until, n int) {
	b.Helper()
	for i := from; i < until; {
		var batch []ledger.Numbered
		for ; i < until && len(batch) < 1024; i++ {
			batch = append(batch, synthetic(i, n))
		}
		must(b, s.Apply(b.Context(), batch, batch[len(batch)-1].After))
	}
}

func openSink(b *testing.B, url string) *Sink {
	b.Helper()
	s, err := New(url)
	must(b, err)
	b.Cleanup(func() { must(b, s.Close()) })
	_, err = s.Resume(b.Context(), ledger.NewID(noon))
	must(b, err)
	return s
}

// BenchmarkApply is the cost of an entry in batches of 1024.
func BenchmarkApply(b *testing.B) {
	s := openSink(b, newDatabase(b))
	b.ResetTimer()
	feedSynthetic(b, s, 0, b.N, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkQueries is what people wait for.
func BenchmarkQueries(b *testing.B) {
	url, n := newDatabase(b), benchEntries()
	feedSynthetic(b, openSink(b, url), 0, n, n)
	execute(b, url, "VACUUM ANALYZE")
	conn := connectTo(b, url)
	for _, bm := range []struct{ name, query string }{
		{"cost by day, team and model", "SELECT day, dims ->> 'team', model, sum(cost_usd) FROM farebox.daily GROUP BY 1, 2, 3"},
		{"cost by team of a day", "SELECT dims ->> 'team', sum(cost_usd) FROM farebox.daily WHERE day = '2026-03-10' GROUP BY 1"},
		{"cost by hour of a day, from entries", `SELECT date_trunc('hour', at), sum(cost) FROM farebox.entries
			WHERE at >= '2026-03-10' AND at < '2026-03-11' GROUP BY 1`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			for b.Loop() {
				_, err := conn.Exec(b.Context(), bm.query)
				must(b, err)
			}
		})
	}
}
