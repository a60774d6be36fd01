package policies

import (
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// Charge is what a response says of its price. The zero Charge is the option's own price, for the terms that the call
// asked for.
type Charge struct {
	Listing *pricing.Listing // of the model that answered; nil: the option's own price stands
	Terms   pricing.Terms    // under which the provider bills the call
	Stated  *pricing.Money   // what the response says it cost, from a provider whose word is taken; nil: nothing

	// OtherModels says that part of the usage is of models with prices of their own.
	OtherModels bool
}

// Bill is what a call cost, what it would have cost as asked, and which lever made the difference.
type Bill struct {
	Cost     pricing.Money
	ListCost pricing.Money // Cost by the price list; another amount only where the provider stated its charge
	Baseline pricing.Money
	Savings  pricing.Savings // adds up to Baseline - Cost

	// Estimated says that no price is listed for what was billed: Cost is by the dearest price that is, or where other
	// models had a part in the answer, by the price of the one that gave it, or where the call chose the host, by that of
	// the usual ones.
	Estimated bool
}

// trusted reports whether the provider that serves an option may state what a call cost: the policy names it, and its
// vendor's API has such a statement.
func (s *Set) trusted(o *Option) bool {
	return o.Kind != Pooled && s.places[o.Route].provider != nil && provider.StatesCharge(o.Vendor)
}

// Charged is the price of what a response says: of the model that answered, which may be another than the one that was
// asked for, and of the class of service that it was served with.
func (s *Set) Charged(o *Option, r *provider.Reading, at time.Time) Charge {
	c := Charge{Terms: o.Terms}
	if o.Kind == Pooled {
		return c
	}
	c.OtherModels = r.OtherModels
	if r.HasTerms {
		c.Terms.Service = r.Service
	}
	if r.Region != "" {
		c.Terms.Region = r.Region
	}
	if r.HasStated && s.trusted(o) {
		c.Stated = &r.Stated
	}
	if r.Model != "" {
		c.Listing = s.Lookup(o.Vendor, r.Model, at)
	}
	return c
}

// Bill prices a usage of the option that served the call. Levers are credited in their fixed order: tier compares the
// models at the usage without our cache markers, prompt_cache what the markers changed, self_hosting the API
// model with the pool. A call to a model without a price has no baseline of its own: it saved nothing. What the provider
// charged beside its list is no lever's: it is part of the baseline too where the call went as asked.
func (d *Decision) Bill(o *Option, u pricing.Usage, c Charge) (Bill, error) {
	served := *o
	if o.Kind != Pooled {
		served.Terms = c.Terms
		if c.Listing != nil {
			served.Listing = c.Listing
		}
	}
	price, known := served.price(served.Terms)
	cost, err := price.Cost(u)
	if err != nil {
		return Bill{}, err
	}
	known = known && !c.OtherModels && !d.Facts.Boundless && !d.openHost(o) && (!d.Facts.OpenModel || c.Listing != nil) &&
		(o.Kind == Pooled || searchesPriced(&u, &price))
	b := Bill{Cost: cost, ListCost: cost, Baseline: cost, Estimated: c.Stated == nil && !known}
	if d.Asked.Listing != nil {
		if err := b.compare(d, o, &served, u); err != nil {
			return Bill{}, err
		}
	}
	if c.Stated != nil {
		b.restate(*c.Stated, o.Kind == Asked || d.Asked.Listing == nil)
	}
	return b, nil
}

// openHost reports whether a host that the call or the option's name chose served it.
func (d *Decision) openHost(o *Option) bool {
	return d.Facts.OpenHost && o.Route == d.Asked.Route || o.Listing.ChoosesHost(o.Model)
}

// compare walks from what was asked to what was charged.
func (b *Bill) compare(d *Decision, o, served *Option, u pricing.Usage) error {
	asked, api := d.Asked, *served
	if o.Kind == Asked {
		asked = *served
	}
	if o.Kind == Pooled {
		api = d.API
	}
	unmarked := u
	if o.Edit.MarkPrefix {
		unmarked = u.Uncached()
	}
	asked.Terms = served.Terms
	var err error
	if b.Baseline, err = asked.Cost(unmarked); err != nil {
		return err
	}
	plain, err := api.Cost(unmarked)
	if err != nil {
		return err
	}
	cached, err := api.Cost(u)
	if err != nil {
		return err
	}
	b.Savings[pricing.LeverTier] = b.Baseline - plain
	b.Savings[pricing.LeverPromptCache] = plain - cached
	b.Savings[pricing.LeverSelfHosting] = cached - b.Cost
	return nil
}

// restate puts the provider's own charge in the place of the list's.
func (b *Bill) restate(stated pricing.Money, asAsked bool) {
	b.Cost = stated
	if asAsked {
		b.Baseline = max(0, b.Baseline+stated-b.ListCost)
	}
	b.Savings[pricing.LeverTier] += b.Baseline - stated - b.Savings.Total()
}

// HitBill is the bill of a call that was answered from the exact cache with an answer that used u when it was
// made: it cost nothing, and the cache saved what the preferred option would have cost after the tier.
func (d *Decision) HitBill(u pricing.Usage) (Bill, error) {
	b, err := d.Bill(d.First(), u, Charge{Terms: d.First().Terms})
	if err != nil {
		return Bill{}, err
	}
	saved := b.Cost
	b.Cost, b.ListCost = 0, 0
	b.Savings[pricing.LeverExactCache] += saved
	return b, nil
}

// Usage is what a call is charged for: what the response stated, or else an estimate from what it stated until it
// ended, the expected prompt of input tokens and length of sound, and a token for every few bytes of answer that were
// seen. Up to twice the longest answer that the option allows, these are taken for long words within that cap; text of
// more went beyond it. A usage that is absurd for the model counts as not stated; so does one of nothing that the option's
// price is by, whose answer is taken for the longest.
func (d *Decision) Usage(o *Option, r *provider.Reading, input int64) (u pricing.Usage, estimated bool) {
	u = r.Usage
	stated := r.HasUsage
	switch {
	case stated && d.absurd(o, &u):
		u, stated = pricing.Usage{}, false
	case stated && !r.HasStated && o.unpriced(&u):
		u.Output, stated = max(u.Output, o.Output), false
	}
	if !stated {
		if u.TotalInput() == 0 {
			u.Input = input
		}
		d.addSound(o, &u)
		seen := provider.EstimateTokens(r.TextBytes)
		if o.Output > 0 {
			seen = max(min(seen, o.Output), seen/2)
		}
		u.Output = max(u.Output, seen)
	}
	if d.Facts.LongWrites {
		u.CacheWriteLong += u.CacheWriteShort
		u.CacheWriteShort = 0
	}
	return u, !stated
}

// factsOf returns what the bill needs to know of a request.
func factsOf(call *provider.Request) BillFacts {
	sound := call.Sound()
	return BillFacts{
		LongWrites: call.API.Vendor() == provider.OpenAI && call.Facts.Has(provider.LongCacheWrites),
		OpenModel:  call.Facts.Has(provider.OtherModels), Boundless: call.Boundless, Contexts: mostContexts(call), Seconds: sound.Seconds, Characters: sound.Characters,
	}
}

// addSound adds the length of sound to a usage that was not stated, where the option's price is by it.
func (d *Decision) addSound(o *Option, u *pricing.Usage) {
	price, _ := o.price(o.Terms)
	if price.Fees.Second > 0 {
		u.Seconds = max(u.Seconds, d.Facts.Seconds)
	}
	if price.Fees.Character > 0 {
		u.Characters = max(u.Characters, d.Facts.Characters)
	}
}

// mostContexts is how many contexts of its model a call is believed to have used, far beyond what it can. What reads
// many prompts in one call is not bounded: the provider's tools, and embeddings and rankings of lists.
func mostContexts(call *provider.Request) int64 {
	const far = 16
	if call.NoOutput || call.OpenPieces || call.Facts.Has(provider.ServerTools) || call.Choices > far {
		return 0
	}
	return far * call.Choices
}

// unpriced reports whether a usage that is not zero costs nothing, though the price is not one of nothing: it counts
// pictures, for example, where tokens are billed.
func (o *Option) unpriced(u *pricing.Usage) bool {
	if *u == (pricing.Usage{}) {
		return false
	}
	price, _ := o.price(o.Terms)
	cost, err := price.Cost(*u)
	return err == nil && cost == 0 && !price.Free()
}

// absurd reports whether a usage is beyond anything that the option's model can read and write.
func (d *Decision) absurd(o *Option, u *pricing.Usage) bool {
	if o.Listing == nil || o.Listing.Limits.Context <= 0 || d.Facts.Contexts == 0 {
		return false
	}
	return max(u.TotalInput(), u.TotalOutput())/d.Facts.Contexts >= o.Listing.Limits.Context
}
