package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/farebox-mesh/farebox/policies"
)

// PoolState is how busy an own pool is, as its servers say.
type PoolState struct {
	Pool              policies.RouteName
	Servers, Measured int     // that the policy names; of those, the ones that answered
	Known             bool    // the rates below, which need all servers
	TokensPerSecond   float64 // of prompts and answers
	Utilisation       float64 // share of the stated throughput, 1 is all
	Running, Waiting  int64   // requests on the measured servers
	Cache             float64 // share of the key-value cache that the fullest one uses
	Full              bool    // more calls would queue
}

// Pools exports how busy own pools are. What is not known has no sample.
type Pools struct {
	states                                              func() []PoolState
	utilisation, tokens, servers, requests, cache, full *prometheus.Desc
}

// NewPools returns a collector that calls states, which has one for each pool, at every scrape. It may be called from
// several goroutines.
func NewPools(states func() []PoolState) *Pools {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"pool"}, more...), nil)
	}
	return &Pools{
		states:      states,
		utilisation: desc("farebox_pool_utilisation_ratio", "Tokens that a pool processes, over its stated throughput; 1 is all of it."),
		tokens:      desc("farebox_pool_tokens_per_second", "Tokens of prompts and answers that a pool processes each second, over the last minutes."),
		servers:     desc("farebox_pool_servers", "Servers of a pool, by whether their load is measured.", "measured"),
		requests:    desc("farebox_pool_requests", "Requests on the measured servers of a pool that are running, or waiting in a queue.", "state"),
		cache:       desc("farebox_pool_cache_usage_ratio", "Share of the key-value cache that is in use on the fullest measured server of a pool."),
		full:        desc("farebox_pool_full", "Whether a pool is measured as full, so that calls prefer the API."),
	}
}

// Describe implements prometheus.Collector.
func (p *Pools) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{p.utilisation, p.tokens, p.servers, p.requests, p.cache, p.full} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (p *Pools) Collect(ch chan<- prometheus.Metric) {
	for _, s := range p.states() {
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{string(s.Pool)}, labels...)...)
		}
		gauge(p.servers, float64(s.Measured), "true")
		gauge(p.servers, float64(s.Servers-s.Measured), "false")
		if s.Known {
			gauge(p.utilisation, s.Utilisation)
			gauge(p.tokens, s.TokensPerSecond)
		}
		if s.Measured > 0 {
			gauge(p.requests, float64(s.Running), "running")
			gauge(p.requests, float64(s.Waiting), "waiting")
			gauge(p.cache, s.Cache)
		}
		full := 0.0
		if s.Full {
			full = 1
		}
		gauge(p.full, full)
	}
}
