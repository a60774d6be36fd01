package ledger

import (
	"math"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// typical fills in what a call through the server says of itself.
func typical(r Reservation, e Entry) (Reservation, Entry) {
	r.Provider, r.API, r.Route, r.Asked, r.Model = "openai", "openai_chat", "openai", "gpt-6-astra", "gpt-6-luna"
	r.Rule, r.Tier, r.Dims = "easy questions", "medium", team("search")
	e.Responded, e.Status, e.Attempts = "gpt-6-luna-2026-02-01", 200, 1
	e.Usage = pricing.Usage{Input: 1200, CacheRead: 4096, Output: 180}
	e.PriceSource = "https://openai.com/api/pricing (2026-03)"
	e.Baseline, e.Savings[pricing.LeverTier] = e.Cost+7*cent, 7*cent
	return r, e
}

func BenchmarkReserveAndSettle(b *testing.B) {
	l := openAt(b, b.TempDir(), Options{FlushInterval: time.Hour}, company(pricing.Dollar<<30), perTeam(pricing.Dollar<<30))
	b.ReportAllocs()
	for b.Loop() {
		id := NewID(noon)
		r, e := typical(hold(2*cent), paid(id, cent))
		r.ID = id
		must(b, l.Reserve(r, noon))
		must(b, l.Settle(e))
	}
}

// BenchmarkBooks is a reservation and its settlement in memory alone, on budgets of the kinds that there are.
func BenchmarkBooks(b *testing.B) {
	models := company(pricing.Dollar << 30)
	models.Per = []policies.DimensionName{policies.DimModel}
	for name, budgets := range map[string][]policies.Budget{
		"one budget":   {company(pricing.Dollar << 30)},
		"four budgets": {company(pricing.Dollar << 30), perTeam(pricing.Dollar << 30), models, perTeam(pricing.Dollar << 29)},
		"rolling":      {rolling(pricing.Dollar << 30)},
	} {
		b.Run(name, func(b *testing.B) {
			k := newBooks(budgets...)
			r, e := typical(hold(2*cent), paid(NewID(noon), cent))
			r.At = noon
			e.bookOn(&r)
			now := noon
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(10 * time.Millisecond)
				r.At, e.At = now, now
				holds, refusal := k.hold(&r, now, true)
				if refusal != nil {
					b.Fatal(refusal)
				}
				k.free(holds)
				k.spend(&e, 1)
			}
		})
	}
}

// BenchmarkFullest is what a scrape of the metrics costs with a hundred thousand scopes, beside what the page reads.
func BenchmarkFullest(b *testing.B) {
	sessions := perTeam(pricing.Dollar)
	l := openAt(b, b.TempDir(), Options{FlushInterval: time.Hour}, sessions)
	for i := range 100_000 {
		r := hold(cent, team(strconv.Itoa(i))...)
		r.At = noon
		if _, refusal := l.books.hold(&r, noon, true); refusal != nil {
			b.Fatal(refusal)
		}
	}
	b.Run("fullest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Fullest(noon)
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Balances(noon)
		}
	})
}

// BenchmarkMemory says what stays in memory of entries: heap-MB/M-entries for a thousand teams, and heap-B/scope for
// scopes that are seen once.
func BenchmarkMemory(b *testing.B) {
	heap := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	for name, scopes := range map[string]int{"teams": 1000, "sessions": math.MaxInt} {
		b.Run(name, func(b *testing.B) {
			k := newBooks(company(pricing.Dollar<<30), perTeam(pricing.Dollar<<30))
			before := heap()
			for i := range b.N {
				r, e := typical(hold(2*cent), paid(NewID(noon), cent))
				r.At, r.Dims = noon, team(strconv.Itoa(i%scopes))
				e.bookOn(&r)
				holds, refusal := k.hold(&r, noon, true)
				if refusal != nil {
					b.Fatal(refusal)
				}
				k.free(holds)
				k.spend(&e, 1)
			}
			grown := float64(max(0, heap()-before))
			if scopes == math.MaxInt {
				b.ReportMetric(grown/float64(b.N), "heap-B/scope")
			} else {
				b.ReportMetric(grown/float64(b.N), "heap-MB/M-entries")
			}
			runtime.KeepAlive(k)
		})
	}
}

func BenchmarkAdmit(b *testing.B) {
	l := openAt(b, b.TempDir(), Options{FlushInterval: time.Hour}, company(pricing.Dollar), perTeam(pricing.Dollar))
	dims := team("search")
	b.ReportAllocs()
	for b.Loop() {
		must(b, l.Admit(&Call{Dims: dims}, 0, noon))
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	_, e := typical(hold(cent), paid(NewID(noon), cent))
	var frame []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if frame, err = appendRecord(frame, kindSettlement, &e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJournalAppend(b *testing.B) {
	l := openAt(b, b.TempDir(), Options{FlushInterval: time.Hour})
	r, e := typical(hold(cent), paid(NewID(noon), cent))
	e.Call = r.Call
	frame, err := encodeRecord(kindEntry, &e)
	must(b, err)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.journal.book(kindEntry, frame, &e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSink is the cost of bringing one call from the journal into the database, for a sink that keeps up and
// for one that has to read the files.
func BenchmarkSink(b *testing.B) {
	for name, limit := range map[string]int{"keeping up": maxTail, "from files": 0} {
		b.Run(name, func(b *testing.B) {
			l := openAt(b, b.TempDir(), Options{FlushInterval: time.Hour})
			l.sink.tail.limit = limit
			b.ReportAllocs()
			var cpu time.Duration
			now := noon
			for left := b.N; left > 0; left -= sinkBatch {
				b.StopTimer()
				for range min(left, sinkBatch) {
					now = now.Add(time.Millisecond)
					id := NewID(now)
					r, e := typical(hold(2*cent), paid(id, cent))
					r.ID = id
					must(b, l.Reserve(r, now))
					must(b, l.Settle(e))
				}
				b.StartTimer()
				before := processorTime(b)
				must(b, l.Flush(b.Context()))
				cpu += processorTime(b) - before
			}
			b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
		})
	}
}

// processorTime is how long this process has computed, whatever else the machine does.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
