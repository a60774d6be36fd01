package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
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
	if len(found) == 0 {
		return e.fail(&missingError{&view, model, at.Time})
	}
	for i, l := range found {
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		s := shown{&view, cmp.Or(vendor, l.Provider), model, l, at.Time}
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
	at time.Time
}

// print prints all that a listing says, and what the policy makes of it.
func (s *shown) print(to io.Writer) error {
	l := s.Listing
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s %s\n", l.Provider, l.Model)
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

func hasMedia(p *pricing.Price) bool {
	r := p.Rates
	r.InputAudio, r.InputImage, r.CacheReadAudio, r.OutputAudio, r.OutputImage = 0, 0, 0, 0, 0
	return r.WithText() != p.Rates
}

func rateText(r pricing.Rates, media bool) string {
	all := []pricing.Rate{r.Input, r.CacheRead, r.CacheWriteShort, r.CacheWriteLong, r.Output}
	if media {
		all = append(all, r.InputAudio, r.InputImage, r.CacheReadAudio, r.OutputAudio, r.OutputImage)
	}
	texts := make([]string, len(all))
	for i, rate := range all {
		texts[i] = rate.String()
	}
	return strings.Join(texts, "\t")
}

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
	var parts []string
	for _, win := range windows {
		var days []string
		for d := time.Sunday; d <= time.Saturday; d++ {
			if win.Weekdays&(1<<d) != 0 {
				days = append(days, strings.ToLower(d.String()[:3]))
			}
		}
		text := fmt.Sprintf("%s %s-%s UTC", strings.Join(days, ","), clock(win.Start), clock(win.End))
		if len(win.Except) > 0 {
			text += fmt.Sprintf(" but on %d days", len(win.Except))
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
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
	for _, p := range feeNames(f) {
		if p.rate != 0 {
			parts = append(parts, fmt.Sprintf("%s %s", p.name, eachText(p.rate)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + " USD each"
}

// fee is a fee with the word for its piece.
type fee struct {
	name string
	rate pricing.Rate
}

func feeNames(f *pricing.Fees) []fee {
	return []fee{
		{"request", f.Request}, {"web search", f.WebSearch}, {"file search", f.FileSearch}, {"code run", f.CodeRun},
		{"search unit", f.SearchUnit}, {"image", f.Image}, {"second", f.Second}, {"character", f.Character},
	}
}

// eachText is a rate per million pieces as dollars a piece, with up to fifteen decimals.
func eachText(r pricing.Rate) string {
	text := fmt.Sprintf("%016d", int64(r))
	whole, fraction := text[:len(text)-15], strings.TrimRight(text[len(text)-15:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

func regions(uplifts []pricing.Uplift) string {
	var parts []string
	for _, u := range uplifts {
		name := u.Region
		if name == pricing.AnyRegion {
			name = "any but global"
		}
		parts = append(parts, fmt.Sprintf("%s x%s", name, pricing.Rate(u.PPM*1000)))
	}
	return strings.Join(parts, ", ")
}
