package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// anthropicCounts are the tokens of a Messages call or of one iteration of it.
var anthropicCounts = table{
	"input_tokens":                {to: ofPrompt},
	"cache_read_input_tokens":     {to: ofCacheRead},
	"cache_creation_input_tokens": {to: ofCacheWrite},
	"output_tokens":               {to: ofAnswer},
	"cache_creation": {in: table{
		"ephemeral_5m_input_tokens": {to: ofShortWrite},
		"ephemeral_1h_input_tokens": {to: ofLongWrite},
	}},
	"output_tokens_details": {in: table{"thinking_tokens": {to: ofReasoning}}},
}

// anthropicTable is the usage object of Messages. In a stream its counts are cumulative and may be spread over several
// events; the last value of each holds. Source: Anthropic's API reference, "Usage" and "Beta Usage".
var anthropicTable = table{
	"input_tokens":                anthropicCounts["input_tokens"],
	"cache_read_input_tokens":     anthropicCounts["cache_read_input_tokens"],
	"cache_creation_input_tokens": anthropicCounts["cache_creation_input_tokens"],
	"output_tokens":               anthropicCounts["output_tokens"],
	"cache_creation":              anthropicCounts["cache_creation"],
	"output_tokens_details":       anthropicCounts["output_tokens_details"],
	"server_tool_use": {in: table{
		"web_search_requests": {to: ofWebSearches},
		"web_fetch_requests":  {to: ofFetches},
	}},
	"iterations":    {take: takeIterations},
	"service_tier":  {take: takeService},
	"speed":         {take: takeSpeed},
	"inference_geo": {take: takeGeography},
	"cost":          {take: takeDollars}, // OpenRouter
	"is_byok":       {take: takeBYOK},
	"cost_details":  {in: table{"upstream_inference_cost": {take: takeTheirs}}},
}

// geography reads inference_geo, of which only the United States change the price.
func (t *tally) geography(s *jsonscan.Scanner) {
	if v := s.Next(); v.Kind == jsonscan.String {
		t.region = ""
		if string(s.Text(v)) == "us" {
			t.region = "us"
		}
	}
}

// iterations reads how often the model read a prompt within one call, for its server tools: the longest prompt, and
// what the top level leaves out, which is the work of compacting the context and of an adviser.
// Source: https://platform.claude.com/docs/en/build-with-claude/compaction, "Understanding usage".
func (t *tally) iterations(s *jsonscan.Scanner) {
	longest, negative := int64(0), false
	var extra pricing.Usage
	var advisers advisers
	list := s.Next()
	for o, ok := s.Element(list); ok; o, ok = s.Element(list) {
		look := *s
		kind, model := iteration(&look, o)
		var one tally
		one.read(s, o, anthropicCounts)
		u := one.anthropicUsage()
		negative = negative || one.negativeApart()
		longest = max(longest, u.TotalInput())
		if kind == "compaction" || kind == "advisor_message" {
			extra = extra.Plus(u)
		}
		if kind == "advisor_message" || model != "" {
			advisers.add(model)
		}
	}
	if list.Kind == jsonscan.Array {
		t.n[ofLongestPrompt] = count{n: longest, set: longest > 0, negative: negative}
		t.extra, t.advisers = extra, advisers
	}
}

// iteration returns the type of the object that began with o, of those that are known here, and the model that it
// names; "" otherwise.
func iteration(s *jsonscan.Scanner, o jsonscan.Token) (kind string, model pricing.ModelName) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "type":
			switch v := s.Next(); string(s.Text(v)) {
			case "compaction":
				kind = "compaction"
			case "advisor_message":
				kind = "advisor_message"
			}
		case "model":
			if v := s.Next(); v.Kind == jsonscan.String {
				model = pricing.ModelName(s.String(v))
			}
		}
	}
	return kind, model
}

// advisers are the models that iterations name. The zero value is none.
type advisers struct {
	some, several bool
	model         pricing.ModelName // of the first, "" if it is not named
}

func (a *advisers) add(model pricing.ModelName) {
	a.several = a.several || a.some && model != a.model
	if !a.some {
		a.some, a.model = true, model
	}
}

// besides reports whether there is another model than the message's.
func (a *advisers) besides(model pricing.ModelName) bool {
	return a.some && (a.several || a.model != model)
}

// anthropicUsage maps the counts, which are disjoint already. The sum of cache writes is authoritative, as a later
// event may raise it without splitting it again; what the split leaves open is of the short lifetime.
//
// Where server tools ran, the prompt is the sum of all that the model read in turn. Long-context prices go by the
// longest of these; where it is not stated no sum may reach them.
func (t *tally) anthropicUsage() pricing.Usage {
	short, long := t.of(ofShortWrite), t.of(ofLongWrite)
	if t.states(ofCacheWrite) {
		long = min(long, t.of(ofCacheWrite))
		short = t.of(ofCacheWrite) - long
	}
	u := pricing.Usage{
		Input:           t.of(ofPrompt),
		CacheRead:       t.of(ofCacheRead),
		CacheWriteShort: short,
		CacheWriteLong:  long,
		Output:          t.of(ofAnswer),
		Reasoning:       min(t.of(ofReasoning), t.of(ofAnswer)),
		WebSearches:     t.of(ofWebSearches),
	}.Plus(t.extra)
	switch longest := t.of(ofLongestPrompt); {
	case longest > 0 && longest < u.TotalInput():
		u.LongestPrompt = longest
	case longest == 0 && u.TotalInput() > 0 && t.of(ofWebSearches)+t.of(ofFetches) > 0:
		u.LongestPrompt = 1
	}
	return u
}

// anthropicUsage reads a usage object over what earlier ones said, and reports whether it said anything. One that is
// cut short counts as absent, as its last number may be too.
func (m *Meter) anthropicUsage(s *jsonscan.Scanner, o jsonscan.Token) bool {
	t := m.said
	t.read(s, o, anthropicTable)
	if s.Err() != nil || o.Kind != jsonscan.Object || !t.states(ofPrompt, ofAnswer) {
		return false
	}
	m.said = t
	m.setUsage(t.anthropicUsage(), t.negativeApart())
	if m.service, m.tiered = t.service, t.tiered || t.fast; t.fast {
		m.service = pricing.Fast
	}
	if m.region = t.region; t.cost.set {
		m.cost = t.charge()
	}
	return true
}
