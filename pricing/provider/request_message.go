package provider

import "github.com/farebox-mesh/farebox/pricing/jsonscan"

var messageFields = setOf(fRole, fType, fContent, fOutput, fEncryptedContent, fToolCalls, fAudio, fReasoningDetails,
	fThinkingBlocks, fCacheControl, fImages)

// message is one entry of a conversation while it is read: its keys may come in any order.
type message struct {
	role    turn
	kind    jsonscan.Token // Responses: the value of type
	content Span           // whole
	results bool           // holds results of tools
	sealed  bool           // has encrypted content
}

// messages reads a list of messages, or Responses input items.
func (p *requestParser) messages() {
	p.messageList(p.s.Next())
}

func (p *requestParser) messageList(list jsonscan.Token) {
	p.eachOf(list, func(v jsonscan.Token) {
		m := p.message(v)
		if p.r.API == OpenAIResponses {
			p.item(&m)
		}
		p.said(&m)
	})
}

func (p *requestParser) message(v jsonscan.Token) (m message) {
	o := object{start: v, acts: &messageFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fRole:
			m.role = p.role()
		case fType:
			m.kind = p.s.Next()
		case fContent:
			m.content = p.content(p.s.Next(), &m)
		case fOutput:
			p.content(p.s.Next(), &m)
		case fEncryptedContent:
			m.sealed = p.stated()
		case fToolCalls:
			p.toolCalls()
		case fAudio:
			p.mark(Audio | HeldState)
		case fReasoningDetails, fThinkingBlocks:
			p.mark(SignedReasoning)
		case fCacheControl:
			p.cacheMark()
		case fImages:
			p.imageList()
		}
	}
	return m
}

func (p *requestParser) role() turn {
	switch string(p.text(p.s.Next())) {
	case "user":
		return user
	case "assistant", "model":
		return assistant
	case "tool", "function":
		return toolRunner
	case "system":
		if p.anthropicBody() {
			p.r.Facts |= ModernRoles
		}
		return instructor
	case "developer":
		p.r.Facts |= ModernRoles
		return instructor
	}
	return nobody
}

// said adds a message that has been read to the conversation.
func (p *requestParser) said(m *message) {
	r := &p.r
	if m.role == instructor && p.last == nobody && !p.anthropicBody() {
		p.instructions(m.content)
	}
	r.Messages++
	switch {
	case m.results:
		p.last = toolRunner
	case m.role != instructor && m.role != nobody:
		p.last = m.role
	}
}

// instructions adds a piece of the system prompt.
func (p *requestParser) instructions(at Span) {
	p.system.add(p.body[at.Start:at.End])
}

var toolCallFields = setOf(fExtraContent)

// toolCalls looks for what Google hides in the calls of its OpenAI-compatible endpoint: thought signatures.
func (p *requestParser) toolCalls() {
	list := p.s.Next()
	for v, ok := p.s.Element(list); ok; v, ok = p.s.Element(list) {
		o := object{start: v, acts: &toolCallFields}
		for _, ok := p.next(&o); ok; _, ok = p.next(&o) {
			p.mark(SignedReasoning)
		}
	}
}
