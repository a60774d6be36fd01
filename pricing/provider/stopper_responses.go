package provider

import (
	"bytes"
	"slices"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// responsesEnding ends a stream of OpenAI's Responses API: what is open is closed with what has been said, and the
// last event is a response that is incomplete. Source: the OpenAI API reference, "Responses streaming".
type responsesEnding struct {
	response []byte // the object that the first events carry
	sequence int64  // of the last event
	numbered bool
	done     []byte // the items that have ended, joined by commas
	open     []openItem
	kept     int  // bytes of items and texts
	lost     bool // some did not fit, which the end would leave out
	over     bool
}

// openItem is an output item that has begun and not ended.
type openItem struct {
	index    int64
	id, item []byte // as its first event spells them
	parts    []byte // those that have ended, joined by commas
	part     itemPart
	input    []byte // the arguments of a call, as its events spell them
}

// size is how many bytes are kept of the item.
func (o *openItem) size() int { return len(o.item) + len(o.parts) + len(o.part.text) + len(o.input) }

// itemPart is the part of an item that is open.
type itemPart struct {
	kind  string // "" if none is
	index int64
	text  []byte // as its events spell it
}

// responsesEvent is what an event says.
type responsesEvent struct {
	name                   string
	response, item, part   []byte // whole
	delta                  []byte // without quotes
	output, content, inner int64  // indexes of an item, of a part of it and of a part of its summary
}

func (r *responsesEnding) seeEvent(e event) {
	x := r.read(e)
	switch x.name {
	case "response.created", "response.in_progress", "response.queued":
		if len(x.response) > 0 && len(x.response) <= maxEvent {
			r.response = append(r.response[:0], x.response...)
		}
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled", "error":
		r.over = true
	case "response.output_item.added":
		if len(r.open) < maxOpen {
			o := openItem{index: x.output}
			r.keep(&o.item, x.item)
			o.id = bytes.Clone(memberOf(o.item, "id"))
			r.open = append(r.open, o)
		}
	case "response.output_item.done":
		r.open = slices.DeleteFunc(r.open, func(o openItem) bool {
			ended := o.index == x.output
			if ended {
				r.kept -= o.size()
			}
			return ended
		})
		r.join(&r.done, x.item)
	default:
		if i := slices.IndexFunc(r.open, func(o openItem) bool { return o.index == x.output }); i >= 0 {
			r.seeInside(&r.open[i], &x)
		}
	}
}

// seeInside reads an event about a part of an item.
func (r *responsesEnding) seeInside(o *openItem, x *responsesEvent) {
	switch x.name {
	case "response.content_part.added":
		kind := bytes.Trim(memberOf(x.part, "type"), `"`)
		r.begin(o, itemPart{kind: string(kind), index: x.content})
	case "response.reasoning_summary_part.added":
		r.begin(o, itemPart{kind: "summary_text", index: x.inner})
	case "response.content_part.done", "response.reasoning_summary_part.done":
		r.begin(o, itemPart{})
		r.join(&o.parts, x.part)
	case "response.output_text.delta", "response.refusal.delta", "response.reasoning_text.delta", "response.reasoning_summary_text.delta":
		r.keep(&o.part.text, x.delta)
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta", "response.mcp_call_arguments.delta":
		r.keep(&o.input, x.delta)
	}
}

func (r *responsesEnding) read(e event) responsesEvent {
	x := responsesEvent{name: string(e.name)}
	s := jsonscan.New(e.data)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		switch string(s.Text(key)) {
		case "type":
			if v := s.Next(); v.Kind == jsonscan.String {
				x.name = s.String(v)
			}
		case "sequence_number":
			if n, ok := s.Int(s.Next()); ok {
				r.sequence, r.numbered = n, true
			}
		case "response":
			x.response = whole(e.data, s.Skip())
		case "item":
			x.item = whole(e.data, s.Skip())
		case "part":
			x.part = whole(e.data, s.Skip())
		case "delta":
			if v := s.Next(); v.Kind == jsonscan.String {
				x.delta = s.Text(v)
			}
		case "output_index":
			x.output, _ = s.Int(s.Next())
		case "content_index":
			x.content, _ = s.Int(s.Next())
		case "summary_index":
			x.inner, _ = s.Int(s.Next())
		}
	}
	return x
}

// begin puts a part in the place of the one that is open.
func (r *responsesEnding) begin(o *openItem, part itemPart) {
	r.kept -= len(o.part.text)
	o.part = part
}

// keep appends to what is kept, within its limit.
func (r *responsesEnding) keep(dst *[]byte, b []byte) {
	if r.lost = r.lost || r.kept+len(b) > maxEvent; !r.lost {
		r.kept += len(b)
		*dst = append(*dst, b...)
	}
}

// join appends an element to a list, within the limit.
func (r *responsesEnding) join(list *[]byte, element []byte) {
	if len(element) == 0 {
		return
	}
	if len(*list) > 0 {
		r.keep(list, []byte{','})
	}
	r.keep(list, element)
}

func (r *responsesEnding) finish(dst []byte, u *pricing.Usage) ([]byte, bool) {
	if len(r.response) == 0 || r.over || r.lost {
		return dst, false
	}
	w := responsesWriter{dst: dst, sequence: r.sequence, numbered: r.numbered}
	output := bytes.Clone(r.done)
	for i := range r.open {
		item := w.close(&r.open[i])
		if len(output) > 0 && len(item) > 0 {
			output = append(output, ',')
		}
		output = append(output, item...)
	}
	last := setMembers(r.response, []jsonMember{
		{"status", []byte(`"incomplete"`)},
		{"incomplete_details", []byte(`{"reason":"max_output_tokens"}`)},
		{"output", append(append([]byte{'['}, output...), ']')},
		{"usage", responsesUsage(u)},
	})
	w.event("response.incomplete", append([]byte(`"response":`), last...))
	return w.dst, true
}

func responsesUsage(u *pricing.Usage) []byte {
	b := appendCount(nil, `{"input_tokens":`, u.TotalInput())
	b = appendCount(b, `,"input_tokens_details":{"cached_tokens":`, pricing.AddCapped(u.CacheRead, u.CacheReadAudio))
	b = appendCount(b, `},"output_tokens":`, u.TotalOutput())
	b = appendCount(b, `,"output_tokens_details":{"reasoning_tokens":`, u.Reasoning)
	b = appendCount(b, `},"total_tokens":`, pricing.AddCapped(u.TotalInput(), u.TotalOutput()))
	return append(b, '}')
}

// responsesWriter writes events that go on from the last one.
type responsesWriter struct {
	dst      []byte
	sequence int64
	numbered bool
}

// event appends an event of the members.
func (w *responsesWriter) event(name string, members []byte) {
	w.dst = append(append(w.dst, "event: "...), name...)
	w.dst = append(append(append(w.dst, "\ndata: {\"type\":\""...), name...), '"', ',')
	if w.numbered {
		w.sequence++
		w.dst = append(appendCount(w.dst, `"sequence_number":`, w.sequence), ',')
	}
	w.dst = append(append(w.dst, members...), "}\n\n"...)
}

// close ends the open part of an item and the item, and returns the item as it ended.
func (w *responsesWriter) close(o *openItem) []byte {
	if len(o.item) == 0 {
		return nil
	}
	parts := bytes.Clone(o.parts)
	if part := w.closePart(o); part != nil {
		if len(parts) > 0 {
			parts = append(parts, ',')
		}
		parts = append(parts, part...)
	}
	sets := []jsonMember{{"status", []byte(`"incomplete"`)}}
	list := append(append([]byte{'['}, parts...), ']')
	switch string(memberOf(o.item, "type")) {
	case `"message"`:
		sets = append(sets, jsonMember{"content", list})
	case `"reasoning"`:
		name := "summary"
		if bytes.Contains(parts, []byte(`"reasoning_text"`)) {
			name = "content"
		}
		sets = append(sets, jsonMember{name, list})
	case `"function_call"`, `"mcp_call"`:
		sets = append(sets, jsonMember{"arguments", quoted(o.input)})
	case `"custom_tool_call"`:
		sets = append(sets, jsonMember{"input", quoted(o.input)})
	}
	item := setMembers(o.item, sets)
	w.event("response.output_item.done", append(appendCount(nil, `"output_index":`, o.index), append([]byte(`,"item":`), item...)...))
	return item
}

// partEnds are the events that end the text of a part, by its kind, with the members around the text.
var partEnds = map[string]struct{ name, part, key, index, rest string }{
	"output_text":    {"response.output_text.done", "response.content_part.done", "text", "content_index", `,"annotations":[],"logprobs":[]`},
	"refusal":        {"response.refusal.done", "response.content_part.done", "refusal", "content_index", ""},
	"reasoning_text": {"response.reasoning_text.done", "response.content_part.done", "text", "content_index", ""},
	"summary_text":   {"response.reasoning_summary_text.done", "response.reasoning_summary_part.done", "text", "summary_index", ""},
}

// closePart ends the open part and returns it, nil if there is none.
func (w *responsesWriter) closePart(o *openItem) []byte {
	end, ok := partEnds[o.part.kind]
	if !ok {
		return nil
	}
	at := appendRaw([]byte(`"item_id":`), o.id, `""`)
	at = appendCount(at, `,"output_index":`, o.index)
	at = appendCount(at, `,"`+end.index+`":`, o.part.index)
	text := append([]byte(`,"`+end.key+`":`), quoted(o.part.text)...)
	done := append(bytes.Clone(at), text...)
	if o.part.kind == "output_text" {
		done = append(done, `,"logprobs":[]`...)
	}
	w.event(end.name, done)
	part := append([]byte(`{"type":"`+o.part.kind+`"`), text...)
	part = append(append(part, end.rest...), '}')
	w.event(end.part, append(append(at, `,"part":`...), part...))
	return part
}

// quoted is a string around the text of others.
func quoted(raw []byte) []byte {
	return append(append([]byte{'"'}, raw...), '"')
}

// whole is a value as it stands in data.
func whole(data []byte, v jsonscan.Token) []byte { return data[v.Start:v.End] }

// memberOf returns the value of a member of an object, nil if it has none.
func memberOf(object []byte, name string) []byte {
	s := jsonscan.New(object)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		if v := s.Skip(); string(s.Text(key)) == name {
			return whole(object, v)
		}
	}
	return nil
}

// jsonMember is a member that an object gets.
type jsonMember struct {
	name  string
	value []byte
}

// setMembers returns an object with the members, in place of those of their names.
func setMembers(object []byte, sets []jsonMember) []byte {
	out := []byte{'{'}
	s := jsonscan.New(object)
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		v := s.Skip()
		if slices.ContainsFunc(sets, func(m jsonMember) bool { return string(s.Text(key)) == m.name }) {
			continue
		}
		out = append(append(append(append(out, whole(object, key)...), ':'), whole(object, v)...), ',')
	}
	for _, m := range sets {
		out = append(append(append(out, '"'), m.name...), '"', ':')
		out = append(append(out, m.value...), ',')
	}
	out[len(out)-1] = '}'
	return out
}
