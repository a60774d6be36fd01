package main

import (
	"fmt"
	"net/http"
	"strings"
)

// messages answers POST /v1/messages.
func (s *server) messages(in *inbound) *apiError {
	f, m, problem := s.anthropicRequest(in, "model", "messages", "max_tokens")
	if problem != nil {
		return problem
	}
	if problem := checkMessages(m, f); problem != nil {
		return problem
	}
	d, problem := s.readMessages(in, m, f)
	if problem != nil {
		return problem
	}
	return s.answer(in, s.newCall(in, d), &messagesReply{server: s})
}

// countTokens answers POST /v1/messages/count_tokens, which is free.
func (s *server) countTokens(in *inbound) *apiError {
	f, m, problem := s.anthropicRequest(in, "model", "messages")
	if problem != nil {
		return problem
	}
	d, problem := s.readMessages(in, m, f)
	if problem != nil {
		return problem
	}
	writeJSON(in, mustJSON(map[string]int{"input_tokens": d.prompt.length()}))
	return nil
}

// anthropicRequest decodes the body, asks for the required members and finds the model.
func (s *server) anthropicRequest(in *inbound, required ...string) (fields, *model, *apiError) {
	f, err := decodeBody(anthropic, in.body)
	if err != nil {
		return f, nil, invalid(anthropic, "The request body is not valid JSON: %v", err)
	}
	for _, name := range required {
		if !f.has(name) {
			return f, nil, invalid(anthropic, "%s: Field required", name)
		}
	}
	name := f.text("model")
	if f.d.problem != nil {
		return f, nil, f.d.problem
	}
	m := s.models[name]
	if m == nil || m.Vendor != anthropic {
		return f, nil, &apiError{status: http.StatusNotFound, kind: "not_found_error", message: "model: " + name}
	}
	return f, m, nil
}

// checkMessages rejects what the API rejects before it looks at the messages.
func checkMessages(m *model, f fields) *apiError {
	limit := f.integer("max_tokens")
	checks := []*apiError{checkStrict(m, f), checkThinking(m, f, limit)}
	if limit < 0 {
		checks = append(checks, invalid(anthropic, "max_tokens: Input should be greater than or equal to 0"))
	}
	if limit > m.MaxOutput {
		checks = append(checks, invalid(anthropic, "max_tokens: %d > %d, which is the maximum allowed number of output tokens for %s",
			limit, m.MaxOutput, m.shown()))
	}
	if t := f.number("temperature"); t < 0 || t > 1 {
		checks = append(checks, invalid(anthropic, "temperature: range: 0..1"))
	}
	return firstProblem(f, checks...)
}

// checkStrict rejects what the newest models do not take any more.
func checkStrict(m *model, f fields) *apiError {
	if !m.Strict {
		return nil
	}
	for _, name := range []string{"temperature", "top_p", "top_k"} {
		if f.has(name) {
			return invalid(anthropic, "`%s` is deprecated for this model.", name)
		}
	}
	if f.object("thinking").text("type") == "enabled" || f.object("thinking").has("budget_tokens") {
		return invalid(anthropic, `"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and `+
			`"output_config.effort" to control thinking behavior.`)
	}
	if forcedTool(f) != "" {
		return invalid(anthropic, `tool_choice: forced tool use is not supported for this model. Use "auto" or "none".`)
	}
	if list := f.list("messages"); len(list) > 0 && list[len(list)-1].object().text("role") == "assistant" {
		return invalid(anthropic, "This model does not support assistant message prefill. The conversation must end with a user message.")
	}
	return nil
}

// forcedTool is the tool that must be called, "*" for any.
func forcedTool(f fields) string {
	choice := f.object("tool_choice")
	switch choice.text("type") {
	case "any":
		return "*"
	case "tool":
		return choice.text("name")
	}
	return ""
}

// checkThinking applies the rules of extended thinking.
func checkThinking(m *model, f fields, limit int) *apiError {
	t := f.object("thinking")
	kind := t.text("type")
	if !m.Adaptive {
		if kind == "adaptive" {
			return invalid(anthropic, "adaptive thinking is not supported on this model")
		}
		if f.object("output_config").has("effort") {
			return invalid(anthropic, "This model does not support the effort parameter.")
		}
	}
	if kind != "enabled" {
		return nil
	}
	budget := t.integer("budget_tokens")
	switch {
	case !t.has("budget_tokens"):
		return invalid(anthropic, "thinking.enabled.budget_tokens: Field required")
	case budget < 1024:
		return invalid(anthropic, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
	case budget >= limit:
		return invalid(anthropic, "`max_tokens` must be greater than `thinking.budget_tokens`.")
	case f.has("temperature") && f.number("temperature") != 1:
		return invalid(anthropic, "`temperature` may only be set to 1 when thinking is enabled.")
	case forcedTool(f) != "":
		return invalid(anthropic, "Thinking may not be enabled when tool_choice forces tool use.")
	}
	return nil
}

// readMessages renders the prompt and collects what the answer depends on.
func (s *server) readMessages(in *inbound, m *model, f fields) (draft, *apiError) {
	d := draft{api: "anthropic.messages", prefix: "msg_01", model: m, shown: m.shown(), stream: f.flag("stream")}
	d.ask.limit = f.integer("max_tokens")
	kind := f.object("thinking").text("type")
	d.ask.reasons = kind == "enabled" || kind == "adaptive"
	d.ask.forced = forcedTool(f)
	d.region = f.text("inference_geo")
	r := &messageReader{w: s.promptWriter(m), ask: &d.ask, server: s, model: m}
	r.tools(f)
	if f.object("tool_choice").text("type") == "none" {
		d.ask.tools = nil
	}
	r.system(f)
	r.messages(f)
	r.topLevelMarker(f)
	r.checkMarkers(f.d)
	if f.d.problem != nil {
		return d, f.d.problem
	}
	if searchesWeb(f) {
		_, _, d.searches, _ = readDirectives(d.ask.lastUser)
	}
	r.w.saltMessages(fmt.Sprintf("%s %s %t", f.raw("tool_choice"), f.raw("thinking"), r.images))
	d.prompt = r.w.finish()
	window := m.Window
	if m.WideWindow > 0 && strings.Contains(in.r.Header.Get("anthropic-beta"), "context-1m") {
		window = m.WideWindow
	}
	if n := d.prompt.length(); n > window {
		return d, invalid(anthropic, "prompt is too long: %d tokens > %d maximum", n, window)
	}
	return d, nil
}

// sign is the signature of a thinking block; models of one family accept each other's.
func (s *server) sign(m *model, thinking string) string {
	return "ErUB" + s.token(uint64(len(thinking)), "thinking "+m.Family+" "+thinking)
}
