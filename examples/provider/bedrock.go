package main

import (
	"net/http"
	"strconv"
	"strings"
)

// routeBedrock finds POST /model/ID/converse, /converse-stream, /invoke and /invoke-with-response-stream.
func (s *server) routeBedrock(r *http.Request) (vendor, handler) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/model/")
	slash := strings.LastIndexByte(rest, '/')
	if !ok || slash < 0 || r.Method != http.MethodPost {
		return bedrock, rootOr(r, unknownURL)
	}
	name, verb := rest[:slash], rest[slash+1:]
	stream := strings.HasSuffix(verb, "-stream")
	m := s.models[modelKey(bedrockAWS, name)]
	if m == nil {
		return bedrock, func(*inbound) *apiError { return invalid(bedrock, "The provided model identifier is invalid.") }
	}
	switch verb {
	case "converse", "converse-stream":
		return bedrock, func(in *inbound) *apiError { return s.converse(in, m, stream) }
	case "invoke", "invoke-with-response-stream":
		if m.Vendor == anthropic {
			return bedrock, func(in *inbound) *apiError { return s.invokeClaude(in, m, stream) }
		}
		return bedrock, func(in *inbound) *apiError { return s.invokeText(in, m, stream) }
	}
	return bedrock, unknownURL
}

// invokeClaude answers a body of Anthropic's API; its errors are Bedrock's.
func (s *server) invokeClaude(in *inbound, m *model, stream bool) *apiError {
	d, problem := s.cloudMessages(in, m.ID, "bedrock-2023-05-31")
	if problem != nil {
		return invalid(bedrock, "%s", problem.message)
	}
	d.api, d.stream = "bedrock.invoke", stream
	c := s.newCall(in, d)
	countHeaders(in, c)
	return s.answer(in, c, &messagesReply{server: s, frames: true})
}

// countHeaders says in the headers of a whole answer what it used.
func countHeaders(in *inbound, c *call) {
	if c.stream || c.noUsage {
		return
	}
	u, h := c.usage(), in.w.Header()
	h.Set("x-amzn-bedrock-input-token-count", strconv.Itoa(u.Input))
	h.Set("x-amzn-bedrock-output-token-count", strconv.Itoa(u.Output))
	if c.model.Cache.Kind != "" {
		h.Set("x-amzn-bedrock-cache-read-input-token-count", strconv.Itoa(u.CacheRead))
		h.Set("x-amzn-bedrock-cache-write-input-token-count", strconv.Itoa(u.WriteShort+u.WriteLong))
	}
	h.Set("x-amzn-bedrock-invocation-latency", "321")
}

// invocationMetrics is what the last chunk of a stream has besides the model's own members.
func invocationMetrics(u usage) []byte {
	return mustJSON(map[string]int{"inputTokenCount": u.Input, "outputTokenCount": u.Output, "invocationLatency": 321, "firstByteLatency": 123,
		"cacheReadInputTokenCount": u.CacheRead, "cacheWriteInputTokenCount": u.WriteShort + u.WriteLong})
}

// invokeText answers a body of Mistral's older models, whose answer does not say what it used: the headers do.
func (s *server) invokeText(in *inbound, m *model, stream bool) *apiError {
	f, err := decodeBody(bedrock, in.body)
	if err != nil || m.Kind != makesText || f.text("prompt") == "" {
		return invalid(bedrock, "Malformed input request, please reformat your input and try again.")
	}
	w := s.promptWriter(m)
	w.text(f.text("prompt"))
	d := draft{api: "bedrock.invoke", prefix: "", model: m, shown: m.shown(), prompt: &w.prompt, stream: stream}
	d.ask = ask{lastUser: f.text("prompt"), limit: 512}
	if f.has("max_tokens") {
		d.ask.limit = f.integer("max_tokens")
	}
	if f.d.problem != nil || w.length() > m.Window {
		return invalid(bedrock, "Malformed input request, please reformat your input and try again.")
	}
	c := s.newCall(in, d)
	countHeaders(in, c)
	return s.answer(in, c, textReply{})
}

// A textReply renders the answers of Mistral's older models on Bedrock.
type textReply struct{}

type textOutput struct {
	Text       string  `json:"text"`
	StopReason *string `json:"stop_reason"`
}

func (textReply) contentType(stream bool) string {
	if stream {
		return "application/vnd.amazon.eventstream"
	}
	return "application/json"
}

func (textReply) whole(c *call) []byte {
	return mustJSON(map[string]any{"outputs": []textOutput{{c.answers[0].text(), (&chatReply{}).finish(c.answers[0])}}})
}

func (textReply) stream(c *call, out *sink) error {
	for _, piece := range c.answers[0].pieces {
		data := mustJSON(map[string]any{"outputs": []textOutput{{Text: piece}}})
		if err := out.event(eventFrame("chunk", mustJSON(map[string][]byte{"bytes": data})), 1); err != nil {
			return err
		}
	}
	return nil
}

func (textReply) last(c *call) []byte {
	body := map[string]any{"outputs": []textOutput{{"", (&chatReply{}).finish(c.answers[0])}}}
	if !c.noUsage {
		body["amazon-bedrock-invocationMetrics"] = map[string]int{"inputTokenCount": c.usage().Input, "outputTokenCount": c.usage().Output,
			"invocationLatency": 321, "firstByteLatency": 123}
	}
	return eventFrame("chunk", mustJSON(map[string][]byte{"bytes": mustJSON(body)}))
}
