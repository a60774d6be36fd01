package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

var (
	geminiFields = setOf(fContents, fSystemInstruction, fTools, fToolConfig, fGenerationConfig, fCachedContent,
		fServiceTier)
	generationFields = setOf(fMaxOutputTokens, fCandidateCount, fTemperature, fTopP, fTopK, fStopSequences,
		fPresencePenalty, fFrequencyPenalty, fLogprobs, fResponseLogprobs, fResponseSchema, fResponseJSONSchema,
		fResponseFormat, fResponseMIMEType, fResponseModalities, fSpeechConfig, fThinkingConfig)
	thinkingConfigFields = setOf(fThinkingBudget, fThinkingLevel)
	toolConfigFields     = setOf(fFunctionCallConfig)
	callingFields        = setOf(fMode)
	declarationFields    = setOf(fFunctionDeclarations)
	contentFields        = setOf(fRole, fParts)
	geminiPartFields     = setOf(fInlineData, fFileData, fFunctionResponse, fThoughtSignature)
	inlineFields         = setOf(fMIMEType, fData)
	responsePartFields   = setOf(fParts)
)

// gemini reads the body of a generateContent call.
func (p *requestParser) gemini(root jsonscan.Token) {
	o := object{start: root, acts: &geminiFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fContents:
			p.each(p.geminiMessage)
		case fSystemInstruction:
			v := p.s.Next()
			if v.Kind != jsonscan.Null {
				var m message
				p.instructions(p.geminiContent(v, &m))
			}
		case fTools:
			p.geminiTools()
		case fToolConfig:
			p.toolConfig()
		case fGenerationConfig:
			p.generationConfig()
		case fCachedContent:
			p.mark(HeldState)
		case fServiceTier:
			p.serviceTier()
		}
	}
}

// each reads the next value, a list, and returns it. Google's parsers take what is none for a list of one, and what a
// list within the list holds may count as well.
func (p *requestParser) each(read func(jsonscan.Token)) jsonscan.Token {
	v := p.s.Next()
	if v.Kind != jsonscan.Null {
		p.eachOf(v, read)
	}
	return v
}

func (p *requestParser) eachOf(v jsonscan.Token, read func(jsonscan.Token)) {
	if v.Kind != jsonscan.Array {
		read(v)
		return
	}
	for e, ok := p.s.Element(v); ok && p.err == nil; e, ok = p.s.Element(v) {
		p.eachOf(e, read)
	}
}

func (p *requestParser) geminiMessage(v jsonscan.Token) {
	m := message{role: user} // the default
	p.geminiContent(v, &m)
	p.said(&m)
}

func (p *requestParser) geminiContent(v jsonscan.Token, m *message) Span {
	o := object{start: v, acts: &contentFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		if f == fParts {
			p.each(func(part jsonscan.Token) { p.geminiPart(part, m) })
		} else if role := p.role(); role != nobody {
			m.role = role
		}
	}
	return spanOf(p.s.Whole(v))
}

func (p *requestParser) geminiPart(v jsonscan.Token, m *message) {
	o := object{start: v, acts: &geminiPartFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fInlineData:
			p.inlineData()
		case fFileData:
			p.remote(p.s.Skip())
		case fFunctionResponse:
			m.results = true
			var inner message
			o := object{start: p.s.Next(), acts: &responsePartFields}
			for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
				p.each(func(part jsonscan.Token) { p.geminiPart(part, &inner) })
			}
		case fThoughtSignature:
			p.mark(SignedReasoning)
		}
	}
}

func (p *requestParser) inlineData() {
	var kind, data jsonscan.Token
	o := object{start: p.s.Next(), acts: &inlineFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		if f == fMIMEType {
			kind = p.s.Next()
		} else {
			data = p.s.Next()
		}
	}
	p.inline(kind, data)
}

// geminiTools reads the tools. Every kind but functions is run by the provider.
func (p *requestParser) geminiTools() {
	list := p.each(func(v jsonscan.Token) {
		for key, ok := p.s.Member(v); ok && p.err == nil; key, ok = p.s.Member(v) {
			if declarationFields.exact(p.s.Text(key), true) == fFunctionDeclarations {
				p.each(func(jsonscan.Token) { p.r.Tools++ })
				continue
			}
			p.r.Tools++
			if name := string(p.s.Text(key)); p.stated() {
				p.geminiTool(name)
			}
		}
	})
	p.toolBytes(p.s.Whole(list))
}

func (p *requestParser) toolConfig() {
	config := object{start: p.s.Next(), acts: &toolConfigFields}
	for _, ok := p.next(&config); ok; _, ok = p.next(&config) {
		calling := object{start: p.s.Next(), acts: &callingFields}
		for _, ok := p.next(&calling); ok; _, ok = p.next(&calling) {
			if strings.EqualFold(string(p.text(p.s.Next())), "ANY") {
				p.r.Facts |= ForcedTool
			}
		}
	}
}

func (p *requestParser) generationConfig() {
	v := p.s.Next()
	if v.Kind != jsonscan.Object && v.Kind != jsonscan.Null {
		p.mistyped("an object")
	}
	o := object{start: v, acts: &generationFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fMaxOutputTokens:
			p.r.cap = p.limit()
		case fCandidateCount:
			p.choices()
		case fResponseSchema, fResponseJSONSchema, fResponseFormat:
			p.mark(StructuredOutput)
		case fResponseMIMEType:
			if v := p.s.Next(); v.Kind != jsonscan.Null && string(p.text(v)) != "text/plain" {
				p.r.Facts |= StructuredOutput
			}
		case fPresencePenalty, fFrequencyPenalty, fLogprobs, fResponseLogprobs:
			p.penalty()
		case fResponseModalities:
			p.modalities()
		case fSpeechConfig:
			if p.stated() {
				p.r.Facts |= Audio
				p.r.OutputMedia = true
			}
		case fThinkingConfig:
			p.thinkingConfig()
		default:
			p.common(f)
		}
	}
	p.r.config = spanOf(p.s.Whole(v))
}

func (p *requestParser) thinkingConfig() {
	o := object{start: p.s.Next(), acts: &thinkingConfigFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		if f == fThinkingBudget {
			p.mark(ThinkingBudget)
			continue
		}
		v := p.s.Next()
		if v.Kind == jsonscan.Null {
			continue
		}
		p.r.Facts |= Effort
		if k := string(p.text(v)); !strings.EqualFold(k, "low") && !strings.EqualFold(k, "high") {
			p.r.Facts |= RareEffort
		}
	}
}
