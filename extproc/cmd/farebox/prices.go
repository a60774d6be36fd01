package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"text/tabwriter"

	"github.com/farebox-mesh/farebox/pricing/catalog"
)

func runPrices(ctx context.Context, args []string, e env) int {
	if len(args) > 0 && args[0] == "rerate" {
		return runRerate(ctx, args[1:], e)
	}
	f := flags("prices", "prices list", e)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if f.NArg() != 1 || f.Arg(0) != "list" {
		f.Usage()
		return statusUsage
	}
	now := e.now()
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROVIDER\tMODEL\tINPUT\tCACHE READ\tOUTPUT\tSOURCE\tAS OF")
	all := catalog.Table().Listings()
	for i := range all {
		l := &all[i]
		if catalog.Table().Lookup(l.Provider, l.Model, now) != l {
			continue // of another time
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Provider, l.Model, l.Price.Input, l.Price.CacheRead, l.Price.Output, l.Source, l.AsOf)
	}
	fmt.Fprintln(w, "\nUSD per million tokens, as in force now.")
	if err := w.Flush(); err != nil {
		return e.fail(err)
	}
	return statusOK
}

// version is the module's version, or the revision that the binary was built from.
func version() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return b.Main.Version
}
