package metrics

import "github.com/prometheus/client_golang/prometheus"

// SinkState is how a database stands that the journal feeds.
type SinkState struct {
	Name    string // "sqlite", "postgres"
	Known   bool   // it has said up to where it has the journal
	Behind  int64  // journal records that it does not have yet; for those that are Known
	Refused int64  // entries that it would not take since the process started
	Failing bool   // it cannot be written at the moment
}

// Sinks exports how the databases stand that the journal feeds.
type Sinks struct {
	state                    func() []SinkState
	behind, failing, refused *prometheus.Desc
}

// NewSinks returns a collector that calls state at every scrape. It may be called from several goroutines.
func NewSinks(state func() []SinkState) *Sinks {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, []string{"sink"}, nil) }
	return &Sinks{
		state: state,
		behind: desc("farebox_sink_behind_records", "Journal records, two for most calls, that a database does not have yet. "+
			"The journal keeps them. Absent until the database has been reached since the process started."),
		failing: desc("farebox_sink_failing", "Whether a database cannot be written at the moment."),
		refused: desc("farebox_sink_refused_total", "Entries that a database would not take. They are in refused.jsonl in the state folder."),
	}
}

// Describe implements prometheus.Collector.
func (s *Sinks) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{s.behind, s.failing, s.refused} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Sinks) Collect(ch chan<- prometheus.Metric) {
	for _, sink := range s.state() {
		failing := 0.0
		if sink.Failing {
			failing = 1
		}
		if sink.Known {
			ch <- prometheus.MustNewConstMetric(s.behind, prometheus.GaugeValue, float64(sink.Behind), sink.Name)
		}
		ch <- prometheus.MustNewConstMetric(s.failing, prometheus.GaugeValue, failing, sink.Name)
		ch <- prometheus.MustNewConstMetric(s.refused, prometheus.CounterValue, float64(sink.Refused), sink.Name)
	}
}
