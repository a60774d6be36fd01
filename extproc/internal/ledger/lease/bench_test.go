package lease

import (
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease/redistest"
	"github.com/farebox-mesh/farebox/pricing"
)

// BenchmarkTake reserves on three accounts out of leases, without a store in between.
func BenchmarkTake(b *testing.B) {
	s := newModelStore()
	h := NewHolder(s, Options{Replica: "a", Incarnation: 1, Now: func() time.Time { return s.now }})
	if err := h.Beat(b.Context()); err != nil {
		b.Fatal(err)
	}
	h.Open()
	var demands []Demand
	for _, key := range []string{"company", "team", "user"} {
		demands = append(demands, Demand{Lease: h.Lease(s.hour(key)), Limits: upTo(8_000_000 * pricing.Dollar)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Take(b.Context(), demands, 1000); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClaim is a round trip to a redis-server on a socket with the script on three accounts.
func BenchmarkClaim(b *testing.B) {
	s := redistest.Start(b, redistest.Redis)
	r := openRedis(b, s, RedisOptions{Recovery: time.Millisecond})
	op := Op{Replica: "a", Incarnation: 1}
	var ask Ask
	for _, key := range []string{"company", "team", "user"} {
		ask = append(ask, Need{len(op.Claims), 1})
		op.Claims = append(op.Claims, Claim{Account: hourOf(key), Limits: upTo(8_000_000 * pricing.Dollar), Exact: true})
	}
	op.Asks = []Ask{ask}
	b.ReportAllocs()
	for b.Loop() {
		op.Sequence++
		if _, err := r.Do(b.Context(), op); err != nil {
			b.Fatal(err)
		}
	}
}
