package policies

import (
	"math"
	"math/bits"

	"github.com/farebox-mesh/farebox/pricing"
)

// TokenRate returns what a token of the pool costs when its GPUs are busy: what they cost over what they
// generate, rounded half up to nano-dollars per million tokens. A pool without throughput, which Compile
// refuses, and a rate that does not fit give the highest rate there is, never a free token.
func TokenRate(p Pool) pricing.Rate {
	const million, secondsPerHour = 1_000_000, 3600
	over, perHour := bits.Mul64(uint64(p.GPUHour), uint64(p.GPUs))
	wide, tokensPerHour := bits.Mul64(uint64(p.Throughput), secondsPerHour)
	if p.GPUHour < 0 || p.GPUs < 0 || p.Throughput <= 0 || over != 0 || wide != 0 {
		return math.MaxInt64
	}
	hi, lo := bits.Mul64(perHour, million)
	lo, carry := bits.Add64(lo, tokensPerHour/2, 0)
	hi += carry
	if hi >= tokensPerHour {
		return math.MaxInt64
	}
	rate, _ := bits.Div64(hi, lo, tokensPerHour)
	return pricing.Rate(min(rate, math.MaxInt64))
}

// DayCost returns what the pool's GPUs cost in 24 hours, whether they are busy or not. A sum that does not
// fit gives the largest amount there is.
func DayCost(p Pool) pricing.Money {
	over, perHour := bits.Mul64(uint64(p.GPUHour), uint64(p.GPUs))
	wide, perDay := bits.Mul64(perHour, 24)
	if p.GPUHour < 0 || p.GPUs < 0 || over != 0 || wide != 0 {
		return math.MaxInt64
	}
	return pricing.Money(min(perDay, math.MaxInt64))
}
