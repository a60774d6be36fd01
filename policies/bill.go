package policies

import (
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// Bill is what a call cost, what it would have cost as asked, and which lever made the difference.
type Bill struct {
	Cost     pricing.Money
	Baseline pricing.Money
	Savings  pricing.Savings // adds up to Baseline - Cost
}

// Bill prices a usage of the option that served the call. charged is the listing of the model that answered,
// or nil where the option's own price stands. Levers are credited in their fixed order: tier compares the
// models at the usage without our cache markers, prompt_cache what the markers changed, self_hosting the API
// model with the pool. A call to a model without a price has no baseline of its own: it saved nothing.
func (d *Decision) Bill(o *Option, u pricing.Usage, charged *pricing.Listing) (Bill, error) {
	served := *o
	if charged != nil && o.Kind != Pooled {
		served.Listing = charged
	}
	cost, err := served.Cost(u)
	if err != nil {
		return Bill{}, err
	}
	if d.Asked.Listing == nil {
		return Bill{Cost: cost, Baseline: cost}, nil
	}
	asked := d.Asked
	if o.Kind == Asked {
		asked = served
	}
	unmarked := u
	if o.Edit.MarkPrefix {
		unmarked = u.Uncached()
	}
	api := served
	if o.Kind == Pooled {
		api = d.API
	}
	return steps(cost, &asked, &api, unmarked, u)
}

// steps walks from what was asked to what was charged.
func steps(cost pricing.Money, asked, api *Option, unmarked, u pricing.Usage) (Bill, error) {
	b := Bill{Cost: cost}
	var err error
	if b.Baseline, err = asked.Cost(unmarked); err != nil {
		return Bill{}, err
	}
	plain, err := api.Cost(unmarked)
	if err != nil {
		return Bill{}, err
	}
	cached, err := api.Cost(u)
	if err != nil {
		return Bill{}, err
	}
	b.Savings[pricing.LeverTier] = b.Baseline - plain
	b.Savings[pricing.LeverPromptCache] = plain - cached
	b.Savings[pricing.LeverSelfHosting] = cached - cost
	return b, nil
}

// HitBill is the bill of a call that was answered from the exact cache with an answer that used u when it was
// made: it cost nothing, and the cache saved what the preferred option would have cost after the tier.
func (d *Decision) HitBill(u pricing.Usage) (Bill, error) {
	b, err := d.Bill(d.First(), u, nil)
	if err != nil {
		return Bill{}, err
	}
	saved := b.Cost
	b.Cost = 0
	b.Savings[pricing.LeverExactCache] += saved
	return b, nil
}

// Charged is the listing of the model that answered a call, which may be another than the one that was asked for; nil
// where the option's own price stands.
func (s *Set) Charged(o *Option, model pricing.ModelName, at time.Time) *pricing.Listing {
	if o.Kind == Pooled || model == "" {
		return nil
	}
	return s.prices.Lookup(o.Vendor, model, at)
}

// Usage is what a call is charged for: what the response stated, or else an estimate from what it stated until it
// ended, the expected prompt of input tokens, and a token for every few bytes of answer that were seen, but no more
// than the option that served it lets the answer have. The charge for a call whose rates are not known is
// an estimate whatever the response stated.
func (d *Decision) Usage(o *Option, r *provider.Reading, input int64) (u pricing.Usage, estimated bool) {
	u, estimated = r.Usage, d.feesUnknown || !r.HasUsage
	if !r.HasUsage {
		if u.TotalInput() == 0 {
			u.Input = input
		}
		seen := provider.EstimateTokens(r.TextBytes)
		if o.Output > 0 {
			seen = min(seen, o.Output)
		}
		u.Output = max(u.Output, seen)
	}
	if d.longWrites {
		u.CacheWriteLong += u.CacheWriteShort
		u.CacheWriteShort = 0
	}
	return u, estimated
}
