package policies

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// price returns what the option's tokens cost under the terms. It returns false with the dearest price listed where
// the class of service has none.
func (o *Option) price(t pricing.Terms) (pricing.Price, bool) {
	switch {
	case o.Listing != nil:
		return o.Listing.PriceFor(t)
	case o.dearest != nil:
		return *o.dearest, true
	}
	return pricing.Flat(o.Rate), true
}

// dearestPrice returns the most that the option's tokens can cost each: the price of the class of service that the
// call asks for, or the dearest class where the provider chooses. It returns false where no listing says.
func (s *Set) dearestPrice(call *provider.Request, o *Option) (pricing.Price, bool) {
	if !call.Facts.Any(provider.ServiceTier | provider.Fallbacks) {
		return o.price(o.Terms)
	}
	price, _ := o.price(o.Terms)
	return price, false
}

// terms are those that a call asks for at a provider.
func (s *Set) terms(_ *provider.Request, at RouteName) pricing.Terms {
	var t pricing.Terms
	if p := s.places[at].provider; p != nil {
		t.Region = p.Region
	}
	return t
}
