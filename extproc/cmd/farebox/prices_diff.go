package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
	"github.com/farebox-mesh/farebox/pricing/catalog/feeds"
)

// listFile reads a price list that the user names.
type listFile struct {
	format, source, asOf string
}

func (x *listFile) flags(f *flag.FlagSet) {
	f.StringVar(&x.format, "format", "", "`FORMAT` of the file: litellm, genai, csv or overlay; by its looks by default")
	f.StringVar(&x.source, "source", "", "`NAME` of the source of prices that name none; the file's by default")
	f.StringVar(&x.asOf, "as-of", "", "`DAY` of the file, YYYY-MM-DD; today by default")
}

func (x *listFile) read(name string, e env) (feeds.List, error) {
	source := feeds.Source{Name: x.source, AsOf: x.asOf}
	if source.Name == "" {
		source.Name = filepath.Base(name)
	}
	if source.AsOf == "" {
		source.AsOf = e.now().UTC().Format(time.DateOnly)
	}
	if _, err := time.Parse(time.DateOnly, source.AsOf); err != nil {
		return feeds.List{}, fmt.Errorf("as-of %q: want YYYY-MM-DD", source.AsOf)
	}
	file, err := os.Open(name)
	if err != nil {
		return feeds.List{}, err
	}
	defer file.Close()
	list, err := feeds.Read(file, feeds.Format(x.format), source)
	if err != nil {
		return feeds.List{}, fmt.Errorf("read %s: %w", name, err)
	}
	for i := range list.Warnings {
		fmt.Fprintf(e.stderr, "%s: warning: %s\n", name, list.Warnings[i].String())
	}
	return list, nil
}

// run reads the list that the arguments name, and uses it. Where something of it was left out, the exit status says so.
func (x *listFile) run(f *flag.FlagSet, args []string, e env, use func(*feeds.List) error) int {
	if status, ok := parse(f, args); !ok {
		return status
	}
	if wrong := oneArg(f, "FILE"); wrong != "" {
		return misused(f, wrong)
	}
	list, err := x.read(f.Arg(0), e)
	if err == nil {
		err = use(&list)
	}
	if err != nil {
		return e.fail(err)
	}
	if !list.Whole() {
		return statusFailed
	}
	return statusOK
}

// diffHelp is what the flags of prices diff do not say.
const diffHelp = `
Compared are the rates of all classes of service and lengths of prompt, fees, factors of regions and hours; limits are
not, nor are fees and rates of sound and pictures that FILE does not state.

Exit status: 0 when all of FILE was compared, whether or not it differs; 1 when rows or values were left out, each with
a warning and its line (the others are compared all the same), or when nothing could be read; 2 for wrong use.
`

func runPricesDiff(_ context.Context, args []string, e env) int {
	f := flags("prices diff", "prices diff [flags] FILE", e)
	var file listFile
	file.flags(f)
	plain := f.Usage
	f.Usage = func() {
		plain()
		fmt.Fprint(e.stderr, diffHelp)
	}
	return file.run(f, args, e, func(list *feeds.List) error {
		return diffPrices(e.stdout, catalog.Table(), list.Listings, e.now())
	})
}

// diffPrices prints a line for every listing that the table has not, and for every difference of price to one that it
// has, as priceChanges says. A listing is compared with the one in force when it begins, or now.
func diffPrices(w io.Writer, t *pricing.Table, listings []pricing.Listing, now time.Time) error {
	var same, differ, added, unpriced int
	for i := range listings {
		l := &listings[i]
		at := now
		if l.From.After(now) || (!l.Until.IsZero() && !now.Before(l.Until)) {
			at = l.From
		}
		known := t.Lookup(l.Provider, l.Model, at)
		switch {
		case l.Unpriced:
			unpriced++
		case known == nil:
			added++
			if _, err := fmt.Fprintf(w, "+ %s %s  %s\n", l.Provider, l.Model, inAndOut(&l.Price)); err != nil {
				return err
			}
		default:
			changes := priceChanges(known, l)
			if len(changes) == 0 {
				same++
				continue
			}
			differ++
			for _, change := range changes {
				if _, err := fmt.Fprintf(w, "~ %s %s  %s\n", l.Provider, l.Model, change); err != nil {
					return err
				}
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%d at the same price, %d differ, %d not in the catalogue, %d without a price in the file\n", same, differ, added, unpriced)
	return err
}

// inAndOut says what text costs.
func inAndOut(p *pricing.Price) string { return fmt.Sprintf("input %s, output %s", p.Input, p.Output) }
