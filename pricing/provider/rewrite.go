package provider

import (
	"strconv"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// Rewrite appends the edits of the body that make the request what t wants, sorted by place and without overlap,
// and returns dst as it grew. Nothing is edited that t does not ask for. The cap on the output is lowered, never
// raised, except that it stays above the API's minimum and the thinking budget. If the request is not Servable, it
// returns that error and dst as it was.
func (r *Request) Rewrite(dst []Edit, t Target) ([]Edit, error) {
	if err := r.Servable(t); err != nil {
		return dst, err
	}
	w := rewriter{r: r, t: t, can: CapabilityOf(t.Vendor, t.Model), edits: dst}
	w.model()
	w.cap()
	w.usage()
	if t.CacheKey && w.can.CacheKey && r.isOpenAI() && !r.keyPresent && r.Prefix.Bytes > 0 {
		w.member(`"prompt_cache_key":"farebox-` + strconv.FormatUint(r.Prefix.Hash, 36) + `"`)
	}
	if t.MarkPrefix && w.can.CacheMarks && r.API == AnthropicMessages && !r.Facts.Has(OwnCacheMarks) {
		w.edits = r.markPrefix(w.edits)
	}
	w.insertMembers()
	sortEdits(w.edits[len(dst):])
	return w.edits, nil
}

// CapWritten is the cap on the output that Rewrite leaves in a request for t: t's, unless the API or the thinking
// budget wants more, or the request's own where nothing can be edited, 0 if it has none. It is for targets that lower
// the cap.
func (r *Request) CapWritten(t Target) int64 {
	if !r.capEditable() {
		return r.MaxOutput
	}
	w := rewriter{r: r, can: CapabilityOf(t.Vendor, t.Model)}
	return max(t.MaxOutput, w.least())
}

// RewritePath returns the path with the model of t, where the path holds it; else the path as it is.
func (r *Request) RewritePath(t Target) string {
	if r.ModelAt.End == 0 || t.Model == "" || t.Model == r.Model {
		return r.path
	}
	path := make([]byte, 0, len(r.path)+len(t.Model))
	path = append(path, r.path[:r.ModelAt.Start]...)
	path = appendSegment(path, string(t.Model))
	return string(append(path, r.path[r.ModelAt.End:]...))
}

// Apply appends body with the edits made, which must be sorted by place and must not overlap.
func Apply(dst, body []byte, edits []Edit) []byte {
	at := 0
	for _, e := range edits {
		dst = append(dst, body[at:e.Start]...)
		dst = append(dst, e.New...)
		at = e.End
	}
	return append(dst, body[at:]...)
}

// capEditable reports whether the cap on the output can be edited: there is one, and the call is not signed.
func (r *Request) capEditable() bool {
	switch r.API {
	case OpenAIChat, OpenAIResponses, OpenAICompletions, AnthropicMessages, GeminiGenerate, GeminiInteractions, CohereChat, OllamaChat,
		OllamaGenerate, TGIGenerate:
		return true
	}
	return false
}

func (r *Request) isOpenAI() bool { return r.API == OpenAIChat || r.API == OpenAIResponses }

// rewriter collects the edits of one call.
type rewriter struct {
	r       *Request
	t       Target
	can     Capability
	edits   []Edit
	members string // to be added to the body, joined by commas
}

func (w *rewriter) replace(at Span, with string) {
	w.edits = append(w.edits, Edit{Span: at, New: with})
}

// member adds a member to the body.
func (w *rewriter) member(m string) {
	if w.members != "" {
		w.members += ","
	}
	w.members += m
}

func (w *rewriter) insertMembers() {
	if w.members != "" {
		w.insertInto(w.r.root, w.members)
	}
}

// insertInto inserts members at the start of the object whose inside is given.
func (w *rewriter) insertInto(inside Span, members string) {
	if !blankJSON(w.r.body[inside.Start:inside.End]) {
		members += ","
	}
	w.replace(Span{inside.Start, inside.Start}, members)
}

// blankJSON reports whether there is nothing but white space between two tokens.
func blankJSON(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

func (w *rewriter) model() {
	r := w.r
	if r.model.End > 0 && w.t.Model != "" && w.t.Model != r.Model {
		w.replace(r.model, string(jsonscan.AppendString(nil, string(w.t.Model))))
	}
}

// cap lowers the cap, and spells it as the target wants if the call moves.
func (w *rewriter) cap() {
	r := w.r
	if !r.capEditable() {
		return
	}
	if r.otherCap.present() {
		w.capOfTwo()
		return
	}
	if r.API == OpenAIChat && !r.stays(w.t) && r.cap.stated() && w.can.Cap != "" {
		w.spell(r.cap)
	}
	if w.t.MaxOutput <= 0 {
		return
	}
	if most := w.most(); !r.cap.stated() {
		w.addCap(most)
	} else if w.lowers(r.cap) {
		w.replace(r.cap.value, most)
	}
}

// capOfTwo is cap where a chat call has both spellings. A key is never renamed, as the other name is there already:
// the spelling that the target wants gets the value, and the other one becomes null.
func (w *rewriter) capOfTwo() {
	legacy, modern := w.r.cap, w.r.otherCap
	if legacy.stated() && modern.stated() { // the call stays, or is not servable
		for _, l := range [...]limit{legacy, modern} {
			if w.lowers(l) {
				w.replace(l.value, w.most())
			}
		}
		return
	}
	from, to := legacy, modern
	if modern.stated() {
		from, to = modern, legacy
	}
	value := string(w.r.body[from.value.Start:from.value.End])
	if w.t.MaxOutput > 0 && (!from.stated() || w.lowers(from)) {
		value = w.most()
	}
	wanted := w.can.Cap == CapModern && to == modern || w.can.Cap == CapLegacy && to == legacy
	if moves := wanted && !(from.stated() && w.r.stays(w.t)); moves && value != "null" {
		w.replace(to.value, value)
		value = "null"
	}
	if value != string(w.r.body[from.value.Start:from.value.End]) {
		w.replace(from.value, value)
	}
}

// lowers reports whether a stated cap is above the target's. One of 0 caps nothing, except where Anthropic answers:
// there it warms a cache, and nothing is generated.
// Source: "Prompt caching" of Anthropic's manual, on max_tokens of 0.
func (w *rewriter) lowers(l limit) bool {
	if l.n == 0 && w.r.API == AnthropicMessages && w.t.Vendor == Anthropic {
		return false
	}
	return w.t.MaxOutput > 0 && (l.endless() || l.n > max(w.t.MaxOutput, w.least()))
}

// most is the target's cap, as it is written.
func (w *rewriter) most() string { return strconv.FormatInt(max(w.t.MaxOutput, w.least()), 10) }

// least is the smallest cap that the API takes for the call.
func (w *rewriter) least() int64 {
	switch {
	case w.r.API == OpenAIResponses:
		return w.can.MinOutput
	case w.r.budget > 0:
		return w.r.budget + 1
	}
	return 1
}

// spell renames the key of a cap to the target's spelling.
func (w *rewriter) spell(l limit) {
	if want := `"` + string(w.can.Cap) + `"`; string(w.r.body[l.key.Start:l.key.End]) != want {
		w.replace(l.key, want)
	}
}

// addCap states a cap where there is none, or null.
func (w *rewriter) addCap(value string) {
	r := w.r
	if r.cap.present() {
		w.replace(r.cap.value, value)
		if r.API == OpenAIChat && w.can.Cap != "" {
			w.spell(r.cap)
		}
		return
	}
	switch r.API {
	case OpenAIChat:
		name := CapLegacy
		if w.can.Cap != "" {
			name = w.can.Cap
		}
		w.member(`"` + string(name) + `":` + value)
	case OpenAIResponses:
		w.member(`"max_output_tokens":` + value)
	case AnthropicMessages, OpenAICompletions, CohereChat:
		w.member(`"max_tokens":` + value)
	case GeminiInteractions:
		w.nestedCap("generation_config", `"max_output_tokens":`+value)
	case GeminiGenerate:
		w.nestedCap("generationConfig", `"maxOutputTokens":`+value)
	case OllamaChat, OllamaGenerate:
		w.nestedCap("options", `"num_predict":`+value)
	case TGIGenerate:
		w.nestedCap("parameters", `"max_new_tokens":`+value)
	}
}

// nestedCap adds the cap to the object in which it stands.
func (w *rewriter) nestedCap(object, member string) {
	config := w.r.config
	switch {
	case config.End == 0:
		w.member(`"` + object + `":{` + member + `}`)
	case w.r.body[config.Start] == '{':
		w.insertInto(Span{config.Start + 1, config.End - 1}, member)
	default: // null
		w.replace(config, `{`+member+`}`)
	}
}

// sortEdits sorts by place; an insertion comes before what is replaced there. There are only a handful.
func sortEdits(edits []Edit) {
	for i := 1; i < len(edits); i++ {
		for j := i; j > 0 && before(edits[j], edits[j-1]); j-- {
			edits[j], edits[j-1] = edits[j-1], edits[j]
		}
	}
}

func before(a, b Edit) bool {
	return a.Start < b.Start || a.Start == b.Start && a.End < b.End
}
