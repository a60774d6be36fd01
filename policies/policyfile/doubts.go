package policyfile

import (
	"fmt"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog/pricefile"
)

// priceList is a price file that was read.
type priceList struct {
	place    string
	text     []byte
	listings []pricing.Listing
}

// checkPrices warns of what is possible in price files but probably not meant. It is asked once the providers are known.
func (p *parser) checkPrices() {
	names := slices.Clone(vendors())
	for i := range p.policy.Providers {
		names = append(names, pricing.ProviderName(p.policy.Providers[i].Name), p.policy.Providers[i].Vendor)
	}
	for i := range p.lists {
		list := &p.lists[i]
		doubts := append(strangers(list.listings, names), tomorrows(list.listings, time.Now())...)
		doubts = append(doubts, otherUnits(list.listings)...)
		p.within = append(p.within, mistakesIn(list.place, string(list.text), DoubtfulPrices, pricefile.Places(list.text, doubts))...)
	}
}

// strangers are providers that nobody knows, each once.
func strangers(listings []pricing.Listing, known []pricing.ProviderName) []pricefile.Doubt {
	var out []pricefile.Doubt
	seen := make(map[pricing.ProviderName]bool)
	for i := range listings {
		name := listings[i].Provider
		if seen[name] || slices.Contains(known, name) {
			continue
		}
		seen[name] = true
		hint := didYouMean(string(name), known)
		if hint == "" {
			hint = "farebox prices list shows the catalogue's providers"
		}
		out = append(out, pricefile.Doubt{Listing: i, Key: "provider", Hint: hint,
			Message: fmt.Sprintf("neither the policy nor the catalogue has a provider %q: no call has its prices", name)})
	}
	return out
}

// tomorrows are days of reading that have begun nowhere on earth yet.
func tomorrows(listings []pricing.Listing, now time.Time) []pricefile.Doubt {
	var out []pricefile.Doubt
	const farEast = 14 * time.Hour
	today := now.UTC().Add(farEast).Format(time.DateOnly)
	for i := range listings {
		if day := listings[i].AsOf; day > today {
			out = append(out, pricefile.Doubt{Listing: i, Key: "as_of", Message: fmt.Sprintf("as_of %s is in the future", day),
				Hint: "the day on which the price was read; a price that is to come has a \"from\""})
		}
	}
	return out
}

// otherUnit is how far a rate is from another one if it is probably of another unit: a thousand times, less what a
// discount or a new price may make up for.
const otherUnit = 500

// otherUnits are rates that are far from those of the catalogue for the same model.
func otherUnits(listings []pricing.Listing) []pricefile.Doubt {
	var out []pricefile.Doubt
	for i := range listings {
		l := &listings[i]
		known := ever().Lookup(l.Provider, l.Model, time.Time{})
		if known == nil || known.Unpriced || l.Unpriced {
			continue
		}
		for _, rate := range [...]struct {
			key          string
			ours, theirs pricing.Rate
		}{{"input", l.Price.Input, known.Price.Input}, {"output", l.Price.Output, known.Price.Output}} {
			if far(rate.ours, rate.theirs) {
				out = append(out, pricefile.Doubt{Listing: i, Key: rate.key, Hint: "rates are dollars per million tokens: is this one per token, or per thousand?",
					Message: fmt.Sprintf("%s %s is far from the catalogue's %s for %q", rate.key, rate.ours, rate.theirs, l.Model)})
			}
		}
	}
	return out
}

// far reports whether rates, neither of them zero, are probably of different units.
func far(a, b pricing.Rate) bool {
	low, high := min(a, b), max(a, b)
	return low > 0 && high/otherUnit >= low
}
