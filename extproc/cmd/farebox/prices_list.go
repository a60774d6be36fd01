package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/pricing"
)

// priceFilter selects listings.
type priceFilter struct {
	provider, model, source string
	disputed                bool
}

func (p *priceFilter) takes(l *pricing.Listing) bool {
	return (p.provider == "" || p.provider == string(l.Provider)) && (p.model == "" || isNamed(l, p.model)) &&
		(!p.disputed || l.Rival != nil) && strings.Contains(l.Source, p.source)
}

func runPricesList(_ context.Context, args []string, e env) int {
	var filter priceFilter
	f := flags("prices list", "prices list [flags]", e)
	policy := f.String("policy", "", policyUsage)
	f.StringVar(&filter.provider, "provider", "", "only prices of `PROVIDER`")
	f.StringVar(&filter.model, "model", "", "only models like `GLOB`, in which * stands for any text")
	f.StringVar(&filter.source, "source", "", "only prices whose source has `TEXT` in it")
	f.BoolVar(&filter.disputed, "disputed", false, "only prices that two sources disagree on, with both")
	at := atFlag(f, e)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if wrong := onlyFlags(f); wrong != "" {
		return misused(f, wrong)
	}
	view, err := viewOf(*policy, e.stderr)
	if err != nil {
		return e.fail(err)
	}
	if filter.provider != "" {
		filter.provider = string(view.vendor(filter.provider))
	}
	if err := view.list(e.stdout, &filter, at.Time); err != nil {
		return e.fail(err)
	}
	return statusOK
}

// list prints a line for every listing that holds at the moment, and those without a price.
func (v *priceView) list(to io.Writer, filter *priceFilter, at time.Time) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	found, early := false, false
	head := []string{"PROVIDER", "MODEL", "INPUT", "CACHE READ", "OUTPUT"}
	if v.discounts() {
		head = append(head, "OFF", "LIST PRICE")
	}
	printRow(w, append(head, "SOURCE", "AS OF", "STATE"))
	for l := range v.table.All() {
		if !filter.takes(l) || (!l.Unpriced && v.table.Lookup(l.Provider, l.Model, at) != l) {
			continue
		}
		row := v.row(l)
		if startUnknown(l, at) {
			early, row[len(row)-1] = true, strings.TrimPrefix(row[len(row)-1]+"; start unknown", "; ")
		}
		found = true
		printRow(w, row)
		if r := l.Rival; r != nil && filter.disputed {
			printRow(w, v.side(&r.Price.Rates, l.Source, l.AsOf, "one side"))
			printRow(w, v.side(&r.Other.Rates, r.Source, r.AsOf, otherSide(r)))
		}
	}
	if !found {
		return v.noListing(filter, at)
	}
	if early {
		fmt.Fprintf(w, "\nstart unknown: the price as read later (AS OF); the model may not have been there on %s yet, or at another price.\n", at.UTC().Format(time.DateOnly))
	}
	v.foot(w, at)
	return w.Flush()
}

// startUnknown reports whether a listing of no known start was read only after the moment.
func startUnknown(l *pricing.Listing, at time.Time) bool {
	return l.From.IsZero() && l.AsOf > at.UTC().Format(time.DateOnly)
}

// otherSide says in what the other side of a disputed price differs where the columns do not show it.
func otherSide(r *pricing.Rival) string {
	if !slices.Equal(threeRates(&r.Price.Rates), threeRates(&r.Other.Rates)) {
		return "the other"
	}
	changes := rateChanges("", &r.Price.Rates, &r.Other.Rates, true)
	if theirs := maps.Collect(r.Other.Fees.All()); r.Price.Fees != r.Other.Fees {
		for name, ours := range r.Price.Fees.All() {
			if *ours != *theirs[name] {
				changes = append(changes, fmt.Sprintf("%s %s -> %s each", words(name), ours.Each(), theirs[name].Each()))
			}
		}
	}
	if !reflect.DeepEqual(r.Price.Brackets, r.Other.Brackets) {
		changes = append(changes, "rates of long prompts")
	}
	return "the other: " + strings.Join(changes, ", ")
}

// noListing says that nothing passes a filter, and what was probably meant.
func (v *priceView) noListing(filter *priceFilter, at time.Time) error {
	var vendors, names []string
	for l := range v.table.All() {
		vendors = append(vendors, string(l.Provider))
		if filter.provider == "" || filter.provider == string(l.Provider) {
			names = append(names, string(l.Model))
		}
	}
	text, hint := "no listing", ""
	switch {
	case filter.provider != "" && !slices.Contains(vendors, filter.provider):
		text, hint = fmt.Sprintf("no listing of provider %q", filter.provider), policyfile.DidYouMean(filter.provider, vendors)
	case slices.Contains(names, filter.model):
		text = fmt.Sprintf("no listing of model %q that passes all flags and holds on %s", filter.model, at.UTC().Format(time.DateOnly))
	case filter.model != "" && !strings.Contains(filter.model, "*"):
		text, hint = fmt.Sprintf("no listing of a model %q", filter.model), policyfile.DidYouMean(filter.model, names)
		if hint == "" {
			hint = "* stands for any text: --model '*" + filter.model + "*'"
		}
	case filter.model != "":
		text = fmt.Sprintf("no listing of a model like %q", filter.model)
	}
	if hint != "" {
		text += "; " + hint
	}
	return errors.New(text)
}

// foot says what the numbers are.
func (v *priceView) foot(w io.Writer, at time.Time) {
	if v.set == nil {
		fmt.Fprintf(w, "\nUSD per million tokens, as in force on %s.\n", moment(at.UTC()))
		return
	}
	fmt.Fprintf(w, "\nUSD per million tokens, as this policy charges them on %s.\n", moment(at.UTC()))
	if v.discounts() {
		fmt.Fprint(w, "OFF is the policy's discount, LIST PRICE input/cache read/output before it.\n")
	}
	fmt.Fprintf(w, "A model that is not here, or without a price, is %s.\n", unknown(v.set))
}

// row is a listing as it is charged.
func (v *priceView) row(l *pricing.Listing) []string {
	cells := []string{string(l.Provider), string(l.Model), "-", "-", "-"}
	charged, discount := v.charged(l.Provider, l.Model, l)
	if !l.Unpriced {
		copy(cells[2:], threeRates(&charged.Price.Rates))
	}
	switch {
	case !v.discounts():
	case discount == nil || l.Unpriced:
		cells = append(cells, "-", "-")
	default:
		cells = append(cells, discount.Off(), strings.Join(threeRates(&l.Price.Rates), "/"))
	}
	return append(cells, v.source(l), l.AsOf, state(l))
}

// side is one side of a disputed price, as its source lists it.
func (v *priceView) side(r *pricing.Rates, source, asOf, which string) []string {
	cells := append([]string{"", ""}, threeRates(r)...)
	if v.discounts() {
		cells = append(cells, "", "")
	}
	return append(cells, source, asOf, which)
}

// threeRates are what most calls are charged.
func threeRates(r *pricing.Rates) []string {
	return []string{r.Input.String(), r.CacheRead.String(), r.Output.String()}
}

// printRow prints cells in columns, without blanks at the end.
func printRow(w io.Writer, cells []string) {
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// state says in a word what stands out about a listing.
func state(l *pricing.Listing) string {
	switch {
	case l.Unpriced:
		return "no price: " + l.Note
	case l.Rival != nil:
		return "disputed: the dearer rates"
	case l.Price.Rates == (pricing.Rates{}) && l.Price.Fees == (pricing.Fees{}):
		return "free"
	case l.Price.Rates == (pricing.Rates{}):
		return "by the piece"
	}
	return ""
}
