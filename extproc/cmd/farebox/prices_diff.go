package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

func runPricesDiff(_ context.Context, args []string, e env) int {
	f := flags("prices diff", "prices diff [flags] FILE", e)
	var file listFile
	file.flags(f)
	return file.run(f, args, e, func(list *feeds.List) error {
		return diffPrices(e.stdout, catalog.Table(), list.Listings, e.now())
	})
}

// diffPrices prints a line for every listing that the table has not, and for every rate that it has otherwise. A listing
// is compared with the one in force when it begins, or now.
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
			if _, err := fmt.Fprintf(w, "+ %s %s  input %s, output %s\n", l.Provider, l.Model, l.Price.Input, l.Price.Output); err != nil {
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
	_, err := fmt.Fprintf(w, "\n%d the same, %d differ, %d not in the catalogue, %d without a price in the file\n", same, differ, added, unpriced)
	return err
}

// priceChanges says what of a listing's price is otherwise in another. Few lists state fees, or rates of sound and
// pictures: where this one does not, they are not compared.
func priceChanges(known, l *pricing.Listing) []string {
	media := hasMedia(&l.Price)
	changes := rateChanges("", known.Price.Rates, l.Price.Rates, media)
	steps := make(map[int64]bool)
	for _, p := range []*pricing.Price{&known.Price, &l.Price} {
		for _, b := range p.Brackets {
			steps[b.Above] = true
		}
	}
	for _, above := range slices.Sorted(maps.Keys(steps)) {
		prefix := fmt.Sprintf("above %d tokens: ", above)
		changes = append(changes, rateChanges(prefix, known.Price.RatesFor(above+1), l.Price.RatesFor(above+1), media)...)
	}
	ours := feeNames(&known.Price.Fees)
	for i, theirs := range feeNames(&l.Price.Fees) {
		if theirs.rate != 0 && theirs.rate != ours[i].rate {
			changes = append(changes, fmt.Sprintf("%s %s -> %s each", theirs.name, eachText(ours[i].rate), eachText(theirs.rate)))
		}
	}
	for i := range l.Variants {
		v := &l.Variants[i]
		if ours, ok := known.PriceFor(pricing.Terms{Service: v.Service}); ok {
			changes = append(changes, rateChanges(string(v.Service)+": ", ours.Rates, v.Price.Rates, media)...)
		}
	}
	return changes
}

// kindRate is the rate of a kind of token.
type kindRate struct {
	name string
	rate pricing.Rate
}

func kindRates(r *pricing.Rates, media bool) []kindRate {
	all := []kindRate{
		{"input", r.Input}, {"cache read", r.CacheRead}, {"cache write short", r.CacheWriteShort},
		{"cache write long", r.CacheWriteLong}, {"output", r.Output}, {"audio input", r.InputAudio},
		{"image input", r.InputImage}, {"cached audio", r.CacheReadAudio}, {"audio output", r.OutputAudio},
		{"image output", r.OutputImage},
	}
	if media {
		return all
	}
	return all[:5]
}

// rateChanges compares the rates of tokens.
func rateChanges(prefix string, ours, theirs pricing.Rates, media bool) []string {
	var out []string
	known := kindRates(&ours, media)
	for i, r := range kindRates(&theirs, media) {
		if r.rate != known[i].rate {
			out = append(out, fmt.Sprintf("%s%s %s -> %s", prefix, r.name, known[i].rate, r.rate))
		}
	}
	return out
}
