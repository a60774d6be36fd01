package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

var (
	responsesFields = setOf(fModel, fInput, fInstructions, fStream, fMaxOutputTokens, fTemperature, fTopP, fTopLogprobs,
		fReasoning, fText, fTools, fToolChoice, fInclude, fServiceTier, fStore, fBackground, fPreviousResponseID,
		fConversation, fPrompt, fMaxToolCalls, fPromptCacheKey, fPromptCacheRetention, fPromptCacheOptions,
		fModels, fPreset, fRoute, fPlugins, fProvider, fProviderOptions, fContextManagement)
	reasoningFields = setOf(fEffort, fSummary)
	textFields      = setOf(fFormat, fVerbosity)
)

// responses reads the body of an OpenAI response.
func (p *requestParser) responses(root jsonscan.Token) {
	p.r.Facts |= Stored
	o := object{start: root, acts: &responsesFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fInput:
			p.input()
		case fInstructions:
			if v := p.s.Skip(); v.Kind != jsonscan.Null {
				p.instructions(spanOf(v))
			}
		case fMaxOutputTokens:
			p.r.cap = p.limit()
		case fReasoning:
			p.reasoning()
		case fText:
			p.textOptions()
		case fInclude:
			p.include()
		case fContextManagement:
			p.contextManagement()
		case fConversation:
			p.mark(HeldState)
		case fPrompt:
			if p.stated() { // a template, which may bring tools
				p.r.Facts |= HeldState
				p.r.OpenPieces = true
			}
		case fMaxToolCalls:
			if n := p.uses(); n >= 0 {
				p.use.most, p.use.bounded = n, true
			}
		default:
			p.openAI(f)
		}
	}
}

// input reads the prompt: a string, or a list of items.
func (p *requestParser) input() {
	v := p.s.Next()
	if v.Kind == jsonscan.String {
		p.said(&message{role: user})
		return
	}
	p.messageList(v)
}

// item notes what the type of an input item says. Items without one are messages.
func (p *requestParser) item(m *message) {
	if m.sealed {
		p.r.Facts |= SignedReasoning
	}
	kind := string(p.text(m.kind))
	switch {
	case kind == "" || kind == "message":
	case kind == "item_reference", kind == "reasoning" && !m.sealed:
		p.r.Facts |= HeldState // the item is at the provider
	case kind == "image_generation_call":
		p.r.unbounded = true
	case strings.HasSuffix(kind, "_output"), kind == "mcp_approval_response":
		m.results = true
	case kind == "function_call":
		m.role = assistant
	}
}

func (p *requestParser) reasoning() {
	o := object{start: p.s.Next(), acts: &reasoningFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		if f == fEffort {
			p.effort()
		} else {
			p.mark(Effort)
		}
	}
}

func (p *requestParser) textOptions() {
	o := object{start: p.s.Next(), acts: &textFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		if f == fFormat {
			p.format()
		} else {
			p.verbosity()
		}
	}
}

// include reads which extras are wanted: models that do not reason refuse to give their reasoning.
func (p *requestParser) include() {
	list := p.s.Next()
	for v, ok := p.s.Element(list); ok; v, ok = p.s.Element(list) {
		if string(p.text(v)) == "reasoning.encrypted_content" {
			p.r.Facts |= Effort
		}
	}
}
