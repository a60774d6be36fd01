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
// call asks for, or of the dearest class where the account's settings choose one. It returns false where no listing
// says, as of further models that the provider may answer with, or of the host that a router is told to choose.
func (s *Set) dearestPrice(call *provider.Request, o *Option) (pricing.Price, bool) {
	price, known := o.price(o.Terms)
	if call.AutoService && o.Listing != nil && len(o.Listing.Variants) > 0 {
		dear := *o.Listing
		dear.Price, dear.Variants = dear.Dearest(), nil
		price, known = dear.PriceFor(pricing.Terms{Region: o.Terms.Region})
	}
	return price, known && !call.Facts.Has(provider.OtherModels) && !s.choosesHost(call, o) && !o.Listing.ChoosesHost(o.Model)
}

// choosesHost reports whether the call itself says which of its hosts a router is to serve the option with.
func (s *Set) choosesHost(call *provider.Request, o *Option) bool {
	prefix := ""
	if p := s.places[o.Route].provider; p != nil {
		prefix = p.Prefix
	}
	return call.ChoosesHost(o.Vendor, prefix)
}

// terms are those that a call asks for at a provider.
func (s *Set) terms(call *provider.Request, at RouteName) pricing.Terms {
	t := pricing.Terms{Service: call.Service, Region: call.Region}
	if p := s.places[at].provider; p != nil && t.Region == "" {
		t.Region = p.Region
	}
	return t
}
