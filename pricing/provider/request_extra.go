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
		p.r.Boundless = p.r.Boundless || v.Kind != jsonscan.Object
		for key, ok := p.s.Member(v); ok && p.err == nil; key, ok = p.s.Member(v) {
			if strings.EqualFold(p.s.String(key), "google") {
				p.googleOptions()
			} else if p.stated() {
				p.r.Boundless = true
			}
		}
	})
}

// googleOptions reads the fields of Google's own, in snake case or camel case.
func (p *requestParser) googleOptions() {
	p.each(func(v jsonscan.Token) {
		p.r.Boundless = p.r.Boundless || v.Kind != jsonscan.Object
		for key, ok := p.s.Member(v); ok && p.err == nil; key, ok = p.s.Member(v) {
			switch strings.ToLower(strings.ReplaceAll(p.s.String(key), "_", "")) {
			case "cachedcontent":
				p.mark(HeldState)
			case "thinkingconfig":
				p.mark(ThinkingBudget)
			case "safetysettings", "thoughttagmarker":
			default:
				p.r.Boundless = p.stated() || p.r.Boundless
			}
		}
	})
}

// alibabaSearch reads enable_search, with which a model searches the web as often as it likes for fees that differ by
// strategy and place, and which no usage tells of.
// Source: https://www.alibabacloud.com/help/en/model-studio/web-search, read in November 2026.
func (p *requestParser) alibabaSearch() {
	if v := p.s.Next(); v.Kind != jsonscan.False && v.Kind != jsonscan.Null {
		p.serverTool("mcp", -1)
		p.r.Boundless = true
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
	if rest, ok := strings.CutPrefix(model, "openrouter/"); ok {
		if !strings.Contains(rest, "/") {
			return rest != "free" // which chooses among free ones
		}
		model = rest
	}
	name, _, _ := strings.Cut(model, ":")
	return strings.Contains(name, "router") || strings.HasSuffix(name, "/auto") || strings.Contains(model, "prompt-router/")
}

// container reads where a tool of OpenAI's runs code: in one of the provider's, by its id or made for the call, or at the
// client. The fee that is listed is that of a container of the least memory, which is the usual; one with 4, 16 or 64 GB
// costs as many times more, which no usage tells of, and of one that is named nobody knows the memory.
// Source: https://platform.openai.com/docs/guides/tools-code-interpreter and the page of prices, read in November 2026.
func (p *requestParser) container() {
	p.each(func(v jsonscan.Token) {
		p.r.Boundless = p.r.Boundless || v.Kind != jsonscan.Object
		o := object{start: v, acts: &containerFields}
		for f, ok := p.next(&o); ok; f, ok = p.next(&o) {
			v := p.s.Next()
			known := v.Kind == jsonscan.Null
			switch string(p.text(v)) {
			case "auto", "container_auto", "local":
				known = f == fType
			case "1g":
				known = f == fMemoryLimit
			}
			p.r.Boundless = p.r.Boundless || !known
		}
	})
}

var containerFields = setOf(fType, fMemoryLimit)
