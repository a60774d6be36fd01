package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// extraBody reads what Google's OpenAI-compatible endpoint takes beyond OpenAI's format. What else stands there may
// ask for anything.
//
// Sources, as read in November 2026: https://ai.google.dev/gemini-api/docs/openai, "extra_body", and
// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview.
func (p *requestParser) extraBody() {
	p.each(func(v jsonscan.Token) {
		p.r.OpenPieces = p.r.OpenPieces || v.Kind != jsonscan.Object
		for key, ok := p.s.Member(v); ok && p.err == nil; key, ok = p.s.Member(v) {
			if strings.EqualFold(p.s.String(key), "google") {
				p.googleOptions()
			} else if p.stated() {
				p.r.OpenPieces = true
			}
		}
	})
}

// googleOptions reads the fields of Google's own, in snake case or camel case.
func (p *requestParser) googleOptions() {
	p.each(func(v jsonscan.Token) {
		p.r.OpenPieces = p.r.OpenPieces || v.Kind != jsonscan.Object
		for key, ok := p.s.Member(v); ok && p.err == nil; key, ok = p.s.Member(v) {
			switch strings.ToLower(strings.ReplaceAll(p.s.String(key), "_", "")) {
			case "cachedcontent":
				p.mark(HeldState)
			case "thinkingconfig":
				p.mark(ThinkingBudget)
			case "safetysettings", "thoughttagmarker":
			default:
				p.r.OpenPieces = p.stated() || p.r.OpenPieces
			}
		}
	})
}
