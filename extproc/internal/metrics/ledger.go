package metrics

import "github.com/prometheus/client_golang/prometheus"

// LedgerState is how the ledger stands. Duplicates and Lost count since the process started.
type LedgerState struct {
	Open       int   // reservations under way
	Behind     int64 // journal records that the database does not have yet
	Duplicates int64
	Lost       int64
}

// Ledger exports how the ledger stands.
type Ledger struct {
	state                          func() LedgerState
	open, behind, duplicates, lost *prometheus.Desc
}

// NewLedger returns a collector that calls state at every scrape. It may be called from several goroutines.
func NewLedger(state func() LedgerState) *Ledger {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &Ledger{
		state:      state,
		open:       desc("farebox_reservations_open", "Calls that are reserved and not settled yet."),
		behind:     desc("farebox_sink_lag_entries", "Journal entries that the database does not have yet."),
		duplicates: desc("farebox_duplicate_settlements_total", "Settlements of calls that were already settled. They changed nothing."),
		lost:       desc("farebox_lost_total", "Calls that an earlier process left open: settled at their bound at start."),
	}
}

// Describe implements prometheus.Collector.
func (l *Ledger) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{l.open, l.behind, l.duplicates, l.lost} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (l *Ledger) Collect(ch chan<- prometheus.Metric) {
	s := l.state()
	ch <- prometheus.MustNewConstMetric(l.open, prometheus.GaugeValue, float64(s.Open))
	ch <- prometheus.MustNewConstMetric(l.behind, prometheus.GaugeValue, float64(s.Behind))
	ch <- prometheus.MustNewConstMetric(l.duplicates, prometheus.CounterValue, float64(s.Duplicates))
	ch <- prometheus.MustNewConstMetric(l.lost, prometheus.CounterValue, float64(s.Lost))
}
