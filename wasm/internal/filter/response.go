package filter

import (
	"strings"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// settle prices the call by what the response said, and returns the final record.
func (x *Exchange) settle() []byte {
	r := x.meter.Close()
	if x.unbilled(&r) {
		return x.priced(pricing.Usage{}, policies.Bill{}, false)
	}
	usage := r.Usage
	if !r.HasUsage {
		usage = x.estimate(&r)
	}
	bill, err := x.decision.Bill(x.served, usage, x.charged(r.Model))
	if err != nil {
		// Only a sum beyond Money comes here: a response that states absurd counts.
		x.host.Log("cost not computed: " + err.Error())
		return x.record()
	}
	return x.priced(usage, bill, !r.HasUsage)
}

// unbilled reports whether the provider cannot have charged for the call: it answered with an error, or no
// upstream had the request.
func (x *Exchange) unbilled(r *provider.Reading) bool {
	if x.host.ResponseStatus() < 400 || r.HasUsage {
		return false
	}
	details := x.host.ResponseDetails()
	return details == "" || details == "via_upstream" || neverTaken(details)
}

// neverTaken reports whether the proxy's own answer proves that no upstream had the request. The names are Envoy's
// response code details. Source: Envoy documentation, "Response Code Details".
func neverTaken(details string) bool {
	for _, d := range [...]string{
		"no_healthy_upstream", "cluster_not_found", "route_not_found", "request_payload_too_large", "direct_response",
		"connection_failure", "overload", "maintenance_mode",
	} {
		if strings.Contains(details, d) {
			return true
		}
	}
	return false
}

// estimate is what a call without stated usage is taken to have used: what the provider said until then, the
// expected prompt, and a token for every few bytes of answer that were seen.
func (x *Exchange) estimate(r *provider.Reading) pricing.Usage {
	u := r.Usage
	if u.TotalInput() == 0 {
		u.Input = x.input
	}
	u.Output = max(u.Output, policies.EstimateTokens(r.TextBytes))
	return u
}

// charged is the listing of the model that answered, which may be another than the one that was asked for.
func (x *Exchange) charged(model pricing.ModelName) *pricing.Listing {
	if x.served.Kind == policies.Pooled || model == "" {
		return nil
	}
	return x.f.set.Prices().Lookup(x.served.Vendor, model, x.start)
}
