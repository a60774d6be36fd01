package feeds

import (
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// offer is a listing with its price as the list states it.
type offer struct {
	pricing.Listing // without its price
	quote           quote
}

// listing completes the price.
func (o *offer) listing() pricing.Listing {
	l := o.Listing
	if !l.Unpriced {
		l.Price = o.quote.price()
	}
	return l
}

func listings(offers []offer) []pricing.Listing {
	out := make([]pricing.Listing, len(offers))
	for i := range offers {
		out[i] = offers[i].listing()
	}
	return out
}

// refuse turns the offer into one without a price.
func (o *offer) refuse(why string) {
	o.Unpriced, o.Variants, o.Uplifts, o.From, o.Until, o.Windows = true, nil, nil, time.Time{}, time.Time{}, nil
	o.note(why)
}

func (o *offer) note(text string) {
	if o.Note != "" {
		o.Note += "; "
	}
	o.Note += text
}

// freeByName reports whether a model's name says that it costs nothing.
func freeByName(name pricing.ModelName) bool {
	return strings.HasSuffix(string(name), ":free") || name == "openrouter/free"
}

// Notes of offers without a price, or with one that deserves a word.
const (
	noPrice       = "the source states no price"
	zeroPrice     = "the source states 0, which may mean unknown"
	noOutput      = "the source states no price of the answer"
	noInput       = "the source states no price of the prompt"
	freeName      = "free of charge, as its name says"
	ownMachine    = "free of charge: it runs on one's own machine"
	wrongUnit     = "the source states more than any vendor asks: its unit is wrong"
	freeModerates = "free of charge, as the vendor states"
)

// longWrites states what Claude's cache writes of the long lifetime cost where a list has the short ones alone: twice
// the input, where the short ones are 1.25 times it.
// Source: platform.claude.com, prompt caching.
func (q *quote) longWrites(model pricing.ModelName) {
	if !strings.Contains(string(model), "claude") {
		return
	}
	derive := func(s *sheet) {
		if s.has(writeShort) && !s.has(writeLong) && s.Input > 0 {
			s.set(writeLong, max(2*s.Input, s.CacheWriteShort))
		}
	}
	derive(&q.sheet)
	for i := range q.steps {
		derive(&q.steps[i].sheet)
	}
}

// variant completes the price of another class of service: what it does not state is the standard rate times the
// ratio of the inputs. It reports whether the price is one: above zero, and not on the wrong side of the standard.
func (q *quote) variant(standard *quote, s pricing.Service) (pricing.Price, bool) {
	if q.Input == 0 || (standard.Output > 0) != (q.Output > 0) {
		return pricing.Price{}, false
	}
	if (s == pricing.Priority && q.Input <= standard.Input) || (s != pricing.Priority && q.Input > standard.Input) {
		return pricing.Price{}, false
	}
	out := quote{sheet: q.sheet, steps: slices.Clone(q.steps), fees: standard.fees}
	scale := func(to *sheet, from *sheet) {
		for _, k := range allKinds {
			if from.has(k) && !to.has(k) {
				to.set(k, ratio(*from.field(k), standard.Input, q.Input))
			}
		}
	}
	scale(&out.sheet, &standard.sheet)
	for i := range standard.steps {
		scale(out.step(standard.steps[i].above), &standard.steps[i].sheet)
	}
	return out.price(), true
}
