package policies

import (
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// Set is a compiled policy: checked, indexed and immutable. It is safe for concurrent use.
type Set struct {
	policy Policy
	prices *pricing.Table
	tiers  map[TierName]*Tier
	places map[RouteName]place
	labels map[string]bool // request headers that the policy reads
	free   bool            // some budget says free only
}

// place is a provider or pool that a tier can name.
type place struct {
	provider *Provider
	pool     *Pool
	rate     pricing.Rate // of a pool: GPU cost per million tokens
}

// Compile checks what refers to what and returns the set, which shares nothing with p. A policy that policyfile
// accepted compiles.
func Compile(p Policy, prices *pricing.Table) (*Set, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	s := &Set{policy: p.clone(), prices: prices, tiers: map[TierName]*Tier{}, places: map[RouteName]place{}}
	s.labels = labelHeaders(&s.policy)
	for i := range s.policy.Providers {
		q := &s.policy.Providers[i]
		if q.Vendor == "" {
			q.Vendor = pricing.ProviderName(q.Name)
		}
		s.places[q.Name] = place{provider: q}
	}
	for i := range s.policy.Pools {
		q := &s.policy.Pools[i]
		s.places[q.Name] = place{pool: q, rate: TokenRate(*q)}
	}
	for i := range s.policy.Budgets {
		b := &s.policy.Budgets[i]
		if b.Zone == nil {
			b.Zone = time.UTC
		}
		s.free = s.free || b.FreeOnly
	}
	for i := range s.policy.Tiers {
		s.tiers[s.policy.Tiers[i].Name] = &s.policy.Tiers[i]
	}
	return s, nil
}

// Policy returns the policy as compiled. The caller must not change it.
func (s *Set) Policy() *Policy { return &s.policy }

// Prices returns the price table that the set decides with.
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
