package policies

import (
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// Sent is what is remembered of a call that left earlier.
type Sent struct {
	Route  RouteName            // that served it
	Vendor pricing.ProviderName // whose prices apply there; "" for pools
	Asked  pricing.ModelName    // what the caller asked for
	Model  pricing.ModelName    // what it was sent to
	At     time.Time            // when
	Facts  BillFacts            // of the request
}

// Resume is the decision on a call that left earlier, as far as the bill of its answer needs it. Its only option is the
// one that served the call. What the policy says now counts, at the prices of the call's own time.
func (s *Set) Resume(c Sent) Decision {
	served := Option{Kind: Tiered, Route: c.Route, Vendor: c.Vendor, Model: c.Model}
	pool := s.places[c.Route].pool
	switch {
	case pool != nil:
		served.Kind, served.Rate = Pooled, TokenRate(*pool, c.Model)
	case c.Asked == c.Model:
		served.Kind = Asked
	}
	asked := served
	if pool == nil {
		asked.Model = c.Asked
		served.Listing = s.Lookup(c.Vendor, c.Model, c.At)
		asked.Listing = s.Lookup(c.Vendor, c.Asked, c.At)
		served.Terms = s.terms(served.Terms, c.Route, served.Listing)
		asked.Terms = s.terms(asked.Terms, c.Route, asked.Listing)
		if served.Listing == nil {
			served = s.quarantined(served)
		}
		if asked.Listing == nil {
			asked = s.quarantined(asked)
		}
	}
	asked.Kind = Asked
	d := Decision{Asked: asked, API: asked, Facts: c.Facts}
	d.add(served)
	return d
}

// Names are those that the policy and its price list have for the models of a call, "" for one that neither knows, and
// whether an own pool served it. Clients add dates of their own making to a name.
func (s *Set) Names(c Sent) (asked, served pricing.ModelName, pooled bool) {
	if s.places[c.Route].pool != nil {
		for i := range s.policy.Providers { // one of them would have had it
			if asked = s.nameOf(s.policy.Providers[i].Vendor, c.Asked, c.At); asked != "" {
				break
			}
		}
		return asked, c.Model, true
	}
	served = s.nameOf(c.Vendor, c.Model, c.At)
	if c.Asked == c.Model {
		return served, served, false
	}
	return s.nameOf(c.Vendor, c.Asked, c.At), served, false
}

// nameOf is the name of a model in the price list.
func (s *Set) nameOf(vendor pricing.ProviderName, model pricing.ModelName, at time.Time) pricing.ModelName {
	if l := s.prices.Lookup(vendor, model, at); l != nil {
		return l.Model
	}
	return ""
}
