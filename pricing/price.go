package pricing

import "fmt"

// Rates is what a provider charges for each kind of token.
type Rates struct {
	Input, CacheRead, CacheWriteShort, CacheWriteLong, Output Rate
}

// Price is what one model charges. A request whose total input is above LongAbove tokens is charged at Long
// as a whole, output included; LongAbove 0 means that there is no such tier. The zero Price is free of charge.
type Price struct {
	Rates
	LongAbove int64
	Long      Rates
}

// Cost returns the charge for u, rounded half up once, at the end. It returns an error that wraps
// ErrOverflow when the sum does not fit, another for a negative count or rate, and never a partial amount.
// Cost never falls when a count of u grows, as long as no kind is cheaper in Long than in Rates.
func (p Price) Cost(u Usage) (Money, error) {
	r := p.ratesFor(u.TotalInput())
	var sum wide
	fits := true
	for _, part := range [...]struct {
		tokens int64
		rate   Rate
	}{
		{u.Input, r.Input}, {u.CacheRead, r.CacheRead}, {u.CacheWriteShort, r.CacheWriteShort},
		{u.CacheWriteLong, r.CacheWriteLong}, {u.Output, r.Output},
	} {
		if part.tokens < 0 || part.rate < 0 {
			return 0, fmt.Errorf("cost of %+v: negative count or rate", u)
		}
		fits = sum.add(part.tokens, part.rate) && fits
	}
	m, ok := sum.money()
	if !fits || !ok {
		return 0, fmt.Errorf("cost of %+v: %w", u, ErrOverflow)
	}
	return m, nil
}

// ratesFor returns the rates of a request with that total input.
func (p Price) ratesFor(totalInput int64) Rates {
	if p.LongAbove > 0 && totalInput > p.LongAbove {
		return p.Long
	}
	return p.Rates
}

// Bound returns the most that a call can cost with at most input tokens of prompt and output tokens of
// answer, whatever the provider's prompt cache does. longWrites says that the call may write to the cache
// with the long lifetime, which only a request that asks for it does. Errors are those of Cost.
func (p Price) Bound(input, output int64, longWrites bool) (Money, error) {
	r := p.Rates.dearest(longWrites)
	if p.LongAbove > 0 && input > p.LongAbove {
		long := p.Long.dearest(longWrites)
		r = Rates{Input: max(r.Input, long.Input), Output: max(r.Output, long.Output)}
	}
	return Price{Rates: r}.Cost(Usage{Input: input, Output: output})
}

// dearest folds the input kinds into the dearest one.
func (r Rates) dearest(longWrites bool) Rates {
	in := max(r.Input, r.CacheRead, r.CacheWriteShort)
	if longWrites {
		in = max(in, r.CacheWriteLong)
	}
	return Rates{Input: in, Output: r.Output}
}
