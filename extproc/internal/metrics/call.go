package metrics

import (
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// Decision is what became of a call.
type Decision string

// The decisions.
const (
	Allow     Decision = "allow"     // as the caller asked
	Downgrade Decision = "downgrade" // by another model
	Replay    Decision = "replay"    // from a cache
	Refuse    Decision = "refuse"    // not at all
)

// other stands for whatever a client made up.
const other = "other"

// Model is a model's name and whether a price table or the policy knows it. The name of one that nobody knows
// is the client's text and becomes "other".
type Model struct {
	Name  pricing.ModelName
	Known bool
}

func (m Model) label() string {
	if !m.Known {
		return other
	}
	return string(m.Name)
}

// Saving is what one lever saved on a call; a loss is negative. Lever is a constant of the caller.
type Saving struct {
	Lever  string
	Amount pricing.Money
}

// Call is one call that a policy covers, at its end.
type Call struct {
	Provider  policies.RouteName   // where it went, or would have gone
	Vendor    pricing.ProviderName // whose format and prices it has
	API       provider.API
	Decision  Decision
	Tier      policies.TierName // "" for none
	Asked     Model             // what the caller named
	Served    Model             // what answered
	Usage     pricing.Usage     // zero for a replay or a refusal
	Cost      pricing.Money     // never negative
	Baseline  pricing.Money     // never negative
	Stated    bool              // Cost is what the answer stated, ListCost what the price list says
	ListCost  pricing.Money
	Savings   []Saving      // they add up to Baseline minus Cost; not kept
	Estimated bool          // the provider did not state the usage
	Overrun   bool          // it cost more than was reserved
	Lost      bool          // nobody saw how it ended
	Took      time.Duration // from the request to the end of the answer
	Error     string        // a status code or a constant of the caller, "" for a good answer
}

// Record counts a call. It is called once per call.
func (m *Metrics) Record(c *Call) {
	route, tier, model := string(c.Provider), string(c.Tier), c.Served.label()
	m.requests.WithLabelValues(route, string(c.API), string(c.Decision), tier).Inc()
	m.cost.WithLabelValues(route, model, tier).Add(dollars(max(c.Cost, 0)))
	m.baseline.WithLabelValues(route, model, tier).Add(dollars(max(c.Baseline, 0)))
	m.countUsage(route, model, c.Usage)
	m.compare(c)
	for _, s := range c.Savings {
		m.count(s)
	}
	if c.Estimated {
		m.estimated.Inc()
	}
	if c.Overrun {
		m.overruns.Inc()
	}
	if !c.Lost && (c.Decision == Allow || c.Decision == Downgrade) {
		m.genai.record(c)
	}
}

// Correct counts what the settlement of a call changes that was recorded as lost: the amounts of c are differences. The
// call is not counted again. Counters cannot go down: what it cost less than was taken stays in them.
func (m *Metrics) Correct(c *Call) {
	route, model := string(c.Provider), c.Served.label()
	m.countUsage(route, model, c.Usage)
	if c.Cost >= 0 && c.Baseline >= 0 {
		m.cost.WithLabelValues(route, model, string(c.Tier)).Add(dollars(c.Cost))
		m.baseline.WithLabelValues(route, model, string(c.Tier)).Add(dollars(c.Baseline))
		for _, s := range c.Savings {
			m.count(s)
		}
	}
	if c.Overrun {
		m.overruns.Inc()
	}
}

func (m *Metrics) countUsage(route, model string, u pricing.Usage) {
	for kind, count := range u.All() {
		switch {
		case count <= 0:
		case kind == "reasoning":
			m.reasoning.WithLabelValues(route, model).Add(float64(count))
		case pieces[kind]:
			m.pieces.WithLabelValues(route, model, kind).Add(float64(count))
		default:
			m.tokens.WithLabelValues(route, model, kind).Add(float64(count))
		}
	}
}

// pieces are the kinds of usage that are no tokens.
var pieces = map[string]bool{
	"web_searches": true, "file_searches": true, "code_runs": true, "search_units": true,
	"images": true, "seconds": true, "characters": true,
}

// compare notes how far what providers state is from the price list.
func (m *Metrics) compare(c *Call) {
	switch {
	case !c.Stated:
	case c.Cost > c.ListCost:
		m.stated.WithLabelValues(string(c.Provider), "above").Add(dollars(c.Cost - c.ListCost))
	default:
		m.stated.WithLabelValues(string(c.Provider), "below").Add(dollars(c.ListCost - c.Cost))
	}
}

// count keeps savings and losses apart, as a counter cannot go down.
func (m *Metrics) count(s Saving) {
	if s.Amount > 0 {
		m.savings.WithLabelValues(s.Lever).Add(dollars(s.Amount))
	}
	if s.Amount < 0 {
		m.losses.WithLabelValues(s.Lever).Add(-dollars(s.Amount))
	}
}
