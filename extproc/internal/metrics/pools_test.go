package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestPools(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(NewPools(func() []PoolState {
		return []PoolState{
			{Pool: "dark", Servers: 1},
			{Pool: "gpu", Servers: 2, Measured: 2, Known: true, TokensPerSecond: 2375, Utilisation: 0.95, Running: 40, Waiting: 3, Cache: 0.5, Full: true},
			{Pool: "half", Servers: 2, Measured: 1, Running: 2},
		}
	}))
	want := []string{
		`farebox_pool_cache_usage_ratio{pool="gpu"} 0.5`, `farebox_pool_cache_usage_ratio{pool="half"} 0`,
		`farebox_pool_full{pool="dark"} 0`, `farebox_pool_full{pool="gpu"} 1`, `farebox_pool_full{pool="half"} 0`,
		`farebox_pool_requests{pool="gpu",state="running"} 40`, `farebox_pool_requests{pool="gpu",state="waiting"} 3`,
		`farebox_pool_requests{pool="half",state="running"} 2`, `farebox_pool_requests{pool="half",state="waiting"} 0`,
		`farebox_pool_servers{measured="false",pool="dark"} 1`, `farebox_pool_servers{measured="false",pool="gpu"} 0`,
		`farebox_pool_servers{measured="false",pool="half"} 1`, `farebox_pool_servers{measured="true",pool="dark"} 0`,
		`farebox_pool_servers{measured="true",pool="gpu"} 2`, `farebox_pool_servers{measured="true",pool="half"} 1`,
		`farebox_pool_tokens_per_second{pool="gpu"} 2375`, `farebox_pool_utilisation_ratio{pool="gpu"} 0.95`,
	}
	if diff := cmp.Diff(want, scrape(t, reg, "farebox_")); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}
