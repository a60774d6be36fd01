package feeds

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog/internal/decimal"
)

// litellmKinds are the members that price a token, without what follows the unit.
var litellmKinds = map[string]uint{
	"input_cost_per_token": input, "output_cost_per_token": output, "cache_read_input_token_cost": cacheRead,
	"input_cost_per_token_cache_hit": cacheRead, "cache_creation_input_token_cost": writeShort,
	"cache_creation_input_token_cost_above_1hr": writeLong, "input_cost_per_audio_token": inputAudio,
	"input_cost_per_image_token": inputImage, "output_cost_per_audio_token": outputAudio,
	"output_cost_per_image_token": outputImage, "cache_read_input_audio_token_cost": readAudio,
	// OpenAI has no charge for writing sound to its cache: the list states that of reading it here.
	"cache_creation_input_audio_token_cost": readAudio,
}

// litellmServices are the endings of members that price another class of service.
var litellmServices = []struct {
	suffix  string
	service pricing.Service
}{{"_batches", pricing.Batch}, {"_flex", pricing.Flex}, {"_priority", pricing.Priority}}

// cost takes one price in.
func (m *litellmModel) cost(name, text string) error {
	if strings.Trim(text, "0.") == "" {
		m.zero = true // free, or unknown: offer decides
		return nil
	}
	base, service := name, pricing.Standard
	for _, s := range litellmServices {
		if cut, ok := strings.CutSuffix(base, s.suffix); ok {
			base, service = cut, s.service
		}
	}
	base, above := cutThreshold(base)
	kind, counted := litellmKinds[base]
	switch {
	case base == "output_cost_per_reasoning_token":
		r, err := perToken(text)
		m.reasoning = max(m.reasoning, r)
		return err
	case !counted:
		return m.fee(name, text)
	}
	r, err := perToken(text)
	if errors.Is(err, errImplausible) {
		m.why = wrongUnit
		return nil
	}
	if err != nil {
		return err
	}
	m.sheet(service, above).set(kind, r)
	return nil
}

// cutThreshold removes "_above_200k_tokens" and returns 200000.
func cutThreshold(name string) (base string, above int64) {
	head, ok := strings.CutSuffix(name, "k_tokens")
	i := strings.LastIndex(head, "_above_")
	if !ok || i < 0 {
		return name, 0
	}
	n, err := strconv.ParseInt(head[i+len("_above_"):], 10, 32)
	if err != nil || n <= 0 {
		return name, 0
	}
	return head[:i], n * 1000
}

// sheet is where the rates of a class of service and a length of prompt go.
func (m *litellmModel) sheet(service pricing.Service, above int64) *sheet {
	q := &m.quote
	if service != pricing.Standard {
		if m.variants == nil {
			m.variants = make(map[pricing.Service]*quote)
		}
		if q = m.variants[service]; q == nil {
			q = &quote{}
			m.variants[service] = q
		}
	}
	if above == 0 {
		return &q.sheet
	}
	return q.step(above)
}

// fee takes in what is not charged by the token.
func (m *litellmModel) fee(name, text string) error {
	r, err := perPiece(text)
	if err != nil {
		return err
	}
	f := &m.quote.fees
	speech := m.mode == "audio_transcription" || m.mode == "audio_speech"
	picture := m.mode == "image_generation" || m.mode == "image_edit"
	switch {
	case name == "input_cost_per_request":
		f.Request = r
	case name == "input_cost_per_query" && m.mode == "rerank":
		f.SearchUnit = r
	case name == "input_cost_per_query" && m.mode == "search":
		f.WebSearch = r
	case name == "code_interpreter_cost_per_session":
		f.CodeRun = r
	case speech && (name == "input_cost_per_second" || name == "output_cost_per_second"):
		f.Second = max(f.Second, r) // the list repeats one charge
	case m.mode == "audio_speech" && name == "input_cost_per_character":
		f.Character = r
	case picture && (name == "input_cost_per_image" || name == "output_cost_per_image"):
		f.Image = max(f.Image, r)
	default:
		m.uncounted = append(m.uncounted, name)
	}
	return nil
}

// searchFee takes the dearest of the fees by the size of what is searched. Perplexity asks it for every call.
func (m *litellmModel) searchFee(raw json.RawMessage) error {
	var sizes map[string]json.RawMessage
	if err := json.Unmarshal(raw, &sizes); err != nil {
		return errors.New("want an object")
	}
	var dearest pricing.Rate
	for _, name := range sortedKeys(sizes) {
		text, ok := number(sizes[name])
		if !ok {
			return fmt.Errorf("%s: want a number", name)
		}
		r, err := perPiece(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		dearest = max(dearest, r)
	}
	if m.vendor == "perplexity" {
		m.quote.fees.Request = dearest
	} else {
		m.quote.fees.WebSearch = dearest
	}
	return nil
}

// factors takes in what a region and the fast mode multiply a price by; other members are for LiteLLM itself.
func (m *litellmModel) factors(raw json.RawMessage) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return errors.New("want an object")
	}
	if us, ok := members["us"]; ok {
		if err := m.uplift("us", us); err != nil {
			return err
		}
	}
	fast, ok := members["fast"]
	if !ok {
		return nil
	}
	var err error
	if m.fast, err = factor(fast); err != nil {
		return fmt.Errorf("fast: %w", err)
	}
	return nil
}

// factor reads a multiplier in parts per million.
func factor(raw json.RawMessage) (int64, error) {
	text, ok := number(raw)
	if !ok {
		return 0, fmt.Errorf("want a number, got %.40s", raw)
	}
	ppm, _, err := decimal.Parse(text, 6)
	if err != nil || ppm == 0 {
		return 0, fmt.Errorf("factor %q: want a number above 0", text)
	}
	return ppm, nil
}

func (m *litellmModel) uplift(region string, raw json.RawMessage) error {
	ppm, err := factor(raw)
	if err != nil {
		return err
	}
	m.uplifts = append(m.uplifts, pricing.Uplift{Region: region, PPM: ppm})
	return nil
}

// readRange reads the two ends of a bracket. Others are not of tokens.
func readRange(raw json.RawMessage, to *[]json.Number) bool {
	return json.Unmarshal(raw, to) == nil && len(*to) == 2
}

// tiers reads brackets by the size of the prompt.
func (m *litellmModel) tiers(raw json.RawMessage) error {
	var tiers []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &tiers); err != nil {
		return errors.New("want an array of objects")
	}
	for _, tier := range tiers {
		var from []json.Number
		if !readRange(tier["range"], &from) {
			m.uncounted = append(m.uncounted, "tiered_pricing") // by the number of results
			return nil
		}
		var above int64
		if err := readCount(json.RawMessage(from[0]), &above); err != nil {
			return err
		}
		if err := m.tier(m.sheet(pricing.Standard, above), tier); err != nil {
			return fmt.Errorf("above %d tokens: %w", above, err)
		}
	}
	return nil
}

// tier reads one bracket. Of two prices of the answer, with reasoning and without, the dearer is taken.
func (m *litellmModel) tier(s *sheet, members map[string]json.RawMessage) error {
	for _, name := range sortedKeys(members) {
		kind, ok := litellmKinds[name]
		if name == "output_cost_per_reasoning_token" {
			kind, ok = output, true
		}
		if !ok {
			continue
		}
		text, isNumber := number(members[name])
		if !isNumber {
			return fmt.Errorf("%s: want a number", name)
		}
		r, err := perToken(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if kind == output {
			r = max(r, s.Output)
		}
		if r > 0 {
			s.set(kind, r)
		}
	}
	return nil
}
