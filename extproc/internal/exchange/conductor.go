package exchange

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/extproc/internal/sparse"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// Ledger holds and books money. All methods may run together.
type Ledger interface {
	Reserve(ledger.Reservation, time.Time) error
	Book(ledger.Reservation, time.Time) (*ledger.LimitError, error)
	Admit(*ledger.Call, pricing.Money, time.Time) error
	Renew(ledger.ID, time.Time)
	Park(ledger.ID, ledger.Parking) error
	Parked(key string) (ledger.ID, bool)
	SharesAnswers() bool
	ShareAnswer(key string, answer []byte)
	SharedAnswers(context.Context) map[ledger.ID][]byte
	Reservation(ledger.ID) (ledger.Reservation, bool)
	Left(*policies.Budget, *ledger.Call, time.Time) (left, limit pricing.Money, covered bool)
	Expect(route policies.RouteName, model pricing.ModelName, dims []ledger.Dim) int64
	Settle(ledger.Entry) error
	Release(ledger.Entry) error
	Record(ledger.Entry, time.Time) error
}

// Cache replays answers.
type Cache interface {
	Get(cache.Key, time.Time) (cache.Entry, bool)
	Put(cache.Key, cache.Entry) error
}

// Prefixes remembers which prompts begin alike. All methods may run together.
type Prefixes interface {
	Claimable(cache.PrefixKey, time.Time) bool
	Claim(cache.PrefixKey, time.Time) bool
	Unclaim(cache.PrefixKey, time.Time)
	Sent(cache.PrefixKey, time.Time)
	Kept(cache.PrefixKey, time.Time)
}

// Pools knows when own GPUs are cheaper.
type Pools interface {
	Cheaper(policies.RouteName, time.Time) bool
	Observe(pool policies.RouteName, apiCost pricing.Money, tokens int64, now time.Time)
	Took(pool policies.RouteName, tokens int64, now time.Time)
}

// Credentials holds the keys that a policy names. All methods may run together.
type Credentials interface {
	Get(policies.RouteName) (upstream.Secret, bool)
}

// Parts is what a Conductor works with. Cache may be nil where no policy caches; all else is needed.
type Parts struct {
	Ledger   Ledger
	Cache    Cache
	Prefixes Prefixes
	Pools    Pools
	Metrics  *metrics.Metrics
	Logger   *slog.Logger
	Now      func() time.Time
}

// Snapshot is one policy in force, with the credentials that it names. An exchange ends under the snapshot that it
// began with.
type Snapshot struct {
	Set         *policies.Set
	Credentials Credentials
}

// Conductor holds what all exchanges share. NewConductor makes one.
type Conductor struct {
	ledger   Ledger
	cache    Cache
	prefixes Prefixes
	pools    Pools
	metrics  *metrics.Metrics
	logger   *slog.Logger
	now      func() time.Time
	misfit   sync.Once // reported
	// inflating has a place for each compressed body that is decoded at the moment: small bodies grow to megabytes.
	inflating chan struct{}
	snapshot  atomic.Pointer[Snapshot]
	outage    sparse.Gate // an outage of shared balances is logged
	unwritten sparse.Gate // a journal that cannot be written is logged
}

// maxInflating is how many compressed bodies are decoded at a time.
const maxInflating = 4

// NewConductor starts with a policy in force.
func NewConductor(p Parts, s *Snapshot) *Conductor {
	c := &Conductor{
		ledger: p.Ledger, cache: p.Cache, prefixes: p.Prefixes, pools: p.Pools,
		metrics: p.Metrics, logger: p.Logger, now: p.Now, inflating: make(chan struct{}, maxInflating),
	}
	c.snapshot.Store(s)
	return c
}

// Publish puts another policy in force for the exchanges that begin from now on.
func (c *Conductor) Publish(s *Snapshot) { c.snapshot.Store(s) }

// tellEvery is how often the log says what keeps calls from being served, which is the same for all of them.
const tellEvery = 10 * time.Second

// reportMisfit warns once of a proxy that is not configured as expected.
func (c *Conductor) reportMisfit(how string) {
	c.misfit.Do(func() {
		c.logger.LogAttrs(context.Background(), slog.LevelWarn,
			"the proxy's processing modes are not the shipped ones, calls may pass unread", slog.String("err", how))
	})
}
