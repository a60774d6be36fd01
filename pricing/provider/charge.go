package provider

import (
	"bytes"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// charge is an amount that a response says it cost, if it does.
type charge struct {
	amount pricing.Money
	set    bool
}

// Decimal places from the unit of a stated charge to a nano-dollar.
const (
	dollarPlaces = 9
	tickPlaces   = -1 // of 1e-10 dollars
)

// chargePlaces holds the vendors whose responses say what the call cost, and the places of the unit they say it in.
// Sources as read in November 2026, with the member that states it.
var chargePlaces = map[pricing.ProviderName]int{
	OpenRouter: dollarPlaces, // "Usage Accounting": usage.cost
	Perplexity: dollarPlaces, // API reference: usage.cost.total_cost
	Vercel:     dollarPlaces, // AI Gateway, "Usage and billing": providerMetadata.gateway.cost
	XAI:        tickPlaces,   // API reference: usage.cost_in_usd_ticks

	vercelListed: dollarPlaces,
}

// StatesCharge reports whether a vendor's responses say what the call cost: see Reading.Stated.
func StatesCharge(vendor pricing.ProviderName) bool {
	_, ok := chargePlaces[vendor]
	return ok
}

// read takes the next value: a number, a string with one, or an object that holds the sum beside its parts. What is
// negative, more than pricing.MaxCost or nothing of the kind leaves the charge as it was.
func (c *charge) read(s *jsonscan.Scanner, places int) {
	v := s.Next()
	if v.Kind != jsonscan.Object {
		c.take(s, v, places)
		return
	}
	for key, ok := s.Member(v); ok; key, ok = s.Member(v) {
		if string(s.Text(key)) == "total_cost" {
			c.take(s, s.Next(), places)
		}
	}
}

// take is read for a number, or a string with one.
func (c *charge) take(s *jsonscan.Scanner, v jsonscan.Token, places int) {
	if v.Kind != jsonscan.Number && v.Kind != jsonscan.String {
		return
	}
	if amount, ok := shifted(s.Text(v), places); ok && amount <= pricing.MaxCost {
		*c = charge{amount, true}
	}
}

// shifted returns a decimal number times a power of ten, rounded half up to a whole number: exactly, as a float could
// not. It returns false for what is no number, negative or does not fit.
func shifted(text []byte, places int) (pricing.Money, bool) {
	mantissa, exponent := text, 0
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		var ok bool
		if exponent, ok = exponentOf(text[e+1:]); !ok {
			return 0, false
		}
		mantissa = text[:e]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte{'.'})
	if len(whole) == 0 {
		return 0, false
	}
	const most = 1e17 // ten times that fits
	var n int64
	point := len(whole) + exponent + places // digits before the point of the result
	for i := range len(whole) + len(fraction) {
		c := digitAt(whole, fraction, i)
		switch {
		case c < '0' || c > '9' || n >= most:
			return 0, false
		case i < point:
			n = n*10 + int64(c-'0')
		case i == point && c >= '5':
			n++
		}
	}
	for i := len(whole) + len(fraction); i < point && n > 0; i++ {
		if n >= most {
			return 0, false
		}
		n *= 10
	}
	return pricing.Money(n), true
}

// digitAt returns a digit of a number in two parts.
func digitAt(whole, fraction []byte, i int) byte {
	if i < len(whole) {
		return whole[i]
	}
	return fraction[i-len(whole)]
}

// exponentOf reads what follows the e of a number, if it is near enough to matter.
func exponentOf(text []byte) (int, bool) {
	negative := bytes.HasPrefix(text, []byte{'-'})
	digits := bytes.TrimLeft(text, "+-")
	if len(digits) == 0 || len(text)-len(digits) > 1 {
		return 0, false
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int(c-'0'), 1000) // beyond any amount that fits, and any that is more than zero
	}
	if negative {
		return -n, true
	}
	return n, true
}

// charge is what the call cost, as the response says: with a caller's own key at the upstream, both charges, and nothing
// where one of them is not stated.
func (t *tally) charge() charge {
	c := t.cost
	if c.set && t.byok {
		c = charge{pricing.AddCapped(c.amount, t.theirs.amount), t.theirs.set}
	}
	return c
}
