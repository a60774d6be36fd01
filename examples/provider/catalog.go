package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed prices.json
var priceFile []byte

// cacheKind is how a vendor's prompt cache works for a model.
type cacheKind string

const (
	cacheMarkers     cacheKind = "markers"     // Anthropic: cache_control breakpoints; Bedrock: cachePoint
	cacheSteps       cacheKind = "steps"       // automatic, hits in steps of 128 tokens
	cacheBreakpoints cacheKind = "breakpoints" // OpenAI from gpt-5.6: exact breakpoints, writes are billed
)

// modelKind is what a model makes.
type modelKind string

const (
	makesAnswers  modelKind = "" // in conversations
	makesText     modelKind = "text"
	makesVectors  modelKind = "vectors"
	makesImages   modelKind = "images"
	makesScripts  modelKind = "scripts" // of speech
	makesRankings modelKind = "rankings"
)

// A model is one entry of prices.json.
type model struct {
	ID         string    `json:"id"`
	House      house     `json:"house"` // that serves it
	Vendor     vendor    `json:"vendor"`
	Kind       modelKind `json:"kind"`
	ServedAs   string    `json:"served_as"`   // the dated snapshot that responses name; empty: the id
	Family     string    `json:"family"`      // Anthropic: whose thinking signatures are accepted
	Strict     bool      `json:"strict"`      // Anthropic: rejects sampling, budget_tokens, prefill, forced tools
	Adaptive   bool      `json:"adaptive"`    // Anthropic: takes adaptive thinking and output_config.effort
	Reasoning  bool      `json:"reasoning"`   // can be asked to think; OpenAI's reject sampling fields
	Window     int       `json:"window"`      // tokens of prompt and output together
	WideWindow int       `json:"wide_window"` // window under the context-1m beta, 0 if none
	MaxOutput  int       `json:"max_output"`
	Embedding  int       `json:"embedding"` // dimensions of an embedding model, 0 for others
	Cache      struct {
		Kind    cacheKind `json:"kind"`
		Minimum int       `json:"minimum"` // tokens below which nothing is cached
	} `json:"cache"`
	Price     *priceList        `json:"price"`      // nil: free of charge
	LongAbove int               `json:"long_above"` // above this total input the whole call costs Long; 0: never
	Long      *priceList        `json:"long"`
	Classes   map[string]string `json:"classes"` // factors on tokens under other classes of service
	Regions   map[string]string `json:"regions"` // factors on tokens processed there
}

// shown is the model name that responses carry.
func (m *model) shown() string {
	if m.ServedAs != "" {
		return m.ServedAs
	}
	return m.ID
}

// modelKey is the name under which a house's model is found.
func modelKey(h house, name string) string {
	if h == "" {
		return name
	}
	return string(h) + "/" + name
}

// loadModels returns the embedded table by id and by snapshot name, and the entries in file order.
func loadModels() (map[string]*model, []*model, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(priceFile, &entries); err != nil {
		return nil, nil, fmt.Errorf("read prices.json: %w", err)
	}
	byName := make(map[string]*model, 2*len(entries))
	var list []*model
	for _, raw := range entries {
		m, err := readModel(raw, byName)
		if err != nil {
			return nil, nil, fmt.Errorf("prices.json: %s: %w", raw, err)
		}
		list = append(list, m)
		for _, name := range []string{m.ID, m.shown()} {
			key := modelKey(m.House, name)
			if other := byName[key]; other != nil && other.ID == m.ID && other != m {
				return nil, nil, fmt.Errorf("prices.json: %q is listed twice", key)
			}
			if byName[key] == nil || name == m.ID {
				byName[key] = m
			}
		}
		if err := m.check(); err != nil {
			return nil, nil, fmt.Errorf("prices.json: %w", err)
		}
	}
	return byName, list, nil
}

// readModel reads one entry. One with "like" has all of that model that it does not state itself, and is served by
// that name.
func readModel(raw json.RawMessage, known map[string]*model) (*model, error) {
	var like struct {
		Like string `json:"like"`
	}
	if err := json.Unmarshal(raw, &like); err != nil {
		return nil, err
	}
	m := &model{}
	if like.Like != "" {
		base := known[like.Like]
		if base == nil {
			return nil, fmt.Errorf("no model %q before it", like.Like)
		}
		*m = *base
		m.ServedAs, m.Classes, m.Regions = base.shown(), nil, nil
		m.Price, m.Long = base.Price.clone(), base.Long.clone()
	}
	return m, json.Unmarshal(raw, m)
}

// check tries every price of the model.
func (m *model) check() error {
	for _, factors := range []map[string]string{{"": "1"}, m.Classes, m.Regions} {
		for _, factor := range factors {
			for _, input := range []int{0, m.LongAbove + 1} {
				if _, err := m.cost(usage{Input: input}, factor); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
