package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// openAIDetails are the parts of a prompt in OpenAI's usage.
var openAIDetails = table{
	"cached_tokens":      {to: ofCacheRead, most: true},
	"cache_write_tokens": {to: ofCacheWrite},
	"audio_tokens":       {to: ofInputAudio},
	"cached_tokens_details": {in: table{
		"audio_tokens": {to: ofCachedAudio},
		"image_tokens": {to: ofCachedImage},
	}},
}

// openAIAnswerDetails are the parts of an answer.
var openAIAnswerDetails = table{
	"reasoning_tokens": {to: ofReasoning, most: true},
	"audio_tokens":     {to: ofOutputAudio},
	"image_tokens":     {to: ofOutputImage},
}

// openAITable is the usage object of OpenAI's APIs and of hosts that speak their formats, who spell some counts in
// their own way: DeepSeek's hit and miss, Mistral's num_cached_tokens, Moonshot's bare cached_tokens, the bare
// reasoning_tokens of Perplexity, whose cost is an object that holds the sum beside its parts.
//
// Sources: the API reference of each; https://openrouter.ai/docs/use-cases/usage-accounting;
// https://docs.x.ai/docs/guides/tools/tool-usage-details; https://docs.perplexity.ai/api-reference.
var openAITable = table{
	"prompt_tokens":             {to: ofPrompt},
	"input_tokens":              {to: ofPrompt},
	"completion_tokens":         {to: ofAnswer},
	"output_tokens":             {to: ofAnswer},
	"total_tokens":              {to: ofTotal},
	"cached_tokens":             {to: ofCacheRead, most: true},
	"num_cached_tokens":         {to: ofCacheRead, most: true},
	"cached_prompt_text_tokens": {to: ofCacheRead, most: true},
	"prompt_cache_hit_tokens":   {to: ofCacheHit},
	"prompt_cache_miss_tokens":  {to: ofCacheMiss},
	"reasoning_tokens":          {to: ofReasoning, most: true},
	"citation_tokens":           {to: ofCitations},
	"num_search_queries":        {to: ofWebSearches},
	"prompt_audio_seconds":      {to: ofSeconds},
	"prompt_tokens_details":     {in: openAIDetails},
	"input_tokens_details":      {in: openAIDetails},
	"input_token_details":       {in: openAIDetails},
	"completion_tokens_details": {in: openAIAnswerDetails},
	"output_tokens_details":     {in: openAIAnswerDetails},
	"output_token_details":      {in: openAIAnswerDetails},
	"server_side_tool_usage_details": {in: table{
		"web_search_calls":       {to: ofWebSearches},
		"x_search_calls":         {to: ofMoreSearches},
		"file_search_calls":      {to: ofFileSearches},
		"document_search_calls":  {to: ofMoreFileSearches},
		"code_interpreter_calls": {to: ofCodeRuns},
	}},
	"cost":              {take: takeDollars},
	"cost_in_usd_ticks": {take: takeTicks},
	"is_byok":           {take: takeBYOK},
	"cost_details":      {in: table{"upstream_inference_cost": {take: takeTheirs}}},
}

// statesOpenAI reports whether there was a usage at all; null and an empty object are none.
func (t *tally) statesOpenAI() bool {
	return t.states(ofPrompt, ofCacheHit, ofCacheMiss, ofTotal)
}

// openAIUsage takes the overlapping counts apart. The prompt includes what was read from and written to the cache, and
// the completion includes reasoning, except where reasoningApart.
func (m *Meter) openAIUsage(t *tally) (u pricing.Usage) {
	t.n[ofCacheRead].n = max(t.of(ofCacheRead), t.of(ofCacheHit))
	prompt, answer := t.of(ofPrompt), t.of(ofAnswer)
	switch {
	case t.states(ofPrompt):
	case t.states(ofCacheHit, ofCacheMiss):
		prompt = t.of(ofCacheHit) + t.of(ofCacheMiss)
	default: // of embeddings Voyage and Jina state the total alone
		prompt = max(0, t.of(ofTotal)-answer)
	}
	if m.reasoningApart(t, prompt, answer) {
		answer += t.of(ofReasoning)
	}
	if m.vendor == Perplexity {
		answer += t.of(ofCitations) // which it counts beside the completion
	}
	t.prompt(&u, prompt)
	t.answer(&u, answer, t.of(ofReasoning))
	t.pieces(&u)
	return u
}

// reasoningApart reports whether the completion leaves out the reasoning that is charged as output: where the numbers
// say so, and at the hosts that are known for it unless their numbers say otherwise. Vercel leaves the reasoning of
// Gemini even out of the total.
func (m *Meter) reasoningApart(t *tally, prompt, answer int64) bool {
	reasoning, total := t.of(ofReasoning), t.of(ofTotal)
	switch {
	case reasoning == 0:
		return false
	case reasoning > answer, t.states(ofTotal) && total == prompt+answer+reasoning:
		return true
	case m.vendor == XAI:
		return m.api == OpenAIChat && !(t.states(ofTotal) && total == prompt+answer)
	case m.vendor == Vercel:
		return strings.HasPrefix(string(m.model), "google/")
	}
	return m.vendor == Perplexity
}

// setOpenAI takes a usage object of OpenAI's kind, if it says anything.
func (m *Meter) setOpenAI(t *tally) {
	if t.statesOpenAI() {
		m.setUsage(m.openAIUsage(t), t.negative())
	}
	if c := t.charge(); c.set {
		m.cost = c
	}
}

// chatObject reads a chat or text completion or a chunk of one. Sources: the OpenAI API reference, "The chat completion
// object", "The chat completion chunk object" and "The completion object"; Groq's x_groq; llama.cpp's timings; the
// provider_metadata of Vercel's AI Gateway.
func (m *Meter) chatObject(s *jsonscan.Scanner, o jsonscan.Token) {
	var usage, groq, timings jsonscan.Token
	choices := false
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "model":
			m.setModel(s)
		case "error":
			m.setError(s)
		case "service_tier":
			m.setService(s)
		case "usage":
			usage = s.Skip()
		case "x_groq":
			groq = s.Skip()
		case "timings":
			timings = s.Skip()
		case "amazon-bedrock-invocationMetrics":
			if m.api == BedrockInvoke {
				m.bedrockEnd(s)
			}
		case "provider_metadata", "providerMetadata":
			if t := readTally(s, vercelMetadata); t.cost.set {
				m.cost = t.cost
			}
		case "choices":
			list := s.Next()
			for c, ok := s.Element(list); ok; c, ok = s.Element(list) {
				choices = true
				m.chatChoice(s, c)
			}
		}
	}
	if searchesEachCall(string(m.model)) {
		m.serverTools.atLeast(&serverTools{webSearches: 1})
	}
	// Where both are given these are the same numbers, x_groq with fewer details. Beside choices that go on it may be a
	// running count.
	if m.chatUsage(s, usage, openAITable) || m.chatUsage(s, groq, groqTable) {
		m.final = !choices || m.endings.all()
	} else if timings.Kind == jsonscan.Object && m.endings.all() {
		m.llamaUsage(s, timings)
	}
}

// chatUsage reads the usage of a completion, which began with t, and reports whether it said anything of tokens.
func (m *Meter) chatUsage(s *jsonscan.Scanner, t jsonscan.Token, names table) bool {
	if t.Kind != jsonscan.Object {
		return false
	}
	inner := jsonscan.New(s.Text(t))
	usage := readTally(&inner, names)
	m.setOpenAI(&usage)
	return usage.statesOpenAI()
}

// llamaUsage reads the timings of llama.cpp, which answers so where it was not asked for the usage of a stream. Their
// prompt excludes what the cache held.
// Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md.
func (m *Meter) llamaUsage(s *jsonscan.Scanner, t jsonscan.Token) {
	inner := jsonscan.New(s.Text(t))
	timed := readTally(&inner, llamaTimings)
	if timed.states(ofPrompt, ofAnswer) {
		m.setUsage(pricing.Usage{Input: timed.of(ofPrompt), CacheRead: timed.of(ofCacheRead), Output: timed.of(ofAnswer)}, timed.negative(ofCacheRead))
		m.final = true
	}
}

// groqTable is x_groq, which holds the usage of older streams.
var groqTable = table{"usage": {in: openAITable}}

// llamaTimings is what llama.cpp says of the work that it did.
var llamaTimings = table{"prompt_n": {to: ofPrompt}, "cache_n": {to: ofCacheRead}, "predicted_n": {to: ofAnswer}}

// vercelMetadata is where Vercel's AI Gateway states its charge outside of the usage, as a string.
// Source: https://vercel.com/docs/ai-gateway.
var vercelMetadata = table{"gateway": {in: table{"cost": {take: takeDollars}}}}

func (m *Meter) chatChoice(s *jsonscan.Scanner, o jsonscan.Token) {
	var index count
	reason, ended := FinishUnknown, false
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "index":
			index.read(s)
		case "delta", "message":
			m.chatMessage(s)
		case "text": // of a text completion
			m.countText(s)
		case "finish_reason", "stop_reason":
			if string(s.Text(key)) == "stop_reason" && m.api != BedrockInvoke {
				continue // vLLM's, the words that it stopped at
			}
			if t := s.Next(); t.Kind == jsonscan.String && len(s.Text(t)) > 0 {
				reason, ended = chatFinish(s.Text(t)), true
			}
		}
	}
	m.endings.saw(index.n)
	if ended {
		m.endings.end(index.n, reason)
	}
}

// chatMessage counts the text of a message or delta, in whatever field a host puts it.
func (m *Meter) chatMessage(s *jsonscan.Scanner) {
	var reasoning int64
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "content":
			m.textParts(s, s.Next())
		case "reasoning", "reasoning_content": // vLLM and others: the same text under both names
			reasoning = max(reasoning, readTextLen(s))
		case "refusal":
			m.countRefusal(s)
		case "audio":
			m.textParts(s, s.Next())
		case "tool_calls":
			list := s.Next()
			for call, ok := s.Element(list); ok; call, ok = s.Element(list) {
				m.tools = true
				m.textParts(s, call)
			}
		case "function_call":
			if call := s.Next(); call.Kind == jsonscan.Object {
				m.tools = true
				m.textParts(s, call)
			}
		}
	}
	m.text += reasoning
}

// countRefusal counts a refusal that stands in place of text; it is null or empty in other answers.
func (m *Meter) countRefusal(s *jsonscan.Scanner) {
	n := readTextLen(s)
	m.text += n
	m.refused = m.refused || n > 0
}

// textParts counts what a model wrote in a string, or in an object or list of objects however they are nested: parts
// of text and thinking (Mistral, Cohere), the name and arguments of a call (OpenAI, Cohere, Ollama), a transcript. Ids,
// signatures and data are nothing that it wrote.
func (m *Meter) textParts(s *jsonscan.Scanner, t jsonscan.Token) {
	switch t.Kind {
	case jsonscan.String:
		m.text += textLen(s.Text(t), t.Escaped)
	case jsonscan.Array:
		for part, ok := s.Element(t); ok; part, ok = s.Element(t) {
			m.textParts(s, part)
		}
	case jsonscan.Object:
		for key, ok := s.Member(t); ok; key, ok = s.Member(t) {
			switch string(s.Text(key)) {
			case "text", "thinking", "content", "message", "function", "custom", "name", "input", "transcript", "tool_plan", "tool_calls":
				m.textParts(s, s.Next())
			case "arguments":
				if v := s.Skip(); v.Kind == jsonscan.String {
					m.text += textLen(s.Text(v), v.Escaped)
				} else {
					m.text += int64(v.End - v.Start)
				}
			}
		}
	}
}

// chatFinish maps the finish reasons of OpenAI and of hosts that speak its format: Mistral's model_length, the
// eos_token and stop_sequence of TGI.
func chatFinish(reason []byte) Finish {
	switch string(reason) {
	case "stop", "eos_token", "stop_sequence":
		return FinishStop
	case "length", "model_length":
		return FinishLength
	case "tool_calls", "function_call":
		return FinishTools
	case "content_filter":
		return FinishFiltered
	}
	return FinishUnknown
}
