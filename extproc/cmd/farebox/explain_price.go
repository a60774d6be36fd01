package main

import (
	"fmt"
	"strings"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// price says on a line what an option's tokens cost and where that is from, or that nobody knows and what follows.
func (t *explanation) price(r *policies.Request, o *policies.Option) {
	list := t.set.Prices().Lookup(o.Vendor, o.Model, t.now)
	switch {
	case o.Kind == policies.Pooled:
		t.line("price", o.Kind.String(), "own GPUs, paid by the hour: budgets count nothing; farebox prices pools --policy %s shows the cost", t.file)
	case list == nil:
		t.line("price", o.Kind.String(), "no price known of %q at %q%s: %s; farebox prices show --policy %s '%s' says what to do",
			o.Model, o.Vendor, t.whyUnpriced(o), unknown(t.set), t.file, o.Model)
	default:
		t.line("price", o.Kind.String(), "%s", strings.Join(t.listed(r, o, list), "; "))
	}
}

// bound says on a line what the most that an option can cost is made of.
func (t *explanation) bound(r *policies.Request, o *policies.Option) {
	parts, ok := t.set.Reckon(r.Call, o)
	if !ok || o.Kind == policies.Pooled {
		return
	}
	text := fmt.Sprintf("%d input tokens at %s and %d of output at %s USD per million", parts.Input, parts.Rates.Input, parts.Output, parts.Rates.Output)
	if parts.Fees != 0 {
		text += fmt.Sprintf(", and %s of fees", usd(parts.Fees))
	}
	t.line("at most", o.Kind.String(), "%s: %s", usd(o.Bound), text)
}

// whyUnpriced is the note of a model that is listed without a price.
func (t *explanation) whyUnpriced(o *policies.Option) string {
	for _, l := range t.set.Prices().Rows(o.Vendor, o.Model) {
		if l.Unpriced {
			return fmt.Sprintf(" (%s: %s)", t.view.source(l), l.Note)
		}
	}
	return ""
}

// listed says the rates of a listing for a call, where they are from, and what made them what they are.
func (t *explanation) listed(r *policies.Request, o *policies.Option, list *pricing.Listing) []string {
	prompt := r.Call.InputEstimate()
	charged, discount := t.set.Discounted(o.Vendor, o.Model, list)
	price, known := charged.PriceFor(o.Terms)
	rates := price.RatesFor(prompt)
	parts := []string{mainRates(&rates), fmt.Sprintf("%s %s from %s, as of %s", list.Provider, list.Model, t.view.source(list), list.AsOf)}
	if discount != nil {
		before, _ := list.PriceFor(o.Terms)
		rates := before.RatesFor(prompt)
		parts = append(parts, fmt.Sprintf("%s off the list price of %s", discount.Off(), strings.Join(threeRates(&rates), "/")))
	}
	if list.Rival != nil {
		parts = append(parts, fmt.Sprintf("disputed: the dearer rates of %s and %s", list.Source, list.Rival.Source))
	}
	switch s := o.Terms.Service; {
	case s != pricing.Standard && known:
		parts = append(parts, fmt.Sprintf("class of service %s", s))
	case s != pricing.Standard:
		parts = append(parts, fmt.Sprintf("class of service %s has no price listed: the dearest of all classes", s))
	case r.Call.AutoService && len(list.Variants) > 0:
		parts = append(parts, "the account chooses the class of service: at most is of the dearest")
	}
	if factor := regionText(list, o.Terms.Region); factor != "" {
		parts = append(parts, factor)
	}
	if len(list.Windows) > 0 {
		parts = append(parts, "at these hours: "+hours(list.Windows))
	}
	return append(parts, bracketText(&price, prompt)...)
}

// regionText says what processing in a region adds, "" for nothing.
func regionText(l *pricing.Listing, region string) string {
	text := ""
	for _, u := range l.Uplifts {
		switch {
		case region == "" || region == "global":
		case u.Region == region:
			return fmt.Sprintf("region %s %s", region, factor(u.PPM))
		case u.Region == pricing.AnyRegion:
			text = fmt.Sprintf("region %s %s", region, factor(u.PPM))
		}
	}
	return text
}

// bracketText says whether the rates are those of long prompts, or from where on they would be.
func bracketText(p *pricing.Price, prompt int64) []string {
	for i := len(p.Brackets) - 1; i >= 0; i-- {
		if b := &p.Brackets[i]; prompt > b.Above {
			return []string{fmt.Sprintf("rates of prompts above %d tokens", b.Above)}
		}
	}
	if len(p.Brackets) == 0 {
		return nil
	}
	b := &p.Brackets[0]
	return []string{fmt.Sprintf("for prompts above %d tokens %s", b.Above, strings.Join(threeRates(&b.Rates), "/"))}
}
