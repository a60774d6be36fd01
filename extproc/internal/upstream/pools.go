package upstream

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// Pools compares own pools with the APIs that they replace. A pool's GPUs cost the same whether they are busy
// or not, so it is cheaper when the calls that it could have taken in the last 24 hours would have cost more
// at the API than the GPUs cost in 24 hours. It stays cheaper until they fall below 90% of that, so that
// traffic does not flap around the break-even point. One that is used above a volume looks at the tokens of those calls
// instead, with the same margin. Neither takes more than its GPUs can do.
//
// Open makes one that keeps its state, and Close must follow; Read makes one that does not. Methods may run together.
type Pools struct {
	path   string // of the state file; "" keeps the state in memory only
	logger *slog.Logger
	stop   chan struct{} // closed by Close
	saver  sync.WaitGroup

	mu     sync.Mutex
	pools  map[policies.RouteName]*pool // guarded by mu
	loaded map[policies.RouteName]*pool // guarded by mu: of the file, until SetPools claims them
	dirty  bool                         // guarded by mu: pools differ from the file
	ended  bool                         // guarded by mu: Close was called
}

// pool is the state of one pool.
type pool struct {
	use      policies.PoolUse
	dayCost  pricing.Money // of its GPUs
	above    int64         // tokens a day, where it is used above a volume
	capacity int64         // tokens that it can make in a day
	history  history       // of the calls that it could have taken
	taken    history       // of those that it took; without costs
	cheaper  bool
	def      policies.Pool // not to be changed
	load     Load          // as last measured
	missed   bool          // some of its servers did not answer then
}

// keepAbove is the share of its GPU cost, in per cent, that a pool must replace to stay switched on.
const keepAbove = 90

// Observe notes a call that the pool could have taken, whether it took it or not: what it would have cost at
// the API, and its tokens. Calls for pools that the policy does not name are ignored.
func (p *Pools) Observe(name policies.RouteName, apiCost pricing.Money, tokens int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.pools[name]
	if q == nil {
		return
	}
	q.history.add(now, max(apiCost, 0), max(tokens, 0))
	q.update(now)
	p.dirty = true
}

// busy is the share of what its GPUs can do, in per cent, that a pool takes over 24 hours at most: traffic comes in
// waves, and calls that queue are answered late.
const busy = 80

// Took notes the tokens of a call that the pool served.
func (p *Pools) Took(name policies.RouteName, tokens int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.pools[name]; q != nil {
		q.taken.add(now, 0, max(tokens, 0))
		p.dirty = true
	}
}

// Cheaper reports whether the pool is to be used at now: it is cheaper than the API, or has the volume that the policy
// wants, and has room for the call, as far as its servers say. A pool that the policy does not name is not.
func (p *Pools) Cheaper(name policies.RouteName, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.pools[name]
	if q == nil {
		return false
	}
	if q.update(now) {
		p.dirty = true
	}
	return q.cheaper && !q.full() && !q.load.at(now).Full
}

// full reports whether the pool took as much as it takes in 24 hours.
func (q *pool) full() bool { return q.taken.tokens >= percent(q.capacity, busy) }

// update follows the break-even, or the volume, and reports whether it was crossed.
func (q *pool) update(now time.Time) bool {
	q.history.advance(now)
	q.taken.advance(now)
	was := q.cheaper
	has, wants := int64(q.history.cost), int64(q.dayCost)
	if q.use == policies.AboveVolume {
		has, wants = q.history.tokens, q.above
	}
	switch {
	case has > wants:
		q.cheaper = true
	case has < percent(wants, keepAbove):
		q.cheaper = false
	}
	return q.cheaper != was
}

// loadAt returns the pool's load as it stands at now.
func (q *pool) loadAt(now time.Time) Load {
	l := q.load.at(now)
	l.Servers = len(q.def.Endpoints)
	return l
}

// percent returns that share of a sum, rounded down and without overflow.
func percent[T ~int64](m T, share int64) T { return m/100*T(share) + m%100*T(share)/100 }

// PoolStatus is how a pool stands at a moment.
type PoolStatus struct {
	Name       policies.RouteName
	Use        policies.PoolUse
	APICost24h pricing.Money // of the calls that it could have taken in the last 24 hours
	GPUCost24h pricing.Money // of its GPUs in 24 hours
	Tokens24h  int64         // of those calls
	Above      int64         // tokens a day from which on it is used, where it is used above a volume
	Taken24h   int64         // tokens of the calls that it took
	Capacity   int64         // tokens that its GPUs can make in 24 hours
	Cheaper    bool          // or has the volume
	Full       bool          // it takes no more calls until its volume falls
	Load       Load          // as its servers say; unknown where they were not measured of late
}

// Status returns how every pool of the policy stands, by name.
func (p *Pools) Status(now time.Time) []PoolStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []PoolStatus
	for name, q := range p.pools {
		if q.update(now) {
			p.dirty = true
		}
		all = append(all, PoolStatus{
			Name: name, Use: q.use, APICost24h: q.history.cost, GPUCost24h: q.dayCost,
			Tokens24h: q.history.tokens, Cheaper: q.cheaper,
			Above: q.above, Taken24h: q.taken.tokens, Capacity: q.capacity, Full: q.full(),
			Load: q.loadAt(now),
		})
	}
	slices.SortFunc(all, func(a, b PoolStatus) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// SetPools replaces the pools by those of a policy. A pool that keeps its name keeps its history; the history
// of one that is gone is given up.
func (p *Pools) SetPools(pools []policies.Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := make(map[policies.RouteName]*pool, len(pools))
	for _, def := range pools {
		q := cmp.Or(p.pools[def.Name], p.loaded[def.Name], &pool{})
		q.def = def
		q.use, q.dayCost, q.above, q.capacity = def.Use, policies.DayCost(def), def.Above, policies.DayCapacity(def)
		next[def.Name] = q
	}
	p.pools, p.loaded, p.dirty = next, nil, true
}
