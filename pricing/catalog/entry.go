package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// entry is one listing as the files spell it.
type entry struct {
	Model   pricing.ModelName   `json:"model"`
	Aliases []pricing.ModelName `json:"aliases"`
	rates
	Long         *longRates `json:"long"`
	Context      int64      `json:"context"`
	MaxOutput    int64      `json:"max_output"`
	CacheMinimum int64      `json:"cache_minimum"`
	From         time.Time  `json:"from"`
	Until        time.Time  `json:"until"`
	Windows      []window   `json:"windows"`
	Source       string     `json:"source"`
	AsOf         string     `json:"as_of"`
	Note         string     `json:"note"`
}

// listing checks the entry and fills in what it leaves out.
func (e *entry) listing(provider pricing.ProviderName) (pricing.Listing, error) {
	l := pricing.Listing{
		Provider: provider, Model: e.Model, Aliases: e.Aliases, Limits: e.limits(), From: e.From.UTC(), Until: e.Until.UTC(),
		Source: e.Source, AsOf: e.AsOf, Note: e.Note,
	}
	switch {
	case e.Model == "" || slices.Contains(e.Aliases, ""):
		return l, errors.New("a name is empty")
	case e.Source == "" || !validDay(e.AsOf):
		return l, errors.New("want a source and the day of reading as YYYY-MM or YYYY-MM-DD")
	case !e.Until.IsZero() && !e.From.Before(e.Until):
		return l, errors.New("until is not after from")
	case min(e.Context, e.MaxOutput, e.CacheMinimum) < 0:
		return l, errors.New("negative limit")
	}
	var err error
	if l.Price, err = e.price(); err != nil {
		return l, err
	}
	for _, w := range e.Windows {
		pw, err := w.parse()
		if err != nil {
			return l, err
		}
		l.Windows = append(l.Windows, pw)
	}
	return l, nil
}

// limits takes the context window as the longest answer where the vendor states none.
func (e *entry) limits() pricing.Limits {
	return pricing.Limits{Context: e.Context, MaxOutput: cmp.Or(e.MaxOutput, e.Context), CacheMinimum: e.CacheMinimum}
}

func (e *entry) price() (pricing.Price, error) {
	r, err := e.rates.parse()
	if err != nil || e.Long == nil {
		return pricing.Price{Rates: r.WithText()}, err
	}
	if e.Long.Above <= 0 {
		return pricing.Price{}, fmt.Errorf("long tier above %d tokens", e.Long.Above)
	}
	// Filling a missing write rate from the input would undercharge where the vendor asks more for writes.
	if (e.CacheWriteShort != "" && e.Long.CacheWriteShort == "") || (e.CacheWriteLong != "" && e.Long.CacheWriteLong == "") {
		return pricing.Price{}, errors.New("long tier lacks a cache write rate")
	}
	long, err := e.Long.rates.parse()
	if err != nil {
		return pricing.Price{}, fmt.Errorf("long tier: %w", err)
	}
	return pricing.Price{
		Rates: r.WithText(), Brackets: []pricing.Bracket{{Above: e.Long.Above, Rates: long.WithText()}},
	}, nil
}

// rates are dollars per million tokens as decimal text. Absent is not the same as "0".
type rates struct {
	Input           string `json:"input"`
	CacheRead       string `json:"cache_read"`
	CacheWriteShort string `json:"cache_write_short"`
	CacheWriteLong  string `json:"cache_write_long"`
	Output          string `json:"output"`
}

// longRates are the rates of requests with more input than Above.
type longRates struct {
	Above int64 `json:"above"`
	rates
}

// parse reads the rates. A rate for cache reads or short writes that is absent is that of the input: a vendor
// that states no discount or surcharge gives none. One for long writes that is absent is that of short ones.
func (r rates) parse() (pricing.Rates, error) {
	r.CacheRead = cmp.Or(r.CacheRead, r.Input)
	r.CacheWriteShort = cmp.Or(r.CacheWriteShort, r.Input)
	r.CacheWriteLong = cmp.Or(r.CacheWriteLong, r.CacheWriteShort)
	var out pricing.Rates
	for _, part := range []struct {
		name, text string
		to         *pricing.Rate
	}{
		{"input", r.Input, &out.Input}, {"cache_read", r.CacheRead, &out.CacheRead},
		{"cache_write_short", r.CacheWriteShort, &out.CacheWriteShort},
		{"cache_write_long", r.CacheWriteLong, &out.CacheWriteLong}, {"output", r.Output, &out.Output},
	} {
		var err error
		if *part.to, err = pricing.ParseRate(part.text); err != nil {
			return pricing.Rates{}, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return out, nil
}

// window is a stretch of hours in UTC.
type window struct {
	Days  []string `json:"days"`
	Start string   `json:"start"`
	End   string   `json:"end"`
}

// days are named in the order of time.Weekday.
var days = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (w window) parse() (pricing.Window, error) {
	var out pricing.Window
	for _, d := range w.Days {
		i := slices.Index(days, d)
		if i < 0 {
			return out, fmt.Errorf("window: unknown day %q", d)
		}
		out.Weekdays |= 1 << i
	}
	var err error
	if out.Start, err = sinceMidnight(w.Start); err != nil {
		return out, err
	}
	if out.End, err = sinceMidnight(w.End); err != nil {
		return out, err
	}
	if out.Weekdays == 0 || out.Start >= out.End {
		return out, fmt.Errorf("window %s-%s on %d days is empty", w.Start, w.End, len(w.Days))
	}
	return out, nil
}

// sinceMidnight reads "HH:MM", up to "24:00".
func sinceMidnight(s string) (time.Duration, error) {
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("window: %q is not a time of day", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// validDay reports whether s is YYYY-MM or YYYY-MM-DD.
func validDay(s string) bool {
	_, errDay := time.Parse("2006-01-02", s)
	_, errMonth := time.Parse("2006-01", s)
	return errDay == nil || errMonth == nil
}
