package feeds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// GenAI reads the data of the genai-prices project, version 2: an array of providers. Of how a model is matched it
// takes the names that must be equal; prefixes and parts of names price what they do not mean.
//
// Source of the meanings: the project's own documentation; prices are dollars per million tokens.
func GenAI(r io.Reader, source Source) ([]pricing.Listing, error) {
	offers, err := genai(r, source)
	if err != nil {
		return nil, err
	}
	return listings(offers), nil
}

func genai(r io.Reader, source Source) ([]offer, error) {
	text, err := readAll(r)
	if err != nil {
		return nil, err
	}
	var providers []genaiProvider
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&providers); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the array")
	}
	var offers []offer
	for i := range providers {
		p := &providers[i]
		if p.ID == "" {
			return nil, fmt.Errorf("provider %d: no id", i+1)
		}
		if len(offers)+len(p.Models) > maxModels {
			return nil, fmt.Errorf("more than %d models", maxModels)
		}
		for j := range p.Models {
			of, err := p.Models[j].offers(vendor(p.ID), source)
			if err != nil {
				return nil, fmt.Errorf("provider %q: model %q: %w", p.ID, p.Models[j].ID, err)
			}
			offers = append(offers, of...)
		}
	}
	return offers, nil
}

type genaiProvider struct {
	ID     string       `json:"id"`
	Models []genaiModel `json:"models"`
}

type genaiModel struct {
	ID       string          `json:"id"`
	Match    genaiMatch      `json:"match"`
	Context  int64           `json:"context_window"`
	Prices   json.RawMessage `json:"prices"` // one price, or an array of prices under conditions
	Comments string          `json:"price_comments"`
}

// genaiMatch is a condition on a model's name, of which the names that must be equal count.
type genaiMatch struct {
	Equals string       `json:"equals"`
	Or     []genaiMatch `json:"or"`
}

// genaiPrice is a price under a condition.
type genaiPrice struct {
	Constraint *genaiConstraint           `json:"constraint"`
	Prices     map[string]json.RawMessage `json:"prices"`
}

type genaiConstraint struct {
	StartDate string `json:"start_date"`
	StartTime string `json:"start_time"`
	EndTime   string `json:"end_time"`
}

// names are the names that the model is known under beside its id.
func (m *genaiModel) names() []pricing.ModelName {
	var out []pricing.ModelName
	for _, c := range append([]genaiMatch{m.Match}, m.Match.Or...) {
		name := pricing.ModelName(c.Equals)
		if name != "" && string(name) != m.ID && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func (m *genaiModel) offers(provider pricing.ProviderName, source Source) ([]offer, error) {
	names := m.names()
	for _, name := range append([]pricing.ModelName{pricing.ModelName(m.ID)}, names...) {
		if err := checkName(string(name)); err != nil {
			return nil, err
		}
	}
	if m.Context < 0 {
		return nil, errors.New("negative context window")
	}
	var prices []genaiPrice
	if json.Unmarshal(m.Prices, &prices) != nil {
		prices = make([]genaiPrice, 1)
		if err := json.Unmarshal(m.Prices, &prices[0].Prices); err != nil {
			return nil, errors.New("prices: want an object or an array")
		}
	}
	var out []offer
	for i := range prices {
		o := offer{Listing: pricing.Listing{
			Provider: provider, Model: pricing.ModelName(m.ID), Aliases: names,
			Limits: pricing.Limits{Context: m.Context, MaxOutput: m.Context}, Source: source.String(), AsOf: source.AsOf,
		}}
		if err := prices[i].read(&o); err != nil {
			return nil, fmt.Errorf("prices %d: %w", i+1, err)
		}
		out = append(out, o)
	}
	return until(out), nil
}

// until ends each price without hours where the next one starts.
func until(offers []offer) []offer {
	for i := range offers {
		for j := i + 1; j < len(offers) && len(offers[i].Windows) == 0; j++ {
			if len(offers[j].Windows) == 0 && offers[j].From.After(offers[i].From) {
				offers[i].Until = offers[j].From
				break
			}
		}
	}
	return offers
}

// read takes a price in.
func (p *genaiPrice) read(o *offer) error {
	if c := p.Constraint; c != nil {
		if err := c.read(&o.Listing); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(p.Prices) {
		if err := genaiRate(o, name, p.Prices[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	o.quote.longWrites(o.Model)
	q := &o.quote
	switch {
	case q.Rates == (pricing.Rates{}) && q.fees == (pricing.Fees{}) && freeByName(o.Model):
		o.note(freeName)
	case q.Rates == (pricing.Rates{}) && q.fees == (pricing.Fees{}):
		o.refuse(noPrice)
	case q.Input == 0 && q.fees == (pricing.Fees{}):
		o.refuse(noInput)
	}
	return nil
}

func (c *genaiConstraint) read(l *pricing.Listing) error {
	if c.StartDate != "" {
		t, err := time.Parse(time.DateOnly, c.StartDate)
		if err != nil {
			return fmt.Errorf("start_date: %q is not a day", c.StartDate)
		}
		l.From = t
	}
	if c.StartTime == "" && c.EndTime == "" {
		return nil
	}
	start, err := timeOfDay(c.StartTime)
	if err != nil {
		return err
	}
	end, err := timeOfDay(c.EndTime)
	if err != nil {
		return err
	}
	const everyDay, day = 1<<7 - 1, 24 * time.Hour
	switch {
	case start < end:
		l.Windows = []pricing.Window{{Start: start, End: end, Weekdays: everyDay}}
	case end == 0:
		l.Windows = []pricing.Window{{Start: start, End: day, Weekdays: everyDay}}
	default: // over midnight
		l.Windows = []pricing.Window{{Start: start, End: day, Weekdays: everyDay}, {End: end, Weekdays: everyDay}}
	}
	return nil
}

// timeOfDay reads "00:30:00Z".
func timeOfDay(s string) (time.Duration, error) {
	t, err := time.Parse("15:04:05Z", s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of day in UTC", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second, nil
}

// genaiKinds are the prices of a token.
var genaiKinds = map[string]uint{
	"input_mtok": input, "output_mtok": output, "cache_read_mtok": cacheRead, "cache_write_mtok": writeShort,
	"cache_write_1h_mtok": writeLong, "input_audio_mtok": inputAudio, "cache_audio_read_mtok": readAudio,
	"output_audio_mtok": outputAudio, "input_image_mtok": inputImage, "output_image_mtok": outputImage,
}

// genaiRate takes one rate in: a number, or a base with tiers by the size of the prompt.
func genaiRate(o *offer, name string, raw json.RawMessage) error {
	q := &o.quote
	var fee *pricing.Rate
	switch name {
	case "requests_kcount":
		fee = &q.fees.Request
	case "web_searches_kcount":
		fee = &q.fees.WebSearch
	}
	if text, ok := number(raw); ok && fee != nil {
		var err error
		*fee, err = perThousand(text)
		return err
	}
	kind, ok := genaiKinds[name]
	if !ok && name != "output_reasoning_mtok" {
		o.note(strings.ReplaceAll(strings.TrimSuffix(name, "_mtok"), "_", " ") + " has a price of its own: not counted")
		return nil
	}
	if text, isNumber := number(raw); isNumber {
		r, err := perMillion(text)
		if err != nil {
			return err
		}
		if !ok { // of two prices of the answer, with reasoning and without, the dearer: they come in alphabetical order
			kind, r = output, max(r, q.Output)
		}
		if r > 0 {
			q.set(kind, r)
		}
		return nil
	}
	return genaiTiers(q, kind, raw)
}

func genaiTiers(q *quote, kind uint, raw json.RawMessage) error {
	var t struct {
		Base  json.Number `json:"base"`
		Tiers []struct {
			Start int64       `json:"start"`
			Price json.Number `json:"price"`
		} `json:"tiers"`
	}
	if err := json.Unmarshal(raw, &t); err != nil || kind == 0 {
		return errors.New("want a number or a base with tiers")
	}
	base, err := perMillion(t.Base.String())
	if err != nil {
		return err
	}
	q.set(kind, base)
	for _, tier := range t.Tiers {
		r, err := perMillion(tier.Price.String())
		if err != nil {
			return err
		}
		if tier.Start <= 0 {
			return fmt.Errorf("tier from %d tokens: want a number above 0", tier.Start)
		}
		q.step(tier.Start).set(kind, r)
	}
	return nil
}
