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

// terms are those of a call: what it asks for, else what the settings of the provider say. The listing is nil where there
// is none. To ask for the standard class is to ask for none: the dearer one is only a bound, until the answer says.
func (s *Set) terms(call pricing.Terms, at RouteName, l *pricing.Listing) pricing.Terms {
	p := s.places[at].provider
	if p == nil {
		return call
	}
	if call.Region == "" {
		call.Region = p.Region
	}
	if call.Service == pricing.Standard && p.Priority && l != nil && l.Serves(pricing.Priority) {
		call.Service = pricing.Priority
	}
	return call
}
