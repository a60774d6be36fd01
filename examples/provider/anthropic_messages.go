package main

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A messageReader renders an Anthropic request and applies the rules for its blocks.
type messageReader struct {
	w       promptWriter
	ask     *ask
	server  *server
	model   *model
	markers []cacheMarker
	open    map[string]bool // tool_use ids of the last assistant turn that have no result yet
	images  bool
}

// A cacheMarker is one cache_control of the request.
type cacheMarker struct {
	path string
	life time.Duration
}

// tools renders the definitions, each a block of its own.
func (r *messageReader) tools(f fields) {
	for _, e := range f.list("tools") {
		tool := e.object()
		r.ask.tools = append(r.ask.tools, tool.text("name"))
		r.w.mark(markTools)
		r.w.json(without(e.raw, "cache_control"))
		r.w.end(blockTools, r.marker(tool))
	}
}

// system renders the system prompt, a string or text blocks; both count alike.
func (r *messageReader) system(f fields) {
	if !f.has("system") {
		return
	}
	r.w.role(roleSystem)
	if f.isString("system") {
		r.ask.system = f.text("system")
		r.textBlock(r.ask.system, blockSystem, 0)
		return
	}
	for _, e := range f.list("system") {
		part := e.object()
		r.ask.system += part.text("text") + "\n"
		r.checkText(part)
		r.textBlock(part.text("text"), blockSystem, r.marker(part))
	}
}

func (r *messageReader) textBlock(text string, kind blockKind, marker time.Duration) {
	r.w.mark(markText)
	r.w.text(text)
	r.w.end(kind, marker)
}

func (r *messageReader) messages(f fields) {
	list := f.list("messages")
	if f.d.problem == nil && len(list) == 0 {
		f.d.reject(invalid(anthropic, "messages: at least one message is required"))
	}
	for i, e := range list {
		msg := e.object()
		role := msg.text("role")
		switch {
		case role == "user" || role == "assistant":
		case role == "system" && r.model.Strict:
		case role == "system":
			f.d.reject(invalid(anthropic, `messages: Unexpected role "system". The Messages API accepts a top-level `+"`system`"+
				` parameter, not "system" as an input message role.`))
		default:
			f.d.reject(invalid(anthropic, "%s: Input should be 'user' or 'assistant'", msg.at("role")))
		}
		if role != "user" {
			r.closeTurn(f.d, i)
		}
		r.w.role(roleMark(role))
		text := r.content(msg, role)
		r.w.endMessage()
		if role == "user" {
			r.ask.lastUser = text
		}
	}
	r.closeTurn(f.d, len(list))
}

// closeTurn rejects calls of the last assistant turn that the messages before index next left without a result.
func (r *messageReader) closeTurn(d *decoder, next int) {
	if len(r.open) > 0 {
		d.reject(invalid(anthropic, "messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s. Each `tool_use` "+
			"block must have a corresponding `tool_result` block in the next message.", max(0, next-1), strings.Join(slices.Sorted(maps.Keys(r.open)), ", ")))
	}
	r.open = map[string]bool{}
}

// content renders a string or blocks and returns the text.
func (r *messageReader) content(msg fields, role string) string {
	if !msg.has("content") {
		msg.d.reject(invalid(anthropic, "%s: Field required", msg.at("content")))
		return ""
	}
	if msg.isString("content") {
		text := msg.text("content")
		r.textBlock(text, blockMessage, 0)
		return text
	}
	var texts []string
	for _, e := range msg.list("content") {
		part := e.object()
		if text := r.block(e, part, role); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n")
}

// block renders one content block and returns its text.
func (r *messageReader) block(e element, part fields, role string) string {
	marker := r.marker(part)
	text := ""
	switch kind := part.text("type"); kind {
	case "text":
		r.checkText(part)
		text = part.text("text")
		r.w.mark(markText)
		r.w.text(text)
	case "image", "document":
		r.media(e, part)
	case "tool_use":
		r.open[part.text("id")] = true
		r.w.mark(markCall)
		r.w.text(part.text("id") + " " + part.text("name") + " ")
		r.w.json(part.raw("input"))
	case "tool_result":
		marker = max(marker, r.toolResult(part, role))
	case "thinking", "redacted_thinking":
		r.thinking(part, kind)
	case "":
		part.d.reject(invalid(anthropic, "%s: Field required", part.at("type")))
	default:
		r.w.json(without(e.raw, "cache_control"))
	}
	r.w.end(blockMessage, marker)
	return text
}

func (r *messageReader) media(e element, part fields) {
	if source := part.object("source"); source.text("type") == "text" {
		r.w.mark(markText)
		r.w.text(source.text("data"))
		return
	}
	r.images = true
	r.w.image(without(e.raw, "cache_control"))
}

// toolResult renders a result and returns the marker of its content, which stands at the result's end.
func (r *messageReader) toolResult(part fields, role string) time.Duration {
	id := part.text("tool_use_id")
	if role != "user" || !r.open[id] {
		part.d.reject(invalid(anthropic, "%s: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have a "+
			"corresponding `tool_use` block in the previous message.", part.path, id))
	}
	delete(r.open, id)
	r.w.mark(markResult)
	r.w.text(id + " ")
	if !part.has("content") || part.isString("content") {
		r.w.text(part.text("content"))
		return 0
	}
	marker := time.Duration(0)
	for _, e := range part.list("content") {
		inner := e.object()
		marker = max(marker, r.marker(inner))
		switch inner.text("type") {
		case "text":
			r.w.mark(markText)
			r.w.text(inner.text("text"))
		case "image", "document":
			r.media(e, inner)
		default:
			r.w.json(without(e.raw, "cache_control"))
		}
	}
	return marker
}

// thinking accepts only blocks that this vendor has signed for the model's family, and no markers on them.
func (r *messageReader) thinking(part fields, kind string) {
	if part.has("cache_control") {
		part.d.reject(invalid(anthropic, "%s.%s.cache_control: Extra inputs are not permitted", part.path, kind))
	}
	text := part.text("thinking")
	if kind == "redacted_thinking" {
		part.d.reject(invalid(anthropic, "%s: Invalid `data` in `redacted_thinking` block", part.path))
	} else if part.text("signature") != r.server.sign(r.model, text) {
		part.d.reject(invalid(anthropic, "%s: Invalid `signature` in `thinking` block", part.path))
	}
	r.w.mark(markThought)
	r.w.text(text)
}

func (r *messageReader) checkText(part fields) {
	if part.text("text") != "" {
		return
	}
	if part.has("cache_control") {
		part.d.reject(invalid(anthropic, "%s: cache_control cannot be set for empty text blocks", part.at("text")))
	}
	part.d.reject(invalid(anthropic, "%s: text content blocks must be non-empty", part.at("text")))
}

// marker reads cache_control, 0 if there is none.
func (r *messageReader) marker(part fields) time.Duration {
	if !part.has("cache_control") {
		return 0
	}
	control := part.object("cache_control")
	life := shortLife
	if kind := control.text("type"); kind != "ephemeral" {
		part.d.reject(invalid(anthropic, "%s: Input tag '%s' found using 'type' does not match any of the expected tags: 'ephemeral'", control.path, kind))
	}
	switch ttl := control.text("ttl"); ttl {
	case "", "5m":
	case "1h":
		life = longLife
	default:
		part.d.reject(invalid(anthropic, "%s: Input should be '5m' or '1h'", control.at("ttl")))
	}
	r.markers = append(r.markers, cacheMarker{control.path, life})
	return life
}

// topLevelMarker is automatic caching: one breakpoint on the last block that may carry one.
func (r *messageReader) topLevelMarker(f fields) {
	life := r.marker(f)
	if life == 0 || len(r.w.blocks) == 0 {
		return
	}
	if last := &r.w.blocks[len(r.w.blocks)-1]; last.marker == 0 {
		last.marker = life
	}
}

// checkMarkers applies the rules for markers among each other.
func (r *messageReader) checkMarkers(d *decoder) {
	if n := len(r.markers); n > 4 {
		d.reject(invalid(anthropic, "A maximum of 4 blocks with cache_control may be provided. Found %d.", n))
	}
	short := false
	for _, m := range r.markers {
		if m.life == longLife && short {
			d.reject(invalid(anthropic, "%s.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that "+
				"blocks are processed in the following order: `tools`, `system`, `messages`.", m.path))
		}
		short = short || m.life == shortLife
	}
}
