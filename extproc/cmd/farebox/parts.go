package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
)

// defaultCacheMegabytes is the size of the exact cache until a policy states one. Memory is taken as it fills.
const defaultCacheMegabytes = 256

// parts are the long-lived pieces of a serving process.
type parts struct {
	env
	policyFile string
	logger     *slog.Logger
	registry   *prometheus.Registry
	metrics    *metrics.Metrics
	steps      *metrics.Steps
	ledger     *ledger.Ledger
	pools      *upstream.Pools
	cache      *cache.Cache
	conductor  *exchange.Conductor
	ready      atomic.Bool
	granted    atomic.Bool // the store of shared budgets has handed something out since the start
	policy     atomic.Pointer[policyState]
}

// open reads the policy and opens everything that it needs.
func open(ctx context.Context, s serveFlags, m *metrics.Metrics, registry *prometheus.Registry, logger *slog.Logger, e env) (*parts, error) {
	l, err := await(ctx, func() (loaded, error) { return readPolicy(s.policy, e.stderr) })
	if err != nil {
		return nil, err
	}
	set := l.set
	p := &parts{env: e, policyFile: s.policy, logger: logger, registry: registry, metrics: m, steps: metrics.NewSteps(registry)}
	p.policy.Store(&policyState{set: set}) // the ledger tells of what an earlier process left
	credentials, err := p.openStores(ctx, s, set)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.conductor = exchange.NewConductor(exchange.Parts{
		Ledger: p.ledger, Cache: p.cache, Prefixes: cache.NewPrefixes(), Pools: p.pools,
		Metrics: m, Logger: logger, Now: e.now,
	}, &exchange.Snapshot{Set: set, Credentials: credentials})
	p.policy.Store(&policyState{set: set, credentials: credentials, from: l.from, loaded: e.now()})
	p.observe()
	p.ready.Store(true)
	return p, nil
}

func (p *parts) openStores(ctx context.Context, s serveFlags, set *policies.Set) (_ *upstream.Credentials, err error) {
	sinks, err := s.postgres.sinks()
	if err != nil {
		return nil, err
	}
	shared, err := s.shared()
	if err != nil {
		return nil, err
	}
	options := ledger.Options{Now: p.now, Logger: p.logger, OnStep: p.stepPassed, OnSettle: p.settled, Sinks: sinks}
	if shared != nil {
		options.Shared, options.Answers = shared, shared
	}
	if p.ledger, err = ledger.Open(s.state, options); err != nil {
		return nil, err
	}
	p.pools = upstream.Open(s.state, p.now(), p.logger)
	if p.cache, err = cache.New(cacheSize(set), p.metrics); err != nil {
		return nil, err
	}
	return p.apply(ctx, set)
}

// apply reads the credentials of a policy and tells the stores of it, before calls are decided by it. If it fails,
// what they knew of the old policy is still in force.
func (p *parts) apply(ctx context.Context, set *policies.Set) (*upstream.Credentials, error) {
	credentials, err := await(ctx, func() (*upstream.Credentials, error) {
		return upstream.LoadCredentials(set.Policy(), p.logger)
	})
	if err != nil {
		return nil, err
	}
	if err := p.ledger.SetBudgets(ctx, set.Policy().Budgets, p.now()); err != nil {
		return nil, err
	}
	p.ledger.SetKeep(set.Policy().Keep)
	p.pools.SetPools(set.Policy().Pools)
	return credentials, nil
}

// cacheSize is the size in megabytes that a policy wants of the exact cache.
func cacheSize(set *policies.Set) int {
	if e := set.Policy().Exact; e != nil && e.MaxMegabytes > 0 {
		return e.MaxMegabytes
	}
	return defaultCacheMegabytes
}

// observe registers the metrics that are read from the parts.
func (p *parts) observe() {
	p.metrics.Reloaded(true, p.now())
	p.registry.MustRegister(metrics.NewBudgets(p.budgets), metrics.NewSinks(p.sinks), metrics.NewPools(p.loads), metrics.NewLedger(func() metrics.LedgerState {
		s := p.ledger.Stats()
		return metrics.LedgerState{
			Open: s.Open, Parked: s.Parked, Duplicates: s.Duplicates, Lost: s.Lost, Expired: s.Expired,
			Adjusted: s.Adjusted, Bounds: ratios(&s.Bounds), Estimates: ratios(&s.Estimates),
		}
	}))
	if _, ok := p.ledger.Shared(); ok {
		p.registry.MustRegister(metrics.NewShared(p.leases))
	}
}

// leases is how the leases on shared budgets stand.
func (p *parts) leases() metrics.SharedState {
	s, _ := p.ledger.Shared()
	return metrics.SharedState{Trips: s.Trips, Failures: s.Failures, Refusals: s.Refusals, Spare: s.Spare, Down: s.Down}
}

// sinks is how the databases stand that the journal feeds.
func (p *parts) sinks() []metrics.SinkState {
	var states []metrics.SinkState
	for _, s := range p.ledger.Sinks() {
		states = append(states, metrics.SinkState{
			Name: s.Name, Known: s.Known, Behind: s.Behind, Refused: s.Refused, Failing: s.Err != nil,
		})
	}
	return states
}

// loads is how busy the pools are.
func (p *parts) loads() []metrics.PoolState {
	var states []metrics.PoolState
	for _, s := range p.pools.Status(p.now()) {
		l := &s.Load
		states = append(states, metrics.PoolState{
			Pool: s.Name, Servers: l.Servers, Measured: l.Measured, Known: l.Known, TokensPerSecond: l.TokensPerSecond,
			Utilisation: l.Utilisation, Running: l.Running, Waiting: l.Waiting, Cache: l.Cache, Full: l.Full,
		})
	}
	return states
}

// stepPassed counts a step that a budget has passed.
func (p *parts) stepPassed(e ledger.StepEvent) { p.steps.Passed(e.Budget, e.Step) }

// settled counts a call that the ledger has settled.
func (p *parts) settled(e *ledger.Entry) { exchange.Count(p.metrics, p.policy.Load().set, e) }

// ratios is a histogram as the metrics know it.
func ratios(r *ledger.Ratios) metrics.Ratios {
	return metrics.Ratios{Buckets: r.Cumulative(), Count: uint64(r.Count), Sum: float64(r.Sum) / 1000}
}

func (p *parts) budgets() []metrics.BudgetState {
	var states []metrics.BudgetState
	for _, b := range p.ledger.Fullest(p.now()) {
		states = append(states, metrics.BudgetState{Budget: b.Budget, Limit: b.Limit, Spent: b.Spent, Reserved: b.Reserved})
	}
	return states
}

func (p *parts) mode() policies.Mode { return p.policy.Load().set.Policy().Mode }

// close gives everything back, the ledger last: what others still settle must reach it.
func (p *parts) close() error {
	var errs []error
	if p.cache != nil {
		errs = append(errs, p.cache.Close())
	}
	if p.pools != nil {
		errs = append(errs, p.pools.Close())
	}
	if p.ledger != nil {
		errs = append(errs, p.ledger.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}
