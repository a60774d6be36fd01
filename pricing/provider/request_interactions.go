package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

var (
	interactionFields = setOf(fModel, fAgent, fInput, fSystemInstruction, fTools, fGenerationConfig, fResponseFormat,
		fResponseModalities, fStream, fStore, fBackground, fPriorInteractionID, fEnvironment, fServiceTier)
	interactionConfigFields = setOf(fMaxOutputTokens, fTemperature, fTopP, fTopK, fStopSequences, fThinkingLevel,
		fToolChoice, fSpeechConfig, fImageConfig)
	stepFields = setOf(fType, fRole, fContent, fResult, fSummary, fSignature, fData, fURI, fMIMEType)
)

// interaction reads the body of a call to Gemini's Interactions API: of a model, or of an agent, which takes the place
// of one and runs models and tools of its own choice.
// Source: https://ai.google.dev/api/interactions-api, read in November 2026.
func (p *requestParser) interaction(root jsonscan.Token) {
	p.r.Facts |= Stored
	agent := ""
	o := object{start: root, acts: &interactionFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fAgent:
			agent = p.agent()
		case fInput:
			p.steps()
		case fSystemInstruction:
			if v := p.s.Skip(); v.Kind != jsonscan.Null {
				p.instructions(spanOf(v))
			}
		case fTools:
			p.interactionTools()
		case fGenerationConfig:
			p.interactionConfig()
		case fResponseFormat:
			p.responseFormats()
		case fResponseModalities:
			p.modalities()
		case fEnvironment: // a machine that the provider runs
			if p.stated() {
				p.serverTool("environment", -1)
			}
		default:
			p.common(f)
		}
	}
	if agent != "" {
		p.r.Model, p.r.model = pricing.ModelName(agent), Span{}
		p.r.Facts |= OtherModels
		p.serverTool("agent", -1)
	}
}

// agent reads the name of an agent, "" if there is none.
func (p *requestParser) agent() string {
	v := p.s.Next()
	switch v.Kind {
	case jsonscan.String:
		return p.s.String(v)
	case jsonscan.Null:
	default:
		p.mistyped("a string")
	}
	return ""
}

// steps reads the input: a string, a content, or a list of contents, of steps or, in the first version, of turns.
func (p *requestParser) steps() {
	v := p.s.Next()
	switch v.Kind {
	case jsonscan.String:
		p.said(&message{role: user})
	case jsonscan.Object:
		p.step(v)
	default:
		for one, ok := p.s.Element(v); ok && p.err == nil; one, ok = p.s.Element(v) {
			p.step(one)
		}
	}
}

func (p *requestParser) step(v jsonscan.Token) {
	m := message{role: user}
	p.interactionPart(v, &m, false)
	p.said(&m)
}

// interactionPart reads a step, a turn or a content, which hold one another. What a tool returned may also be an object
// of its own without a type, which is text; anything else whose data is not where it belongs has no bound.
func (p *requestParser) interactionPart(v jsonscan.Token, m *message, returned bool) {
	var kind, media, data, uri jsonscan.Token
	untyped := returned || v.Kind != jsonscan.Object && v.Kind != jsonscan.Array // may have no type
	o := object{start: v, acts: &stepFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fType:
			kind = p.s.Next()
		case fMIMEType:
			media = p.s.Next()
		case fData:
			data = p.s.Next()
		case fRole:
			if role := p.role(); role != nobody {
				m.role = role
			}
		case fContent, fSummary:
			untyped = true
			p.interactionParts(returned)
		case fResult:
			p.interactionParts(true)
		case fSignature:
			p.mark(SignedReasoning)
		case fURI:
			uri = p.s.Skip()
			p.remote(uri)
		}
	}
	word := string(p.text(kind))
	p.interactionKind(word, m)
	switch {
	case data.Kind == jsonscan.String:
		p.interactionData(word, media, data)
	case uri.Kind == jsonscan.String, word == "" && untyped, holdsNoMedia(word):
	default:
		p.opaque(Images, p.s.Whole(v))
	}
}

// holdsNoMedia reports whether a step or content of a type has no pictures or sound but in those that it holds.
func holdsNoMedia(kind string) bool {
	switch kind {
	case "text", "thought", "user_input", "model_output":
		return true
	}
	return strings.HasSuffix(kind, "_call") || strings.HasSuffix(kind, "_result")
}

// interactionData notes the data of a content.
func (p *requestParser) interactionData(kind string, media, data jsonscan.Token) {
	switch kind {
	case "image":
		p.image(data)
	case "audio":
		p.opaque(Audio, data)
	case "video":
		p.opaque(Images, data)
	default:
		p.inline(media, data)
	}
}

// interactionParts reads what a step holds: a string, a part or a list of them.
func (p *requestParser) interactionParts(returned bool) {
	var inner message
	v := p.s.Next()
	if v.Kind == jsonscan.Object {
		p.interactionPart(v, &inner, returned)
	}
	for part, ok := p.s.Element(v); ok && p.err == nil; part, ok = p.s.Element(v) {
		p.interactionPart(part, &inner, returned)
	}
}

// interactionKind notes what the type of a step says.
func (p *requestParser) interactionKind(kind string, m *message) {
	switch {
	case kind == "function_result":
		m.results = true
	case kind == "model_output", strings.HasSuffix(kind, "_call"):
		m.role = assistant
	case kind == "thought", strings.HasSuffix(kind, "_result"): // of the provider's own tools
		m.role = assistant
		p.r.Facts |= SignedReasoning
	}
}

// interactionTools reads the tools. Every kind but functions is run by the provider, and so is what states no kind or
// is no list of tools.
func (p *requestParser) interactionTools() {
	list := p.s.Next()
	if list.Kind != jsonscan.Array && list.Kind != jsonscan.Null {
		p.serverTool("unknown", -1)
	}
	for v, ok := p.s.Element(list); ok && p.err == nil; v, ok = p.s.Element(list) {
		p.r.Tools++
		kind := ""
		o := object{start: v, acts: &typeFields}
		for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
			kind = string(p.text(p.s.Next()))
		}
		switch kind {
		case "function":
		case "":
			p.serverTool("unknown", -1)
		default:
			p.geminiTool(kind)
		}
	}
	p.toolBytes(p.s.Whole(list))
}

func (p *requestParser) interactionConfig() {
	v := p.s.Next()
	if v.Kind != jsonscan.Object && v.Kind != jsonscan.Null {
		p.mistyped("an object")
	}
	o := object{start: v, acts: &interactionConfigFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fMaxOutputTokens:
			p.r.cap = p.limit()
		case fThinkingLevel:
			p.effort()
		case fToolChoice:
			p.toolChoice()
		case fSpeechConfig, fImageConfig:
			p.r.OutputMedia = p.stated() || p.r.OutputMedia
		default:
			p.common(f)
		}
	}
	p.r.config = spanOf(p.s.Whole(v))
}

// responseFormats reads the format of the answer, or a list of them: all but text are pictures and sound.
func (p *requestParser) responseFormats() {
	v := p.s.Next()
	if v.Kind == jsonscan.Null {
		return
	}
	p.r.Facts |= StructuredOutput
	p.responseFormat(v)
	for one, ok := p.s.Element(v); ok && p.err == nil; one, ok = p.s.Element(v) {
		p.responseFormat(one)
	}
}

func (p *requestParser) responseFormat(v jsonscan.Token) {
	o := object{start: v, acts: &typeFields}
	for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
		switch string(p.text(p.s.Next())) {
		case "audio", "image", "video":
			p.r.OutputMedia = true
		}
	}
}
