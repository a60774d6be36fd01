package main

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A chatReader renders Chat messages and watches that tool results answer tool calls.
type chatReader struct {
	w    promptWriter
	ask  *ask
	open map[string]bool // ids of tool calls that have no result yet
}

// tools renders tool definitions and an output schema, which stand in front of the messages.
func (c *chatReader) tools(f fields) {
	for _, e := range f.list("tools") {
		tool := e.object()
		if name := tool.object("function").text("name"); name != "" {
			c.ask.tools = append(c.ask.tools, name)
		}
		c.w.mark(markTools)
		c.w.json(e.raw)
		c.w.end(blockTools, 0)
	}
	if schema := f.raw("response_format"); schema != nil {
		c.w.json(schema)
		c.w.end(blockTools, 0)
	}
	if f.isString("tool_choice") {
		switch f.text("tool_choice") {
		case "none":
			c.ask.tools = nil
		case "required":
			c.ask.forced = "*"
		}
	} else if f.has("tool_choice") {
		c.ask.forced = f.object("tool_choice").object("function").text("name")
	}
}

func (c *chatReader) message(msg fields) {
	role := msg.text("role")
	switch role {
	case "system", "developer", "user", "assistant", "tool", "function":
	default:
		msg.d.reject(invalid(openai, "Invalid value: '%s'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
			role).about("invalid_value", msg.at("role")))
		return
	}
	c.answers(role, msg)
	c.w.role(roleMark(role))
	if name := msg.text("name"); name != "" {
		c.w.text(name)
	}
	c.note(role, c.content(msg))
	for _, e := range msg.list("tool_calls") {
		tool := e.object()
		function := tool.object("function")
		c.open[tool.text("id")] = true
		c.w.mark(markCall)
		c.w.text(tool.text("id") + " " + function.text("name") + " " + function.text("arguments"))
		c.w.end(blockMessage, 0)
	}
	c.w.endMessage()
}

// content renders a string or an array of parts and returns its text.
func (c *chatReader) content(msg fields) string {
	if !msg.has("content") || msg.isString("content") {
		text := msg.text("content")
		c.w.mark(markText)
		c.w.text(text)
		c.w.end(blockMessage, 0)
		return text
	}
	var texts []string
	for _, e := range msg.list("content") {
		part := e.object()
		texts = append(texts, c.part(part))
		marker := time.Duration(0)
		if part.has("prompt_cache_breakpoint") {
			marker = breakLife
		}
		c.w.end(blockMessage, marker)
	}
	return strings.Join(texts, "\n")
}

func (c *chatReader) part(part fields) string {
	switch kind := part.text("type"); kind {
	case "text", "input_text", "output_text", "refusal", "summary_text":
		c.w.mark(markText)
		text := part.text("text") + part.text("refusal")
		c.w.text(text)
		return text
	case "image_url", "input_image", "file", "input_file", "input_audio":
		c.w.image(without(mustJSON(part.members), "prompt_cache_breakpoint"))
	default:
		part.d.reject(invalid(openai, "Invalid value: '%s'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', and 'file'.", kind).
			about("invalid_value", part.at("type")))
	}
	return ""
}

// note keeps the texts that answers depend on.
func (c *chatReader) note(role, text string) {
	switch role {
	case "system", "developer":
		c.ask.system += text + "\n"
	case "user":
		c.ask.lastUser = text
	}
}

// answers checks a message against the tool calls in front of it.
func (c *chatReader) answers(role string, msg fields) {
	if role != "tool" {
		c.closed(msg.d, msg.path)
		return
	}
	id := msg.text("tool_call_id")
	if !c.open[id] {
		msg.d.reject(invalid(openai, "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."). //nolint:misspell // the vendor's own spelling
																				about("", msg.at("role")))
	}
	delete(c.open, id)
	c.w.mark(markResult)
	c.w.text(id)
}

// closed rejects tool calls that were left without a result before the message at path.
func (c *chatReader) closed(d *decoder, path string) {
	if len(c.open) == 0 {
		return
	}
	ids := slices.Sorted(maps.Keys(c.open))
	d.reject(invalid(openai, "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "+
		"The following tool_call_ids did not have response messages: %s", strings.Join(ids, ", ")).about("", path+".role"))
}
