package pricing

import (
	"iter"
	"math"
)

// Usage counts what one response used in kinds that do not overlap, except that Reasoning is part of Output.
// Providers count some of these inclusively and some exclusively; package provider normalises them.
// The zero value is a response that used nothing. Counts are never negative.
type Usage struct {
	Input           int64 // tokens read at the full price: text, and what has no rate of its own
	CacheRead       int64 // input served from the provider's prompt cache
	CacheWriteShort int64 // input written to it with the short lifetime: 5 minutes (Anthropic), 30 minutes (OpenAI)
	CacheWriteLong  int64 // input written with the long lifetime: 1 hour (Anthropic), 12 hours (OpenAI)
	Output          int64 // tokens generated, reasoning included
	Reasoning       int64 // of Output: tokens that the client does not see

	InputAudio     int64 // audio tokens read at the full price
	InputImage     int64 // image tokens read at the full price, where the provider counts them apart
	CacheReadAudio int64 // audio tokens served from the provider's prompt cache
	OutputAudio    int64 // audio tokens generated
	OutputImage    int64 // image tokens generated

	WebSearches  int64 // calls of the provider's own search, billed by the call
	FileSearches int64 // calls of its search in stored files
	CodeRuns     int64 // sessions of its code interpreter
	SearchUnits  int64 // documents ranked, in the vendor's unit
	Images       int64 // pictures made, of models that are paid by the picture
	Seconds      int64 // of audio, of models that are paid by the second
	Characters   int64 // of text, of models that are paid by the character; beside its tokens, if both are counted

	// LongestPrompt is the longest prompt that the provider read at once, where that is less than TotalInput because
	// its own tools made it read more than one; 0 where it is TotalInput.
	LongestPrompt int64
}

// TotalInput is the length of the prompt: all input kinds together. It stops at the largest int64, so that an absurd
// count is never taken for a short prompt.
func (u Usage) TotalInput() int64 {
	sum := AddCapped(AddCapped(u.Input, u.CacheRead), AddCapped(u.CacheWriteShort, u.CacheWriteLong))
	return AddCapped(sum, AddCapped(AddCapped(u.InputAudio, u.InputImage), u.CacheReadAudio))
}

// TotalOutput is the length of the answer: all output kinds together. It stops at the largest int64.
func (u Usage) TotalOutput() int64 {
	return AddCapped(u.Output, AddCapped(u.OutputAudio, u.OutputImage))
}

// Total is the length of prompt and answer together. It stops at the largest int64.
func (u Usage) Total() int64 { return AddCapped(u.TotalInput(), u.TotalOutput()) }

// Prompt is the length that long-context prices switch on.
func (u Usage) Prompt() int64 {
	if u.LongestPrompt > 0 {
		return u.LongestPrompt
	}
	return u.TotalInput()
}

// AddCapped adds two counts or amounts. The sum stops at the largest int64, and below zero at as much.
func AddCapped[T ~int64](a, b T) T {
	sum := a + b
	if (sum > a) == (b > 0) {
		return max(sum, -math.MaxInt64)
	}
	if b > 0 {
		return math.MaxInt64
	}
	return -math.MaxInt64
}

// All iterates over the kinds of tokens and of what is billed by the piece, and their counts, in a fixed order, by the
// names that they have in JSON and metrics. Reasoning, which follows output, is part of it.
func (u Usage) All() iter.Seq2[string, int64] {
	return func(yield func(kind string, tokens int64) bool) {
		for i, n := range u.Counts() {
			if !yield(kinds[i], *n) {
				return
			}
		}
	}
}

// kinds are the names of the counts, in the order of Counts.
var kinds = [...]string{
	"input", "cache_read", "cache_write_short", "cache_write_long", "output", "reasoning",
	"input_audio", "input_image", "cache_read_audio", "output_audio", "output_image",
	"web_searches", "file_searches", "code_runs", "search_units", "images", "seconds", "characters",
}

// Counts points to the counts, in the order of All. They may be set. (With their names beside them, each usage that is looked at would escape to the heap.)
func (u *Usage) Counts() [len(kinds)]*int64 {
	return [...]*int64{
		&u.Input, &u.CacheRead, &u.CacheWriteShort, &u.CacheWriteLong, &u.Output, &u.Reasoning,
		&u.InputAudio, &u.InputImage, &u.CacheReadAudio, &u.OutputAudio, &u.OutputImage,
		&u.WebSearches, &u.FileSearches, &u.CodeRuns, &u.SearchUnits, &u.Images, &u.Seconds, &u.Characters,
	}
}

// Plus is the usage of two calls together, each count with its like. Long-context prices of the sum go by the longer
// of the two prompts. Counts stop at the largest int64.
func (u Usage) Plus(other Usage) Usage {
	longest := max(u.Prompt(), other.Prompt())
	theirs := other.Counts()
	for i, n := range u.Counts() {
		*n = AddCapped(*n, *theirs[i])
	}
	if u.LongestPrompt = longest; longest == u.TotalInput() {
		u.LongestPrompt = 0
	}
	return u
}

// Uncached is the same call without a provider cache: all input at the full price.
func (u Usage) Uncached() Usage {
	u.Input = AddCapped(AddCapped(u.Input, u.CacheRead), AddCapped(u.CacheWriteShort, u.CacheWriteLong))
	u.InputAudio = AddCapped(u.InputAudio, u.CacheReadAudio)
	u.CacheRead, u.CacheReadAudio, u.CacheWriteShort, u.CacheWriteLong = 0, 0, 0, 0
	return u
}
