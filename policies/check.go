package policies

import (
	"fmt"
	"slices"
)

// check returns an error for the first thing that a policy says and no set can mean: names that are used twice or not
// declared, and words that are none. What a person would have written policyfile reports with its place; this is for
// policies from elsewhere.
func (p *Policy) check() error {
	if p.Mode != Observe && p.Mode != Enforce {
		return fmt.Errorf("unknown mode %q", p.Mode)
	}
	for _, check := range [...]func() error{
		p.checkNames, p.checkDimensions, p.checkPools, p.checkTiers, p.checkRules, p.checkScopes,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkNames reports names that are used twice within their kind. Providers and pools are one kind: both are routes.
func (p *Policy) checkNames() error {
	for _, names := range [...]struct {
		kind string
		list []string
	}{
		{"provider or pool", append(namesOf(p.Providers, func(q *Provider) RouteName { return q.Name }),
			namesOf(p.Pools, func(q *Pool) RouteName { return q.Name })...)},
		{"dimension", namesOf(p.Dimensions, func(d *Dimension) DimensionName { return d.Name })},
		{"tier", namesOf(p.Tiers, func(t *Tier) TierName { return t.Name })},
		{"rule", namesOf(p.Rules, func(r *Rule) RuleName { return r.Name })},
		{"budget", namesOf(p.Budgets, func(b *Budget) BudgetName { return b.Name })},
	} {
		for i, name := range names.list {
			if slices.Contains(names.list[:i], name) {
				return fmt.Errorf("%s %q: declared twice", names.kind, name)
			}
		}
	}
	return nil
}

func namesOf[T any, N ~string](list []T, name func(*T) N) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = string(name(&list[i]))
	}
	return names
}

func (p *Policy) checkDimensions() error {
	for i := range p.Dimensions {
		for _, s := range p.Dimensions[i].Sources {
			if s.Kind != FromHeader && s.Kind != FromJWT && s.Kind != FromMTLS {
				return fmt.Errorf("dimension %q: unknown source %q", p.Dimensions[i].Name, s.Kind)
			}
		}
	}
	return nil
}

func (p *Policy) checkPools() error {
	for i := range p.Pools {
		q := &p.Pools[i]
		switch {
		case q.Throughput <= 0 || q.GPUs <= 0 || q.GPUHour < 0:
			return fmt.Errorf("pool %q: gpus and throughput must be positive", q.Name)
		case q.Use != WhenCheaper && q.Use != Always && q.Use != Never:
			return fmt.Errorf("pool %q: unknown use %q", q.Name, q.Use)
		case q.Credential.Caller:
			return fmt.Errorf("pool %q: the caller's credential does not go to a pool", q.Name)
		}
	}
	return nil
}

func (p *Policy) checkTiers() error {
	for i := range p.Tiers {
		for _, m := range p.Tiers[i].Models {
			if !p.hasRoute(m.Route) {
				return fmt.Errorf("tier %q: unknown provider or pool %q", p.Tiers[i].Name, m.Route)
			}
		}
	}
	return nil
}

func (p *Policy) checkRules() error {
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Tier != "" && !slices.ContainsFunc(p.Tiers, func(t Tier) bool { return t.Name == r.Tier }) {
			return fmt.Errorf("rule %q: unknown tier %q", r.Name, r.Tier)
		}
		for _, c := range r.When.Dimensions {
			if !p.hasDimension(DimensionName(c.Key)) {
				return fmt.Errorf("rule %q: unknown dimension %q", r.Name, c.Key)
			}
		}
	}
	return nil
}

// checkScopes reports what divides money or cached answers by a dimension that is not declared: everybody would
// share one scope.
func (p *Policy) checkScopes() error {
	if p.Exact != nil && p.Exact.Per != "" && !p.hasDimension(p.Exact.Per) {
		return fmt.Errorf("exact cache: unknown dimension %q", p.Exact.Per)
	}
	for i := range p.Budgets {
		b := &p.Budgets[i]
		if b.Window != Day && b.Window != Month {
			return fmt.Errorf("budget %q: unknown window %q", b.Name, b.Window)
		}
		for _, d := range b.Per {
			if !p.hasDimension(d) {
				return fmt.Errorf("budget %q: unknown dimension %q", b.Name, d)
			}
		}
	}
	return nil
}

func (p *Policy) hasDimension(name DimensionName) bool {
	return slices.ContainsFunc(p.Dimensions, func(d Dimension) bool { return d.Name == name })
}

func (p *Policy) hasRoute(name RouteName) bool {
	return slices.ContainsFunc(p.Providers, func(q Provider) bool { return q.Name == name }) ||
		slices.ContainsFunc(p.Pools, func(q Pool) bool { return q.Name == name })
}
