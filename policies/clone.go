package policies

import "slices"

// clone returns a policy that shares nothing with p that its owner could change.
func (p *Policy) clone() Policy {
	q := *p
	q.Providers, q.Dimensions, q.Tiers = slices.Clone(p.Providers), slices.Clone(p.Dimensions), slices.Clone(p.Tiers)
	q.Rules, q.Pools, q.Budgets = slices.Clone(p.Rules), slices.Clone(p.Pools), slices.Clone(p.Budgets)
	for i := range q.Providers {
		q.Providers[i].Hosts = slices.Clone(q.Providers[i].Hosts)
	}
	for i := range q.Dimensions {
		q.Dimensions[i].Sources = slices.Clone(q.Dimensions[i].Sources)
	}
	for i := range q.Tiers {
		q.Tiers[i].Models = slices.Clone(q.Tiers[i].Models)
	}
	for i := range q.Rules {
		q.Rules[i].When = q.Rules[i].When.clone()
	}
	for i := range q.Pools {
		q.Pools[i].Endpoints, q.Pools[i].Models = slices.Clone(q.Pools[i].Endpoints), slices.Clone(q.Pools[i].Models)
	}
	for i := range q.Budgets {
		b := &q.Budgets[i]
		b.Per, b.Only, b.Steps = slices.Clone(b.Per), cloneConditions(b.Only), slices.Clone(b.Steps)
	}
	q.Overlays, q.Discounts = slices.Clone(p.Overlays), slices.Clone(p.Discounts)
	for i := range q.Discounts {
		q.Discounts[i].Models = slices.Clone(q.Discounts[i].Models)
	}
	q.Exact = cloned(p.Exact)
	return q
}

func (m Match) clone() Match {
	m.Dimensions, m.Headers = cloneConditions(m.Dimensions), cloneConditions(m.Headers)
	m.Models, m.Providers = slices.Clone(m.Models), slices.Clone(m.Providers)
	m.Paths, m.APIs = slices.Clone(m.Paths), slices.Clone(m.APIs)
	m.Tools, m.Images, m.Stream = cloned(m.Tools), cloned(m.Images), cloned(m.Stream)
	return m
}

func cloneConditions(list []Condition) []Condition {
	list = slices.Clone(list)
	for i := range list {
		list[i].Values = slices.Clone(list[i].Values)
	}
	return list
}

// cloned returns a pointer to a copy, nil for nil.
func cloned[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
