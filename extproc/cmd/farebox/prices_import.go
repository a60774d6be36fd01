package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

func runPricesImport(_ context.Context, args []string, e env) int {
	f := flags("prices import", "prices import [flags] FILE", e)
	var file listFile
	var filter priceFilter
	file.flags(f)
	f.StringVar(&filter.provider, "provider", "", "only prices of `PROVIDER`")
	f.StringVar(&filter.model, "model", "", "only models like `GLOB`, in which * stands for any text")
	out := f.String("o", "", "`FILE` to write; standard output by default")
	if status, ok := parse(f, args); !ok {
		return status
	}
	if wrong := oneArg(f, "FILE"); wrong != "" {
		return misused(f, wrong)
	}
	listings, err := file.read(f.Arg(0), e.now())
	if err != nil {
		return e.fail(err)
	}
	overlay, unpriced := overlayOf(listings, &filter)
	var text bytes.Buffer
	if err := catalog.WriteOverlay(&text, overlay); err != nil {
		return e.fail(err)
	}
	fmt.Fprintf(e.stderr, "%d prices; %d models without a price are left out\n", len(overlay), unpriced)
	if *out != "" {
		err = os.WriteFile(*out, text.Bytes(), 0o644)
	} else {
		_, err = e.stdout.Write(text.Bytes())
	}
	if err != nil {
		return e.fail(err)
	}
	return statusOK
}

// overlayOf keeps the listings that have a price: one without would hide the catalogue's.
func overlayOf(listings []pricing.Listing, filter *priceFilter) (overlay []pricing.Listing, unpriced int) {
	for i := range listings {
		switch l := &listings[i]; {
		case !filter.takes(l):
		case l.Unpriced:
			unpriced++
		default:
			overlay = append(overlay, *l)
		}
	}
	slices.SortStableFunc(overlay, func(a, b pricing.Listing) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model), a.From.Compare(b.From))
	})
	return overlay, unpriced
}
