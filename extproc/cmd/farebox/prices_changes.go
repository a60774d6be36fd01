package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// priceChanges says what a listing charges otherwise than another: rates of all classes of service and lengths of
// prompt, fees, factors of regions, and hours. Few lists state fees, or rates of sound and pictures: where this one does
// not, they are not compared. Limits are no part of the price.
func priceChanges(known, l *pricing.Listing) []string {
	changes := sheetChanges("", &known.Price, &l.Price)
	theirs := maps.Collect(l.Price.Fees.All())
	for name, ours := range known.Price.Fees.All() {
		if fee := *theirs[name]; fee != 0 && fee != *ours {
			changes = append(changes, fmt.Sprintf("%s %s -> %s each", words(name), ours.Each(), fee.Each()))
		}
	}
	changes = append(changes, variantChanges(known, l)...)
	changes = append(changes, upliftChanges(known.Uplifts, l.Uplifts)...)
	return append(changes, hourChanges(known.Windows, l.Windows)...)
}

// sheetChanges compares the rates of a class of service at all lengths of prompt.
func sheetChanges(class string, ours, theirs *pricing.Price) []string {
	media := hasMedia(theirs)
	prefix := ""
	if class != "" {
		prefix = class + ": "
	}
	changes := rateChanges(prefix, &ours.Rates, &theirs.Rates, media)
	var steps []int64
	for _, b := range slices.Concat(ours.Brackets, theirs.Brackets) {
		steps = append(steps, b.Above)
	}
	slices.Sort(steps)
	for _, above := range slices.Compact(steps) {
		prefix := strings.TrimPrefix(fmt.Sprintf("%s, above %d tokens: ", class, above), ", ")
		before, after := ours.RatesFor(above+1), theirs.RatesFor(above+1)
		changes = append(changes, rateChanges(prefix, &before, &after, media)...)
	}
	return changes
}

// rateChanges compares the rates of tokens.
func rateChanges(prefix string, ours, theirs *pricing.Rates, media bool) []string {
	var out []string
	known := maps.Collect(kinds(ours, media))
	for name, rate := range kinds(theirs, media) {
		if rate != known[name] {
			out = append(out, fmt.Sprintf("%s%s %s -> %s", prefix, name, known[name], rate))
		}
	}
	return out
}

// Words for what only one side has.
const (
	onlyOurs   = "only in the catalogue"
	onlyTheirs = "only in the file"
)

// variantChanges compares what classes of service other than the standard one cost.
func variantChanges(known, l *pricing.Listing) []string {
	var out []string
	index := func(variants []pricing.Variant, s pricing.Service) int {
		return slices.IndexFunc(variants, func(v pricing.Variant) bool { return v.Service == s })
	}
	for i := range known.Variants {
		v := &known.Variants[i]
		if j := index(l.Variants, v.Service); j >= 0 {
			out = append(out, sheetChanges(string(v.Service), &v.Price, &l.Variants[j].Price)...)
			continue
		}
		out = append(out, fmt.Sprintf("%s: %s, %s", v.Service, onlyOurs, inAndOut(&v.Price)))
	}
	for i := range l.Variants {
		if v := &l.Variants[i]; index(known.Variants, v.Service) < 0 {
			out = append(out, fmt.Sprintf("%s: %s, %s", v.Service, onlyTheirs, inAndOut(&v.Price)))
		}
	}
	return out
}

// upliftChanges compares the factors of regions.
func upliftChanges(ours, theirs []pricing.Uplift) []string {
	var out []string
	index := func(uplifts []pricing.Uplift, region string) int {
		return slices.IndexFunc(uplifts, func(u pricing.Uplift) bool { return u.Region == region })
	}
	for _, u := range ours {
		switch i := index(theirs, u.Region); {
		case i < 0:
			out = append(out, fmt.Sprintf("region %s: %s, %s", regionName(u.Region), onlyOurs, factor(u.PPM)))
		case theirs[i].PPM != u.PPM:
			out = append(out, fmt.Sprintf("region %s: %s -> %s", regionName(u.Region), factor(u.PPM), factor(theirs[i].PPM)))
		}
	}
	for _, u := range theirs {
		if index(ours, u.Region) < 0 {
			out = append(out, fmt.Sprintf("region %s: %s, %s", regionName(u.Region), onlyTheirs, factor(u.PPM)))
		}
	}
	return out
}

// hourChanges compares the hours at which listings hold.
func hourChanges(ours, theirs []pricing.Window) []string {
	same := func(a, b pricing.Window) bool {
		return a.Start == b.Start && a.End == b.End && a.Weekdays == b.Weekdays && slices.Equal(a.Except, b.Except)
	}
	if slices.EqualFunc(ours, theirs, same) {
		return nil
	}
	before, after := cmp.Or(hours(ours), "always"), cmp.Or(hours(theirs), "always")
	if before == after {
		return []string{"hours: closed on other days"}
	}
	return []string{fmt.Sprintf("hours: %s -> %s", before, after)}
}
