package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// pricesCommand is a subcommand of prices.
type pricesCommand struct {
	name, synopsis string
	run            func(ctx context.Context, args []string, e env) int
}

// pricesCommands are the subcommands in the order of the usage text.
func pricesCommands() []pricesCommand {
	return []pricesCommand{
		{"list", "list [flags]: the prices in force, each with its source and day", runPricesList},
		{"show", "show [flags] MODEL: all that is known of a model's price", runPricesShow},
		{"diff", "diff [flags] FILE: where a price list differs from the catalogue", runPricesDiff},
		{"import", "import [flags] FILE: a price list as an overlay that a policy can name", runPricesImport},
		{"pools", "pools [flags]: what own pools cost, and from which volume on they are cheaper", runPricesPools},
		{"rerate", "rerate [flags]: what past calls would have cost at the prices of now", runRerate},
	}
}

func runPrices(ctx context.Context, args []string, e env) int {
	f := flags("prices", "prices COMMAND [flags]", e)
	f.Usage = func() {
		fmt.Fprint(e.stderr, "usage: farebox prices COMMAND [flags]\n\n")
		for _, c := range pricesCommands() {
			fmt.Fprintf(e.stderr, "  %s\n", c.synopsis)
		}
		fmt.Fprint(e.stderr, "\nfarebox prices COMMAND -h describes a command's flags.\n")
	}
	if status, ok := parse(f, args); !ok {
		return status
	}
	for _, c := range pricesCommands() {
		if c.name == f.Arg(0) {
			return c.run(ctx, f.Args()[1:], e)
		}
	}
	if f.NArg() > 0 {
		return misused(f, fmt.Sprintf("unknown command %q", f.Arg(0)))
	}
	f.Usage()
	return statusUsage
}

// dateFlag is a flag that takes a day or a moment.
type dateFlag struct{ time.Time }

func (m *dateFlag) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339)
}

func (m *dateFlag) Set(s string) error {
	var err error
	if m.Time, err = time.Parse(time.DateOnly, s); err != nil {
		m.Time, err = time.Parse(time.RFC3339, s)
	}
	if err != nil {
		return errors.New("want YYYY-MM-DD or a time as in RFC 3339")
	}
	return nil
}

// atFlag adds the moment that prices are asked for, which is now unless stated.
func atFlag(f *flag.FlagSet, e env) *dateFlag {
	at := &dateFlag{e.now()}
	f.Var(at, "at", "`DATE` to look at, YYYY-MM-DD or RFC 3339; now by default. Prices whose start is not known are taken to hold from ever on")
	f.Lookup("at").DefValue = ""
	return at
}

// glob reports whether a name matches a pattern in which * stands for any text.
func glob(pattern, name string) bool {
	first, rest, starred := strings.Cut(pattern, "*")
	name, ok := strings.CutPrefix(name, first)
	if !ok || !starred {
		return ok && name == ""
	}
	for i := range len(name) + 1 {
		if glob(rest, name[i:]) {
			return true
		}
	}
	return false
}

// isNamed reports whether a listing's model or an alias matches a pattern.
func isNamed(l *pricing.Listing, pattern string) bool {
	return glob(pattern, string(l.Model)) ||
		slices.ContainsFunc(l.Aliases, func(a pricing.ModelName) bool { return glob(pattern, string(a)) })
}
