package pricing

import (
	"math"
	"slices"
)

// Service is the class of service that a provider bills a call under. The zero value is the standard one.
type Service string

// The classes. OpenAI's fast mode is billed and reported as Priority; Fast is Anthropic's.
const (
	Standard  Service = ""
	Batch     Service = "batch"
	Flex      Service = "flex"
	Priority  Service = "priority"
	Fast      Service = "fast"
	Ultrafast Service = "ultrafast"
)

// Variant is what a model costs under another class of service than the standard one.
type Variant struct {
	Service Service
	Price   Price
}

// Uplift is what processing in a region adds to the price of tokens.
type Uplift struct {
	Region string // as requests and responses name it: "us", "eu"; AnyRegion: every one that no other uplift names
	PPM    int64  // factor on every token rate in parts per million: 1100000 adds a tenth
}

// AnyRegion is the uplift of processing in one place rather than anywhere: of all regions but "global".
const AnyRegion = "*"

// Terms is how a call was served, as far as its price depends on that. The zero value is the standard service
// anywhere.
type Terms struct {
	Service Service
	Region  string // "" or one without an uplift costs what the listing says
}

// PriceFor returns the price under the terms. It returns false with the dearest price listed where the class of
// service has none: what it costs is then an estimate. An uplift that takes a rate out of range is left out, and
// the price is not known either.
func (l *Listing) PriceFor(t Terms) (Price, bool) {
	price, known := l.Price, t.Service == Standard
	if !known {
		i := l.variant(t.Service)
		if known = i >= 0; known {
			price = l.Variants[i].Price
		} else {
			price = l.Dearest()
		}
	}
	ppm := l.uplift(t.Region)
	if ppm == 0 {
		return price, known
	}
	scaled, err := price.Scaled(ppm)
	if err != nil {
		return price, false
	}
	return scaled, known
}

// Serves reports whether the listing has a price of a class of service's own.
func (l *Listing) Serves(s Service) bool { return l.variant(s) >= 0 }

// variant returns the index of the price of a class of service, -1 if it has none of its own.
func (l *Listing) variant(s Service) int {
	return slices.IndexFunc(l.Variants, func(v Variant) bool { return v.Service == s })
}

// uplift returns the factor of a region in parts per million, 0 for none.
func (l *Listing) uplift(region string) int64 {
	var anywhere int64
	for _, u := range l.Uplifts {
		switch {
		case region == "" || region == "global":
		case u.Region == region:
			return u.PPM
		case u.Region == AnyRegion:
			anywhere = u.PPM
		}
	}
	return anywhere
}

// Dearest returns the highest rate of every kind over all classes of service, for a call whose class is not known
// yet.
func (l *Listing) Dearest() Price {
	price := l.Price
	for i := range l.Variants {
		price = price.dearer(&l.Variants[i].Price)
	}
	return price
}

// dearer takes the higher rate of every kind at every length of prompt.
func (p Price) dearer(other *Price) Price {
	out := Price{Rates: p.Rates.max(other.Rates), Fees: p.Fees}
	theirs := other.Fees.all()
	for i, fee := range out.Fees.all() {
		*fee = max(*fee, *theirs[i])
	}
	var steps []int64
	for _, brackets := range [...][]Bracket{p.Brackets, other.Brackets} {
		for i := range brackets {
			steps = append(steps, brackets[i].Above)
		}
	}
	slices.Sort(steps)
	for _, above := range slices.Compact(steps) {
		if above == math.MaxInt64 {
			break // no prompt is longer
		}
		out.Brackets = append(out.Brackets, Bracket{Above: above, Rates: p.RatesFor(above + 1).max(other.RatesFor(above + 1))})
	}
	return out
}

// Dearer returns the higher rate of every kind of two prices, at every length of prompt.
func Dearer(a, b Price) Price { return a.dearer(&b) }
