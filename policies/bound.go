package policies

import (
	"math"
	"math/bits"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// usualOutput is how many tokens an answer is expected to have where none was seen yet, unless its cap is smaller:
// a page of text.
const usualOutput = 512

// finish adds the edits that do not choose the model, and bounds the cost of the result. most is the rule's cap on
// the output, 0 for none.
func (s *Set) finish(r *Request, o *Option, most int64, st State) {
	call := r.Call
	if most > 0 && (call.MaxOutput == 0 || call.MaxOutput > most) {
		o.Edit.MaxOutput = most
	}
	if s.policy.Prompt && o.Kind != Pooled {
		s.mark(call, o, st)
	}
	s.bound(call, o, st)
}

// bound sets the most that the option can cost, and what it is expected to.
func (s *Set) bound(call *provider.Request, o *Option, st State) {
	o.cap = s.outputCap(call, o)
	o.Output, o.Bound, o.Unbounded = s.most(call, o, o.cap)
	u := call.Pieces
	u.Seconds = call.Sound().Seconds
	u.Input, u.Output = call.InputEstimate(), st.ExpectedOutput(o.Route, o.Model)
	if u.Output <= 0 {
		u.Output = usualOutput
	}
	if o.Output > 0 || call.NoOutput {
		u.Output = min(u.Output, o.Output)
	}
	price, _ := o.price(o.Terms)
	var err error
	o.Expected, err = price.Cost(u)
	if err != nil || o.Expected > pricing.MaxCost || (!o.Unbounded && o.Expected > o.Bound) {
		o.Expected = o.Bound
	}
}

// context is the window of the model that serves the option, 0 if unknown.
func (s *Set) context(o *Option) int64 {
	switch {
	case o.Kind == Pooled:
		return s.places[o.Route].pool.Context
	case o.Listing != nil:
		return o.Listing.Limits.Context
	}
	return 0
}

// outputCap is the most that one answer can have in tokens: the cap in force, as far as the model can write that much,
// else the model's own; 0 if unknown.
func (s *Set) outputCap(call *provider.Request, o *Option) int64 {
	if call.NoOutput {
		return 0
	}
	most := call.MaxOutput
	if o.Edit.MaxOutput > 0 {
		most = call.CapWritten(o.Edit)
	}
	if most == 0 {
		return s.longest(o)
	}
	if writable := s.writable(call, o); writable > 0 {
		most = min(most, writable)
	}
	return most
}

// writable is what the option's model cannot go beyond in one answer, whatever the cap, 0 if unknown: its context, as a
// longest answer that is listed may be too small. With the provider's tools, or where it makes room in the context, an
// answer is written in several goes. Other models may have other contexts.
func (s *Set) writable(call *provider.Request, o *Option) int64 {
	context := s.context(o)
	if context == 0 || call.Facts.Has(provider.OtherModels) {
		return 0
	}
	context = max(context, s.longest(o))
	if call.OpenPieces || call.Facts.Any(provider.ServerTools|provider.Compaction) {
		context = min(context, math.MaxInt64/usualTools) * usualTools
	}
	return context
}

// longest is the most tokens that the option's model writes at once, 0 if unknown.
func (s *Set) longest(o *Option) int64 {
	if o.Listing != nil && o.Listing.Limits.MaxOutput > 0 {
		return o.Listing.Limits.MaxOutput
	}
	return s.context(o)
}

// most returns how much the option can generate and cost with so many tokens to an answer. Input that the body does
// not bound counts as the whole context. A call whose price nobody lists is unbounded, whatever its tokens cost at
// the dearest that is, and so is one that asks for more than any call comes to; one whose tokens cost nothing needs no
// bound of them.
func (s *Set) most(call *provider.Request, o *Option, output int64) (all int64, bound pricing.Money, unbounded bool) {
	e, price, bounded, counted := s.exposure(call, o, output)
	if !bounded {
		return 0, 0, true
	}
	bound, err := price.Bound(e)
	if err != nil || bound > pricing.MaxCost {
		return e.Output, 0, true
	}
	return e.Output, bound, !counted
}

// Reckoning is what the bound of an option is made of, for people.
type Reckoning struct {
	Input, Output int64         // tokens, at most
	Rates         pricing.Rates // Input and Output: what a million of them cost at most
	Fees          pricing.Money // what is billed by the piece, at most
}

// Reckon takes the bound of an option of a decision apart. It returns false where nothing bounds the call.
func (s *Set) Reckon(call *provider.Request, o *Option) (Reckoning, bool) {
	e, price, bounded, _ := s.exposure(call, o, o.cap)
	if !bounded || o.Unbounded {
		return Reckoning{}, false
	}
	r := Reckoning{Input: e.Input, Output: e.Output, Rates: price.Most(e)}
	tokens, err := pricing.Price{Rates: r.Rates}.Cost(pricing.Usage{Input: e.Input, Output: e.Output})
	r.Fees = o.Bound - tokens
	return r, err == nil
}

// exposure returns the most that an option can use, at so many tokens to an answer, and the price of that. It also
// reports whether its tokens are bounded, and whether all that it is billed for is counted and has a price.
func (s *Set) exposure(call *provider.Request, o *Option, output int64) (e pricing.Exposure, price pricing.Price, bounded, counted bool) {
	input := call.InputBound()
	if input < 0 {
		input = s.context(o)
	}
	all, ok := generated(call, output)
	if call.Facts.Has(provider.Compaction) {
		summary := s.longest(o)
		all, ok = pricing.AddCapped(all, summary), ok && summary > 0
	}
	price, known := s.dearestPrice(call, o)
	pieces, closed := pieces(call, &price)
	if price.FreeTokens() {
		input = max(input, 1) // there is a prompt, for a fee of the request
	} else if input == 0 || (output == 0 && !call.NoOutput) || !ok {
		return e, price, false, false
	}
	return pricing.Exposure{
		Input: input, Output: all, LongWrites: call.Facts.Has(provider.LongCacheWrites),
		InputMedia: call.InputMedia, OutputMedia: call.OutputMedia, Pieces: pieces,
	}, price, true, known && closed
}

// usualTools is how often the provider's tools are taken to run where the call does not limit them: as often as
// Anthropic samples before it asks the client whether to go on.
// Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools, "The server-side loop", as read in November 2026.
const usualTools = 10

// pieces is the most of what the call may be billed for by the piece. It returns false where nothing bounds that, as
// with a compressed recording at a price by the second, or with searches.
func pieces(call *provider.Request, price *pricing.Price) (pricing.Usage, bool) {
	u := call.Pieces
	closed := !call.Boundless && (!call.OpenSeconds || price.Fees.Second == 0)
	if call.OpenPieces {
		for _, n := range [...]*int64{&u.WebSearches, &u.FileSearches, &u.CodeRuns, &u.Images} {
			*n = max(*n, usualTools)
		}
		closed = closed && call.Facts.Has(provider.ServerTools)
	}
	return u, closed && searchesPriced(&u, price)
}

// searchesPriced reports whether the price knows the fee of what a usage has of searches, which may be in that of the
// request: no provider's are free.
func searchesPriced(u *pricing.Usage, price *pricing.Price) bool {
	return u.WebSearches == 0 || price.Fees.WebSearch > 0 || price.Fees.Request > 0
}

// generated is the most that a call generates at so many tokens to an answer. What of a predicted output is rejected
// is billed as output on top of the cap. It returns false if the sum does not fit.
func generated(call *provider.Request, output int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(output), uint64(max(call.Choices, 1)))
	if hi != 0 || lo > math.MaxInt64-uint64(call.PredictedBytes) {
		return 0, false
	}
	return int64(lo) + call.PredictedBytes, true
}

// fit caps the output so that the call costs at most room: at the largest cap that does, but not below floor, where
// the option stays as it is. It reports whether it did.
func (s *Set) fit(call *provider.Request, o *Option, room pricing.Money, floor int64, st State) bool {
	if o.Kind == Pooled || o.Unbounded || o.Bound <= room {
		return false
	}
	edit := o.Edit
	affordable := func(most int64) bool {
		edit.MaxOutput = most
		_, bound, unbounded := s.most(call, o, call.CapWritten(edit))
		return !unbounded && bound <= room
	}
	low, high := floor, o.cap
	if low >= high || !affordable(low) {
		return false
	}
	for high-low > 1 { // low is affordable and high is not
		if middle := low + (high-low)/2; affordable(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	o.Edit.MaxOutput = low
	s.bound(call, o, st)
	return true
}
