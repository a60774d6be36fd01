package pricefile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog/internal/decimal"
)

// sheet is a price as files spell it.
type sheet struct {
	rates
	Brackets []bracket         `json:"brackets,omitempty"`
	Fees     map[string]string `json:"fees,omitempty"`
}

// rates are dollars per million tokens as decimal text. Absent is not the same as "0".
type rates struct {
	Input           string `json:"input,omitempty"`
	CacheRead       string `json:"cache_read,omitempty"`
	CacheWriteShort string `json:"cache_write_short,omitempty"`
	CacheWriteLong  string `json:"cache_write_long,omitempty"`
	Output          string `json:"output,omitempty"`
	InputAudio      string `json:"input_audio,omitempty"`
	InputImage      string `json:"input_image,omitempty"`
	CacheReadAudio  string `json:"cache_read_audio,omitempty"`
	OutputAudio     string `json:"output_audio,omitempty"`
	OutputImage     string `json:"output_image,omitempty"`
}

// bracket holds the rates of requests with more input than Above.
type bracket struct {
	Above int64 `json:"above"`
	rates
}

// all pairs the texts with their names and with the rates of a price, in the order in which they fill one another.
func (r *rates) all(p *pricing.Rates) []field {
	texts := [...]*string{
		&r.Input, &r.CacheRead, &r.CacheWriteShort, &r.CacheWriteLong, &r.Output,
		&r.InputAudio, &r.InputImage, &r.CacheReadAudio, &r.OutputAudio, &r.OutputImage,
	}
	fields := make([]field, 0, len(texts))
	for name, rate := range p.All() {
		fields = append(fields, field{name, texts[len(fields)], rate})
	}
	return fields
}

// field is one rate, as text and as a number.
type field struct {
	name string
	text *string
	rate *pricing.Rate
}

// filled states the rates that are absent. One for cache reads or short writes is that of the input: a vendor that
// states no discount or surcharge gives none; one for long writes is that of short ones. What has no rate of its own
// among sound and pictures costs what text does, but sound from the cache costs what sound does where that has one.
func (r rates) filled() rates {
	r.CacheRead = cmp.Or(r.CacheRead, r.Input)
	r.CacheWriteShort = cmp.Or(r.CacheWriteShort, r.Input)
	r.CacheWriteLong = cmp.Or(r.CacheWriteLong, r.CacheWriteShort)
	r.CacheReadAudio = cmp.Or(r.CacheReadAudio, r.InputAudio, r.CacheRead)
	r.InputAudio = cmp.Or(r.InputAudio, r.Input)
	r.InputImage = cmp.Or(r.InputImage, r.Input)
	r.OutputAudio = cmp.Or(r.OutputAudio, r.Output)
	r.OutputImage = cmp.Or(r.OutputImage, r.Output)
	return r
}

// rateHint is what to write for a rate.
const rateHint = `dollars per million tokens in quotes: "2.5"`

func (r rates) parse() (pricing.Rates, error) {
	full, out := r.filled(), pricing.Rates{}
	var none pricing.Rates
	stated := r.all(&none)
	var errs []error
	for i, f := range full.all(&out) {
		var err error
		if *f.text == "" && (f.name == "input" || f.name == "output") {
			errs = append(errs, at(f.name, &hinted{fmt.Sprintf("write %q: \"2.5\", dollars per million tokens", f.name), fmt.Errorf("%s is missing", f.name)}))
			continue
		}
		if *f.rate, err = pricing.ParseRate(*f.text); err != nil && *stated[i].text != "" { // once, where it is stated
			errs = append(errs, at(f.name, &hinted{rateHint, fmt.Errorf("%s: %w", f.name, err)}))
		}
	}
	return out, errors.Join(errs...)
}

// ratesOf is the inverse of rates.parse: it leaves out what parse fills in.
func ratesOf(p pricing.Rates) rates {
	var full rates
	for _, f := range full.all(&p) {
		*f.text = f.rate.String()
	}
	var out rates
	var none pricing.Rates
	wanted := full.all(&none)
	for i, f := range out.all(&none) {
		if filled := out.filled(); *filled.all(&none)[i].text != *wanted[i].text {
			*f.text = *wanted[i].text
		}
	}
	return out
}

func (s *sheet) price() (pricing.Price, error) {
	var p pricing.Price
	var err error
	p.Rates, err = s.rates.parse()
	errs := []error{err}
	for i := range s.Brackets {
		b, err := s.Brackets[i].parse(&s.rates)
		if n := len(p.Brackets); b.Above <= 0 || (n > 0 && b.Above <= p.Brackets[n-1].Above) {
			err = errors.Join(err, at("above", errors.New("want rising thresholds above 0")))
		}
		errs = append(errs, at("brackets", at(i, about(fmt.Sprintf("bracket above %d tokens", b.Above), err))))
		p.Brackets = append(p.Brackets, b)
	}
	p.Fees, err = readFees(s.Fees)
	return p, errors.Join(append(errs, err)...)
}

// parse wants every rate for which filling in would undercharge, as the price below the bracket states one of its own.
func (b *bracket) parse(below *rates) (pricing.Bracket, error) {
	var none pricing.Rates
	var errs []error
	ours := b.all(&none)
	for i, f := range below.all(&none) {
		if *f.text != "" && *ours[i].text == "" && f.name != "cache_read" && f.name != "input" && f.name != "output" {
			errs = append(errs, fmt.Errorf("%s is missing", f.name))
		}
	}
	r, err := b.rates.parse()
	return pricing.Bracket{Above: b.Above, Rates: r}, errors.Join(append(errs, err)...)
}

func sheetOf(p *pricing.Price) *sheet {
	s := &sheet{rates: ratesOf(p.Rates), Fees: feesOf(p.Fees)}
	for i := range p.Brackets {
		b := bracket{Above: p.Brackets[i].Above, rates: ratesOf(p.Brackets[i].Rates)}
		b.state(&s.rates, &p.Brackets[i].Rates)
		s.Brackets = append(s.Brackets, b)
	}
	return s
}

// state spells the rates out that the price below the bracket does, as parse wants them.
func (b *bracket) state(below *rates, p *pricing.Rates) {
	ours := b.all(p)
	var none pricing.Rates
	for i, f := range below.all(&none) {
		if *f.text != "" {
			*ours[i].text = ours[i].rate.String()
		}
	}
}

// perPiece is the number of decimals of dollars that a rate per million pieces counts.
const perPiece = 15

func readFees(texts map[string]string) (pricing.Fees, error) {
	var fees pricing.Fees
	var errs []error
	names := maps.Collect(fees.All())
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		rate, ok := names[name]
		if !ok {
			hint := "one of " + strings.Join(slices.Sorted(maps.Keys(names)), ", ")
			errs = append(errs, at("fees", at(name, &hinted{hint, fmt.Errorf("fees: unknown fee %q", name)})))
			continue
		}
		n, exact, err := decimal.Parse(texts[name], perPiece)
		if err == nil && !exact {
			err = fmt.Errorf("more than %d decimals", perPiece)
		}
		if err != nil {
			errs = append(errs, at("fees", at(name, &hinted{`dollars a piece in quotes: "0.01"`, fmt.Errorf("fees: %s %q: %w", name, texts[name], err)})))
		}
		*rate = pricing.Rate(n)
	}
	return fees, errors.Join(errs...)
}

func feesOf(fees pricing.Fees) map[string]string {
	if fees == (pricing.Fees{}) {
		return nil
	}
	texts := make(map[string]string)
	for name, rate := range fees.All() {
		if *rate != 0 {
			texts[name] = rate.Each()
		}
	}
	return texts
}

// variant is the price of another class of service: a factor on the standard one or rates of its own.
type variant struct {
	Factor string `json:"factor,omitempty"`
	rates
	Brackets []bracket `json:"brackets,omitempty"`
}

// services are the classes other than the standard one, in the order of a listing's variants.
var services = []pricing.Service{pricing.Batch, pricing.Flex, pricing.Priority, pricing.Fast, pricing.Ultrafast}

func readVariants(texts map[pricing.Service]variant, standard *pricing.Price) ([]pricing.Variant, error) {
	var out []pricing.Variant
	var errs []error
	for _, s := range slices.Sorted(maps.Keys(texts)) {
		if !slices.Contains(services, s) {
			errs = append(errs, at("variants", at(s, fmt.Errorf("variants: unknown class of service %q: want one of %v", s, services))))
		}
	}
	for _, s := range services {
		v, ok := texts[s]
		if !ok {
			continue
		}
		price, err := v.price(standard)
		errs = append(errs, at("variants", at(s, about("variants: "+string(s), err))))
		out = append(out, pricing.Variant{Service: s, Price: price})
	}
	return out, errors.Join(errs...)
}

func (v *variant) price(standard *pricing.Price) (pricing.Price, error) {
	if v.Factor != "" {
		if v.rates != (rates{}) || len(v.Brackets) > 0 {
			return pricing.Price{}, errors.New("want a factor or rates, not both")
		}
		ppm, err := parseFactor(v.Factor)
		if err != nil {
			return pricing.Price{}, at("factor", err)
		}
		return standard.Scaled(ppm)
	}
	p, err := (&sheet{rates: v.rates, Brackets: v.Brackets}).price()
	p.Fees = standard.Fees
	return p, err
}

func readUplifts(texts map[string]string) ([]pricing.Uplift, error) {
	var out []pricing.Uplift
	var errs []error
	for _, region := range slices.Sorted(maps.Keys(texts)) {
		ppm, err := parseFactor(texts[region])
		if region == "" {
			err = errors.New("a region is empty")
		}
		errs = append(errs, at("uplifts", at(region, about("uplifts", err))))
		out = append(out, pricing.Uplift{Region: region, PPM: ppm})
	}
	return out, errors.Join(errs...)
}

// parseFactor reads a factor above zero in parts per million.
func parseFactor(text string) (int64, error) {
	ppm, exact, err := decimal.Parse(text, 6)
	if err != nil || !exact || ppm == 0 {
		return 0, fmt.Errorf("factor %q: want a decimal number above 0 of at most 6 decimals", text)
	}
	return ppm, nil
}

func factorText(ppm int64) string { return decimal.Format(ppm, 6) }
