package pricing

import "math"

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
	return addCapped(addCapped(u.Input, u.CacheRead), addCapped(u.CacheWriteShort, u.CacheWriteLong))
}

// addCapped adds two counts that are not negative.
func addCapped(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Uncached is the same call without a provider cache: all input at the full price.
func (u Usage) Uncached() Usage {
	return Usage{Input: u.TotalInput(), Output: u.Output, Reasoning: u.Reasoning}
}
