package policies

import (
	"fmt"
	"slices"
	"time"
)

// check returns an error for the first thing that a policy says and no set can mean: names that are used twice or not
// declared, and words that are none. What a person would have written policyfile reports with its place; this is for
// policies from elsewhere.
func (p *Policy) check() error {
	if p.Mode != Observe && p.Mode != Enforce {
		return fmt.Errorf("unknown mode %q", p.Mode)
	}
	for _, check := range [...]func() error{
		p.checkNames, p.checkDimensions, p.checkPools, p.checkTiers, p.checkRules, p.checkScopes, p.checkMoney,
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
		slow := func(m PoolModel) bool { return m.Throughput <= 0 }
		switch {
		case q.Throughput <= 0 || q.GPUs <= 0 || q.GPUHour < 0 || slices.ContainsFunc(q.Models, slow):
			return fmt.Errorf("pool %q: gpus and throughput must be positive", q.Name)
		case q.SpotHour < 0 || q.SpotShare < 0 || q.SpotShare > 100:
			return fmt.Errorf("pool %q: spot GPUs are a share of 0 to 100%%, and cost no less than nothing", q.Name)
		case q.Use != WhenCheaper && q.Use != AboveVolume && q.Use != Always && q.Use != Never:
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
		if err := p.checkBudget(&p.Budgets[i]); err != nil {
			return fmt.Errorf("budget %q: %w", p.Budgets[i].Name, err)
		}
	}
	return nil
}

func (p *Policy) checkBudget(b *Budget) error {
	if !slices.Contains([]Period{Hour, Day, Week, Month, Rolling}, b.Window) {
		return fmt.Errorf("unknown window %q", b.Window)
	}
	if b.Window == Rolling && b.Length < time.Minute {
		return fmt.Errorf("rolling over %s, want a minute or more", b.Length)
	}
	for _, d := range b.Per {
		if !p.hasDimension(d) && !IsBuiltin(d) {
			return fmt.Errorf("unknown dimension %q", d)
		}
	}
	for _, c := range b.Only {
		if !p.hasDimension(DimensionName(c.Key)) && !IsBuiltin(DimensionName(c.Key)) {
			return fmt.Errorf("unknown dimension %q", c.Key)
		}
	}
	for _, step := range b.Steps {
		switch {
		case step.Percent < 1 || step.Percent > 100:
			return fmt.Errorf("a step at %d%%, want 1%% to 100%%", step.Percent)
		case !slices.Contains([]StepAction{StepAlert, StepCapTier, StepPools, StepFit, StepRefuse}, step.Do):
			return fmt.Errorf("unknown step %q", step.Do)
		case step.Do == StepCapTier && !slices.ContainsFunc(p.Tiers, func(t Tier) bool { return t.Name == step.Tier }):
			return fmt.Errorf("unknown tier %q", step.Tier)
		}
	}
	return nil
}

// checkMoney reports factors and codes that would make money of nothing.
func (p *Policy) checkMoney() error {
	for i := range p.Discounts {
		if d := &p.Discounts[i]; d.PPM < 0 || d.PPM > 1_000_000 {
			return fmt.Errorf("discount %d: a factor of %d parts per million, want 0 to 1000000", i+1, d.PPM)
		}
	}
	switch p.Refusal {
	case 0, 429, 402, 403:
		return nil
	}
	return fmt.Errorf("refusal status %d, want 429, 402 or 403", p.Refusal)
}

func (p *Policy) hasDimension(name DimensionName) bool {
	return slices.ContainsFunc(p.Dimensions, func(d Dimension) bool { return d.Name == name })
}

func (p *Policy) hasRoute(name RouteName) bool {
	return slices.ContainsFunc(p.Providers, func(q Provider) bool { return q.Name == name }) ||
		slices.ContainsFunc(p.Pools, func(q Pool) bool { return q.Name == name })
}
