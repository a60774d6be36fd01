package pricefile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// entry is one listing as files spell it.
type entry struct {
	Provider pricing.ProviderName `json:"provider,omitempty"`
	Model    pricing.ModelName    `json:"model"`
	Aliases  []pricing.ModelName  `json:"aliases,omitempty"`
	rates
	Brackets     []bracket                   `json:"brackets,omitempty"`
	Fees         map[string]string           `json:"fees,omitempty"`
	Variants     map[pricing.Service]variant `json:"variants,omitempty"`
	Uplifts      map[string]string           `json:"uplifts,omitempty"`
	Context      int64                       `json:"context,omitempty"`
	MaxOutput    int64                       `json:"max_output,omitempty"`
	CacheMinimum int64                       `json:"cache_minimum,omitempty"`
	From         time.Time                   `json:"from,omitzero"`
	Until        time.Time                   `json:"until,omitzero"`
	Windows      []window                    `json:"windows,omitempty"`
	Unpriced     bool                        `json:"unpriced,omitempty"`
	Rival        *rival                      `json:"rival,omitempty"`
	Source       string                      `json:"source"`
	AsOf         string                      `json:"as_of"`
	Note         string                      `json:"note,omitempty"`
}

// rival is a disputed price's other side.
type rival struct {
	Price  sheet  `json:"price"`
	Other  sheet  `json:"other"`
	Source string `json:"source"`
	AsOf   string `json:"as_of"`
}

// listing checks the entry and fills in what it leaves out.
func (e *entry) listing(holidays map[string][]pricing.Day) (pricing.Listing, error) {
	l := pricing.Listing{
		Provider: e.Provider, Model: e.Model, Aliases: e.Aliases, From: e.From.UTC(), Until: e.Until.UTC(),
		Limits:   pricing.Limits{Context: e.Context, MaxOutput: cmp.Or(e.MaxOutput, e.Context), CacheMinimum: e.CacheMinimum},
		Unpriced: e.Unpriced, Source: e.Source, AsOf: e.AsOf, Note: e.Note,
	}
	if err := e.check(); err != nil {
		return l, err
	}
	if e.Unpriced {
		return l, e.checkUnpriced()
	}
	var err error
	if l.Price, err = (&sheet{e.rates, e.Brackets, e.Fees}).price(); err != nil {
		return l, err
	}
	if l.Variants, err = readVariants(e.Variants, &l.Price); err != nil {
		return l, err
	}
	if l.Uplifts, err = readUplifts(e.Uplifts); err != nil {
		return l, err
	}
	if l.Rival, err = e.Rival.parse(); err != nil {
		return l, err
	}
	l.Windows, err = readWindows(e.Windows, holidays)
	return l, err
}

func (e *entry) check() error {
	switch {
	case e.Provider == "":
		return errors.New("no provider")
	case e.Model == "":
		return at("model", errors.New("a name is empty"))
	case slices.Contains(e.Aliases, ""):
		return at("aliases", errors.New("a name is empty"))
	case !e.Until.IsZero() && !e.From.Before(e.Until):
		return at("until", errors.New("until is not after from"))
	case e.Context < 0:
		return at("context", errNegative)
	case e.MaxOutput < 0:
		return at("max_output", errNegative)
	case e.CacheMinimum < 0:
		return at("cache_minimum", errNegative)
	}
	return checkOrigin(e.Source, e.AsOf)
}

var errNegative = errors.New("negative limit")

// checkOrigin wants to know where a price is from.
func checkOrigin(source, asOf string) error {
	err := errors.New("want a source and the day of reading as YYYY-MM or YYYY-MM-DD")
	switch {
	case source == "":
		return at("source", err)
	case !validDay(asOf):
		return at("as_of", err)
	}
	return nil
}

// checkUnpriced wants nothing that looks like a price, so that nobody believes in it.
func (e *entry) checkUnpriced() error {
	if e.rates != (rates{}) || len(e.Brackets)+len(e.Fees)+len(e.Variants)+len(e.Uplifts)+len(e.Windows) > 0 || e.Rival != nil {
		return errors.New("unpriced, but with a price")
	}
	if e.Note == "" {
		return errors.New("unpriced: want a note that says why")
	}
	return nil
}

func (r *rival) parse() (*pricing.Rival, error) {
	if r == nil {
		return nil, nil
	}
	if err := checkOrigin(r.Source, r.AsOf); err != nil {
		return nil, at("rival", fmt.Errorf("rival: %w", err))
	}
	out := pricing.Rival{Source: r.Source, AsOf: r.AsOf}
	var err error
	if out.Price, err = r.Price.price(); err != nil {
		return nil, at("rival", at("price", fmt.Errorf("rival: %w", err)))
	}
	if out.Other, err = r.Other.price(); err != nil {
		return nil, at("rival", at("other", fmt.Errorf("rival: other: %w", err)))
	}
	return &out, nil
}

// entryOf is the inverse of entry.listing.
func entryOf(l *pricing.Listing) *entry {
	e := &entry{
		Provider: l.Provider, Model: l.Model, Aliases: l.Aliases, From: l.From, Until: l.Until,
		Context: l.Limits.Context, CacheMinimum: l.Limits.CacheMinimum,
		Unpriced: l.Unpriced, Source: l.Source, AsOf: l.AsOf, Note: l.Note,
	}
	if l.Limits.MaxOutput != l.Limits.Context {
		e.MaxOutput = l.Limits.MaxOutput
	}
	if l.Unpriced {
		return e
	}
	s := sheetOf(&l.Price)
	e.rates, e.Brackets, e.Fees = s.rates, s.Brackets, s.Fees
	for i := range l.Variants {
		if e.Variants == nil {
			e.Variants = make(map[pricing.Service]variant)
		}
		s := sheetOf(&l.Variants[i].Price)
		e.Variants[l.Variants[i].Service] = variant{rates: s.rates, Brackets: s.Brackets}
	}
	for _, u := range l.Uplifts {
		if e.Uplifts == nil {
			e.Uplifts = make(map[string]string)
		}
		e.Uplifts[u.Region] = factorText(u.PPM)
	}
	for i := range l.Windows {
		e.Windows = append(e.Windows, windowOf(&l.Windows[i]))
	}
	if r := l.Rival; r != nil {
		e.Rival = &rival{Price: *sheetOf(&r.Price), Other: *sheetOf(&r.Other), Source: r.Source, AsOf: r.AsOf}
	}
	return e
}

// validDay reports whether s is YYYY-MM or YYYY-MM-DD.
func validDay(s string) bool {
	_, errDay := time.Parse("2006-01-02", s)
	_, errMonth := time.Parse("2006-01", s)
	return (errDay == nil || errMonth == nil) && !strings.ContainsAny(s, " ")
}
