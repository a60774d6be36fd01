package feeds

import (
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// offer judges what was read of a model.
func (m *litellmModel) offer(source Source) offer {
	o := offer{Listing: pricing.Listing{
		Provider: vendor(m.vendor), Model: bareName(m.key, m.vendor), Limits: m.limits, Source: source.String(), AsOf: source.AsOf,
	}, quote: m.quote}
	if o.Limits.MaxOutput == 0 {
		o.Limits.MaxOutput = o.Limits.Context
	}
	if !m.judge(&o) {
		return o
	}
	if m.reasoning > o.quote.Output {
		o.quote.set(output, m.reasoning)
		o.note("the dearer of the rates with reasoning and without")
	}
	o.quote.longWrites(o.Model)
	m.serve(&o)
	return o
}

// judge settles whether the price is one, and reports whether there is anything to charge.
func (m *litellmModel) judge(o *offer) bool {
	q := &o.quote
	m.tokensOrPieces(q)
	tokens, pieces := m.tokens(q), q.fees != (pricing.Fees{})
	switch {
	case m.why != "":
		o.refuse(m.why)
	case !tokens && !pieces:
		m.free(o)
	case !tokens && q.fees == (pricing.Fees{WebSearch: q.fees.WebSearch}) && m.mode != "search":
		o.refuse(noPrice)
	case !tokens && pieces:
		return true
	case m.writes() && q.Output == 0 && !strings.Contains(m.key, "embed"):
		o.refuse(noOutput)
	case q.Input == 0 && q.fees.Request == 0:
		o.refuse(noInput)
	case m.mode == "video_generation" || m.mode == "ocr":
		o.refuse(m.units())
	default:
		if units := m.units(); units != "" {
			o.note(units + ": not counted")
		}
		return true
	}
	return false
}

// free decides what no stated price means.
func (m *litellmModel) free(o *offer) {
	switch {
	case freeByName(o.Model):
		o.note(freeName)
	case (m.vendor == "ollama" || m.vendor == "lemonade") && !strings.Contains(m.key, "-cloud"):
		o.note(ownMachine)
	case m.vendor == "openai" && m.mode == "moderation":
		o.note(freeModerates)
	case len(m.uncounted) > 0:
		o.refuse(m.units())
	case m.zero:
		o.refuse(zeroPrice)
	default:
		o.refuse(noPrice)
	}
}

// writes reports whether the model answers with text.
func (m *litellmModel) writes() bool {
	return slices.Contains([]string{"chat", "completion", "responses", "realtime", ""}, m.mode)
}

// tokens reports whether any token has a price.
func (m *litellmModel) tokens(q *quote) bool { return q.Rates != (pricing.Rates{}) || len(q.steps) > 0 }

// tokensOrPieces settles what is charged by the token where a list states both that and the same by the piece, and
// takes the rate of sound or pictures for text where that has none.
func (m *litellmModel) tokensOrPieces(q *quote) {
	if !m.tokens(q) {
		return
	}
	q.fees.Image, q.fees.Second, q.fees.Character = 0, 0, 0
	if dearest := max(q.OutputImage, q.OutputAudio); q.Output == 0 && dearest > 0 {
		q.set(output, dearest)
	}
	if dearest := max(q.InputImage, q.InputAudio); q.Input == 0 && dearest > 0 {
		q.set(input, dearest)
	}
}

// units says what the list prices that no usage counts.
func (m *litellmModel) units() string {
	var units []string
	for _, name := range m.uncounted {
		if strings.Contains(name, "dbu") { // the same price in another currency
			continue
		}
		name = strings.NewReplacer("input_cost_per_", "", "output_cost_per_", "", "_cost_per_", " per ", "_", " ").Replace(name)
		if !slices.Contains(units, name) {
			units = append(units, name)
		}
	}
	if len(units) == 0 {
		return ""
	}
	slices.Sort(units)
	return "priced by " + strings.Join(units, ", ")
}

// serve adds the classes of service and the regions.
func (m *litellmModel) serve(o *offer) {
	for _, s := range litellmServices {
		if q := m.variants[s.service]; q != nil {
			if price, ok := q.variant(&o.quote, s.service); ok {
				o.Variants = append(o.Variants, pricing.Variant{Service: s.service, Price: price})
			}
		}
	}
	if m.fast > 0 {
		if price, err := o.quote.price().Scaled(m.fast); err == nil {
			o.Variants = append(o.Variants, pricing.Variant{Service: pricing.Fast, Price: price})
		}
	}
	slices.SortFunc(m.uplifts, func(a, b pricing.Uplift) int { return strings.Compare(a.Region, b.Region) })
	o.Uplifts = m.uplifts
}
