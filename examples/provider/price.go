package main

import (
	"fmt"
	"math/big"
)

// vendor is whose API a call speaks; it decides the shape of errors.
type vendor string

const (
	openai    vendor = "openai"
	anthropic vendor = "anthropic"
	google    vendor = "google"
	bedrock   vendor = "bedrock"
	cohere    vendor = "cohere"
	ollama    vendor = "ollama"
)

// usage is the tokens of one call in disjoint kinds, except that reasoning is a part of output, and what is billed by
// the piece.
type usage struct {
	Input       int `json:"input"`
	CacheRead   int `json:"cache_read"`
	WriteShort  int `json:"cache_write_short"`
	WriteLong   int `json:"cache_write_long"`
	Output      int `json:"output"`
	Reasoning   int `json:"reasoning"`
	Audio       int `json:"audio,omitempty"`    // tokens of sound that were read
	Pictures    int `json:"pictures,omitempty"` // tokens of pictures that were read
	Searches    int `json:"searches,omitempty"`
	SearchUnits int `json:"search_units,omitempty"`
	Seconds     int `json:"seconds,omitempty"`
}

// totalInput is the prompt's length, cached or not.
func (u usage) totalInput() int {
	return u.Input + u.CacheRead + u.WriteShort + u.WriteLong + u.Audio + u.Pictures
}

// priceList is USD per million tokens as decimal strings; an empty string is a kind that the vendor does not sell.
type priceList struct {
	Input      string `json:"input"`
	CacheRead  string `json:"cache_read"`
	WriteShort string `json:"cache_write_short"`
	WriteLong  string `json:"cache_write_long"`
	Output     string `json:"output"`
	Audio      string `json:"audio"`
	Picture    string `json:"picture"` // read
	Search     string `json:"search"`  // USD per thousand searches of the web, or units of ranking
	Hour       string `json:"hour"`    // USD per hour of sound
}

func (p *priceList) clone() *priceList {
	if p == nil {
		return nil
	}
	q := *p
	return &q
}

// A line is a number of something at a price.
type line struct {
	count int
	price string // USD, a decimal number
	per   int64  // so many
}

// cost returns the charge for u in nano-dollars, rounded half up once. The factor is on tokens, not on fees. A kind of
// token without a price of its own costs as much as input does.
func (m *model) cost(u usage, factor string) (int64, error) {
	list := m.Price
	if list == nil {
		return 0, nil
	}
	if m.Long != nil && u.totalInput() > m.LongAbove {
		list = m.Long
	}
	tokens := []line{
		{u.Input, list.Input, 1e6}, {u.CacheRead, list.CacheRead, 1e6}, {u.WriteShort, list.WriteShort, 1e6},
		{u.WriteLong, list.WriteLong, 1e6}, {u.Output, list.Output, 1e6}, {u.Audio, list.Audio, 1e6},
		{u.Pictures, list.Picture, 1e6},
	}
	for i := range tokens {
		if tokens[i].price == "" {
			tokens[i].price = list.Input
		}
	}
	times, ok := new(big.Rat).SetString(factor)
	if !ok || times.Sign() < 0 {
		return 0, fmt.Errorf("model %q: factor %q is not a decimal number", m.ID, factor)
	}
	sum, err := m.sum(tokens)
	if err != nil {
		return 0, err
	}
	fees, err := m.sum([]line{{u.Searches + u.SearchUnits, list.Search, 1e3}, {u.Seconds, list.Hour, 3600}})
	if err != nil {
		return 0, err
	}
	sum.Add(sum.Mul(sum, times), fees)
	return roundHalfUp(sum.Mul(sum, big.NewRat(1e9, 1))), nil
}

// sum adds lines up in USD. A line without a price is for something that the model has not got.
func (m *model) sum(lines []line) (*big.Rat, error) {
	sum := new(big.Rat)
	for _, l := range lines {
		if l.price == "" && l.count == 0 {
			continue
		}
		rate, ok := new(big.Rat).SetString(l.price)
		if !ok || rate.Sign() < 0 {
			return nil, fmt.Errorf("model %q: price %q is not a decimal number", m.ID, l.price)
		}
		sum.Add(sum, rate.Mul(rate, big.NewRat(int64(l.count), l.per)))
	}
	return sum, nil
}

// roundHalfUp rounds a number that is not negative.
func roundHalfUp(r *big.Rat) int64 {
	twice := new(big.Int).Mul(r.Num(), big.NewInt(2))
	twice.Add(twice, r.Denom())
	return twice.Quo(twice, new(big.Int).Mul(r.Denom(), big.NewInt(2))).Int64()
}
