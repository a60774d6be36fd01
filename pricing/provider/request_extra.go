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

// alibabaSearch reads enable_search, with which a model searches the web as often as it likes for fees that differ by
// strategy and place, and which no usage tells of.
// Source: https://www.alibabacloud.com/help/en/model-studio/web-search, read in November 2026.
func (p *requestParser) alibabaSearch() {
	if v := p.s.Next(); v.Kind != jsonscan.False && v.Kind != jsonscan.Null {
		p.r.OpenPieces = true
		p.r.Facts |= RemoteContent
	}
}

// routes reports whether what has a model's name chooses among models: OpenRouter's own names, Azure's model router,
// the prompt routers of Bedrock and others. A plain "auto" is a name like any other, which a policy may give a model.
//
// Sources, as read in November 2026: https://openrouter.ai/docs/features/model-routing,
// https://learn.microsoft.com/azure/ai-foundry/openai/concepts/model-router and
// https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-routing.html.
func routes(model string) bool {
	model = strings.ToLower(model)
	if rest, ok := strings.CutPrefix(model, "openrouter/"); ok && rest != "free" { // which chooses among free ones
		if !strings.Contains(rest, "/") {
			return true
		}
		model = rest
	}
	name, _, _ := strings.Cut(model, ":")
	return strings.Contains(name, "router") || strings.HasSuffix(name, "/auto") || strings.Contains(model, "prompt-router/")
}
