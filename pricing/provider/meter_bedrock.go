package provider

import (
	"encoding/base64"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// converseTable is the usage object of Converse, and of Amazon's own models behind InvokeModel. The prompt excludes the
// cache. The cache's counts may stand there twice, under both names.
// Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html.
var converseTable = table{
	"inputTokens":               {to: ofPrompt},
	"outputTokens":              {to: ofAnswer},
	"totalTokens":               {to: ofTotal},
	"cacheReadInputTokens":      {to: ofCacheRead, most: true},
	"cacheReadInputTokenCount":  {to: ofCacheRead, most: true},
	"cacheWriteInputTokens":     {to: ofCacheWrite, most: true},
	"cacheWriteInputTokenCount": {to: ofCacheWrite, most: true},
	"cacheDetails":              {take: takeCacheDetails},
}

// bedrockMetrics is what the last chunk of a streamed invocation counts, whatever the model.
var bedrockMetrics = table{
	"inputTokenCount":           {to: ofPrompt},
	"outputTokenCount":          {to: ofAnswer},
	"cacheReadInputTokenCount":  {to: ofCacheRead},
	"cacheWriteInputTokenCount": {to: ofCacheWrite},
}

// bedrockHeaders are the response headers that count what an invocation used.
// Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html.
var bedrockHeaders = map[string]tallied{
	"x-amzn-bedrock-input-token-count":             ofPrompt,
	"x-amzn-bedrock-output-token-count":            ofAnswer,
	"x-amzn-bedrock-cache-read-input-token-count":  ofCacheRead,
	"x-amzn-bedrock-cache-write-input-token-count": ofCacheWrite,
}

// cacheDetails reads how long the cache keeps what was written to it.
func (t *tally) cacheDetails(s *jsonscan.Scanner) {
	list := s.Next()
	for o, ok := s.Element(list); ok; o, ok = s.Element(list) {
		var n count
		long := false
		for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
			switch string(s.Text(key)) {
			case "ttl":
				long = string(s.Text(s.Next())) == "1h"
			case "inputTokens":
				n.read(s)
			}
		}
		if to := &t.n[ofLongWrite]; long {
			*to = to.plus(n)
		}
	}
}

// Header reads a header of the response: of Bedrock's counts, which a model's own format may leave out, and of the
// class of service. Others are passed over. It may come before, between and after pieces of the body.
func (m *Meter) Header(name, value string) {
	name = strings.ToLower(name)
	switch to, counts := bedrockHeaders[name]; {
	case m.closed:
	case counts:
		m.headers.n[to].parse([]byte(value))
	case name == "x-amzn-bedrock-service-tier", name == "x-gemini-service-tier":
		m.service, m.tiered = serviceOf([]byte(value)), true
	}
}

// converseObject reads a Converse response, or an event of ConverseStream.
// Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html.
func (m *Meter) converseObject(s *jsonscan.Scanner, o jsonscan.Token, event []byte) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch k := s.Text(key); string(k) {
		case "usage":
			t := readTally(s, converseTable)
			m.setBedrock(&t)
		case "stopReason":
			if v := s.Next(); v.Kind == jsonscan.String {
				m.endings.end(0, converseFinish(s.Text(v)))
			}
		case "output", "delta", "start": // a message or what is added to one
			m.converseText(s, s.Next())
		case "serviceTier":
			o := s.Next()
			for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
				if string(s.Text(key)) == "type" {
					m.setService(s)
				}
			}
		case "trace":
			m.converseTrace(s)
		case "message":
			m.converseFault(s, event)
		case "amazon-bedrock-invocationMetrics":
			m.bedrockEnd(s)
		case "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata":
			// Amazon's models put the event's name there when they are invoked.
			m.converseObject(s, s.Next(), k)
		}
	}
	if string(event) == "metadata" && m.endings.all() {
		m.ended = true
	}
}

// converseFault reads "message" where it stands at the top of a body: all that an error has there.
func (m *Meter) converseFault(s *jsonscan.Scanner, event []byte) {
	if v := s.Next(); v.Kind == jsonscan.String && len(event) == 0 {
		m.failed = true
	}
}

// converseTrace finds the model that a prompt router chose.
func (m *Meter) converseTrace(s *jsonscan.Scanner) {
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "promptRouter":
			m.converseTrace(s)
		case "invokedModelId":
			m.setModel(s)
		}
	}
}

// converseText counts what a model wrote: text, reasoning, and the names and inputs of tools.
func (m *Meter) converseText(s *jsonscan.Scanner, o jsonscan.Token) {
	switch o.Kind {
	case jsonscan.Array:
		for part, ok := s.Element(o); ok; part, ok = s.Element(o) {
			m.converseText(s, part)
		}
	case jsonscan.Object:
		for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
			switch string(s.Text(key)) {
			case "message", "content", "reasoningContent", "reasoningText", "toolUse":
				m.converseText(s, s.Next())
			case "text", "name":
				m.countText(s)
			case "input":
				if v := s.Skip(); v.Kind == jsonscan.String {
					m.text += textLen(s.Text(v), v.Escaped)
				} else if v.End-v.Start > len("{}") {
					m.text += int64(v.End - v.Start)
				}
			}
		}
	}
}

// converseFinish maps stopReason.
func converseFinish(reason []byte) Finish {
	switch string(reason) {
	case "end_turn", "stop_sequence":
		return FinishStop
	case "max_tokens", "model_context_window_exceeded":
		return FinishLength
	case "tool_use":
		return FinishTools
	case "guardrail_intervened", "content_filtered":
		return FinishFiltered
	}
	return FinishUnknown
}

// bedrockUsage maps counts that are disjoint already. What the details of the cache leave open is of the short
// lifetime.
func (t *tally) bedrockUsage() pricing.Usage {
	write := max(t.of(ofCacheWrite), t.of(ofLongWrite))
	return pricing.Usage{
		Input: t.of(ofPrompt), CacheRead: t.of(ofCacheRead), Output: t.of(ofAnswer),
		CacheWriteShort: write - t.of(ofLongWrite), CacheWriteLong: t.of(ofLongWrite),
	}
}

// setBedrock takes counts of Bedrock's own, if there are any.
func (m *Meter) setBedrock(t *tally) {
	if t.states(ofPrompt, ofAnswer) {
		m.setUsage(t.bedrockUsage(), t.negativeApart())
		m.final = true
	}
}

// bedrockEnd reads the counts of an invocation's last chunk. Where the model's own format stated its final usage that
// holds, as it says more.
func (m *Meter) bedrockEnd(s *jsonscan.Scanner) {
	t := readTally(s, bedrockMetrics)
	if !t.states(ofPrompt, ofAnswer) {
		return
	}
	if !m.stated || m.negative || !m.final {
		m.setBedrock(&t)
	}
	m.ended = true
}

// frame reads a message of an AWS event stream.
func (m *Meter) frame(f frame) {
	if f.exception {
		m.failed = true
		return
	}
	if m.api == BedrockConverse {
		m.readEvent(f.payload, f.event)
		return
	}
	if string(f.event) != "chunk" {
		return
	}
	s := jsonscan.New(f.payload)
	o := s.Next()
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		v := s.Skip()
		if string(s.Text(key)) != "bytes" || v.Kind != jsonscan.String {
			continue
		}
		text := s.Text(v)
		if v.Escaped {
			text = jsonscan.AppendUnescaped(nil, text)
		}
		var err error
		if m.scratch, err = base64.StdEncoding.AppendDecode(m.scratch[:0], text); err == nil {
			m.readEvent(m.scratch, nil)
		}
	}
}

// invokeObject reads what an invoked model answers in its own format, or a chunk of it. What has none of the formats
// that are read elsewhere counts in Bedrock's headers and in the last chunk. Source: the "Inference request parameters
// and response fields for foundation models" of the Amazon Bedrock user guide.
func (m *Meter) invokeObject(s *jsonscan.Scanner, o jsonscan.Token) {
	look := *s
	switch shapeOf(&look, o) {
	case AnthropicMessages:
		m.claude = true
		m.anthropicMessage(s, o)
	case OpenAIChat:
		m.chatObject(s, o)
	case BedrockConverse:
		m.converseObject(s, o, nil)
	default:
		m.foundationObject(s, o)
	}
}

// shapeOf tells the format of a model's answer by its keys.
func shapeOf(s *jsonscan.Scanner, o jsonscan.Token) API {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch string(s.Text(key)) {
		case "type":
			return AnthropicMessages
		case "choices":
			return OpenAIChat
		case "output", "stopReason", "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop",
			"messageStop", "metadata":
			return BedrockConverse
		}
	}
	return ""
}

// foundationTable are the counts that Meta's and Amazon's older models put at the top of an answer.
var foundationTable = table{
	"prompt_token_count":        {to: ofPrompt},
	"inputTextTokenCount":       {to: ofPrompt},
	"generation_token_count":    {to: ofAnswer},
	"totalOutputTextTokenCount": {to: ofAnswer},
	"tokenCount":                {to: ofAnswer},
}

// foundationObject reads an answer of Llama, Titan, Mistral or Command.
func (m *Meter) foundationObject(s *jsonscan.Scanner, o jsonscan.Token) {
	for key, ok := s.Member(o); ok; key, ok = s.Member(o) {
		switch k := string(s.Text(key)); k {
		case "generation", "outputText", "text":
			m.countText(s)
		case "stop_reason", "finish_reason", "completionReason":
			if v := s.Next(); v.Kind == jsonscan.String {
				m.endings.end(0, foundationFinish(s.Text(v)))
			}
		case "results", "outputs", "generations":
			list := s.Next()
			for part, ok := s.Element(list); ok; part, ok = s.Element(list) {
				m.foundationObject(s, part)
			}
		case "message":
			m.converseFault(s, nil)
		case "amazon-bedrock-invocationMetrics":
			m.bedrockEnd(s)
		default:
			if r, ok := foundationTable[k]; ok {
				m.said.n[r.to].read(s)
			}
		}
	}
	if m.said.states(ofPrompt) && s.Err() == nil {
		m.setUsage(m.said.bedrockUsage(), m.said.negativeApart())
	}
}

func foundationFinish(reason []byte) Finish {
	switch string(reason) {
	case "stop", "FINISH", "COMPLETE":
		return FinishStop
	case "length", "LENGTH", "MAX_TOKENS":
		return FinishLength
	case "CONTENT_FILTERED", "ERROR_TOXIC":
		return FinishFiltered
	}
	return FinishUnknown
}
