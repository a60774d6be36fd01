package pricefile

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// claim is what a listing says it is the price of. Of listings with the same claim, none stands before the other by the
// rules of pricing.NewTable but by its place in the file.
type claim struct {
	provider pricing.ProviderName
	name     pricing.ModelName
	alias    bool
	windows  bool
	from     time.Time
}

// Contradictions finds listings of a text, which Overlay has read, that hold at the same time for the same name and say
// different things: the first one counts. Listings of which one takes over from the other by its from, or that have hours
// of their own, do not contradict each other.
func Contradictions(text []byte, listings []pricing.Listing) Mistakes {
	claims := make(map[claim][]int, len(listings))
	var errs []error
	for i := range listings {
		if first, key := contradicted(claims, listings, i); first >= 0 && len(errs) < maxMistakes {
			l := &listings[i]
			errs = append(errs, at("listings", at(i, at(key, &hinted{
				`give one a later "from", or remove it`,
				fmt.Errorf("listing %d, model %q: another price of it holds at the same time, that of listing %d, which counts", i+1, l.Model, first+1),
			}))))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return mistakesOf(text, errs)
}

// contradicted returns the first listing that a listing contradicts, -1 for none, and the key of the name that both have.
// It notes what the listing claims.
func contradicted(claims map[claim][]int, listings []pricing.Listing, i int) (first int, key string) {
	l := &listings[i]
	first = -1
	for n, name := range slices.Concat([]pricing.ModelName{l.Model}, l.Aliases) {
		c := claim{l.Provider, name, name != l.Model, len(l.Windows) > 0, l.From}
		for _, j := range claims[c] {
			if first < 0 && j != i && overlap(l.Windows, listings[j].Windows) && !same(l, &listings[j]) {
				first, key = j, "model"
				if n > 0 {
					key = "aliases"
				}
			}
		}
		claims[c] = append(claims[c], i)
	}
	return first, key
}

// overlap reports whether hours have a moment in common; none are all. Holidays, of which there is always a last one,
// are not looked at.
func overlap(a, b []pricing.Window) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(v pricing.Window) bool {
		return slices.ContainsFunc(b, func(w pricing.Window) bool {
			return v.Weekdays&w.Weekdays != 0 && v.Start < w.End && w.Start < v.End
		})
	})
}

// same reports whether calls are charged alike by two listings.
func same(a, b *pricing.Listing) bool {
	return a.Unpriced == b.Unpriced && a.Limits == b.Limits && reflect.DeepEqual(a.Price, b.Price) &&
		reflect.DeepEqual(a.Variants, b.Variants) && reflect.DeepEqual(a.Uplifts, b.Uplifts)
}
