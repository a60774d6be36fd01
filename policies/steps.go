package policies

import (
	"math/bits"

	"github.com/farebox-mesh/farebox/pricing"
)

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
			if !reached(limit, left, step.Percent) {
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
	room := left
	for i := range b.Steps {
		switch step := &b.Steps[i]; step.Do {
		case StepFit:
			by.step = *step
		case StepRefuse:
			room = max(0, left-share(limit, 100-step.Percent))
		}
	}
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

// reached reports whether what is left of a limit has come down to a step: spent * 100 >= limit * percent.
func reached(limit, left pricing.Money, percent int64) bool {
	spentHi, spentLo := bits.Mul64(uint64(limit-left), 100)
	stepHi, stepLo := bits.Mul64(uint64(limit), uint64(percent))
	return spentHi > stepHi || spentHi == stepHi && spentLo >= stepLo
}

// share is a part of an amount in percent, rounded up.
func share(m pricing.Money, percent int64) pricing.Money {
	whole, rest := m/100, m%100
	return whole*pricing.Money(percent) + (rest*pricing.Money(percent)+99)/100
}

// act says which step made the call what it is.
func (d *Decision) act(c *cause) { d.Budget, d.Step = c.budget, c.step }
