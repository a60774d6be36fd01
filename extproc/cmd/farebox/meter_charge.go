package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// metered is what an exchange cost and why, one line of output.
type metered struct {
	ID        json.RawMessage      `json:"id"`
	Provider  pricing.ProviderName `json:"provider"`
	API       provider.API         `json:"api"`
	Model     pricing.ModelName    `json:"model"`
	Usage     *meteredUsage        `json:"usage"`
	CostUSD   *string              `json:"cost_usd"` // null: not known
	Price     *meteredPrice        `json:"price"`
	Estimated bool                 `json:"estimated,omitempty"`
	Error     string               `json:"error,omitempty"`

	Service   pricing.Service `json:"service,omitempty"` // that the call was billed under, unless standard
	Region    string          `json:"region,omitempty"`
	StatedUSD *string         `json:"stated_usd,omitempty"` // the charge that the response states, which is the cost
	ListUSD   *string         `json:"list_usd,omitempty"`   // what the price list makes of it
}

// meteredUsage is pricing.Usage: disjoint kinds, except that reasoning is part of output. The first six are always
// there, the others where they are not zero.
type meteredUsage pricing.Usage

// MarshalJSON writes the kinds by name, in their order.
func (u *meteredUsage) MarshalJSON() ([]byte, error) {
	const always = 6
	b, i := []byte{'{'}, 0
	for kind, count := range pricing.Usage(*u).All() {
		if i < always || count != 0 {
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(append(strconv.AppendQuote(b, kind), ':'), count, 10)
		}
		i++
	}
	return append(b, '}'), nil
}

// meteredPrice is the rates that applied, in dollars per million, and where they were read. Those of sound, pictures
// and pieces are there where the usage has any.
type meteredPrice struct {
	Model           pricing.ModelName `json:"model"`
	Input           string            `json:"input"`
	CacheRead       string            `json:"cache_read"`
	CacheWriteShort string            `json:"cache_write_short"`
	CacheWriteLong  string            `json:"cache_write_long"`
	Output          string            `json:"output"`
	LongContext     bool              `json:"long_context,omitempty"` // the rates for long prompts
	Source          string            `json:"source"`
	AsOf            string            `json:"as_of"`
	Disputed        bool              `json:"disputed,omitempty"` // two sources disagree; the dearer counts
	Others          map[string]string `json:"others,omitempty"`
}

// states are the providers whose word on what a call cost is taken, as it comes from their own hosts.
var states = []pricing.ProviderName{provider.OpenRouter, provider.Perplexity, provider.Vercel, provider.XAI}

// charge sets usage, price and cost. It takes the first of the models that has a price. With an error it sets what is
// known all the same.
func (m *metered) charge(status int, r *provider.Reading, models []pricing.ModelName, at time.Time) error {
	usage := r.Usage
	switch {
	case status >= 400 || (r.Failed && !r.HasUsage && !r.Stream):
		usage = pricing.Usage{} // errors are not billed
	case !r.HasUsage:
		m.Estimated = true
		usage.Output = max(usage.Output, provider.EstimateTokens(r.TextBytes))
	}
	m.Estimated = m.Estimated || r.OtherModels
	m.Usage = (*meteredUsage)(&usage)
	if r.Pending {
		return fmt.Errorf("the answer is still being made; fetch response %q for its usage", r.ID)
	}
	err := m.listed(usage, models, at)
	if r.HasStated && slices.Contains(states, m.Provider) {
		m.ListUSD, m.Estimated = m.CostUSD, !r.HasUsage
		m.setCost(r.Stated)
		m.StatedUSD = m.CostUSD
		return nil
	}
	return err
}

// listed sets price and cost by the price list.
func (m *metered) listed(usage pricing.Usage, models []pricing.ModelName, at time.Time) error {
	var listing *pricing.Listing
	for _, model := range models {
		if listing = catalog.Table().Lookup(m.Provider, model, at); listing != nil {
			break
		}
	}
	var price pricing.Price
	if listing != nil {
		var known bool
		price, known = listing.PriceFor(pricing.Terms{Service: m.Service, Region: m.Region})
		m.Estimated = m.Estimated || !known
		m.Price = priceOf(listing, &price, usage)
	}
	switch {
	case usage == (pricing.Usage{}) && m.Estimated:
		return errors.New("the response states no usage, and has no text to estimate from")
	case listing != nil:
		cost, err := price.Cost(usage)
		if err != nil {
			return err
		}
		m.setCost(cost)
	case usage == (pricing.Usage{}):
		m.setCost(0) // whatever the model, nothing was used
	case m.Model == "":
		return errors.New("neither the response nor the record names the model")
	default:
		return fmt.Errorf("no price for model %q of provider %q", m.Model, m.Provider)
	}
	return nil
}

func (m *metered) setCost(cost pricing.Money) {
	text := cost.String()
	m.CostUSD = &text
}

// priceOf returns the rates of a price that apply to a call with that usage.
func priceOf(l *pricing.Listing, p *pricing.Price, u pricing.Usage) *meteredPrice {
	rates := p.RatesFor(u.Prompt())
	out := &meteredPrice{
		Model:           l.Model,
		Input:           rates.Input.String(),
		CacheRead:       rates.CacheRead.String(),
		CacheWriteShort: rates.CacheWriteShort.String(),
		CacheWriteLong:  rates.CacheWriteLong.String(),
		Output:          rates.Output.String(),
		LongContext:     len(p.Brackets) > 0 && u.Prompt() > p.Brackets[0].Above,
		Source:          l.Source,
		AsOf:            l.AsOf,
		Disputed:        l.Rival != nil,
	}
	others := map[string]pricing.Rate{
		"input_audio": rates.InputAudio, "input_image": rates.InputImage, "cache_read_audio": rates.CacheReadAudio,
		"output_audio": rates.OutputAudio, "output_image": rates.OutputImage,
		"web_searches": p.Fees.WebSearch, "file_searches": p.Fees.FileSearch, "code_runs": p.Fees.CodeRun,
		"search_units": p.Fees.SearchUnit, "images": p.Fees.Image, "seconds": p.Fees.Second, "characters": p.Fees.Character,
	}
	for kind, count := range u.All() {
		if rate, ok := others[kind]; ok && count > 0 {
			if out.Others == nil {
				out.Others = map[string]string{}
			}
			out.Others[kind] = rate.String()
		}
	}
	return out
}
