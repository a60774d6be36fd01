package metrics

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func BenchmarkRecord(b *testing.B) {
	m := New(prometheus.NewPedanticRegistry())
	c := downgraded()
	b.ReportAllocs()
	for b.Loop() {
		m.Record(c)
	}
}
