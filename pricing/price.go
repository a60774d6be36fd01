package pricing

import (
	"fmt"
	"iter"
	"slices"
)

// Rates is what a provider charges for each kind of token.
type Rates struct {
	Input, CacheRead, CacheWriteShort, CacheWriteLong, Output Rate

	// Rates of tokens that are not text; a listing without one of its own has that of text there.
	InputAudio, InputImage, CacheReadAudio, OutputAudio, OutputImage Rate
}

// Fees is what a provider charges beside tokens: nano-dollars for a million pieces.
type Fees struct {
	Request    Rate // a call that is billed at all
	WebSearch  Rate // a call of the provider's own search
	FileSearch Rate // a call of its search in stored files
	CodeRun    Rate // a session of its code interpreter
	SearchUnit Rate // the vendor's unit of ranking
	Image      Rate // a picture made
	Second     Rate // a second of audio
	Character  Rate // a character of text
}

// Bracket holds the rates of requests with a prompt of more than Above tokens.
type Bracket struct {
	Above int64
	Rates
}

// Price is what one model charges. A request whose prompt is above the last bracket that it passes is charged at that
// bracket's rates as a whole, output included. The zero Price is free of charge.
type Price struct {
	Rates
	Brackets []Bracket // by rising Above; empty: one price for prompts of any length
	Fees     Fees
}

// Free reports whether nothing that a usage counts costs anything.
func (p *Price) Free() bool { return p.Fees == (Fees{}) && p.FreeTokens() }

// FreeTokens reports whether tokens cost nothing, however many: there may be fees.
func (p *Price) FreeTokens() bool {
	return p.Rates == (Rates{}) && !slices.ContainsFunc(p.Brackets, func(b Bracket) bool { return b.Rates != (Rates{}) })
}

// Cost returns the charge for u, rounded half up once, at the end. It returns an error that wraps
// ErrOverflow when the sum does not fit, another for a negative count or rate, and never a partial amount.
// Cost never falls when a count of u grows, as long as no kind is cheaper in a later bracket.
func (p Price) Cost(u Usage) (Money, error) {
	var sum wide
	fits := true
	for _, part := range p.parts(&u) {
		if part.count < 0 || part.rate < 0 {
			return 0, fmt.Errorf("cost of %+v: negative count or rate", u)
		}
		fits = sum.add(part.count, part.rate) && fits
	}
	m, ok := sum.money()
	if !fits || !ok {
		return 0, fmt.Errorf("cost of %+v: %w", u, ErrOverflow)
	}
	return m, nil
}

// part is a count of a usage and what a million of that kind cost.
type part struct {
	count int64
	rate  Rate
}

// parts pairs the counts of a usage with their rates.
func (p *Price) parts(u *Usage) [18]part {
	r, f := p.RatesFor(u.Prompt()), &p.Fees
	requests := int64(0)
	if *u != (Usage{}) {
		requests = 1
	}
	return [...]part{
		{u.Input, r.Input}, {u.CacheRead, r.CacheRead}, {u.CacheWriteShort, r.CacheWriteShort},
		{u.CacheWriteLong, r.CacheWriteLong}, {u.Output, r.Output},
		{u.InputAudio, r.InputAudio}, {u.InputImage, r.InputImage}, {u.CacheReadAudio, r.CacheReadAudio},
		{u.OutputAudio, r.OutputAudio}, {u.OutputImage, r.OutputImage},
		{requests, f.Request}, {u.WebSearches, f.WebSearch}, {u.FileSearches, f.FileSearch}, {u.CodeRuns, f.CodeRun},
		{u.SearchUnits, f.SearchUnit}, {u.Images, f.Image}, {u.Seconds, f.Second}, {u.Characters, f.Character},
	}
}

// RatesFor returns the rates of a request with a prompt of that length.
func (p *Price) RatesFor(prompt int64) Rates {
	rates := p.Rates
	for i := range p.Brackets {
		if prompt > p.Brackets[i].Above {
			rates = p.Brackets[i].Rates
		}
	}
	return rates
}

// Exposure is the most that a call can use, known before it is made.
type Exposure struct {
	Input, Output int64 // tokens
	LongWrites    bool  // the call may write to the provider's cache with the long lifetime, which only a request that asks for it does
	InputMedia    bool  // the prompt may hold sound or pictures
	OutputMedia   bool  // the answer may
	Pieces        Usage // what is billed by the piece; its tokens are not looked at
}

// Bound returns the most that a call can cost, whatever the provider's prompt cache does. Errors are those of Cost.
func (p Price) Bound(e Exposure) (Money, error) {
	r := p.Most(e)
	u := e.Pieces
	u.Input, u.Output = e.Input, e.Output
	u.CacheRead, u.CacheReadAudio, u.CacheWriteShort, u.CacheWriteLong = 0, 0, 0, 0
	u.InputAudio, u.InputImage, u.OutputAudio, u.OutputImage = 0, 0, 0, 0
	return Price{Rates: r, Fees: p.Fees}.Cost(u)
}

// Most returns the rates of input and output that Bound counts the tokens at, the dearest that they can have.
func (p Price) Most(e Exposure) Rates {
	r := p.Rates.dearest(&e)
	for i := range p.Brackets {
		if e.Input > p.Brackets[i].Above {
			r = r.max(p.Brackets[i].Rates.dearest(&e))
		}
	}
	return r
}

// dearest folds the kinds that a call may use into one rate for input and one for output.
func (r Rates) dearest(e *Exposure) Rates {
	in := max(r.Input, r.CacheRead, r.CacheWriteShort)
	if e.LongWrites {
		in = max(in, r.CacheWriteLong)
	}
	if e.InputMedia {
		in = max(in, r.InputAudio, r.InputImage, r.CacheReadAudio)
	}
	out := r.Output
	if e.OutputMedia {
		out = max(out, r.OutputAudio, r.OutputImage)
	}
	return Rates{Input: in, Output: out}
}

// All iterates over the rates in the order of the struct, by the names that they have in price files, such as
// "cache_read". They may be set.
func (r *Rates) All() iter.Seq2[string, *Rate] {
	all := r.all()
	return named(rateNames[:], all[:])
}

// rateNames are the names of the rates, in the order of the struct.
var rateNames = [...]string{
	"input", "cache_read", "cache_write_short", "cache_write_long", "output",
	"input_audio", "input_image", "cache_read_audio", "output_audio", "output_image",
}

// named pairs rates with their names.
func named(names []string, rates []*Rate) iter.Seq2[string, *Rate] {
	return func(yield func(string, *Rate) bool) {
		for i, rate := range rates {
			if !yield(names[i], rate) {
				return
			}
		}
	}
}

// all points to every rate, in the order of the struct.
func (r *Rates) all() [len(rateNames)]*Rate {
	return [...]*Rate{
		&r.Input, &r.CacheRead, &r.CacheWriteShort, &r.CacheWriteLong, &r.Output,
		&r.InputAudio, &r.InputImage, &r.CacheReadAudio, &r.OutputAudio, &r.OutputImage,
	}
}

// max takes the dearer of each rate.
func (r Rates) max(other Rates) Rates {
	theirs := other.all()
	for i, rate := range r.all() {
		*rate = max(*rate, *theirs[i])
	}
	return r
}

// All iterates over the fees in the order of the struct, by the names that they have in price files, such as
// "web_search". They may be set.
func (f *Fees) All() iter.Seq2[string, *Rate] {
	all := f.all()
	return named(feeNames[:], all[:])
}

// feeNames are the names of the fees, in the order of the struct.
var feeNames = [...]string{"request", "web_search", "file_search", "code_run", "search_unit", "image", "second", "character"}

// all points to every fee, in the order of the struct.
func (f *Fees) all() [len(feeNames)]*Rate {
	return [...]*Rate{
		&f.Request, &f.WebSearch, &f.FileSearch, &f.CodeRun, &f.SearchUnit, &f.Image, &f.Second, &f.Character,
	}
}

// Scaled returns the price with every token rate times a factor in parts per million, each rounded half up to a
// nano-dollar per million tokens. Fees stay: vendors grant discounts and ask uplifts on tokens. Errors wrap
// ErrOverflow.
func (p Price) Scaled(ppm int64) (Price, error) {
	p.Brackets = slices.Clone(p.Brackets)
	all := []*Rates{&p.Rates}
	for i := range p.Brackets {
		all = append(all, &p.Brackets[i].Rates)
	}
	for _, rates := range all {
		for _, rate := range rates.all() {
			var w wide
			if *rate < 0 || ppm < 0 {
				return Price{}, fmt.Errorf("scale a price by %d parts per million: negative factor or rate", ppm)
			}
			w.add(ppm, *rate)
			scaled, ok := w.money()
			if !ok {
				return Price{}, fmt.Errorf("scale a price by %d parts per million: %w", ppm, ErrOverflow)
			}
			*rate = Rate(scaled)
		}
	}
	return p, nil
}

// WithText fills the rates of tokens that are not text, where they are zero, with those of text: for listings that
// state no other.
func (r Rates) WithText() Rates {
	for _, kind := range [...]struct {
		rate *Rate
		text Rate
	}{
		{&r.InputAudio, r.Input}, {&r.InputImage, r.Input}, {&r.CacheReadAudio, r.CacheRead},
		{&r.OutputAudio, r.Output}, {&r.OutputImage, r.Output},
	} {
		if *kind.rate == 0 {
			*kind.rate = kind.text
		}
	}
	return r
}

// Flat is a price that charges every token alike, and nothing else.
func Flat(r Rate) Price {
	return Price{Rates: Rates{Input: r, CacheRead: r, CacheWriteShort: r, CacheWriteLong: r, Output: r}.WithText()}
}
