package policies

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// discounted remembers listings at negotiated prices, each of which is computed once. The zero value is ready.
type discounted struct {
	mu       sync.RWMutex
	listings map[discountKey]*pricing.Listing // guarded by mu; as many as the price list has for the discounts
}

// discountKey tells listings of a model apart.
type discountKey struct {
	discount int
	provider pricing.ProviderName
	model    pricing.ModelName
	from     time.Time
	rates    pricing.Rates
}

// Lookup returns the listing in force for a model at a moment, at the policy's discount, or nil for an unknown model.
// See pricing.Table.Lookup.
func (s *Set) Lookup(vendor pricing.ProviderName, model pricing.ModelName, at time.Time) *pricing.Listing {
	l := s.prices.Lookup(vendor, model, at)
	if l == nil || len(s.policy.Discounts) == 0 {
		return l
	}
	l, _ = s.Discounted(vendor, model, l)
	return l
}

// Discounted returns the listing of a vendor's model at the first of the policy's discounts that covers it, and that
// discount; the listing itself and nil where none does. Nobody changes what it returns.
func (s *Set) Discounted(vendor pricing.ProviderName, model pricing.ModelName, l *pricing.Listing) (*pricing.Listing, *Discount) {
	for i := range s.policy.Discounts {
		if d := &s.policy.Discounts[i]; d.Vendor == vendor && d.covers(model, l) {
			return s.cheap.get(i, d, l), d
		}
	}
	return l, nil
}

// covers reports whether the discount is on a model, by any of its names.
func (d *Discount) covers(model pricing.ModelName, l *pricing.Listing) bool {
	if len(d.Models) == 0 || anyGlob(d.Models, string(model)) || anyGlob(d.Models, string(l.Model)) {
		return true
	}
	for _, name := range l.Aliases {
		if anyGlob(d.Models, string(name)) {
			return true
		}
	}
	return false
}

// get returns a listing at a discount.
func (c *discounted) get(i int, d *Discount, l *pricing.Listing) *pricing.Listing {
	key := discountKey{i, l.Provider, l.Model, l.From, l.Price.Rates}
	c.mu.RLock()
	cheap := c.listings[key]
	c.mu.RUnlock()
	if cheap != nil {
		return cheap
	}
	cheap = d.apply(l)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listings == nil {
		c.listings = map[discountKey]*pricing.Listing{}
	}
	c.listings[key] = cheap
	return cheap
}

// apply returns a copy of the listing at the discount. Where a rate does not fit, which takes a factor above one, the
// list price stands.
func (d *Discount) apply(l *pricing.Listing) *pricing.Listing {
	cheap := *l
	var err error
	if cheap.Price, err = l.Price.Scaled(d.PPM); err != nil {
		return l
	}
	cheap.Variants = make([]pricing.Variant, len(l.Variants))
	for i, v := range l.Variants {
		if v.Price, err = v.Price.Scaled(d.PPM); err != nil {
			return l
		}
		cheap.Variants[i] = v
	}
	cheap.Source += ", discount " + d.Off()
	return &cheap
}

// Off is the discount for people: "15%", "7.5%".
func (d *Discount) Off() string {
	off := 1_000_000 - d.PPM
	text := fmt.Sprintf("%d.%04d", off/10_000, off%10_000)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".") + "%"
}
