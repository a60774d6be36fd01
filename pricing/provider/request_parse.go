package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// requestParser reads one body. The first fault ends it: then next finds no more fields, and all loops end.
type requestParser struct {
	s    jsonscan.Scanner
	body []byte
	r    Request
	err  *RequestError
	key  jsonscan.Token // of the field that next returned
	word [64]byte       // for the meaning of an escaped word

	camel    bool      // the API's keys are in camel case
	protos   bool      // they are in snake case, but Google, which serves the API too, may take either
	use      serverUse // of the provider's tools
	partials int64     // pictures that are sent before each is done
	query    int       // bytes of a ranking's query
	ranked   int       // bytes of the documents to be ranked

	capElsewhere bool // a cap may stand where it is not read

	last   turn   // who spoke last
	tools  digest // of the tool definitions
	system digest // of the system prompt
}

// turn is whose an entry of the conversation is.
type turn uint8

const (
	nobody turn = iota
	instructor
	user
	assistant
	toolRunner
)

// top reads the members of the body.
func (p *requestParser) top(root jsonscan.Token) {
	p.r.root.Start = root.End
	p.camel = p.r.API.Vendor() == Google || p.r.API == BedrockConverse
	p.protos = p.r.API.Vendor() == OpenAI && p.r.API != OpenAIResponses
	switch p.r.API {
	case OpenAIChat:
		p.chat(root)
	case OpenAIResponses:
		p.responses(root)
	case OpenAICompletions:
		p.completions(root)
	case OpenAIEmbeddings, OllamaEmbed, CohereEmbed, GeminiEmbed:
		p.embeddings(root)
	case OpenAIImages:
		p.images(root)
	case OpenAISpeech:
		p.speech(root)
	case AnthropicMessages:
		p.anthropic(root)
	case GeminiGenerate:
		p.gemini(root)
	case GeminiInteractions:
		p.interaction(root)
	case VertexPredict:
		p.predict(root)
	case BedrockConverse:
		p.converse(root)
	case BedrockInvoke:
		p.invoke(root)
	case CohereChat:
		p.cohere(root)
	case CohereRerank:
		p.rerank(root)
	case OllamaChat, OllamaGenerate:
		p.ollama(root)
	case TGIGenerate:
		p.tgi(root)
	}
	p.s.Whole(root)
	p.r.root.End = p.s.Offset() - 1
}

// finish derives what only the whole body tells.
func (p *requestParser) finish() {
	r := &p.r
	switch r.API {
	case GeminiGenerate, BedrockConverse, BedrockInvoke: // the path says it
	case OllamaChat, OllamaGenerate:
		r.SSE = false
	case CohereChat:
		r.SSE = r.Stream && strings.Contains(strings.ToLower(r.path), "/v2/")
	default:
		r.SSE = r.Stream
	}
	switch p.last {
	case toolRunner:
		r.Facts |= OpenToolResults
	case assistant:
		r.Facts |= Prefill
	}
	if r.otherCap.present() && !r.cap.present() {
		r.cap, r.otherCap = r.otherCap, limit{}
	}
	r.MaxOutput = max(r.cap.n, r.otherCap.n, 0)
	if r.cap.endless() || r.otherCap.endless() {
		r.MaxOutput = 0
	}
	r.Prefix = prefixOf(r.API, p.tools, p.system)
	p.finishTerms()
}

// object is an API's object that is being read.
type object struct {
	start jsonscan.Token
	acts  *fieldSet // the fields that matter in it
	seen  fieldSet
}

// next returns the next field of o that is acted on; its value is the scanner's next. It refuses a key of o that
// appears twice or is a look-alike. At the end of o, or if o is no object, it returns false.
func (p *requestParser) next(o *object) (field, bool) {
	camel := p.camel
	for p.err == nil {
		key, ok := p.s.Member(o.start)
		if !ok {
			return fNone, false
		}
		f := o.acts.exact(p.s.Text(key), camel)
		if f == fNone {
			if name := o.acts.lookalike(&p.s, key, camel, p.protos); name != "" {
				how := "in case or by escapes"
				if strings.Contains(name, "_") && isCamel(p.s.String(key), name) {
					how = "by underscores"
				}
				p.fail(name, CodeAmbiguousKey, `a key differs from "`+name+`" only `+how+`; providers differ in how they read it`)
			}
			continue
		}
		if o.seen.has(f) {
			name := string(p.s.Text(key))
			p.fail(name, CodeDuplicateKey, `"`+name+`" appears twice; providers differ in which one they read`)
			continue
		}
		o.seen.add(f)
		p.key = key
		return f, true
	}
	return fNone, false
}

func (p *requestParser) fail(param, code, message string) {
	if p.err == nil {
		p.err = &RequestError{Param: param, Code: code, Message: message}
	}
}

// invalid refuses a body that is not JSON, or no object if err is nil.
func (p *requestParser) invalid(err error) {
	message := "the body must be a JSON object"
	if err != nil {
		message = "the body is not valid JSON: " + err.Error()
	}
	p.fail("", CodeInvalidJSON, message)
}

// mistyped refuses the value of the current field. One that cannot be read has no type: what ails the body is told then.
func (p *requestParser) mistyped(want string) {
	if err := p.s.Err(); err != nil {
		p.invalid(err)
		return
	}
	name := string(p.s.Text(p.key))
	p.fail(name, CodeInvalidType, `"`+name+`" must be `+want)
}

// stated reads the first token of a value and reports whether it is other than null.
func (p *requestParser) stated() bool {
	return p.s.Next().Kind != jsonscan.Null
}

// mark notes a fact if the value is other than null.
func (p *requestParser) mark(f Facts) {
	if p.stated() {
		p.r.Facts |= f
	}
}

// text returns the meaning of a short String; it is valid until the next call. Other kinds have none.
func (p *requestParser) text(v jsonscan.Token) []byte {
	switch {
	case v.Kind != jsonscan.String:
		return nil
	case v.Escaped:
		return jsonscan.AppendUnescaped(p.word[:0], p.s.Text(v))
	}
	return p.s.Text(v)
}

// flag reads a boolean that must be one; null is false.
func (p *requestParser) flag() bool {
	v := p.s.Next()
	b, ok := v.Bool()
	if !ok && v.Kind != jsonscan.Null {
		p.mistyped("a boolean")
	}
	return b
}

func (p *requestParser) modelName() {
	v := p.s.Next()
	if p.r.ModelAt.End > 0 {
		return // the path's holds
	}
	if v.Kind != jsonscan.String {
		p.mistyped("a string")
		return
	}
	p.r.model = spanOf(v)
	p.r.Model = pricing.ModelName(p.s.String(v))
}

// limit reads a cap on the output.
func (p *requestParser) limit() limit {
	l := limit{key: spanOf(p.key)}
	v := p.s.Next()
	l.value = spanOf(v)
	n, ok := p.s.Int(v)
	switch {
	case v.Kind == jsonscan.Null:
		l.null = true
	case !ok:
		p.mistyped("a whole number")
	default:
		l.n = min(max(n, -1), maxCount)
	}
	return l
}

// choices reads how many answers are wanted.
func (p *requestParser) choices() {
	v := p.s.Next()
	n, ok := p.s.Int(v)
	if v.Kind == jsonscan.Null {
		return
	}
	if !ok || n < 1 {
		p.mistyped("a positive whole number")
		return
	}
	p.r.Choices = max(p.r.Choices, min(n, maxCount))
}

// sampling reads a parameter whose default is 1. What is not a number is for the provider to refuse.
func (p *requestParser) sampling() (value float64, ok bool) {
	v := p.s.Next()
	if v.Kind == jsonscan.Null {
		return 0, false
	}
	value, ok = p.s.Float(v)
	if !ok || value != 1 {
		p.r.Facts |= Sampling
	}
	return value, ok
}

func (p *requestParser) temperature() {
	p.r.Temperature, p.r.HasTemperature = p.sampling()
}

// penalty reads a parameter whose default is 0 or false.
func (p *requestParser) penalty() {
	v := p.s.Next()
	if n, ok := p.s.Float(v); v.Kind != jsonscan.Null && v.Kind != jsonscan.False && (!ok || n != 0) {
		p.r.Facts |= Penalties
	}
}

// effort reads a level of effort.
func (p *requestParser) effort() {
	v := p.s.Next()
	if v.Kind == jsonscan.Null {
		return
	}
	p.r.Facts |= Effort
	switch string(p.text(v)) {
	case "low", "medium", "high":
	default:
		p.r.Facts |= RareEffort
	}
}

func (p *requestParser) verbosity() {
	if v := p.s.Next(); v.Kind != jsonscan.Null && string(p.text(v)) != "medium" {
		p.r.Facts |= Verbosity
	}
}

// format reads a description of the output's format; free text states nothing.
func (p *requestParser) format() {
	v := p.s.Next()
	if v.Kind == jsonscan.Null {
		return
	}
	free := false
	o := object{start: v, acts: &typeFields}
	for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
		free = string(p.text(p.s.Next())) == "text"
	}
	if !free {
		p.r.Facts |= StructuredOutput
	}
}

// toolChoice reads tool_choice: a word, or an object whose type is one.
func (p *requestParser) toolChoice() {
	v := p.s.Next()
	forced := v.Kind == jsonscan.Object && !p.anthropicBody()
	switch string(p.text(v)) {
	case "required", "any":
		forced = true
	}
	o := object{start: v, acts: &typeFields}
	for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
		switch string(p.text(p.s.Next())) {
		case "any", "tool":
			forced = true
		}
	}
	if forced {
		p.r.Facts |= ForcedTool
	}
}

// cacheMark reads a cache_control or breakpoint and keeps its place.
func (p *requestParser) cacheMark() {
	key := p.key
	v := p.s.Next()
	if v.Kind == jsonscan.Null {
		return
	}
	p.r.Facts |= OwnCacheMarks
	p.r.bodyMarks = true
	p.lifetime(v)
	if p.r.nmarks < maxMarks {
		p.r.marks[p.r.nmarks] = Span{key.Start, p.s.Whole(v).End}
	}
	p.r.nmarks++
}

// cacheOption reads prompt_cache_options or prompt_cache_retention.
func (p *requestParser) cacheOption() {
	v := p.s.Next()
	if v.Kind == jsonscan.Null {
		return
	}
	p.r.Facts |= OwnCacheMarks
	p.r.bodyMarks = true
	if string(p.text(v)) == "24h" {
		p.r.Facts |= LongCacheWrites
	}
	p.lifetime(v)
}

// lifetime reads the ttl of a cache mark.
func (p *requestParser) lifetime(v jsonscan.Token) {
	o := object{start: v, acts: &ttlFields}
	for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
		v := p.s.Next()
		if s := string(p.text(v)); v.Kind != jsonscan.Null && s != "5m" && s != "30m" {
			p.r.Facts |= LongCacheWrites
		}
	}
}

func (p *requestParser) cacheKey() {
	p.r.keyPresent = true
	p.mark(OwnCacheMarks | CacheKey)
}

var (
	typeFields = setOf(fType)
	ttlFields  = setOf(fTTL)
)

func spanOf(t jsonscan.Token) Span { return Span{t.Start, t.End} }
