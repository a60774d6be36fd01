package ledger

import (
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// BenchmarkShared is a reservation and its settlement with a redis-server on a socket: on leases, and for calls that
// are a large part of their budgets, each with a scope of its own, which need a round trip each.
func BenchmarkShared(b *testing.B) {
	session := policies.Budget{
		Name: "session", Limit: pricing.Dollar, Per: []policies.DimensionName{"session"}, Window: policies.Day, Zone: time.UTC,
	}
	for _, bench := range []struct {
		name     string
		sessions bool
		parallel bool
	}{{"leases", false, false}, {"leases under load", false, true}, {"round trips", true, false}, {"round trips under load", true, true}} {
		b.Run(bench.name, func(b *testing.B) {
			s := startRedis(b)
			l := openShared(b, b.TempDir(), s.URL(), company(pricing.Dollar<<24), perTeam(pricing.Dollar<<24), session)
			var calls atomic.Int64
			spend := func() {
				now := time.Now()
				id := NewID(now)
				r, e := typical(hold(2*cent), paid(id, cent))
				r.ID = id
				if bench.sessions {
					r.Dims = append(team("search"), Dim{Name: "session", Value: strconv.FormatInt(calls.Add(1), 10), Verified: true})
				}
				must(b, l.Reserve(r, now))
				must(b, l.Settle(e))
			}
			if !bench.sessions {
				must(b, l.SetBudgets(b.Context(), []policies.Budget{company(pricing.Dollar << 24), perTeam(pricing.Dollar << 24)}, time.Now()))
			}
			before, _ := l.Shared()
			b.ReportAllocs()
			b.ResetTimer()
			if bench.parallel {
				b.SetParallelism(16)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						spend()
					}
				})
			} else {
				for range b.N {
					spend()
				}
			}
			b.StopTimer()
			after, _ := l.Shared()
			b.ReportMetric(float64(after.Trips-before.Trips)/float64(b.N), "roundtrips/op")
		})
	}
}

// BenchmarkSharedCrowd is so many calls at once on a budget that has room for a quarter of them, each of which is a
// large part of it. Every round has a scope of its own.
func BenchmarkSharedCrowd(b *testing.B) {
	const calls, fit = 200, 50
	session := policies.Budget{
		Name: "session", Limit: fit * cent, Per: []policies.DimensionName{"session"}, Window: policies.Day, Zone: time.UTC,
	}
	s := startRedis(b)
	l := openShared(b, b.TempDir(), s.URL(), company(pricing.Dollar<<24), session)
	var outages, held atomic.Int64
	before, _ := l.Shared()
	round := 0
	for b.Loop() {
		round++
		dim := Dim{Name: "session", Value: strconv.Itoa(round), Verified: true}
		together(calls, func() {
			var limit *LimitError
			if _, err := reserveNow(l, cent, dim); err == nil {
				held.Add(1)
			} else if errors.As(err, &limit) && limit.Outage {
				outages.Add(1)
			}
		})
	}
	after, _ := l.Shared()
	if n := held.Load(); n > int64(fit*round) || n+outages.Load() < int64(fit*round) {
		b.Errorf("%d calls held in %d rounds, %d without an answer; want %d a round", n, round, outages.Load(), fit)
	}
	b.ReportMetric(float64(after.Trips-before.Trips)/float64(calls*round), "roundtrips/call")
	b.ReportMetric(float64(outages.Load())/float64(calls*round), "outages/call")
}
