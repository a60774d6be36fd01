package policies

import "github.com/farebox-mesh/farebox/pricing"

// pressure is what the steps that budgets have reached ask of a call together: of several the strictest.
type pressure struct {
	alert, tierBy, poolsBy, fitBy, refuseBy cause

	tier  int           // index of the highest tier that is left
	room  pricing.Money // the most that a call may cost before its output is fitted
	floor int64         // the smallest cap that it may be fitted to
}

// cause is the step that asks, of which budget; without a budget none does.
type cause struct {
	budget BudgetName
	step   Step
}

func (c *cause) acts() bool { return c.budget != "" }

// pressure asks how much is left of the budgets that do anything on the way up.
func (s *Set) pressure(st State) pressure {
	p := pressure{tier: -1}
	for i := range s.policy.Budgets {
		b := &s.policy.Budgets[i]
		if len(b.Steps) == 0 && b.FitOutput == 0 {
			continue
		}
		left, limit, covered := st.Left(b)
		if !covered {
			continue
		}
		left = min(max(left, 0), limit)
		fits := b.FitOutput > 0 && !b.hasStep(StepFit)
		for j := range b.Steps {
			step := &b.Steps[j]
			if !step.Reached(limit-left, limit) {
				continue
			}
			fits = fits || step.Do == StepFit && b.FitOutput > 0
			p.add(s, b, step)
		}
		if fits && !b.Soft {
			p.fit(b, left, limit)
		}
	}
	return p
}

// add takes note of a step.
func (p *pressure) add(s *Set, b *Budget, step *Step) {
	by := cause{b.Name, *step}
	switch step.Do {
	case StepAlert:
		p.alert = by
	case StepCapTier:
		if i := s.tierIndex(step.Tier); i > p.tier {
			p.tier, p.tierBy = i, by
		}
	case StepPools:
		p.poolsBy = by
	case StepRefuse:
		if !b.Soft {
			p.refuseBy = by
		}
	}
}

// fit takes note of a budget that would rather have shorter answers than refuse.
func (p *pressure) fit(b *Budget, left, limit pricing.Money) {
	by := cause{b.Name, Step{Do: StepFit}}
	for i := range b.Steps {
		if b.Steps[i].Do == StepFit {
			by.step = b.Steps[i]
		}
	}
	room := max(0, b.Ceiling(limit)-(limit-left))
	if !p.fitBy.acts() || room < p.room {
		p.fitBy, p.room = by, room
	}
	p.floor = max(p.floor, b.FitOutput)
}

// hasStep reports whether a step of the budget does that.
func (b *Budget) hasStep(do StepAction) bool {
	for i := range b.Steps {
		if b.Steps[i].Do == do {
			return true
		}
	}
	return false
}

// act says which step made the call what it is.
func (d *Decision) act(c *cause) { d.Budget, d.Step = c.budget, c.step }
