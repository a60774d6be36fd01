package main

import (
	"cmp"
	"encoding/json"
	"strconv"
)

// A responsesReply renders the Responses API. It is used for one call.
type responsesReply struct {
	server    *server
	request   fields
	encrypted bool // the caller wants encrypted reasoning
	sequence  int  // of the next event
}

type outputText struct {
	Type        string     `json:"type"`
	Annotations []struct{} `json:"annotations"`
	Logprobs    []struct{} `json:"logprobs"`
	Text        string     `json:"text"`
}

type outputMessage struct {
	ID      string       `json:"id"`
	Type    string       `json:"type"`
	Status  string       `json:"status"`
	Content []outputText `json:"content"`
	Role    string       `json:"role"`
}

type outputCall struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	Arguments string `json:"arguments"`
	CallID    string `json:"call_id"`
	Name      string `json:"name"`
}

type outputReasoning struct {
	ID        string     `json:"id"`
	Type      string     `json:"type"`
	Encrypted string     `json:"encrypted_content,omitempty"`
	Summary   []struct{} `json:"summary"`
}

func (*responsesReply) contentType(stream bool) string {
	if stream {
		return "text/event-stream; charset=utf-8"
	}
	return "application/json"
}

func newText(text string) outputText {
	return outputText{"output_text", []struct{}{}, []struct{}{}, text}
}

// itemStatus is that of a finished item: cut answers leave theirs incomplete.
func itemStatus(a answer) string {
	if a.stop == stopLength {
		return "incomplete"
	}
	return "completed"
}

func (r *responsesReply) reasoning(c *call) outputReasoning {
	item := outputReasoning{ID: toolID("rs_", c, 0), Type: "reasoning", Summary: []struct{}{}}
	if r.encrypted {
		item.Encrypted = r.server.seal(item.ID)
	}
	return item
}

// search is the record of one search of the web, which is billed by the call.
func (r *responsesReply) search(c *call, i int) json.RawMessage {
	return json.RawMessage(`{"id":"` + toolID("ws_", c, i) + `","type":"web_search_call","status":"completed","action":{"type":"search","query":"news"}}`)
}

func (r *responsesReply) message(c *call, status string, content []outputText) outputMessage {
	return outputMessage{ID: toolID("msg_", c, 0), Type: "message", Status: status, Content: content, Role: "assistant"}
}

func (r *responsesReply) toolCall(c *call, status, arguments string) outputCall {
	return outputCall{toolID("fc_", c, 0), "function_call", status, arguments, toolID("call_", c, 0), c.answers[0].tool}
}

// items is the output of the whole answer.
func (r *responsesReply) items(c *call) []json.RawMessage {
	a := c.answers[0]
	out := []json.RawMessage{}
	if a.reasoning > 0 {
		out = append(out, mustJSON(r.reasoning(c)))
	}
	for i := range c.input.Searches {
		out = append(out, r.search(c, i))
	}
	switch {
	case a.tool != "":
		out = append(out, mustJSON(r.toolCall(c, itemStatus(a), a.text())))
	case len(a.pieces) > 0 || a.stop == stopEnd:
		out = append(out, mustJSON(r.message(c, itemStatus(a), []outputText{newText(a.text())})))
	}
	return out
}

type responseBody struct {
	ID                 string            `json:"id"`
	Object             string            `json:"object"`
	CreatedAt          int64             `json:"created_at"`
	Status             string            `json:"status"`
	Background         bool              `json:"background"`
	Error              *struct{}         `json:"error"`
	IncompleteDetails  map[string]string `json:"incomplete_details"`
	Instructions       json.RawMessage   `json:"instructions"`
	MaxOutputTokens    json.RawMessage   `json:"max_output_tokens"`
	Model              string            `json:"model"`
	Output             []json.RawMessage `json:"output"`
	ParallelToolCalls  bool              `json:"parallel_tool_calls"`
	PreviousResponseID json.RawMessage   `json:"previous_response_id"`
	PromptCacheKey     json.RawMessage   `json:"prompt_cache_key"`
	Reasoning          json.RawMessage   `json:"reasoning"`
	ServiceTier        string            `json:"service_tier"`
	Store              json.RawMessage   `json:"store"`
	Temperature        json.RawMessage   `json:"temperature"`
	Text               json.RawMessage   `json:"text"`
	ToolChoice         json.RawMessage   `json:"tool_choice"`
	Tools              json.RawMessage   `json:"tools"`
	TopP               json.RawMessage   `json:"top_p"`
	Truncation         string            `json:"truncation"`
	Usage              json.RawMessage   `json:"usage,omitempty"`
	User               json.RawMessage   `json:"user"`
	Metadata           json.RawMessage   `json:"metadata"`
}

// body renders the response object; output and usage are the caller's to add.
func (r *responsesReply) body(c *call, status string) responseBody {
	echo := func(key, otherwise string) json.RawMessage {
		if raw := r.request.raw(key); raw != nil {
			return raw
		}
		return json.RawMessage(otherwise)
	}
	b := responseBody{
		ID: c.id, Object: "response", CreatedAt: c.created, Status: status, Model: c.shown, Output: []json.RawMessage{},
		ParallelToolCalls: true, ServiceTier: cmp.Or(c.class, "default"), Background: c.always, Truncation: "disabled", Usage: json.RawMessage("null"),
		Instructions: echo("instructions", "null"), MaxOutputTokens: echo("max_output_tokens", "null"),
		PreviousResponseID: echo("previous_response_id", "null"), PromptCacheKey: echo("prompt_cache_key", "null"),
		Reasoning: echo("reasoning", `{"effort":null,"summary":null}`), Store: echo("store", "true"),
		Temperature: echo("temperature", "1.0"), Text: echo("text", `{"format":{"type":"text"}}`),
		ToolChoice: echo("tool_choice", `"auto"`), Tools: echo("tools", "[]"), TopP: echo("top_p", "1.0"),
		User: echo("user", "null"), Metadata: echo("metadata", "{}"),
	}
	if status == "incomplete" {
		b.IncompleteDetails = map[string]string{"reason": "max_output_tokens"}
	}
	return b
}

// final is the response object at the end.
func (r *responsesReply) final(c *call) responseBody {
	b := r.body(c, itemStatus(c.answers[0]))
	b.Output = r.items(c)
	b.Usage = r.usage(c)
	if c.noUsage {
		b.Usage = nil
	}
	return b
}

func (r *responsesReply) usage(c *call) json.RawMessage {
	u := c.usage()
	return mustJSON(struct {
		Input   int `json:"input_tokens"`
		Details struct {
			Cached int  `json:"cached_tokens"`
			Writes *int `json:"cache_write_tokens,omitempty"`
		} `json:"input_tokens_details"`
		Output        int `json:"output_tokens"`
		OutputDetails struct {
			Reasoning int `json:"reasoning_tokens"`
		} `json:"output_tokens_details"`
		Total int `json:"total_tokens"`
	}{
		Input: u.totalInput(),
		Details: struct {
			Cached int  `json:"cached_tokens"`
			Writes *int `json:"cache_write_tokens,omitempty"`
		}{u.CacheRead, writesOf(c, u)},
		Output: u.Output,
		OutputDetails: struct {
			Reasoning int `json:"reasoning_tokens"`
		}{u.Reasoning},
		Total: u.totalInput() + u.Output,
	})
}

func (r *responsesReply) whole(c *call) []byte { return pretty(r.final(c)) }

// event renders one event with its number; rest is the event's own members, without braces.
func (r *responsesReply) event(name, rest string) []byte {
	data := `{"type":"` + name + `","sequence_number":` + strconv.Itoa(r.sequence) + `,` + rest + `}`
	r.sequence++
	return sse(name, []byte(data))
}

func (r *responsesReply) emit(out *sink, name, rest string, tokens int) error {
	return out.event(r.event(name, rest), tokens)
}

func (r *responsesReply) stream(c *call, out *sink) error {
	opening := `"response":` + string(mustJSON(r.body(c, "in_progress")))
	a := c.answers[0]
	steps := []func() error{
		func() error { return r.emit(out, "response.created", opening, 0) },
		func() error { return r.emit(out, "response.in_progress", opening, 0) },
	}
	index := 0
	if a.reasoning > 0 {
		steps = append(steps, func() error { return r.streamReasoning(c, out, a) })
		index = 1
	}
	for i := range c.input.Searches {
		at := index
		steps = append(steps,
			func() error { return r.itemEvent(out, "added", at, r.search(c, i)) },
			func() error { return r.itemEvent(out, "done", at, r.search(c, i)) })
		index++
	}
	switch {
	case a.tool != "":
		steps = append(steps, func() error { return r.streamCall(c, out, a, index) })
	case len(a.pieces) > 0 || a.stop == stopEnd:
		steps = append(steps, func() error { return r.streamText(c, out, a, index) })
	}
	return inOrder(steps...)
}

// inOrder runs steps until one ends the answer.
func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *responsesReply) itemEvent(out *sink, name string, index int, item any) error {
	return r.emit(out, "response.output_item."+name, `"output_index":`+strconv.Itoa(index)+`,"item":`+string(mustJSON(item)), 0)
}

func (r *responsesReply) streamReasoning(c *call, out *sink, a answer) error {
	item := r.reasoning(c)
	return inOrder(
		func() error { return r.itemEvent(out, "added", 0, item) },
		func() error { out.generated(a.reasoning); return r.itemEvent(out, "done", 0, item) },
	)
}

func (r *responsesReply) streamText(c *call, out *sink, a answer, index int) error {
	done := r.message(c, itemStatus(a), []outputText{newText(a.text())})
	at := `"item_id":"` + done.ID + `","output_index":` + strconv.Itoa(index) + `,"content_index":0,`
	return inOrder(
		func() error { return r.itemEvent(out, "added", index, r.message(c, "in_progress", []outputText{})) },
		func() error {
			return r.emit(out, "response.content_part.added", at+`"part":`+string(mustJSON(newText(""))), 0)
		},
		func() error {
			for _, piece := range a.pieces {
				if err := r.emit(out, "response.output_text.delta", at+`"delta":`+string(mustJSON(piece))+`,"logprobs":[]`, 1); err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			return r.emit(out, "response.output_text.done", at+`"text":`+string(mustJSON(a.text()))+`,"logprobs":[]`, 0)
		},
		func() error {
			return r.emit(out, "response.content_part.done", at+`"part":`+string(mustJSON(newText(a.text()))), 0)
		},
		func() error { return r.itemEvent(out, "done", index, done) },
	)
}

func (r *responsesReply) streamCall(c *call, out *sink, a answer, index int) error {
	done := r.toolCall(c, itemStatus(a), a.text())
	at := `"item_id":"` + done.ID + `","output_index":` + strconv.Itoa(index) + `,`
	return inOrder(
		func() error { return r.itemEvent(out, "added", index, r.toolCall(c, "in_progress", "")) },
		func() error {
			for _, piece := range a.pieces {
				if err := r.emit(out, "response.function_call_arguments.delta", at+`"delta":`+string(mustJSON(piece)), 1); err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			return r.emit(out, "response.function_call_arguments.done", at+`"name":`+string(mustJSON(done.Name))+`,"arguments":`+string(mustJSON(a.text())), 0)
		},
		func() error { return r.itemEvent(out, "done", index, done) },
	)
}

func (r *responsesReply) last(c *call) []byte {
	b := r.final(c)
	return r.event("response."+b.Status, `"response":`+string(mustJSON(b)))
}
