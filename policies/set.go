package policies

import (
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// Set is a compiled policy: checked, indexed and immutable. It is safe for concurrent use.
type Set struct {
	policy Policy
	prices *pricing.Table
	places map[RouteName]place
	labels map[string]bool // request headers that the policy reads
	// builtin are the dimensions that budgets use and the policy does not declare
	builtin []DimensionName
	free    bool          // some budget says free only
	dearest pricing.Price // the highest listed rate of every kind, for unknown_model: allow
	cheap   discounted
}

// place is a provider or pool that a tier can name.
type place struct {
	provider *Provider
	pool     *Pool
}

// Compile checks what refers to what and returns the set, which shares nothing with p. A policy that policyfile
// accepted compiles.
func Compile(p Policy, prices *pricing.Table) (*Set, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	s := &Set{policy: p.clone(), prices: prices, places: map[RouteName]place{}}
	s.labels, s.builtin = labelHeaders(&s.policy), s.policy.builtins()
	for i := range s.policy.Providers {
		q := &s.policy.Providers[i]
		if q.Vendor == "" {
			q.Vendor = pricing.ProviderName(q.Name)
		}
		s.places[q.Name] = place{provider: q}
	}
	for i := range s.policy.Pools {
		q := &s.policy.Pools[i]
		s.places[q.Name] = place{pool: q}
	}
	for i := range s.policy.Budgets {
		b := &s.policy.Budgets[i]
		if b.Zone == nil {
			b.Zone = time.UTC
		}
		s.free = s.free || b.FreeOnly
	}
	if u := &s.policy.Unknown; !u.Refuse && u.Charge == 0 {
		if u.Dearest == (pricing.Rates{}) {
			u.Dearest = dearest(&s.policy, prices)
		}
		s.dearest.Rates = u.Dearest
	}
	return s, nil
}

// dearest returns the highest rate of every kind that the policy's vendors list, or anybody if they list none.
func dearest(p *Policy, prices *pricing.Table) pricing.Rates {
	var theirs, all pricing.Price
	listings := prices.Listings()
	for i := range listings {
		l := &listings[i]
		price := l.Dearest()
		for j := range price.Brackets {
			price = pricing.Dearer(price, pricing.Price{Rates: price.Brackets[j].Rates})
		}
		price = pricing.Price{Rates: price.Rates}
		all = pricing.Dearer(all, price)
		if slices.ContainsFunc(p.Providers, func(q Provider) bool { return q.Vendor == l.Provider }) {
			theirs = pricing.Dearer(theirs, price)
		}
	}
	if theirs.Rates == (pricing.Rates{}) {
		return all.Rates
	}
	return theirs.Rates
}

// Policy returns the policy as compiled. The caller must not change it.
func (s *Set) Policy() *Policy { return &s.policy }

// Prices returns the list prices that the set decides with, before discounts: see Lookup.
func (s *Set) Prices() *pricing.Table { return s.prices }

// Enforcing reports whether the policy acts on calls.
func (s *Set) Enforcing() bool { return s.policy.Mode == Enforce }

// Credential returns whose key a call to the route carries. Providers that the policy does not list carry
// the caller's.
func (s *Set) Credential(r RouteName) Credential {
	switch p := s.places[r]; {
	case p.provider != nil:
		return p.provider.Credential
	case p.pool != nil:
		return p.pool.Credential
	}
	return Credential{Caller: true}
}
