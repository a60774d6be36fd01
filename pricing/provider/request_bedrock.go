package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

var (
	converseFields = setOf(fMessages, fSystem, fInferenceConfig, fToolConfig, fAdditionalFields, fPerformanceConfig,
		fServiceTier, fOutputConfig)
	inferenceFields = setOf(fMaxTokensCamel, fMaxNewTokens, fTemperature, fTopP, fTopK, fStopSequences)
	toolsFields     = setOf(fTools, fToolChoice)
	toolSpecFields  = setOf(fToolSpec, fCachePoint)
	choiceFields    = setOf(fAny, fTool)
	blockFields     = setOf(fText, fImage, fDocument, fVideo, fAudio, fToolResult, fReasoningContent, fCachePoint)
	mediaFields     = setOf(fSource)
	bytesFields     = setOf(fBytes)
	latencyFields   = setOf(fLatency)
)

// converse reads the body of a call of Bedrock's Converse.
// Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, read in November 2026.
func (p *requestParser) converse(root jsonscan.Token) {
	if strings.Contains(string(p.r.Model), ":prompt/") {
		p.r.Facts |= HeldState // a prompt that AWS holds, with tools and a cap of its own
		p.r.OpenPieces, p.r.Boundless = true, true
	}
	o := object{start: root, acts: &converseFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fMessages:
			p.converseMessages()
		case fSystem:
			var m message
			p.instructions(p.blocks(p.s.Next(), &m))
		case fInferenceConfig:
			p.inferenceConfig()
		case fToolConfig:
			p.converseTools()
		case fAdditionalFields:
			p.additionalFields()
		case fPerformanceConfig:
			p.performance()
		case fServiceTier:
			o := object{start: p.s.Next(), acts: &typeFields}
			for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
				p.serviceTier()
			}
		case fOutputConfig:
			p.mark(StructuredOutput)
		}
	}
	if p.capElsewhere {
		p.r.cap = limit{}
	}
}

func (p *requestParser) converseMessages() {
	list := p.s.Next()
	for v, ok := p.s.Element(list); ok && p.err == nil; v, ok = p.s.Element(list) {
		var m message
		o := object{start: v, acts: &turnFields}
		for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
			if f == fRole {
				m.role = p.role()
			} else {
				m.content = p.blocks(p.s.Next(), &m)
			}
		}
		p.said(&m)
	}
}

var turnFields = setOf(fRole, fContent)

// blocks reads a list of content blocks and returns its span.
func (p *requestParser) blocks(list jsonscan.Token, m *message) Span {
	for v, ok := p.s.Element(list); ok && p.err == nil; v, ok = p.s.Element(list) {
		o := object{start: v, acts: &blockFields}
		for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
			p.block(f, m)
		}
	}
	return spanOf(p.s.Whole(list))
}

func (p *requestParser) block(f field, m *message) {
	switch f {
	case fImage, fDocument, fVideo, fAudio:
		p.converseMedia(f)
	case fToolResult:
		m.results = true
		var inner message
		o := object{start: p.s.Next(), acts: &turnFields}
		for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
			if f == fContent {
				p.blocks(p.s.Next(), &inner)
			}
		}
	case fReasoningContent:
		p.mark(SignedReasoning)
	case fCachePoint:
		p.cachePoint()
	}
}

// converseMedia reads a block whose source is bytes or a place in S3.
func (p *requestParser) converseMedia(f field) {
	o := object{start: p.s.Next(), acts: &mediaFields}
	for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
		inline := false
		source := object{start: p.s.Next(), acts: &bytesFields}
		for _, ok := p.next(&source); ok; _, ok = p.next(&source) {
			inline = true
			switch v := p.s.Skip(); f {
			case fImage:
				p.image(v)
			case fAudio:
				p.opaque(Audio, v)
			default:
				p.opaque(Images, v)
			}
		}
		if !inline {
			p.remote(source.start)
		}
	}
}

// cachePoint reads a block that ends a prefix for the provider's cache.
func (p *requestParser) cachePoint() {
	v := p.s.Next()
	if v.Kind != jsonscan.Null {
		p.r.Facts |= OwnCacheMarks
		p.r.bodyMarks = true
		p.lifetime(v)
	}
}

func (p *requestParser) inferenceConfig() {
	o := object{start: p.s.Next(), acts: &inferenceFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		if f == fMaxTokensCamel || f == fMaxNewTokens {
			p.wider(p.limit())
			continue
		}
		p.common(f)
	}
}

// wider takes the larger of two caps: which one a model heeds is not known.
func (p *requestParser) wider(l limit) {
	if !p.r.cap.stated() || l.n > p.r.cap.n || l.n < 0 {
		p.r.cap = l
	}
}

func (p *requestParser) converseTools() {
	o := object{start: p.s.Next(), acts: &toolsFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		if f == fToolChoice {
			o := object{start: p.s.Next(), acts: &choiceFields}
			for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
				p.mark(ForcedTool)
			}
			continue
		}
		list := p.s.Next()
		for v, ok := p.s.Element(list); ok && p.err == nil; v, ok = p.s.Element(list) {
			p.converseTool(v)
		}
		p.toolBytes(p.s.Whole(list))
	}
}

// converseTool reads a tool. Those that are neither the client's nor a mark are AWS's.
func (p *requestParser) converseTool(v jsonscan.Token) {
	known := false
	o := object{start: v, acts: &toolSpecFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		known = true
		if f == fCachePoint {
			p.cachePoint()
		} else {
			p.r.Tools++
		}
	}
	if !known {
		p.r.Tools++
		p.serverTool("", -1)
	}
}

// additionalFields reads what goes to the model unseen. What could ask for more output than the call says, at any
// depth, makes its cap unknown.
func (p *requestParser) additionalFields() {
	p.additional(p.s.Next())
}

func (p *requestParser) additional(v jsonscan.Token) {
	switch v.Kind {
	case jsonscan.Object:
		for key, ok := p.s.Member(v); ok; key, ok = p.s.Member(v) {
			p.additionalField(strings.ToLower(p.s.String(key)))
			p.additional(p.s.Next())
		}
	case jsonscan.Array:
		for e, ok := p.s.Element(v); ok; e, ok = p.s.Element(v) {
			p.additional(e)
		}
	}
}

func (p *requestParser) additionalField(name string) {
	switch {
	case strings.Contains(name, "max"):
		p.capElsewhere = true
	case name == "n", strings.HasPrefix(name, "num"), strings.HasPrefix(name, "best"):
		p.r.OpenPieces, p.r.Boundless = true, true
	case name == "speed", strings.Contains(name, "tier"), strings.Contains(name, "geo"):
		p.terms("unknown")
	case strings.Contains(name, "context_management"), strings.Contains(name, "compact"):
		p.r.Facts |= Compaction
	case strings.Contains(name, "model"), strings.Contains(name, "fallback"):
		p.r.Facts |= OtherModels
	case strings.Contains(name, "tool"):
		p.serverTool("", -1)
	case strings.Contains(name, "thinking"), strings.Contains(name, "reasoning"):
		p.r.Facts |= ThinkingBudget
	case name == "top_k", name == "topk":
		p.r.Facts |= Sampling
	}
}

// performance reads the latency that is asked for: the optimized one has prices of its own.
func (p *requestParser) performance() {
	o := object{start: p.s.Next(), acts: &latencyFields}
	for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
		v := p.s.Next()
		if v.Kind != jsonscan.Null && string(p.text(v)) != "standard" {
			p.terms(pricing.Service(p.label(v)))
		}
	}
}

var (
	invokeFields = func() fieldSet {
		s := anthropicFields
		for _, f := range [...]field{fAnthropicVersion, fMaxCompletionTokens, fMaxGenLen, fN, fNumGenerations, fNumResults, fBestOf, fTextGenerationConfig, fPrompt, fInputText} {
			s.add(f)
		}
		return s
	}()
	titanFields = setOf(fMaxTokenCount, fTemperature, fTopP, fStopSequences)
)

// invokeCaps are the fields in which the models behind InvokeModel take their cap, by how their ids begin. Nova's body
// is Converse's. Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html, read in November
// 2026.
var invokeCaps = []struct {
	start string
	cap   field
}{
	{"anthropic.", fMaxTokens}, {"meta.", fMaxGenLen}, {"amazon.titan-text", fMaxTokenCount}, {"mistral.", fMaxTokens},
	{"ai21.", fMaxTokens}, {"cohere.command", fMaxTokens}, {"deepseek.", fMaxTokens}, {"qwen.", fMaxTokens},
	{"writer.", fMaxTokens}, {"openai.", fMaxCompletionTokens},
}

// invoke reads the body of a call of Bedrock's InvokeModel, which is the model's own. Of a model whose format is not
// known, an ARN or one that makes no text, nothing bounds the cost.
func (p *requestParser) invoke(root jsonscan.Token) {
	model := foundation(string(p.r.Model))
	if strings.HasPrefix(model, "amazon.nova") && !hasAnyPart(model, "canvas", "reel", "sonic", "embed") {
		p.camel = true
		p.converse(root)
		return
	}
	caps, claude := p.invokeBody(root)
	switch capAt := invokeCap(model); {
	case capAt == fMaxTokens:
		p.r.cap = caps.plain
	case capAt == fMaxGenLen, capAt == fMaxTokenCount:
		p.r.cap = caps.other
	case capAt == fMaxCompletionTokens:
		if p.r.cap = caps.plain; caps.modern.present() {
			p.r.cap = limit{} // which of two counts is not known
			if !caps.plain.present() {
				p.r.cap = caps.modern
			}
		}
	case claude:
		p.r.cap = caps.plain
	case strings.Contains(model, "embed"):
		p.r.NoOutput = true
	default:
		p.r.OpenPieces, p.r.Boundless, p.r.unbounded = true, true, true
	}
}

// foundation returns the id of a model without the region or the ARN before it: "anthropic." and so on.
func foundation(model string) string {
	model = model[strings.LastIndexByte(model, '/')+1:]
	if first, rest, ok := strings.Cut(model, "."); ok && (len(first) <= len("apac") && first != "meta" && first != "ai21" && first != "qwen" || first == "global") {
		return rest // us., eu., apac., global.
	}
	return model
}

func invokeCap(model string) field {
	for _, c := range invokeCaps {
		if strings.HasPrefix(model, c.start) {
			return c.cap
		}
	}
	return fNone
}

// invokeLimits are the caps that a body states, whichever of them its model heeds.
type invokeLimits struct{ plain, modern, other limit }

// invokeBody reads the fields of all formats, and reports whether the body says that it is Anthropic's.
func (p *requestParser) invokeBody(root jsonscan.Token) (caps invokeLimits, claude bool) {
	o := object{start: root, acts: &invokeFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fAnthropicVersion:
			claude = p.s.Next().Kind == jsonscan.String
		case fMaxTokens:
			caps.plain = p.limit()
		case fMaxCompletionTokens:
			caps.modern = p.limit()
		case fMaxGenLen:
			caps.other = p.limit()
		case fTextGenerationConfig:
			o := object{start: p.s.Next(), acts: &titanFields}
			for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
				if f == fMaxTokenCount {
					caps.other = p.limit()
				} else {
					p.common(f)
				}
			}
		case fN, fNumGenerations, fNumResults, fBestOf:
			p.choices()
		case fPrompt, fInputText:
			p.prompts()
		case fModel, fStream: // the path's hold
			p.s.Skip()
		default:
			p.anthropicField(f)
		}
	}
	return caps, claude
}
