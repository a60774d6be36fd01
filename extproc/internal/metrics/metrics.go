// Package metrics holds the name of every metric that farebox exports, with its labels, in one place.
//
// Names carry the prefix farebox_ and base units; genai.go holds those of OpenTelemetry's conventions. The sum
// over a metric's labels means something: token kinds do not overlap, and a call is counted once. Labels come
// from the policy, from price tables and from constants of this program; what a client wrote never becomes one,
// so a model that nobody knows is "other". Money turns into floating-point dollars here and nowhere before.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/farebox-mesh/farebox/pricing"
)

// Metrics counts what the server does. New is the only way to make one. All methods may run together.
type Metrics struct {
	requests     *prometheus.CounterVec
	cost         *prometheus.CounterVec
	baseline     *prometheus.CounterVec
	savings      *prometheus.CounterVec
	losses       *prometheus.CounterVec
	tokens       *prometheus.CounterVec
	reasoning    *prometheus.CounterVec
	pieces       *prometheus.CounterVec
	stated       *prometheus.CounterVec
	stopped      prometheus.Counter
	overruns     prometheus.Counter
	estimated    prometheus.Counter
	unknown      prometheus.Counter
	refusals     *prometheus.CounterVec
	uncovered    *prometheus.CounterVec
	lookups      *prometheus.CounterVec
	stores       *prometheus.CounterVec
	decision     prometheus.Histogram
	streams      prometheus.Gauge
	reloadOK     prometheus.Gauge
	reloadedWhen prometheus.Gauge
	genai        genai
}

// New registers all metrics with reg and returns them. A nil reg gives metrics that nobody can read. New
// panics if reg already holds one of the names.
func New(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	m := &Metrics{genai: newGenAI(f)}
	m.registerMoney(f)
	m.registerEvents(f)
	return m
}

func (m *Metrics) registerMoney(f promauto.Factory) {
	m.requests = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_requests_total",
		Help: "Calls that a policy covers, by what was decided.",
	}, []string{"provider", "api", "decision", "tier"})
	m.cost = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_cost_dollars_total",
		Help: "What calls cost, in US dollars.",
	}, []string{"provider", "model", "tier"})
	m.baseline = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_baseline_dollars_total",
		Help: "What the same calls would have cost as the caller asked for them, in US dollars.",
	}, []string{"provider", "model", "tier"})
	m.savings = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_savings_dollars_total",
		Help: "What a lever saved, in US dollars. Savings minus losses is baseline minus cost.",
	}, []string{"lever"})
	m.losses = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_losses_dollars_total",
		Help: "What a lever cost where it did not pay, in US dollars.",
	}, []string{"lever"})
	m.tokens = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_tokens_total",
		Help: "Tokens in kinds that do not overlap.",
	}, []string{"provider", "model", "kind"})
	m.reasoning = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_reasoning_tokens_total",
		Help: "Output tokens that the client does not see. They are part of the output in farebox_tokens_total.",
	}, []string{"provider", "model"})
	m.pieces = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_pieces_total",
		Help: "What is billed by the piece: searches, code runs, pictures, seconds, characters.",
	}, []string{"provider", "model", "kind"})
	m.stated = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_stated_difference_dollars_total",
		Help: "By how much charges that providers state in their answers are above and below the price list, in US dollars.",
	}, []string{"provider", "side"})
	m.overruns = f.NewCounter(prometheus.CounterOpts{
		Name: "farebox_overruns_total",
		Help: "Calls that cost more than was reserved for them.",
	})
	m.estimated = f.NewCounter(prometheus.CounterOpts{
		Name: "farebox_estimated_total",
		Help: "Calls whose cost is an estimate, as the provider did not state the usage.",
	})
	m.unknown = f.NewCounter(prometheus.CounterOpts{
		Name: "farebox_unknown_model_total",
		Help: "Calls for a model that no price table knows.",
	})
}

func (m *Metrics) registerEvents(f promauto.Factory) {
	m.refusals = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_refusals_total",
		Help: "Calls that were answered with an error of ours, by reason.",
	}, []string{"reason"})
	m.uncovered = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_uncovered_total",
		Help: "Requests that passed without being read, by reason.",
	}, []string{"reason"})
	m.stopped = f.NewCounter(prometheus.CounterOpts{
		Name: "farebox_streams_stopped_total",
		Help: "Streams that were ended as they had used up what a budget held for them.",
	})
	m.lookups = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_cache_lookups_total",
		Help: "Look-ups in the exact cache, by result.",
	}, []string{"result"})
	m.stores = f.NewCounterVec(prometheus.CounterOpts{
		Name: "farebox_cache_stores_total",
		Help: "Answers offered to the exact cache, by result.",
	}, []string{"result"})
	m.decision = f.NewHistogram(prometheus.HistogramOpts{
		Name:    "farebox_decision_duration_seconds",
		Help:    "Time from the last byte of a request to the reply that lets it go, cache look-up and reservation included.",
		Buckets: prometheus.ExponentialBuckets(2e-6, 2.5, 14), // 2 microseconds to 0.3 seconds
	})
	m.streams = f.NewGauge(prometheus.GaugeOpts{
		Name: "farebox_streams_open",
		Help: "Streams that Envoy holds open, one per request in flight.",
	})
	m.reloadOK = f.NewGauge(prometheus.GaugeOpts{
		Name: "farebox_config_last_reload_successful",
		Help: "Whether the last attempt to load the policy succeeded.",
	})
	m.reloadedWhen = f.NewGauge(prometheus.GaugeOpts{
		Name: "farebox_config_last_reload_success_timestamp_seconds",
		Help: "When the policy in force was loaded, in seconds since 1970.",
	})
}

// Refused counts a call that was answered with an error of ours. The reason is a constant of the caller.
func (m *Metrics) Refused(reason string) { m.refusals.WithLabelValues(reason).Inc() }

// Stopped counts a stream that was ended as it had used up its reservation.
func (m *Metrics) Stopped() { m.stopped.Inc() }

// Uncovered counts a request that passed without being read. The reason is a constant of the caller.
func (m *Metrics) Uncovered(reason string) { m.uncovered.WithLabelValues(reason).Inc() }

// UnknownModel counts a call for a model that no price table knows.
func (m *Metrics) UnknownModel() { m.unknown.Inc() }

// Decided records how long a decision took.
func (m *Metrics) Decided(took time.Duration) { m.decision.Observe(took.Seconds()) }

// StreamOpened counts a stream that Envoy opened; StreamClosed must follow.
func (m *Metrics) StreamOpened() { m.streams.Inc() }

// StreamClosed ends what StreamOpened began.
func (m *Metrics) StreamClosed() { m.streams.Dec() }

// Reloaded says how an attempt to load the policy ended, the first one at start included.
func (m *Metrics) Reloaded(ok bool, at time.Time) {
	if !ok {
		m.reloadOK.Set(0)
		return
	}
	m.reloadOK.Set(1)
	m.reloadedWhen.Set(float64(at.UnixMilli()) / 1e3)
}

// CacheLookup is how a look-up in the exact cache ended.
type CacheLookup string

// The results. Only Hit was replayed.
const (
	Hit     CacheLookup = "hit"
	Miss    CacheLookup = "miss"
	Expired CacheLookup = "expired" // there, but past its time to live
	Bypass  CacheLookup = "bypass"  // not looked up: the call or the policy does not allow it
)

// Lookup counts a look-up in the exact cache.
func (m *Metrics) Lookup(r CacheLookup) { m.lookups.WithLabelValues(string(r)).Inc() }

// CacheStore is what became of an answer offered to the exact cache.
type CacheStore string

// The results.
const (
	Stored   CacheStore = "stored"
	TooLarge CacheStore = "too_large"
)

// Store counts an answer offered to the exact cache.
func (m *Metrics) Store(r CacheStore) { m.stores.WithLabelValues(string(r)).Inc() }

// dollars is where money leaves integers.
func dollars(m pricing.Money) float64 { return float64(m) / float64(pricing.Dollar) }
