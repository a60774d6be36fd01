package pricing

import (
	"iter"
	"math"
)

// Usage counts the tokens of one response in kinds that do not overlap, except that Reasoning is part of
// Output. Providers count some of these inclusively and some exclusively; package provider normalises them.
// The zero value is a response that used nothing. Counts are never negative.
type Usage struct {
	Input           int64 // tokens read at the full price
	CacheRead       int64 // input served from the provider's prompt cache
	CacheWriteShort int64 // input written to it with the short lifetime: 5 minutes (Anthropic), 30 minutes (OpenAI)
	CacheWriteLong  int64 // input written with the long lifetime: 1 hour (Anthropic), 12 hours (OpenAI)
	Output          int64 // tokens generated, reasoning included
	Reasoning       int64 // of Output: tokens that the client does not see
}

// TotalInput is the length of the prompt: all input kinds together. Long-context prices switch on it. It stops
// at the largest int64, so that an absurd count is never taken for a short prompt.
func (u Usage) TotalInput() int64 {
	return AddCapped(AddCapped(u.Input, u.CacheRead), AddCapped(u.CacheWriteShort, u.CacheWriteLong))
}

// AddCapped adds two counts or amounts that are not negative. The sum stops at the largest int64.
func AddCapped[T ~int64](a, b T) T {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// All iterates over the kinds and their counts, in a fixed order, by the names that they have in JSON and metrics.
// The last one, reasoning, is part of the one before it, output.
func (u Usage) All() iter.Seq2[string, int64] {
	return func(yield func(kind string, tokens int64) bool) {
		_ = yield("input", u.Input) && yield("cache_read", u.CacheRead) &&
			yield("cache_write_short", u.CacheWriteShort) && yield("cache_write_long", u.CacheWriteLong) &&
			yield("output", u.Output) && yield("reasoning", u.Reasoning)
	}
}

// Uncached is the same call without a provider cache: all input at the full price.
func (u Usage) Uncached() Usage {
	return Usage{Input: u.TotalInput(), Output: u.Output, Reasoning: u.Reasoning}
}
