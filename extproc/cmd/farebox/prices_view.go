package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// priceView is the prices of the catalogue, or as a policy charges them.
type priceView struct {
	table *pricing.Table
	set   *policies.Set               // nil: the catalogue's
	files map[*pricing.Listing]string // the policy's price file that a listing is from; none for the catalogue's
}

// policyUsage describes the --policy flag of the commands that take it.
const policyUsage = "policy `FILE` whose price files, discounts and unknown_model count; the catalogue's prices without one"

// viewOf returns the prices of a policy file, the catalogue's for "".
func viewOf(file string, warnings io.Writer) (priceView, error) {
	if file == "" {
		return priceView{table: catalog.Table()}, nil
	}
	l, err := readPolicy(file, warnings)
	if err != nil {
		return priceView{}, err
	}
	v := priceView{table: l.set.Prices(), set: l.set, files: map[*pricing.Listing]string{}}
	for listing, overlay := range l.origins {
		v.files[listing] = l.set.Policy().Overlays[overlay]
	}
	return v, nil
}

// vendor is whose prices a provider has, by its name in the policy or the catalogue.
func (v *priceView) vendor(name string) pricing.ProviderName {
	if v.set != nil {
		for i := range v.set.Policy().Providers {
			if p := &v.set.Policy().Providers[i]; string(p.Name) == name {
				return p.Vendor
			}
		}
	}
	return pricing.ProviderName(name)
}

// isPool reports whether the policy has a pool of that name.
func (v *priceView) isPool(name string) bool {
	return v.set != nil && slices.ContainsFunc(v.set.Policy().Pools, func(p policies.Pool) bool { return string(p.Name) == name })
}

// lists reports whether a vendor has listings.
func (v *priceView) lists(vendor pricing.ProviderName) bool {
	for l := range v.table.All() {
		if l.Provider == vendor {
			return true
		}
	}
	return false
}

// discounts reports whether the policy has any.
func (v *priceView) discounts() bool { return v.set != nil && len(v.set.Policy().Discounts) > 0 }

// charged is what calls of a vendor's model are charged by a listing, and the discount that made it so, nil for none.
func (v *priceView) charged(vendor pricing.ProviderName, model pricing.ModelName, l *pricing.Listing) (*pricing.Listing, *policies.Discount) {
	if v.set == nil {
		return l, nil
	}
	return v.set.Discounted(vendor, model, l)
}

// source is where a listing is from, with the policy's file.
func (v *priceView) source(l *pricing.Listing) string {
	if file := v.files[l]; file != "" {
		return fmt.Sprintf("%s (%s)", l.Source, file)
	}
	return l.Source
}

// unknown says in words what becomes of a model without a price.
func unknown(set *policies.Set) string {
	u := &set.Policy().Unknown
	alarm := ""
	if u.Alert {
		alarm = ", with an alarm"
	}
	switch {
	case u.Refuse && set.Enforcing():
		return "refused (unknown_model: refuse)"
	case u.Refuse:
		return "refused in enforce mode; this policy observes, and lets it pass (unknown_model: refuse)"
	case u.Charge > 0:
		return fmt.Sprintf("charged at %s USD per million tokens of every kind%s (unknown_model)", u.Charge, alarm)
	}
	return fmt.Sprintf("charged at the dearest rates that the policy's vendors list, %s%s (unknown_model: allow)", mainRates(&u.Dearest), alarm)
}

// mainRates says what text costs.
func mainRates(r *pricing.Rates) string {
	return fmt.Sprintf("input %s, cache read %s, output %s USD per million tokens", r.Input, r.CacheRead, r.Output)
}

// A missingError says that nobody lists a model, what follows from it, and what to do next.
type missingError struct {
	view   *priceView
	vendor pricing.ProviderName // "" for all
	model  pricing.ModelName
	now    time.Time
}

func (e *missingError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no price of %q is known", e.model)
	if e.view.set != nil {
		fmt.Fprintf(&b, "; with this policy a call to it is %s", unknown(e.view.set))
	}
	if hint := e.meant(); hint != "" {
		b.WriteString("\n" + hint)
	}
	fmt.Fprintf(&b, "\nnext: search other spellings: farebox prices list --model '*%s*'", e.model)
	fmt.Fprintf(&b, "\n      or take it from a price list: farebox prices import --model '%s' -o prices.json LIST", e.model)
	fmt.Fprintf(&b, "\n      or write prices.json, in dollars per million tokens:\n        %s", exampleOverlay(e.model, e.now))
	b.WriteString("\n      then name the file in the policy: prices: {files: [prices.json]}")
	return b.String()
}

// meant says which name was probably meant, "" for none.
func (e *missingError) meant() string {
	var names []pricing.ModelName
	for l := range e.view.table.All() {
		if e.vendor == "" || e.vendor == l.Provider {
			names = append(append(names, l.Model), l.Aliases...)
		}
	}
	return policyfile.DidYouMean(string(e.model), names)
}

// exampleOverlay is the least that a price file says of a model.
func exampleOverlay(model pricing.ModelName, now time.Time) string {
	return fmt.Sprintf(`{"provider": "PROVIDER", "listings": [{"model": %q, "input": "2.5", "output": "10", "source": "WHERE READ", "as_of": "%s"}]}`,
		string(model), now.UTC().Format(time.DateOnly))
}
