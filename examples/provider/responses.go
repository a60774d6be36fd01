package main

import (
	"encoding/json"
	"net/http"
	"strings"
)

// responses answers POST /v1/responses.
func (s *server) responses(in *inbound) *apiError {
	f, err := decodeBody(openai, in.body)
	if err != nil {
		return invalid(openai, malformedOpenAI)
	}
	m, problem := s.openaiModel(in, f, makesAnswers)
	if problem != nil {
		return problem
	}
	if problem := checkResponses(m, f); problem != nil {
		return problem
	}
	items, problem := s.inputItems(f)
	if problem != nil {
		return problem
	}
	d, problem := s.readResponses(m, f, items)
	if problem != nil {
		return problem
	}
	c := s.newCall(in, d)
	reply := &responsesReply{server: s, request: f, encrypted: strings.Contains(string(f.raw("include")), `"reasoning.encrypted_content"`)}
	c.always = f.flag("background")
	if !f.has("store") || f.flag("store") {
		s.stored.put(c.id, append(items, reply.items(c)...))
		s.jobs.put(&job{call: c, reply: reply, background: c.always})
	}
	if c.always && !c.stream {
		return s.queue(in, c, reply)
	}
	return s.answer(in, c, reply)
}

// checkResponses rejects what the API rejects before it looks at the input.
func checkResponses(m *model, f fields) *apiError {
	for _, moved := range [][2]string{
		{"messages", "input"}, {"max_tokens", "max_output_tokens"}, {"response_format", "text.format"}, {"reasoning_effort", "reasoning.effort"},
	} {
		if f.has(moved[0]) {
			return invalid(openai, "Unsupported parameter: '%s'. In the Responses API, this parameter has moved to '%s'. Try again with the new "+
				"parameter.", moved[0], moved[1]).about("unsupported_parameter", moved[0])
		}
	}
	checks := []*apiError{checkReasoning(m, f, ""), checkBackground(f), checkCacheOptions(m, f), checkCap(m, f, "max_output_tokens", 16), checkSampling(f)}
	if f.has("stream_options") && !f.flag("stream") {
		checks = append(checks, invalid(openai, "The 'stream_options' parameter is only allowed when 'stream' is enabled.").about("", "stream_options"))
	}
	if f.object("stream_options").has("include_usage") {
		checks = append(checks, invalid(openai, "Unknown parameter: 'stream_options.include_usage'.").about("unknown_parameter", "stream_options.include_usage"))
	}
	if !m.Reasoning && f.object("reasoning").has("effort") {
		checks = append(checks, unsupportedParameter("reasoning.effort", ""))
	}
	if !f.has("input") && !f.has("previous_response_id") {
		checks = append(checks, missingParameter("input"))
	}
	if f.has("conversation") {
		e := invalid(openai, "Conversation with id '%s' not found.", strings.Trim(string(f.raw("conversation")), `"`))
		e.status = http.StatusNotFound
		checks = append(checks, e)
	}
	return firstProblem(f, checks...)
}

// inputItems is what the model reads after the instructions: the stored context, then the request's own input.
func (s *server) inputItems(f fields) ([]json.RawMessage, *apiError) {
	var items []json.RawMessage
	if id := f.text("previous_response_id"); id != "" {
		context, ok := s.stored.get(id)
		if !ok {
			return nil, invalid(openai, "Previous response with id '%s' not found.", id).about("previous_response_not_found", "previous_response_id")
		}
		items = append(items, context...)
	}
	if f.isString("input") {
		return append(items, mustJSON(map[string]string{"role": "user", "content": f.text("input")})), f.d.problem
	}
	for _, e := range f.list("input") {
		items = append(items, e.raw)
	}
	return items, f.d.problem
}

// readResponses renders the prompt and collects what the answer depends on.
func (s *server) readResponses(m *model, f fields, items []json.RawMessage) (draft, *apiError) {
	d := draft{api: "openai.responses", prefix: "resp_", model: m, shown: m.shown(), stream: f.flag("stream"), class: serviceClass(f)}
	d.ask.limit = -1
	if f.has("max_output_tokens") {
		d.ask.limit = f.integer("max_output_tokens")
	}
	d.ask.reasons = m.Reasoning && f.object("reasoning").text("effort") != "none"
	d.cache = readCacheOptions(f)
	r := &itemReader{chatReader{w: s.promptWriter(m), ask: &d.ask, open: map[string]bool{}}, s}
	r.responseTools(f)
	if text := f.text("instructions"); text != "" {
		r.w.role(roleSystem)
		r.note("system", text)
		r.w.text(text)
		r.w.end(blockSystem, 0)
		r.w.endMessage()
	}
	for _, e := range f.d.elements("input", items) {
		r.item(e)
	}
	if f.d.problem != nil {
		return d, f.d.problem
	}
	if searchesWeb(f) {
		_, _, d.searches, _ = readDirectives(d.ask.lastUser)
	}
	d.prompt = r.w.finish()
	if d.prompt.length() > m.Window {
		return d, invalid(openai, "Your input exceeds the context window of this model. Please adjust your input and try again.").
			about("context_length_exceeded", "input")
	}
	return d, nil
}

// searchesWeb says whether the vendor's own search is among the tools.
func searchesWeb(f fields) bool {
	for _, e := range f.list("tools") {
		if strings.HasPrefix(e.object().text("type"), "web_search") {
			return true
		}
	}
	return false
}

// An itemReader renders Responses items; messages share Chat's parts.
type itemReader struct {
	chatReader
	s *server
}

// responseTools differs from Chat's in that a tool's name is not nested.
func (r *itemReader) responseTools(f fields) {
	for _, e := range f.list("tools") {
		if name := e.object().text("name"); name != "" {
			r.ask.tools = append(r.ask.tools, name)
		}
		r.w.mark(markTools)
		r.w.json(e.raw)
		r.w.end(blockTools, 0)
	}
	if schema := f.object("text").raw("format"); schema != nil {
		r.w.json(schema)
		r.w.end(blockTools, 0)
	}
	if f.isString("tool_choice") {
		switch f.text("tool_choice") {
		case "none":
			r.ask.tools = nil
		case "required":
			r.ask.forced = "*"
		}
	} else if f.has("tool_choice") {
		r.ask.forced = f.object("tool_choice").text("name")
	}
}

func (r *itemReader) item(e element) {
	it := e.object()
	switch it.text("type") {
	case "", "message":
		role := it.text("role")
		r.w.role(roleMark(role))
		r.note(role, r.content(it))
	case "function_call":
		r.open[it.text("call_id")] = true
		r.w.role(roleAssistant)
		r.w.mark(markCall)
		r.w.text(it.text("call_id") + " " + it.text("name") + " " + it.text("arguments"))
		r.w.end(blockMessage, 0)
	case "function_call_output":
		r.callOutput(it)
	case "reasoning", "item_reference":
		r.kept(it)
		return // earlier reasoning is not part of the prompt
	default:
		r.w.role(roleUser)
		r.w.json(e.raw)
		r.w.end(blockMessage, 0)
	}
	r.w.endMessage()
}

func (r *itemReader) callOutput(it fields) {
	id := it.text("call_id")
	if !r.open[id] {
		it.d.reject(invalid(openai, "No tool call found for function call output with call_id %s.", id).about("", "input"))
	}
	delete(r.open, id)
	r.w.role(roleTool)
	r.w.mark(markResult)
	if it.isString("output") {
		r.w.text(id + " " + it.text("output"))
	} else {
		r.w.text(id)
		for _, part := range it.list("output") {
			r.part(part.object())
		}
	}
	r.w.end(blockMessage, 0)
}

// kept checks items that only this vendor can have issued: encrypted reasoning, or one that it stores.
func (r *itemReader) kept(it fields) {
	id := it.text("id")
	if sealed := it.text("encrypted_content"); sealed != "" {
		if sealed != r.s.seal(id) {
			it.d.reject(invalid(openai, "The encrypted content for item %s could not be verified.", id).about("invalid_encrypted_content", ""))
		}
		return
	}
	if !r.s.stored.hasItem(id) {
		e := invalid(openai, "Item with id '%s' not found. Items are not persisted when `store` is set to false. Try again with `store` set to "+
			"true, or remove this item from your input.", id).about("", "input")
		e.status = http.StatusNotFound
		it.d.reject(e)
	}
}

// seal is the encrypted content of a reasoning item.
func (s *server) seal(id string) string { return "gAAAAAB" + s.token(0, "sealed "+id) }
