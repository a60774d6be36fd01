package exchange

import (
	"strconv"
	"strings"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// ledgerDims is who pays, as the ledger names it.
func (x *Exchange) ledgerDims() []ledger.Dim {
	dims := make([]ledger.Dim, 0, len(x.dims))
	for _, v := range x.dims {
		if v.Value != "" {
			dims = append(dims, ledger.Dim{Name: v.Name, Value: v.Value, Verified: v.Verified})
		}
	}
	return dims
}

// ledgerCall is the call as it is served.
func (x *Exchange) ledgerCall() ledger.Call { return x.ledgerCallFor(x.served) }

func (x *Exchange) ledgerCallFor(o *policies.Option) ledger.Call {
	return ledger.Call{
		ID: x.id, At: x.start, Dims: x.ledgerDims(), Provider: o.Vendor, API: x.call.API, Route: o.Route,
		Asked: x.call.Model, Model: o.Model, Rule: x.decision.Rule, Tier: x.decision.Tier, Pool: x.decision.Pool,
	}
}

// reservation holds the most that an option can cost.
func (x *Exchange) reservation(o *policies.Option) ledger.Reservation {
	return ledger.Reservation{Call: x.ledgerCallFor(o), Bound: o.Bound, Charge: o.Charge()}
}

// measured is an entry as the metrics count it.
func (x *Exchange) measured(e *ledger.Entry) *metrics.Call {
	o := x.served
	c := &metrics.Call{
		Provider: o.Route, Vendor: o.Vendor, API: x.call.API, Decision: metrics.Allow, Tier: x.decision.Tier,
		Asked:  metrics.Model{Name: x.call.Model, Known: x.decision.Asked.Listing != nil},
		Served: metrics.Model{Name: o.Model, Known: o.Listing != nil || o.Kind == policies.Pooled},
		Usage:  e.Usage, Cost: e.Cost, Baseline: e.Baseline, Estimated: e.Estimated,
		Overrun: e.Charge > o.Charge() && !o.Unbounded, Took: x.c.now().Sub(x.start),
	}
	switch {
	case e.Outcome == ledger.CacheHit:
		c.Decision, c.Usage = metrics.Replay, pricing.Usage{}
	case o.Kind != policies.Asked:
		c.Decision = metrics.Downgrade
	}
	if e.Status >= 400 {
		c.Error = strconv.Itoa(e.Status)
	}
	for lever, amount := range e.Savings {
		if amount != 0 {
			c.Savings = append(c.Savings, metrics.Saving{Lever: pricing.Lever(lever).String(), Amount: amount})
		}
	}
	return c
}

// neverTakenDetails are Envoy's response code details of answers that it made itself before any upstream had
// the request. Source: Envoy, "Response Code Details".
var neverTakenDetails = []string{
	"no_healthy_upstream", "cluster_not_found", "route_not_found", "request_payload_too_large", "direct_response",
	"connection_failure", "overload", "maintenance_mode",
}

// neverTaken returns why the proxy's own answer proves that no upstream had the request, or "".
func neverTaken(details string) string {
	for _, d := range neverTakenDetails {
		if strings.Contains(details, d) {
			return "no upstream took the call: " + d
		}
	}
	return ""
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
