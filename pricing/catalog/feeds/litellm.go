package feeds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// LiteLLM reads model_prices_and_context_window.json of the LiteLLM project: an object of models by key. Members that
// say nothing of prices or limits are passed over; those that do must be well formed.
//
// Source of the meanings: LiteLLM's own documentation and code; prices are dollars per token in floats.
func LiteLLM(r io.Reader, source Source) ([]pricing.Listing, error) {
	offers, err := litellm(r, source)
	if err != nil {
		return nil, err
	}
	return listings(offers), nil
}

func litellm(r io.Reader, source Source) ([]offer, error) {
	var offers []offer
	err := eachMember(r, func(key string, value json.RawMessage) error {
		if key == "sample_spec" || key == "fallback_generalizations" { // documentation and routing rules
			return nil
		}
		m := litellmModel{key: key}
		if err := m.read(value); err != nil {
			return fmt.Errorf("model %q: %w", key, err)
		}
		offers = append(offers, m.offer(source))
		return nil
	})
	return offers, err
}

// eachMember calls f with the members of an object, in order, and refuses a key that comes twice.
func eachMember(r io.Reader, f func(key string, value json.RawMessage) error) error {
	text, err := readAll(r)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("want an object of models")
	}
	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("model %q: %w", key, err)
		}
		if seen[key] {
			return fmt.Errorf("model %q: listed twice", key)
		}
		if seen[key] = true; len(seen) > maxModels {
			return fmt.Errorf("more than %d models", maxModels)
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// litellmModel is one model as the list has it.
type litellmModel struct {
	key, vendor, mode string
	limits            pricing.Limits
	quote             quote
	variants          map[pricing.Service]*quote
	fast              int64 // factor of the fast mode in parts per million, 0 for none
	uplifts           []pricing.Uplift
	reasoning         pricing.Rate // of the part of the answer that is not shown, where that has one of its own
	uncounted         []string     // members that price what no usage counts
	zero              bool         // a price is stated as 0
	why               string       // not "": the price cannot be believed
}

func (m *litellmModel) read(text json.RawMessage) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return errors.New("want an object")
	}
	if err := checkName(m.key); err != nil {
		return err
	}
	for name, to := range map[string]*string{"litellm_provider": &m.vendor, "mode": &m.mode} {
		if raw, ok := members[name]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return fmt.Errorf("%s: want a string", name)
			}
		}
	}
	if m.vendor == "" {
		return errors.New("no litellm_provider")
	}
	for _, name := range sortedKeys(members) {
		if err := m.member(name, members[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// member takes one member of a model in.
func (m *litellmModel) member(name string, raw json.RawMessage) error {
	switch name {
	case "max_input_tokens":
		return readCount(raw, &m.limits.Context)
	case "max_output_tokens":
		return readCount(raw, &m.limits.MaxOutput)
	case "max_tokens": // what was there before the two above; it is the longest answer where they are there
		if m.limits.Context != 0 || m.limits.MaxOutput != 0 { // members come in alphabetical order
			return nil
		}
		return readCount(raw, &m.limits.Context)
	case "prompt_cache_min_tokens":
		return readCount(raw, &m.limits.CacheMinimum)
	case "tiered_pricing":
		return m.tiers(raw)
	case "search_context_cost_per_query":
		return m.searchFee(raw)
	case "provider_specific_entry":
		return m.factors(raw)
	case "web_search_billing_unit":
		return nil
	}
	if region, ok := strings.CutPrefix(name, "regional_processing_uplift_multiplier_"); ok {
		return m.uplift(region, raw)
	}
	if !strings.Contains(name, "cost") && !strings.Contains(name, "price") {
		return nil
	}
	text, ok := number(raw)
	if !ok {
		return fmt.Errorf("want a number, got %.40s", raw)
	}
	return m.cost(name, text)
}

// number is the text of a JSON number, or of a string that holds one.
func number(raw json.RawMessage) (string, bool) {
	var n json.Number
	if json.Unmarshal(raw, &n) != nil || n == "" {
		return "", false
	}
	return n.String(), true
}

// readCount reads a number of tokens, which may be written as a float, or as null for an unknown one.
func readCount(raw json.RawMessage, to *int64) error {
	text, ok := number(raw)
	if string(raw) == "null" || !ok {
		return nil
	}
	text, _, _ = strings.Cut(text, ".")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("want a number of tokens, got %.40s", raw)
	}
	*to = n
	return nil
}

func sortedKeys(members map[string]json.RawMessage) []string {
	return slices.Sorted(maps.Keys(members))
}
