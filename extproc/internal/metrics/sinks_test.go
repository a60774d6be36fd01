package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestSinks(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(NewSinks(func() []SinkState {
		return []SinkState{
			{Name: "sqlite", Known: true},
			{Name: "postgres", Known: true, Behind: 7, Refused: 2, Failing: true},
			{Name: "unreached", Behind: 36702, Failing: true},
		}
	}))
	want := []string{
		`farebox_sink_behind_records{sink="postgres"} 7`, `farebox_sink_behind_records{sink="sqlite"} 0`,
		`farebox_sink_failing{sink="postgres"} 1`, `farebox_sink_failing{sink="sqlite"} 0`, `farebox_sink_failing{sink="unreached"} 1`,
		`farebox_sink_refused_total{sink="postgres"} 2`, `farebox_sink_refused_total{sink="sqlite"} 0`,
		`farebox_sink_refused_total{sink="unreached"} 0`,
	}
	if diff := cmp.Diff(want, scrape(t, reg, "farebox_")); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}
