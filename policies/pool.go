package policies

import (
	"math"
	"math/bits"

	"github.com/farebox-mesh/farebox/pricing"
)

// throughput is how many tokens per second the whole pool makes of a model.
func (p *Pool) throughput(model pricing.ModelName) int64 {
	for i := range p.Models {
		if p.Models[i].Model == model {
			return p.Models[i].Throughput
		}
	}
	return p.Throughput
}

// hundredHours returns what the pool's GPUs cost in a hundred hours, where the share of spot GPUs is a whole number
// of hours at their price. It returns false for what is negative or does not fit.
func (p *Pool) hundredHours() (uint64, bool) {
	if p.GPUHour < 0 || p.SpotHour < 0 || p.GPUs < 0 || p.SpotShare < 0 || p.SpotShare > 100 {
		return 0, false
	}
	spot := p.SpotShare
	if p.SpotHour == 0 {
		spot = 0
	}
	over, own := bits.Mul64(uint64(p.GPUHour), uint64(100-spot))
	wide, lent := bits.Mul64(uint64(p.SpotHour), uint64(spot))
	one, carry := bits.Add64(own, lent, 0)
	high, all := bits.Mul64(one, uint64(p.GPUs))
	return all, over == 0 && wide == 0 && carry == 0 && high == 0
}

// TokenRate returns what a token of a model costs in the pool when its GPUs are busy: what they cost over what they
// generate, rounded half up to nano-dollars per million tokens. A pool without throughput, which Compile
// refuses, and a rate that does not fit give the highest rate there is, never a free token.
func TokenRate(p Pool, model pricing.ModelName) pricing.Rate {
	const million, hundredHours = 1_000_000, 100 * 3600
	cost, ok := p.hundredHours()
	speed := p.throughput(model)
	if !ok || speed <= 0 {
		return math.MaxInt64
	}
	wide, tokens := bits.Mul64(uint64(speed), hundredHours)
	if wide != 0 {
		return math.MaxInt64
	}
	hi, lo := bits.Mul64(cost, million)
	lo, carry := bits.Add64(lo, tokens/2, 0)
	hi += carry
	if hi >= tokens {
		return math.MaxInt64
	}
	rate, _ := bits.Div64(hi, lo, tokens)
	return pricing.Rate(min(rate, math.MaxInt64))
}

// DayCost returns what the pool's GPUs cost in 24 hours, whether they are busy or not, rounded up to a nano-dollar. A
// sum that does not fit gives the largest amount there is.
func DayCost(p Pool) pricing.Money {
	cost, ok := p.hundredHours()
	over, days := bits.Mul64(cost, 24)
	if !ok || over != 0 {
		return math.MaxInt64
	}
	day := days / 100
	if days%100 > 0 {
		day++
	}
	return pricing.Money(min(day, math.MaxInt64))
}

// DayCapacity returns how many tokens the pool makes in 24 hours at most, of the model that it is fastest with.
func DayCapacity(p Pool) int64 {
	const secondsPerDay = 24 * 60 * 60
	fastest := p.Throughput
	for i := range p.Models {
		fastest = max(fastest, p.Models[i].Throughput)
	}
	if fastest > math.MaxInt64/secondsPerDay {
		return math.MaxInt64
	}
	return fastest * secondsPerDay
}
