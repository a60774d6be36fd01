package main

import (
	"encoding/json"
	"strconv"
	"strings"
)

// A messagesReply renders Anthropic messages.
type messagesReply struct {
	server *server
	frames bool // an event stream of AWS, as Bedrock has it
}

func (r *messagesReply) contentType(stream bool) string {
	if stream && r.frames {
		return "application/vnd.amazon.eventstream"
	}
	if stream {
		return "text/event-stream; charset=utf-8"
	}
	return "application/json"
}

// contentBlock is one block of an answer: its final form, and how it streams.
type contentBlock struct {
	final  json.RawMessage
	start  json.RawMessage
	deltas []json.RawMessage // the block's tokens, one each
	last   json.RawMessage   // a delta without tokens at the end, or nil
}

// textDelta renders one delta of the given type, whose text is under key.
func textDelta(kind, key, text string) json.RawMessage {
	return json.RawMessage(`{"type":"` + kind + `","` + key + `":` + string(mustJSON(text)) + `}`)
}

func deltas(kind, key string, pieces []string) []json.RawMessage {
	out := make([]json.RawMessage, len(pieces))
	for i, p := range pieces {
		out[i] = textDelta(kind, key, p)
	}
	return out
}

func (r *messagesReply) blocks(c *call) []contentBlock {
	a := c.answers[0]
	var out []contentBlock
	if a.reasoning > 0 {
		pieces := a.thoughts()
		text := strings.Join(pieces, "")
		signature := r.server.sign(c.model, text)
		out = append(out, contentBlock{
			final: mustJSON(struct {
				Type      string `json:"type"`
				Thinking  string `json:"thinking"`
				Signature string `json:"signature"`
			}{"thinking", text, signature}),
			start:  json.RawMessage(`{"type":"thinking","thinking":"","signature":""}`),
			deltas: deltas("thinking_delta", "thinking", pieces),
			last:   textDelta("signature_delta", "signature", signature),
		})
	}
	switch {
	case a.tool != "":
		out = append(out, r.toolUse(c, a))
	case len(a.pieces) > 0:
		out = append(out, contentBlock{
			final: mustJSON(struct {
				Type string `json:"type"`
				Text string `json:"text"`
			}{"text", a.text()}),
			start:  json.RawMessage(`{"type":"text","text":""}`),
			deltas: deltas("text_delta", "text", a.pieces),
		})
	}
	return out
}

func (r *messagesReply) toolUse(c *call, a answer) contentBlock {
	head := `{"type":"tool_use","id":"` + toolID("toolu_01", c, 0) + `","name":` + string(mustJSON(a.tool)) + `,"input":`
	input := a.text()
	if !json.Valid([]byte(input)) {
		input = "{}" // cut short
	}
	return contentBlock{
		final:  json.RawMessage(head + input + "}"),
		start:  json.RawMessage(head + "{}}"),
		deltas: deltas("input_json_delta", "partial_json", a.pieces),
	}
}

type messageBody struct {
	Model        string            `json:"model"`
	ID           string            `json:"id"`
	Type         string            `json:"type"`
	Role         string            `json:"role"`
	Content      []json.RawMessage `json:"content"`
	StopReason   *string           `json:"stop_reason"`
	StopSequence *string           `json:"stop_sequence"`
	Usage        json.RawMessage   `json:"usage,omitempty"`
}

func (r *messagesReply) body(c *call) messageBody {
	return messageBody{Model: c.shown, ID: c.id, Type: "message", Role: "assistant", Content: []json.RawMessage{}}
}

func (r *messagesReply) stopReason(c *call) string {
	return map[stopReason]string{stopEnd: "end_turn", stopLength: "max_tokens", stopTool: "tool_use"}[c.answers[0].stop]
}

type cacheCreation struct {
	Short int `json:"ephemeral_5m_input_tokens"`
	Long  int `json:"ephemeral_1h_input_tokens"`
}

type messageUsage struct {
	Input    int            `json:"input_tokens"`
	Creation int            `json:"cache_creation_input_tokens"`
	Read     int            `json:"cache_read_input_tokens"`
	Split    *cacheCreation `json:"cache_creation,omitempty"`
	Output   int            `json:"output_tokens"`
	Details  *thinkingUsage `json:"output_tokens_details,omitempty"`
	Tools    *serverTools   `json:"server_tool_use,omitempty"`
	Tier     string         `json:"service_tier,omitempty"`
	Region   string         `json:"inference_geo,omitempty"`
}

type serverTools struct {
	Searches int `json:"web_search_requests"`
	Fetches  int `json:"web_fetch_requests"`
}

type thinkingUsage struct {
	Thinking int `json:"thinking_tokens"`
}

// usage is exclusive: input counts neither what the cache gave nor what it took.
func (r *messagesReply) usage(c *call) messageUsage {
	u := c.usage()
	out := messageUsage{Input: u.Input, Creation: u.WriteShort + u.WriteLong, Read: u.CacheRead,
		Split: &cacheCreation{u.WriteShort, u.WriteLong}, Output: u.Output, Tier: "standard", Region: c.region}
	if u.Searches > 0 {
		out.Tools = &serverTools{Searches: u.Searches}
	}
	if c.model.Adaptive {
		out.Details = &thinkingUsage{u.Reasoning}
	}
	return out
}

func (r *messagesReply) whole(c *call) []byte {
	b := r.body(c)
	for _, block := range r.blocks(c) {
		b.Content = append(b.Content, block.final)
	}
	stop := r.stopReason(c)
	b.StopReason = &stop
	if !c.noUsage {
		b.Usage = mustJSON(r.usage(c))
	}
	return mustJSON(b)
}

// emit writes one event; rest is its members after type, without braces.
func (r *messagesReply) emit(out *sink, name, rest string, tokens int) error {
	data := `{"type":"` + name + `"`
	if rest != "" {
		data += "," + rest
	}
	return out.event(r.frame(name, []byte(data+"}")), tokens)
}

// frame is one event on the wire.
func (r *messagesReply) frame(name string, data []byte) []byte {
	if !r.frames {
		return sse(name, data)
	}
	return eventFrame("chunk", mustJSON(map[string][]byte{"bytes": data}))
}

func (r *messagesReply) stream(c *call, out *sink) error {
	opening := r.body(c)
	if !c.noUsage {
		u := r.usage(c)
		u.Output, u.Details = min(1, u.Output), nil
		opening.Usage = mustJSON(u)
	}
	if err := r.emit(out, "message_start", `"message":`+string(mustJSON(opening)), 0); err != nil {
		return err
	}
	for i, block := range r.blocks(c) {
		if err := r.streamBlock(out, i, block); err != nil {
			return err
		}
	}
	return r.streamEnd(c, out)
}

func (r *messagesReply) streamBlock(out *sink, i int, block contentBlock) error {
	at := `"index":` + strconv.Itoa(i)
	if err := r.emit(out, "content_block_start", at+`,"content_block":`+string(block.start), 0); err != nil {
		return err
	}
	if i == 0 {
		if err := r.emit(out, "ping", "", 0); err != nil {
			return err
		}
	}
	for _, delta := range block.deltas {
		if err := r.emit(out, "content_block_delta", at+`,"delta":`+string(delta), 1); err != nil {
			return err
		}
	}
	if block.last != nil {
		if err := r.emit(out, "content_block_delta", at+`,"delta":`+string(block.last), 0); err != nil {
			return err
		}
	}
	return r.emit(out, "content_block_stop", at, 0)
}

// streamEnd repeats input and cache counts on the newer models; output is cumulative on all.
func (r *messagesReply) streamEnd(c *call, out *sink) error {
	rest := `"delta":{"stop_reason":"` + r.stopReason(c) + `","stop_sequence":null}`
	if !c.noUsage {
		u := r.usage(c)
		u.Split, u.Tier, u.Region = nil, "", ""
		usage := mustJSON(u)
		if !c.model.Adaptive {
			usage = mustJSON(map[string]int{"output_tokens": u.Output})
		}
		rest += `,"usage":` + string(usage)
	}
	return r.emit(out, "message_delta", rest, 0)
}

func (r *messagesReply) last(c *call) []byte {
	data := `{"type":"message_stop"`
	if r.frames && !c.noUsage {
		data += `,"amazon-bedrock-invocationMetrics":` + string(invocationMetrics(c.usage()))
	}
	return r.frame("message_stop", []byte(data+"}"))
}
