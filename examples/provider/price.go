package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/big"
)

// vendor is whose API a call speaks; it decides the shape of errors.
type vendor string

const (
	openai    vendor = "openai"
	anthropic vendor = "anthropic"
	google    vendor = "google"
)

//go:embed prices.json
var priceFile []byte

// usage is the tokens of one call in disjoint kinds, except that reasoning is a part of output.
type usage struct {
	Input      int `json:"input"`
	CacheRead  int `json:"cache_read"`
	WriteShort int `json:"cache_write_short"`
	WriteLong  int `json:"cache_write_long"`
	Output     int `json:"output"`
	Reasoning  int `json:"reasoning"`
}

// totalInput is the prompt's length, cached or not.
func (u usage) totalInput() int { return u.Input + u.CacheRead + u.WriteShort + u.WriteLong }

// priceList is USD per million tokens as decimal strings; an empty string is a kind that the vendor does not sell.
type priceList struct {
	Input      string `json:"input"`
	CacheRead  string `json:"cache_read"`
	WriteShort string `json:"cache_write_short"`
	WriteLong  string `json:"cache_write_long"`
	Output     string `json:"output"`
}

// cacheKind is how a vendor's prompt cache works for a model.
type cacheKind string

const (
	cacheMarkers     cacheKind = "markers"     // Anthropic: cache_control breakpoints
	cacheSteps       cacheKind = "steps"       // automatic, hits in steps of 128 tokens
	cacheBreakpoints cacheKind = "breakpoints" // OpenAI from gpt-5.6: exact breakpoints, writes are billed
)

// A model is one entry of prices.json.
type model struct {
	ID         string `json:"id"`
	Vendor     vendor `json:"vendor"`
	ServedAs   string `json:"served_as"`   // the dated snapshot that responses name; empty: the id
	Family     string `json:"family"`      // Anthropic: whose thinking signatures are accepted
	Strict     bool   `json:"strict"`      // Anthropic: rejects sampling, budget_tokens, prefill, forced tools
	Adaptive   bool   `json:"adaptive"`    // Anthropic: takes adaptive thinking and output_config.effort
	Reasoning  bool   `json:"reasoning"`   // can be asked to think; OpenAI's reject sampling fields
	Window     int    `json:"window"`      // tokens of prompt and output together
	WideWindow int    `json:"wide_window"` // window under the context-1m beta, 0 if none
	MaxOutput  int    `json:"max_output"`
	Embedding  int    `json:"embedding"` // dimensions of an embedding model, 0 for others
	Cache      struct {
		Kind    cacheKind `json:"kind"`
		Minimum int       `json:"minimum"` // tokens below which nothing is cached
	} `json:"cache"`
	Price     *priceList `json:"price"`      // nil: free of charge
	LongAbove int        `json:"long_above"` // above this total input the whole call costs Long; 0: never
	Long      *priceList `json:"long"`
}

// shown is the model name that responses carry.
func (m *model) shown() string {
	if m.ServedAs != "" {
		return m.ServedAs
	}
	return m.ID
}

// loadModels returns the embedded table by id and by snapshot name, and the ids in file order.
func loadModels() (map[string]*model, []*model, error) {
	var list []*model
	if err := json.Unmarshal(priceFile, &list); err != nil {
		return nil, nil, fmt.Errorf("read prices.json: %w", err)
	}
	byName := make(map[string]*model, 2*len(list))
	for _, m := range list {
		for _, name := range []string{m.ID, m.shown()} {
			if other := byName[name]; other != nil && other != m {
				return nil, nil, fmt.Errorf("prices.json: %q is listed twice", name)
			}
			byName[name] = m
		}
		if _, err := m.cost(usage{}); err != nil {
			return nil, nil, fmt.Errorf("prices.json: %w", err)
		}
	}
	return byName, list, nil
}

// cost returns the charge for u in nano-dollars, rounded half up once. A kind without a price of its own costs as
// much as input does.
func (m *model) cost(u usage) (int64, error) {
	list := m.Price
	if list == nil {
		return 0, nil
	}
	if m.Long != nil && u.totalInput() > m.LongAbove {
		list = m.Long
	}
	sum := new(big.Rat)
	for _, part := range []struct {
		tokens int
		price  string
	}{
		{u.Input, list.Input},
		{u.CacheRead, list.CacheRead},
		{u.WriteShort, list.WriteShort},
		{u.WriteLong, list.WriteLong},
		{u.Output, list.Output},
	} {
		text := part.price
		if text == "" {
			text = list.Input
		}
		rate, ok := new(big.Rat).SetString(text)
		if !ok || rate.Sign() < 0 {
			return 0, fmt.Errorf("model %q: price %q is not a decimal number", m.ID, text)
		}
		sum.Add(sum, rate.Mul(rate, new(big.Rat).SetInt64(int64(part.tokens))))
	}
	// USD per million tokens times tokens, in nano-dollars: 1e9 / 1e6.
	return roundHalfUp(sum.Mul(sum, big.NewRat(1000, 1))), nil
}

// roundHalfUp rounds a number that is not negative.
func roundHalfUp(r *big.Rat) int64 {
	twice := new(big.Int).Mul(r.Num(), big.NewInt(2))
	twice.Add(twice, r.Denom())
	return twice.Quo(twice, new(big.Int).Mul(r.Denom(), big.NewInt(2))).Int64()
}
