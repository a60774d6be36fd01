package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
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
	f.StringVar(&filter.provider, "provider", "", "only prices of `PROVIDER`")
	f.StringVar(&filter.model, "model", "", "only models like `GLOB`, in which * stands for any text")
	f.StringVar(&filter.source, "source", "", "only prices whose source has `TEXT` in it")
	f.BoolVar(&filter.disputed, "disputed", false, "only prices that two sources disagree on, with both")
	at := atFlag(f, e)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if f.NArg() > 0 {
		f.Usage()
		return statusUsage
	}
	if err := listPrices(e.stdout, catalog.Table(), &filter, at.Time); err != nil {
		return e.fail(err)
	}
	return statusOK
}

// listPrices prints a line for every listing that holds at the moment, and those without a price.
func listPrices(to io.Writer, t *pricing.Table, filter *priceFilter, at time.Time) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROVIDER\tMODEL\tINPUT\tCACHE READ\tOUTPUT\tSOURCE\tAS OF\tSTATE")
	for l := range t.All() {
		if !filter.takes(l) || (!l.Unpriced && t.Lookup(l.Provider, l.Model, at) != l) {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s", l.Provider, l.Model, mainRates(&l.Price, l.Unpriced), l.Source, l.AsOf)
		if s := state(l); s != "" {
			fmt.Fprintf(w, "\t%s", s)
		}
		fmt.Fprintln(w)
		if r := l.Rival; r != nil && filter.disputed {
			fmt.Fprintf(w, "\t\t%s\t%s\t%s\tone side\n", mainRates(&r.Price, false), l.Source, l.AsOf)
			fmt.Fprintf(w, "\t\t%s\t%s\t%s\tthe other\n", mainRates(&r.Other, false), r.Source, r.AsOf)
		}
	}
	fmt.Fprintf(w, "\nUSD per million tokens, as in force on %s.\n", at.UTC().Format("2006-01-02 15:04 MST"))
	return w.Flush()
}

// mainRates prints three columns.
func mainRates(p *pricing.Price, unpriced bool) string {
	if unpriced {
		return "-\t-\t-"
	}
	return fmt.Sprintf("%s\t%s\t%s", p.Input, p.CacheRead, p.Output)
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
