package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

var toolFields = setOf(fType, fCacheControl, fContainer, fDeferLoading, fEnvironment, fMaxUses, fModel)

// toolList reads the tool definitions of OpenAI's and Anthropic's formats.
func (p *requestParser) toolList() {
	list := p.each(func(v jsonscan.Token) {
		p.r.Tools++
		p.tool(v)
	})
	p.toolBytes(p.s.Whole(list))
}

func (p *requestParser) toolBytes(list jsonscan.Token) {
	if p.r.Tools > 0 {
		p.tools.add(p.body[list.Start:list.End])
	}
}

func (p *requestParser) tool(v jsonscan.Token) {
	deferred := false
	var kind jsonscan.Token
	uses := int64(-1)
	o := object{start: v, acts: &toolFields}
	for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
		switch f {
		case fType:
			kind = p.s.Next()
		case fMaxUses:
			uses = p.uses()
		case fModel: // the provider has it answer too, at its own price
			p.mark(OtherModels)
		case fCacheControl:
			p.cacheMark()
		case fContainer, fEnvironment:
			p.container()
		case fDeferLoading:
			deferred = p.s.Next().Kind != jsonscan.False
		}
	}
	if kind.Kind != jsonscan.Invalid {
		p.toolType(p.text(kind), uses)
	}
	if v = p.s.Whole(v); v.Kind == jsonscan.Object && !deferred {
		p.r.lastTool = spanOf(v) // a deferred tool cannot carry a mark
	}
}

// toolType sorts a tool by who runs it. What is unknown is taken for the provider's.
func (p *requestParser) toolType(kind []byte, uses int64) {
	k := string(kind)
	switch {
	case k == "function", k == "custom" && p.anthropicBody():
	case k == "custom", k == "namespace", k == "local_shell", k == "apply_patch", hasAnyPrefix(k, "computer",
		"bash_", "text_editor_", "memory_"):
		p.r.Facts |= CustomTools
		p.r.builtins++
	default:
		p.serverTool(k, uses)
	}
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
