package exchange

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// Ledger holds and books money. All methods may run together.
type Ledger interface {
	Reserve(ledger.Reservation, time.Time) error
	Book(ledger.Reservation, time.Time) (*ledger.LimitError, error)
	Admit(dims []ledger.Dim, need pricing.Money, now time.Time) error
	Settle(ledger.Entry) error
	Release(id ledger.ID, reason string, now time.Time) error
	Record(ledger.Entry, time.Time) error
}

// Cache replays answers.
type Cache interface {
	Get(cache.Key, time.Time) (cache.Entry, bool)
	Put(cache.Key, cache.Entry) error
}

// Prefixes remembers which prompts begin alike.
type Prefixes interface {
	Claim(cache.PrefixKey, time.Time) bool
	Sent(cache.PrefixKey, time.Time)
	Kept(cache.PrefixKey, time.Time)
}

// Pools knows when own GPUs are cheaper.
type Pools interface {
	Cheaper(policies.RouteName, time.Time) bool
	Observe(pool policies.RouteName, apiCost pricing.Money, tokens int64, now time.Time)
}

// Credentials holds the keys that the policy names.
type Credentials interface {
	Get(policies.RouteName) (upstream.Secret, bool)
}

// Parts is what a Conductor works with. Cache may be nil where no policy caches; all else is needed.
type Parts struct {
	Ledger      Ledger
	Cache       Cache
	Prefixes    Prefixes
	Pools       Pools
	Credentials Credentials
	Metrics     *metrics.Metrics
	Logger      *slog.Logger
	Now         func() time.Time
}

// Snapshot is one policy in force. An exchange ends under the snapshot that it began with.
type Snapshot struct{ Set *policies.Set }

// NewSnapshot returns the snapshot of a compiled policy.
func NewSnapshot(set *policies.Set) *Snapshot { return &Snapshot{Set: set} }

// Conductor holds what all exchanges share. NewConductor makes one.
type Conductor struct {
	ledger      Ledger
	cache       Cache
	prefixes    Prefixes
	pools       Pools
	credentials Credentials
	metrics     *metrics.Metrics
	logger      *slog.Logger
	now         func() time.Time
	misfit      sync.Once // reported
	snapshot    atomic.Pointer[Snapshot]
}

// NewConductor starts with a policy in force.
func NewConductor(p Parts, s *Snapshot) *Conductor {
	c := &Conductor{
		ledger: p.Ledger, cache: p.Cache, prefixes: p.Prefixes, pools: p.Pools, credentials: p.Credentials,
		metrics: p.Metrics, logger: p.Logger, now: p.Now,
	}
	c.snapshot.Store(s)
	return c
}

// Publish puts another policy in force for the exchanges that begin from now on.
func (c *Conductor) Publish(s *Snapshot) { c.snapshot.Store(s) }

// reportMisfit warns once of a proxy that is not configured as expected.
func (c *Conductor) reportMisfit(how string) {
	c.misfit.Do(func() {
		c.logger.Warn("the proxy's processing modes are not the shipped ones, calls may pass unread", "err", how)
	})
}
