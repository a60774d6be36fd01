package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// interactionTable is the usage of an interaction. Its prompt includes what came from the cache and excludes what tools
// put in, and thoughts stand beside the output. Of an interaction that continues another one hosts were seen to leave
// what came before out of the input: raw_prompt_token, which is not documented, and the total tell of it.
//
// Sources, as read in November 2026: https://ai.google.dev/api/interactions-api, "Usage", and on the input the thread
// https://discuss.ai.google.dev/t/187450.
var interactionTable = table{
	"total_input_tokens":          {to: ofPrompt, most: true},
	"raw_prompt_token":            {to: ofPrompt, most: true},
	"total_cached_tokens":         {to: ofCacheRead},
	"total_output_tokens":         {to: ofAnswer},
	"total_thought_tokens":        {to: ofReasoning},
	"total_tool_use_tokens":       {to: ofToolPrompt},
	"total_tokens":                {to: ofTotal},
	"input_tokens_by_modality":    {take: takePromptModes},
	"cached_tokens_by_modality":   {take: takeCacheModes},
	"output_tokens_by_modality":   {take: takeAnswerModes},
	"tool_use_tokens_by_modality": {take: takeToolModes},
	"grounding_tool_count":        {take: takeGrounding},
}

// grounding reads a list of {type, count}, of which searches and maps have a fee.
func (t *tally) grounding(s *jsonscan.Scanner) {
	var sum count
	list := s.Next()
	for o, ok := s.Element(list); ok; o, ok = s.Element(list) {
		var n count
		var kind []byte
		for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
			switch string(s.Text(key)) {
			case "type":
				kind = s.Text(s.Next())
			case "count":
				n.read(s)
			}
		}
		if k := string(kind); k == "google_search" || k == "google_maps" {
			sum = sum.plus(n)
		}
	}
	if sum.set {
		t.n[ofWebSearches] = sum
	}
}

// interactionUsage reads a usage object, and reports whether it says anything.
func (m *Meter) interactionUsage(s *jsonscan.Scanner) bool {
	t := readTally(s, interactionTable)
	if !t.states(ofPrompt, ofAnswer) { // the total alone does not say at which rate
		return false
	}
	rest := t.of(ofTotal) - t.of(ofAnswer) - t.of(ofReasoning) - t.of(ofToolPrompt)
	t.n[ofPrompt].n = max(t.of(ofPrompt), rest)
	u := t.geminiUsage(false)
	u.WebSearches = t.of(ofWebSearches)
	m.said = t
	m.setUsage(u, t.negative(ofReasoning))
	return true
}

// interactionEvent reads an event of a stream. The usage comes with the interaction that has ended; before that, steps
// may tell of what was used so far.
// Source: https://ai.google.dev/gemini-api/docs/interactions/streaming, read in November 2026.
func (m *Meter) interactionEvent(data []byte) {
	s := jsonscan.New(data)
	o := s.Next()
	var interaction, delta, step, usage jsonscan.Token
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "interaction":
			interaction = s.Skip()
		case "delta":
			delta = s.Skip()
		case "step", "content": // of the first version
			step = s.Skip()
		case "usage":
			usage = s.Skip()
		case "status":
			m.failed = string(s.Text(s.Next())) == "failed" || m.failed
		case "error":
			m.setError(&s)
		}
	}
	if s.Finish() != nil {
		return
	}
	for _, part := range [...]jsonscan.Token{delta, step} {
		if part.Kind == jsonscan.Object {
			m.interactionStep(sub(data, part))
		}
	}
	if usage.Kind == jsonscan.Object && !m.final {
		inner := jsonscan.New(data[usage.Start:usage.End])
		m.interactionUsage(&inner)
	}
	if interaction.Kind == jsonscan.Object {
		text := m.text
		m.interactionObject(sub(data, interaction))
		m.text = text // the deltas counted it
	}
}

// interactionObject reads an interaction: a body, or what some events carry.
func (m *Meter) interactionObject(s *jsonscan.Scanner, o jsonscan.Token) {
	var status []byte
	var id jsonscan.Token
	counted := false
	queries := m.queries
	m.queries = 0
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "id":
			id = s.Next()
		case "model", "agent":
			m.setModel(s)
		case "status":
			status = s.Text(s.Next())
		case "service_tier":
			m.setService(s)
		case "usage":
			counted = m.interactionUsage(s)
		case "error":
			m.setError(s)
		case "steps", "outputs": // the latter of the first version
			list := s.Next()
			for step, ok := s.Element(list); ok; step, ok = s.Element(list) {
				m.interactionStep(s, step)
			}
		}
	}
	m.queries = max(m.queries, queries)
	if !m.said.states(ofWebSearches) {
		m.serverTools.atLeast(&serverTools{webSearches: geminiSearches(m.model, m.queries, m.queries > 0)})
	}
	m.interactionStatus(string(status), counted)
	if m.pending, m.id = !m.stream && goesOn(string(status)), ""; m.pending {
		m.id = s.String(id)
	}
}

// interactionStatus notes how an interaction stands.
func (m *Meter) interactionStatus(status string, counted bool) {
	switch status {
	case "completed":
		m.endings.end(0, FinishStop)
	case "requires_action":
		m.endings.end(0, FinishTools)
	case "incomplete", "budget_exceeded":
		m.endings.end(0, FinishLength)
	case "failed":
		m.failed = true
	case "cancelled":
	default:
		return
	}
	m.ended, m.final = true, counted
}

// goesOn reports whether an interaction of that status is still being made.
func goesOn(status string) bool { return status == "in_progress" || status == "queued" }

// interactionStep counts what a model wrote in a step, a content or what is added to one, and the searches of the
// provider's tool.
func (m *Meter) interactionStep(s *jsonscan.Scanner, o jsonscan.Token) {
	look := *s
	kind, queries := "", int64(0)
	for key, ok := look.Member(o); ok; key, ok = look.Member(o) {
		switch string(look.Text(key)) {
		case "type":
			kind = string(look.Text(look.Next()))
		case "arguments":
			queries = searchQueries(&look)
		}
	}
	switch {
	case kind == "function_call":
		m.tools = true
	case kind == "google_search_call", kind == "google_maps_call":
		m.queries += queries
	case kind == "user_input", strings.HasSuffix(kind, "_result"):
		return
	}
	m.textParts(s, o)
}

// searchQueries returns how many queries the arguments of a search hold. The next value is theirs.
func searchQueries(s *jsonscan.Scanner) (n int64) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		if string(s.Text(key)) != "queries" {
			continue
		}
		list := s.Next()
		for q, ok := s.Element(list); ok; q, ok = s.Element(list) {
			if q.Kind == jsonscan.String && len(s.Text(q)) > 0 {
				n++
			}
		}
	}
	return n
}
