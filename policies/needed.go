package policies

import (
	"slices"

	"github.com/farebox-mesh/farebox/pricing"
)

// Needed returns the listings that a compiled policy takes along: of the models of its vendors that known has, and of
// those that the policy names. Of others, of which price lists have thousands, whoever runs the compiled policy knows
// no price. own are the policy's price files: where one of their listings holds at all times, what it stands before
// stays out, as the result is one layer.
func (s *Set) Needed(known, own []pricing.Listing) []pricing.Listing {
	listings := s.prices.Needed(s.wanted(known, own))
	return slices.DeleteFunc(listings, func(l pricing.Listing) bool {
		return slices.ContainsFunc(own, func(o pricing.Listing) bool { return shadows(&o, &l) })
	})
}

// shadows reports whether the listing o of a price file holds whenever l would.
func shadows(o, l *pricing.Listing) bool {
	always := o.From.IsZero() && o.Until.IsZero() && len(o.Windows) == 0
	return always && o.Provider == l.Provider && o.Model == l.Model && (o.Source != l.Source || o.AsOf != l.AsOf)
}

// wanted pairs the vendors of the policy with every name that they may sell: some sell the models of others.
func (s *Set) wanted(lists ...[]pricing.Listing) []pricing.Model {
	names := map[pricing.ModelName]bool{}
	for _, listings := range lists {
		for i := range listings {
			names[listings[i].Model] = true
			for _, alias := range listings[i].Aliases {
				names[alias] = true
			}
		}
	}
	for i := range s.policy.Tiers {
		for _, m := range s.policy.Tiers[i].Models {
			names[m.Model] = true
		}
	}
	for i := range s.policy.Rules {
		for _, m := range s.policy.Rules[i].When.Models {
			names[pricing.ModelName(m)] = true // a glob is the name of no model
		}
	}
	var models []pricing.Model
	for i := range s.policy.Providers {
		for name := range names {
			models = append(models, pricing.Model{Provider: s.policy.Providers[i].Vendor, Name: name})
		}
	}
	return models
}
