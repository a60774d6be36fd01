package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

func runPricesShow(_ context.Context, args []string, e env) int {
	f := flags("prices show", "prices show [flags] MODEL", e)
	policy := f.String("policy", "", policyUsage)
	provider := f.String("provider", "", "only the price of `PROVIDER`")
	at := atFlag(f, e)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if wrong := oneArg(f, "MODEL"); wrong != "" {
		return misused(f, wrong)
	}
	model := pricing.ModelName(f.Arg(0))
	view, err := viewOf(*policy, e.stderr)
	if err != nil {
		return e.fail(err)
	}
	vendor := view.vendor(*provider)
	found := listingsOf(view.table, vendor, model, at.Time)
	if route, rest, ok := strings.Cut(string(model), "/"); ok && len(found) == 0 && *provider == "" {
		if view.isPool(route) {
			fmt.Fprintf(e.stdout, "%s %s\n  charged: own GPUs, paid by the hour: budgets count nothing; farebox prices pools --policy %s shows the cost\n", route, rest, *policy)
			return statusOK
		}
		if known := view.vendor(route); view.lists(known) {
			vendor, model = known, pricing.ModelName(rest)
			found = listingsOf(view.table, vendor, model, at.Time)
		}
	}
	if len(found) == 0 {
		return e.fail(&missingError{&view, vendor, model, at.Time})
	}
	for i, l := range found {
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		s := shown{&view, cmp.Or(vendor, l.Provider), model, l, at.Time, when(l, found)}
		if err := s.print(e.stdout); err != nil {
			return e.fail(err)
		}
	}
	return statusOK
}

// listingsOf returns every listing of a name, whenever it holds; where there is none, those that calls of that name have
// the price of.
func listingsOf(t *pricing.Table, provider pricing.ProviderName, model pricing.ModelName, at time.Time) []*pricing.Listing {
	var exact, like []*pricing.Listing
	vendors := make(map[pricing.ProviderName]bool)
	for l := range t.All() {
		if provider != "" && l.Provider != provider {
			continue
		}
		if l.Model == model || slices.Contains(l.Aliases, model) {
			exact = append(exact, l)
		}
		if !vendors[l.Provider] {
			vendors[l.Provider] = true
			if priced := t.Lookup(l.Provider, model, at); priced != nil && !slices.Contains(like, priced) {
				like = append(like, priced)
			}
		}
	}
	if len(exact) > 0 {
		return exact
	}
	if provider != "" && len(like) == 0 {
		if priced := t.Lookup(provider, model, at); priced != nil {
			return []*pricing.Listing{priced}
		}
	}
	return like
}

// shown is a listing that prices calls of a vendor's model.
type shown struct {
	view   *priceView
	vendor pricing.ProviderName
	model  pricing.ModelName
	*pricing.Listing
	at   time.Time
	when string // the hours at which it holds among others, "" for all
}

// when says at which hours a listing holds where its model has another price at others, "" for all.
func when(l *pricing.Listing, found []*pricing.Listing) string {
	if len(l.Windows) > 0 {
		return ", at " + clock(l.Windows)
	}
	for _, other := range found {
		if other.Provider == l.Provider && other.Model == l.Model && other.From.Equal(l.From) && len(other.Windows) > 0 {
			return ", not at " + clock(other.Windows)
		}
	}
	return ""
}

// clock prints the hours of windows without their days: "01:00-04:00, 06:00-10:00 UTC".
func clock(windows []pricing.Window) string {
	var parts []string
	for i := range windows {
		_, start, end := windows[i].Hours()
		if part := start + "-" + end; !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ") + " UTC"
}

// print prints all that a listing says, and what the policy makes of it.
func (s *shown) print(to io.Writer) error {
	l := s.Listing
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s %s%s\n", l.Provider, l.Model, s.when)
	for _, line := range [][2]string{
		{"also", joined(l.Aliases)}, {"source", l.Source + ", read " + l.AsOf}, {"file", s.view.files[l]}, {"charged", s.charged()},
		{"holds", holds(l)}, {"hours", hours(l.Windows)},
		{"limits", limits(l.Limits)}, {"fees", feeText(&l.Price.Fees)}, {"regions", regions(l.Uplifts)}, {"note", l.Note},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "  %s:\t%s\n", line[0], line[1])
		}
	}
	if err := w.Flush(); err != nil || l.Unpriced {
		return err
	}
	return s.rates(to)
}

// charged says what the policy makes of the listing, "" without a policy.
func (s *shown) charged() string {
	if s.view.set == nil {
		return ""
	}
	if s.Unpriced {
		return "as a model without a price: " + unknown(s.view.set)
	}
	text := "by this listing"
	if _, discount := s.view.charged(s.vendor, s.model, s.Listing); discount != nil {
		text = discount.Off() + " off, as the policy says"
	}
	switch now := s.view.table.Lookup(s.vendor, s.model, s.at); {
	case now == s.Listing:
		return text
	case now != nil && s.view.files[now] != "" && s.view.files[s.Listing] != s.view.files[now]:
		return "not by this listing: " + s.view.files[now] + " stands before it"
	}
	return "not by this listing at " + moment(s.at.UTC())
}

// rates prints a table of the rates of all classes of service and lengths of prompt, with the list price below each
// that a discount changes.
func (s *shown) rates(to io.Writer) error {
	l := s.Listing
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	media := hasMedia(&l.Price)
	head := "  USD PER MILLION\tINPUT\tCACHE READ\tWRITE SHORT\tWRITE LONG\tOUTPUT"
	if media {
		head += "\tAUDIO IN\tIMAGE IN\tCACHED AUDIO\tAUDIO OUT\tIMAGE OUT"
	}
	fmt.Fprintln(w, head)
	line := func(name string, r, list *pricing.Rates) {
		fmt.Fprintf(w, "  %s\t%s\n", name, rateText(*r, media))
		if *r != *list {
			fmt.Fprintf(w, "  %s, list price\t%s\n", name, rateText(*list, media))
		}
	}
	row := func(name string, p, list *pricing.Price) {
		line(name, &p.Rates, &list.Rates)
		for i := range p.Brackets {
			line(fmt.Sprintf("%s, prompt above %d", name, p.Brackets[i].Above), &p.Brackets[i].Rates, &list.Brackets[i].Rates)
		}
	}
	charged, _ := s.view.charged(s.vendor, s.model, l)
	row("standard", &charged.Price, &l.Price)
	for i := range l.Variants {
		row(string(l.Variants[i].Service), &charged.Variants[i].Price, &l.Variants[i].Price)
	}
	if r := l.Rival; r != nil {
		row("disputed: "+l.Source, &r.Price, &r.Price)
		row("disputed: "+r.Source, &r.Other, &r.Other)
	}
	return w.Flush()
}

// hasMedia reports whether sound or pictures have rates other than those of text, at any length of prompt.
func hasMedia(p *pricing.Price) bool {
	apart := func(r pricing.Rates) bool {
		text := r
		text.InputAudio, text.InputImage, text.CacheReadAudio, text.OutputAudio, text.OutputImage = 0, 0, 0, 0, 0
		return text.WithText() != r
	}
	return apart(p.Rates) || slices.ContainsFunc(p.Brackets, func(b pricing.Bracket) bool { return apart(b.Rates) })
}

func rateText(r pricing.Rates, media bool) string {
	var texts []string
	for _, rate := range kinds(&r, media) {
		texts = append(texts, rate.String())
	}
	return strings.Join(texts, "\t")
}

// textKinds is how many rates a price has for text; those of sound and pictures follow.
const textKinds = 5

// kinds iterates over the rates by the words for them, those of sound and pictures only if they are asked for.
func kinds(r *pricing.Rates, media bool) iter.Seq2[string, pricing.Rate] {
	return func(yield func(string, pricing.Rate) bool) {
		n := 0
		for name, rate := range r.All() {
			if n == textKinds && !media || !yield(words(name), *rate) {
				return
			}
			n++
		}
	}
}

// words is a name of price files as people say it: "web search".
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

func joined(names []pricing.ModelName) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}

func holds(l *pricing.Listing) string {
	var parts []string
	if !l.From.IsZero() {
		parts = append(parts, "from "+moment(l.From))
	}
	if !l.Until.IsZero() {
		parts = append(parts, "until "+moment(l.Until))
	}
	return strings.Join(parts, " ")
}

// hours prints windows by their days, in UTC.
func hours(windows []pricing.Window) string {
	parts := make([]string, len(windows))
	for i := range windows {
		parts[i] = windows[i].String()
	}
	return strings.Join(parts, "; ")
}

func limits(l pricing.Limits) string {
	var parts []string
	for _, p := range []struct {
		name  string
		count int64
	}{{"context", l.Context}, {"longest answer", l.MaxOutput}, {"cache from", l.CacheMinimum}} {
		if p.count > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", p.name, p.count))
		}
	}
	return strings.Join(parts, ", ")
}

// feeText prints fees in dollars a piece.
func feeText(f *pricing.Fees) string {
	var parts []string
	for name, rate := range f.All() {
		if *rate != 0 {
			parts = append(parts, words(name)+" "+rate.Each())
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + " USD each"
}

func regions(uplifts []pricing.Uplift) string {
	parts := make([]string, len(uplifts))
	for i, u := range uplifts {
		parts[i] = regionName(u.Region) + " " + factor(u.PPM)
	}
	return strings.Join(parts, ", ")
}

func regionName(region string) string {
	if region == pricing.AnyRegion {
		return "any but global"
	}
	return region
}

// factor prints parts per million: "x1.1".
func factor(ppm int64) string { return "x" + pricing.Rate(ppm*1000).String() }
