package policies

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
)

func TestAPortionNeitherOverflowsNorRoundsUp(t *testing.T) {
	for _, tt := range []struct {
		m       pricing.Money
		percent int64
		want    pricing.Money
	}{
		{199, 50, 99}, {1, 99, 0}, {0, 50, 0}, {100, 100, 100}, {7, 0, 0},
		{math.MaxInt64, 99, 9131138316486228048}, {math.MaxInt64, 100, math.MaxInt64},
	} {
		if got := Portion(tt.m, tt.percent); got != tt.want {
			t.Errorf("%d%% of %d: got %d, want %d", tt.percent, tt.m, got, tt.want)
		}
	}
}

// All that may be taken below a step that refuses does not pass it, and one nano-dollar more does.
func TestStepsAndPortionsAreOneThreshold(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for range 10_000 {
		limit := pricing.Money(random.Int64() >> random.IntN(63))
		step := Step{Percent: 1 + random.Int64N(100), Do: StepRefuse}
		b := Budget{Steps: []Step{{Percent: step.Percent, Do: StepAlert}, step}}
		ceiling := b.Ceiling(limit)
		for _, taken := range []pricing.Money{ceiling - 1, ceiling, ceiling + 1} {
			if taken < 0 {
				continue
			}
			spent := new(big.Int).Mul(big.NewInt(int64(taken)), big.NewInt(100))
			at := new(big.Int).Mul(big.NewInt(int64(limit)), big.NewInt(step.Percent))
			if got, want := step.Reached(taken, limit), spent.Cmp(at) >= 0; got != want {
				t.Errorf("%d of %d reach %d%%: got %t, want %t", taken, limit, step.Percent, got, want)
			}
			if got, want := taken <= ceiling, spent.Cmp(at) <= 0; got != want {
				t.Errorf("%d of %d are within %d%%: got %t, want %t", taken, limit, step.Percent, got, want)
			}
		}
	}
}

func TestTheLowestStepThatRefusesCounts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []Step
		want  int64
	}{
		{"none", nil, 100},
		{"an alert", []Step{{Percent: 50, Do: StepAlert}}, 100},
		{"two", []Step{{Percent: 90, Do: StepRefuse}, {Percent: 80, Do: StepRefuse}}, 80},
	} {
		b := Budget{Steps: tt.steps}
		if got := b.RefusesAt(); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}
