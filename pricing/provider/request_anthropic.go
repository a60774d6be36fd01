package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

var (
	anthropicFields = setOf(fModel, fMessages, fSystem, fTools, fMaxTokens, fStream, fTemperature, fTopP, fTopK,
		fStopSequences, fThinking, fOutputConfig, fOutputFormat, fToolChoice, fCacheControl, fContainer, fMCPServers,
		fServiceTier, fSpeed, fInferenceGeo, fFallbacks, fModels, fPreset, fRoute,
		fPlugins, fProvider, fProviderOptions, fContextManagement)
	contextFields      = setOf(fEdits)
	thinkingFields     = setOf(fType, fBudgetTokens)
	outputConfigFields = setOf(fEffort, fFormat)
	systemFields       = setOf(fType, fText, fCacheControl)
)

// anthropic reads the body of an Anthropic message.
func (p *requestParser) anthropic(root jsonscan.Token) {
	o := object{start: root, acts: &anthropicFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		p.anthropicField(f)
	}
}

func (p *requestParser) anthropicField(f field) {
	switch f {
	case fMessages:
		p.messages()
	case fSystem:
		p.systemPrompt()
	case fTools:
		p.toolList()
	case fMaxTokens:
		p.r.cap = p.limit()
	case fThinking:
		p.thinking()
	case fOutputConfig:
		p.outputConfig()
	case fOutputFormat:
		p.format()
	case fToolChoice:
		p.toolChoice()
	case fContainer:
		p.mark(HeldState)
	case fMCPServers:
		if p.stated() {
			p.serverTool("mcp", -1)
		}
	case fSpeed:
		p.speed()
	case fInferenceGeo:
		p.region()
	case fContextManagement:
		p.contextManagement()
	case fFallbacks:
		p.mark(OtherModels)
	default:
		p.common(f)
	}
}

// contextManagement reads what the provider may do to a conversation that grows too long: Anthropic's edits, OpenAI's
// list. To clear parts of it bills nothing; to compact it has the model read and write once more.
func (p *requestParser) contextManagement() {
	v := p.s.Next()
	if v.Kind != jsonscan.Object {
		p.compactions(v)
		return
	}
	o := object{start: v, acts: &contextFields}
	for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
		p.compactions(p.s.Next())
	}
}

func (p *requestParser) compactions(list jsonscan.Token) {
	for v, ok := p.s.Element(list); ok && p.err == nil; v, ok = p.s.Element(list) {
		clears := false
		o := object{start: v, acts: &typeFields}
		for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
			clears = strings.HasPrefix(string(p.text(p.s.Next())), "clear_")
		}
		if !clears {
			p.r.Facts |= Compaction
		}
	}
}

func (p *requestParser) systemPrompt() {
	v := p.s.Next()
	if v.Kind == jsonscan.String && !blank(p.s.Text(v)) {
		p.r.system = spanOf(v)
	}
	for block, ok := p.s.Element(v); ok && p.err == nil; block, ok = p.s.Element(v) {
		p.systemBlock(block)
	}
	if v = p.s.Whole(v); v.Kind != jsonscan.Null {
		p.instructions(spanOf(v))
	}
}

func (p *requestParser) systemBlock(block jsonscan.Token) {
	carries := false
	o := object{start: block, acts: &systemFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fText:
			v := p.s.Next()
			carries = v.Kind == jsonscan.String && !blank(p.s.Text(v))
		case fCacheControl:
			p.cacheMark()
		}
	}
	if carries {
		p.r.lastBlock = spanOf(p.s.Whole(block))
	}
}

func (p *requestParser) thinking() {
	o := object{start: p.s.Next(), acts: &thinkingFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		v := p.s.Next()
		switch {
		case f == fType && string(p.text(v)) == "adaptive":
			p.r.Facts |= Effort
		case f == fBudgetTokens && v.Kind != jsonscan.Null:
			p.r.Facts |= ThinkingBudget
			if n, ok := p.s.Int(v); ok {
				p.r.budget = min(max(n, 0), maxCount)
			} else {
				p.mistyped("a whole number")
			}
		}
	}
}

func (p *requestParser) outputConfig() {
	o := object{start: p.s.Next(), acts: &outputConfigFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		if f == fEffort {
			p.effort()
		} else {
			p.format()
		}
	}
}

// blank reports whether the raw text of a string holds nothing but white space. The API refuses marks there.
func blank(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		switch {
		case raw[i] == ' ':
		case raw[i] == '\\' && (raw[i+1] == 'n' || raw[i+1] == 't' || raw[i+1] == 'r'):
			i++
		default:
			return false
		}
	}
	return true
}
