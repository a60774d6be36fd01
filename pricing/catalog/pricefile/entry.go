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
	From         moment                      `json:"from,omitzero"`
	Until        moment                      `json:"until,omitzero"`
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
	if e.Unpriced {
		return l, errors.Join(e.check(), e.checkUnpriced())
	}
	var errs [6]error
	errs[0] = e.check()
	l.Price, errs[1] = (&sheet{e.rates, e.Brackets, e.Fees}).price()
	l.Variants, errs[2] = readVariants(e.Variants, &l.Price)
	l.Uplifts, errs[3] = readUplifts(e.Uplifts)
	l.Rival, errs[4] = e.Rival.parse()
	l.Windows, errs[5] = readWindows(e.Windows, holidays)
	return l, errors.Join(errs[:]...)
}

// moment is a time that does not stop the decoding of a file where it is none: check tells it.
type moment struct{ time.Time }

// UnmarshalJSON reads a time as in RFC 3339; what is none is the zero time.
func (m *moment) UnmarshalJSON(text []byte) error {
	if err := m.Time.UnmarshalJSON(text); err != nil {
		m.Time = time.Time{}
	}
	return nil
}

func (e *entry) check() error {
	var errs []error
	if e.Provider == "" {
		errs = append(errs, at("provider", errors.New("no provider")))
	}
	if e.Model == "" {
		errs = append(errs, at("model", errEmptyName))
	}
	if i := slices.Index(e.Aliases, ""); i >= 0 {
		errs = append(errs, at("aliases", at(i, errEmptyName)))
	}
	if !e.Until.IsZero() && !e.From.Before(e.Until.Time) {
		errs = append(errs, at("until", errors.New("until is not after from")))
	}
	for _, limit := range [...]struct {
		key   string
		count int64
	}{{"context", e.Context}, {"max_output", e.MaxOutput}, {"cache_minimum", e.CacheMinimum}} {
		if limit.count < 0 {
			errs = append(errs, at(limit.key, errNegative))
		}
	}
	return errors.Join(append(errs, checkOrigin(e.Source, e.AsOf))...)
}

var errEmptyName = errors.New("a name is empty")

var errNegative = errors.New("negative limit")

// checkOrigin wants to know where a price is from.
func checkOrigin(source, asOf string) error {
	var noSource, noDay error
	if source == "" {
		noSource = at("source", &hinted{`where the price was read: "source": "contract"`, errors.New("source is missing")})
	}
	switch {
	case asOf == "":
		noDay = at("as_of", &hinted{`the day of reading: "as_of": "2026-11-22"`, errors.New("as_of is missing")})
	case !validDay(asOf):
		noDay = at("as_of", fmt.Errorf("as_of %q: want the day of reading as YYYY-MM or YYYY-MM-DD", asOf))
	}
	return errors.Join(noSource, noDay)
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
	out := pricing.Rival{Source: r.Source, AsOf: r.AsOf}
	var one, other error
	out.Price, one = r.Price.price()
	out.Other, other = r.Other.price()
	err := errors.Join(checkOrigin(r.Source, r.AsOf), at("price", one), at("other", about("other", other)))
	return &out, at("rival", about("rival", err))
}

// entryOf is the inverse of entry.listing.
func entryOf(l *pricing.Listing) *entry {
	e := &entry{
		Provider: l.Provider, Model: l.Model, Aliases: l.Aliases, From: moment{l.From}, Until: moment{l.Until},
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
