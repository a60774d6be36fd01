package policies

import (
	"math/bits"

	"github.com/farebox-mesh/farebox/pricing"
)

// Reached reports whether what is taken of a limit, top-ups included, has come up to the step: its percentage of the
// limit, to the nano-dollar. Neither is negative. Of a limit of nothing every step is reached.
func (s *Step) Reached(taken, limit pricing.Money) bool {
	takenHi, takenLo := bits.Mul64(uint64(taken), 100)
	stepHi, stepLo := bits.Mul64(uint64(limit), uint64(s.Percent))
	return takenHi > stepHi || takenHi == stepHi && takenLo >= stepLo
}

// RefusesAt is the percentage of its limit that calls may take of a hard budget: that of its lowest step that refuses,
// else 100.
func (b *Budget) RefusesAt() int64 {
	percent := int64(100)
	for i := range b.Steps {
		if b.Steps[i].Do == StepRefuse {
			percent = min(percent, b.Steps[i].Percent)
		}
	}
	return percent
}

// Ceiling is the most that calls may take of a hard budget whose limit, top-ups included, is limit.
func (b *Budget) Ceiling(limit pricing.Money) pricing.Money { return Portion(limit, b.RefusesAt()) }

// Portion is a percentage, 0 to 100, of an amount that is not negative, rounded down: the most that can be taken of a
// limit without passing it. Where replicas share balances, the script that grants computes the same.
func Portion(m pricing.Money, percent int64) pricing.Money {
	return m/100*pricing.Money(percent) + m%100*pricing.Money(percent)/100
}
