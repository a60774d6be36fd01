package policies

import (
	"fmt"
	"slices"
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

// Compile checks what refers to what and returns the set. A policy that policyfile accepted compiles.
func Compile(p Policy, prices *pricing.Table) (*Set, error) {
	s := &Set{policy: p, prices: prices, tiers: map[TierName]*Tier{}, places: map[RouteName]place{}}
	s.labels = labelHeaders(&p)
	// What is changed below must not reach the caller's slices.
	s.policy.Providers = slices.Clone(p.Providers)
	s.policy.Budgets = slices.Clone(p.Budgets)
	for i := range s.policy.Providers {
		q := &s.policy.Providers[i]
		if q.Vendor == "" {
			q.Vendor = pricing.ProviderName(q.Name)
		}
		s.places[q.Name] = place{provider: q}
	}
	for i := range s.policy.Pools {
		q := &s.policy.Pools[i]
		if q.Throughput <= 0 || q.GPUs <= 0 || q.GPUHour < 0 {
			return nil, fmt.Errorf("pool %q: gpus and throughput must be positive", q.Name)
		}
		s.places[q.Name] = place{pool: q, rate: TokenRate(*q)}
	}
	for i := range s.policy.Budgets {
		b := &s.policy.Budgets[i]
		if b.Zone == nil {
			b.Zone = time.UTC
		}
		s.free = s.free || b.FreeOnly
	}
	return s, s.link()
}

// link resolves the names that tiers and rules use.
func (s *Set) link() error {
	for i := range s.policy.Tiers {
		t := &s.policy.Tiers[i]
		for _, m := range t.Models {
			if _, ok := s.places[m.Route]; !ok {
				return fmt.Errorf("tier %q: unknown provider or pool %q", t.Name, m.Route)
			}
		}
		s.tiers[t.Name] = t
	}
	for i := range s.policy.Rules {
		r := &s.policy.Rules[i]
		if _, ok := s.tiers[r.Tier]; !ok && r.Tier != "" {
			return fmt.Errorf("rule %q: unknown tier %q", r.Name, r.Tier)
		}
	}
	return nil
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
