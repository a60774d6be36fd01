package metrics

import "github.com/prometheus/client_golang/prometheus"

// LedgerState is how the ledger stands. Open and Parked are of now, all else counts since the process started.
type LedgerState struct {
	Open       int // reservations under way
	Parked     int // of those, the ones that wait for an answer to be fetched
	Duplicates int64
	Lost       int64
	Expired    int64
	Adjusted   int64
	Bounds     Ratios // cost by what was reserved
	Estimates  Ratios // cost by what was expected
}

// Ratios is a histogram: how many are at most as large as an edge, how many there are, and their sum.
type Ratios struct {
	Buckets map[float64]uint64
	Count   uint64
	Sum     float64
}

// Ledger exports how the ledger stands.
type Ledger struct {
	state             func() LedgerState
	gauges, counters  []ledgerNumber
	bounds, estimates *prometheus.Desc
}

// ledgerNumber is a number of LedgerState under its name.
type ledgerNumber struct {
	desc *prometheus.Desc
	of   func(*LedgerState) float64
}

// NewLedger returns a collector that calls state at every scrape. It may be called from several goroutines.
func NewLedger(state func() LedgerState) *Ledger {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &Ledger{
		state: state,
		gauges: []ledgerNumber{
			{desc("farebox_reservations_open", "Calls that are reserved and not settled yet."),
				func(s *LedgerState) float64 { return float64(s.Open) }},
			{desc("farebox_reservations_parked", "Calls of those that wait for a background answer to be fetched."),
				func(s *LedgerState) float64 { return float64(s.Parked) }},
		},
		counters: []ledgerNumber{
			{desc("farebox_duplicate_settlements_total", "Settlements of calls that were already settled. They changed nothing."),
				func(s *LedgerState) float64 { return float64(s.Duplicates) }},
			{desc("farebox_lost_total", "Calls that an earlier process left open: settled at their bound at start."),
				func(s *LedgerState) float64 { return float64(s.Lost) }},
			{desc("farebox_expired_total", "Calls that nobody settled or renewed in time: settled at their bound."),
				func(s *LedgerState) float64 { return float64(s.Expired) }},
			{desc("farebox_adjustments_total", "Calls of those that were settled after all: corrected by an entry of its own."),
				func(s *LedgerState) float64 { return float64(s.Adjusted) }},
		},
		bounds:    desc("farebox_bound_ratio", "What calls came to as a part of what was reserved for them. Above 1 is an overrun."),
		estimates: desc("farebox_estimate_ratio", "What calls came to by what they were expected to."),
	}
}

// Describe implements prometheus.Collector.
func (l *Ledger) Describe(ch chan<- *prometheus.Desc) {
	for _, n := range append(l.gauges[:len(l.gauges):len(l.gauges)], l.counters...) {
		ch <- n.desc
	}
	ch <- l.bounds
	ch <- l.estimates
}

// Collect implements prometheus.Collector.
func (l *Ledger) Collect(ch chan<- prometheus.Metric) {
	s := l.state()
	for _, n := range l.gauges {
		ch <- prometheus.MustNewConstMetric(n.desc, prometheus.GaugeValue, n.of(&s))
	}
	for _, n := range l.counters {
		ch <- prometheus.MustNewConstMetric(n.desc, prometheus.CounterValue, n.of(&s))
	}
	ch <- prometheus.MustNewConstHistogram(l.bounds, s.Bounds.Count, s.Bounds.Sum, s.Bounds.Buckets)
	ch <- prometheus.MustNewConstHistogram(l.estimates, s.Estimates.Count, s.Estimates.Sum, s.Estimates.Buckets)
}
