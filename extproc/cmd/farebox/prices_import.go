package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
	"github.com/farebox-mesh/farebox/pricing/catalog/feeds"
)

// importHelp is what the flags of prices import do not say.
const importHelp = `
Exit status: 0 when all of FILE was taken; 1 when rows or values were left out, each with a warning and its line (the
others are written all the same), or when nothing could be read; 2 for wrong use.

A CSV has a row of column names, in any order, then a row for each price. What is empty is not offered or not known:
`

// importExample is a row of a CSV.
const importExample = `
provider,model,input,cached_read,cache_write_short,output,long_threshold,long_input,long_output,source,as_of
acme,big-1,2.5,0.25,3.125,10,200000,5,15,contract,2026-11-22
`

func runPricesImport(_ context.Context, args []string, e env) int {
	f := flags("prices import", "prices import [flags] FILE", e)
	var file listFile
	var filter priceFilter
	file.flags(f)
	f.StringVar(&filter.provider, "provider", "", "only prices of `PROVIDER`")
	f.StringVar(&filter.model, "model", "", "only models like `GLOB`, in which * stands for any text")
	out := f.String("o", "", "`FILE` to write; standard output by default")
	plain := f.Usage
	f.Usage = func() {
		plain()
		fmt.Fprint(e.stderr, importHelp)
		for _, c := range feeds.Columns {
			fmt.Fprintf(e.stderr, "  %-18s %s\n", c.Name, c.Meaning)
		}
		fmt.Fprint(e.stderr, importExample)
	}
	return file.run(f, args, e, func(list *feeds.List) error {
		overlay, unpriced := overlayOf(list.Listings, &filter)
		fmt.Fprintln(e.stderr, summary(list, len(overlay), unpriced))
		if len(overlay) == 0 {
			return errors.New("no price to write; farebox prices import -h describes what a list looks like")
		}
		return writeOverlay(*out, overlay, e)
	})
}

// summary counts what became of a list.
func summary(list *feeds.List, taken int, unpriced []string) string {
	text := count(taken, "price")
	if n := len(unpriced); n > 0 {
		text += fmt.Sprintf("; left out, as they have no price: %s (%s)", count(n, "model"), someOf(unpriced))
	}
	if list.Rows > 0 {
		text += fmt.Sprintf("; left out, as they have mistakes: %s", count(list.Rows, "row"))
	}
	if list.Values > 0 {
		text += fmt.Sprintf("; left out, as nothing reads their columns: %s", count(list.Values, "value"))
	}
	return text
}

// mostNames is how many names a summary lists.
const mostNames = 10

func someOf(names []string) string {
	if more := len(names) - mostNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

// writeOverlay writes listings to a file, or to standard output without one.
func writeOverlay(file string, overlay []pricing.Listing, e env) error {
	var text bytes.Buffer
	if err := catalog.WriteOverlay(&text, overlay); err != nil {
		return err
	}
	if file != "" {
		return os.WriteFile(file, text.Bytes(), 0o644)
	}
	_, err := e.stdout.Write(text.Bytes())
	return err
}

// overlayOf keeps the listings that have a price: one without would hide the catalogue's.
func overlayOf(listings []pricing.Listing, filter *priceFilter) (overlay []pricing.Listing, unpriced []string) {
	for i := range listings {
		switch l := &listings[i]; {
		case !filter.takes(l):
		case l.Unpriced:
			unpriced = append(unpriced, string(l.Model))
		default:
			overlay = append(overlay, *l)
		}
	}
	slices.SortStableFunc(overlay, func(a, b pricing.Listing) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model), a.From.Compare(b.From))
	})
	return overlay, unpriced
}
