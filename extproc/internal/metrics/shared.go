package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/farebox-mesh/farebox/pricing"
)

// SharedState is how the leases stand by which replicas share budgets. Spare and Down are of now, all else counts
// since the process started.
type SharedState struct {
	Trips    int64         // round trips to the store
	Failures int64         // of those, the ones without an answer
	Refusals int64         // of those, the ones that asked for more than was left
	Spare    pricing.Money // what calls can take without a round trip
	Down     bool          // only what is spare can be spent
}

// Shared exports how the leases on shared budgets stand.
type Shared struct {
	state                                  func() SharedState
	trips, failures, refusals, spare, down *prometheus.Desc
}

// NewShared returns a collector that calls state at every scrape. It may be called from several goroutines.
func NewShared(state func() SharedState) *Shared {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &Shared{
		state:    state,
		trips:    desc("farebox_shared_round_trips_total", "Round trips to the store of shared budgets."),
		failures: desc("farebox_shared_failures_total", "Round trips to the store of shared budgets that had no answer."),
		refusals: desc("farebox_shared_refusals_total", "Round trips to the store of shared budgets that asked for more than was left."),
		spare:    desc("farebox_shared_spare_dollars", "What calls can take from leases without a round trip, all budgets together, in US dollars."),
		down:     desc("farebox_shared_down", "Whether the store of shared budgets cannot be reached, so that only leases can be spent."),
	}
}

// Describe implements prometheus.Collector.
func (s *Shared) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{s.trips, s.failures, s.refusals, s.spare, s.down} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Shared) Collect(ch chan<- prometheus.Metric) {
	state := s.state()
	down := 0.0
	if state.Down {
		down = 1
	}
	ch <- prometheus.MustNewConstMetric(s.trips, prometheus.CounterValue, float64(state.Trips))
	ch <- prometheus.MustNewConstMetric(s.failures, prometheus.CounterValue, float64(state.Failures))
	ch <- prometheus.MustNewConstMetric(s.refusals, prometheus.CounterValue, float64(state.Refusals))
	ch <- prometheus.MustNewConstMetric(s.spare, prometheus.GaugeValue, dollars(state.Spare))
	ch <- prometheus.MustNewConstMetric(s.down, prometheus.GaugeValue, down)
}
