package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// serverUse is how much a call may use the tools that the provider runs.
type serverUse struct {
	calls    int64 // the most that their definitions allow
	searches int64 // of those: of a web search
	endless  bool  // one of them is not bounded by its definition
	most     int64 // calls of all of them, if bounded: max_tool_calls
	bounded  bool

	search, files, code bool // which of those that are billed by the piece there are
	asked               bool // web_search_options, which the models that search in each call take as well
}

// serverTool notes a tool that the provider runs, with the most uses that its definition allows, -1 for none stated.
func (p *requestParser) serverTool(kind string, uses int64) {
	p.r.Facts |= ServerTools
	u := &p.use
	if uses < 0 {
		u.endless, uses = true, 0
	}
	u.calls += uses
	switch {
	case strings.HasPrefix(kind, "web_search"):
		u.search = true
		u.searches += uses
	case kind == "file_search":
		u.files = true
	case kind == "code_interpreter":
		u.code = true
	case hasAnyPrefix(kind, "web_fetch", "mcp", "tool_search"): // their tokens are all that is billed
	default:
		// Pictures, the hours of Anthropic's code execution, and what is not known.
		p.r.OpenPieces = true
		if kind == "image_generation" { // which gpt-image makes, at its own prices
			p.r.OutputMedia = true
			p.r.Facts |= OtherModels
		}
	}
}

// geminiTool notes a tool of Gemini's by its key. All but these have a fee.
func (p *requestParser) geminiTool(name string) {
	switch name {
	case "codeExecution", "code_execution", "urlContext", "url_context", "computerUse", "computer_use":
		p.serverTool("mcp", -1)
	default:
		p.serverTool("web_search", -1)
	}
}

// uses reads a limit of the uses of tools; -1 if none is stated.
func (p *requestParser) uses() int64 {
	v := p.s.Next()
	if v.Kind == jsonscan.Null {
		return -1
	}
	n, ok := p.s.Int(v)
	if !ok || n < 0 {
		p.mistyped("a whole number")
		return -1
	}
	return min(n, maxCount)
}

// finishTerms derives what is billed besides tokens, and at which rates.
func (p *requestParser) finishTerms() {
	r := &p.r
	switch model := string(r.Model); {
	case r.API == OpenAIChat && searchesEachCall(model):
		p.serverTool("web_search", 1)
	case p.use.asked, searchesByItself(model) && (r.API == OpenAIChat || r.API == OpenAIResponses):
		p.serverTool("web_search", -1)
	}
	if routes(string(r.Model)) {
		r.Facts |= OtherModels
	}
	if r.Facts.Has(ServerTools) {
		p.finishTools()
	}
	if p.partials > 0 { // https://platform.openai.com/docs/guides/image-generation: 100 tokens each
		r.PredictedBytes = 100 * p.partials * r.Choices
	}
	r.InputMedia = r.InputMedia || r.mediaParts > 0 || r.unbounded || r.Facts.Any(HeldState|RemoteContent|ServerTools)
	r.OutputMedia = r.OutputMedia || hasAnyPart(string(r.Model), "image", "audio", "tts")
}

func (p *requestParser) finishTools() {
	r, u := &p.r, &p.use
	most, searches := u.calls, u.searches
	if u.bounded {
		most, searches = u.most, u.most
	} else if u.endless {
		r.OpenPieces = r.OpenPieces || u.search || u.files || u.code
		return
	}
	if u.search {
		r.Pieces.WebSearches = searches
	}
	if u.files {
		r.Pieces.FileSearches = most
	}
	if u.code {
		r.Pieces.CodeRuns = most
	}
}

// searchesByItself reports whether a model or a variant of it searches without being told: OpenAI's search and research
// models, Groq's compound systems, Perplexity's Sonar, OpenRouter's ":online".
func searchesByItself(model string) bool {
	return hasAnyPart(model, "-search-", "deep-research", "compound", "sonar", ":online")
}

// searchesEachCall reports whether a model of chat completions searches the web once before it answers, for a fee that
// no usage tells of: OpenAI's search models.
// Source: https://platform.openai.com/docs/guides/tools-web-search, "Chat Completions", read in November 2026.
func searchesEachCall(model string) bool {
	return hasAnyPart(model, "-search-preview", "-search-api")
}

func hasAnyPart(s string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// serviceTier reads a class of service that may have a price of its own.
func (p *requestParser) serviceTier() {
	p.service(p.s.Next())
}

func (p *requestParser) service(v jsonscan.Token) {
	if v.Kind == jsonscan.Null {
		return
	}
	text := p.text(v)
	switch s := serviceOf(text); {
	case string(text) == "auto":
		p.r.AutoService = true
	case v.Kind != jsonscan.String:
		p.terms("unknown")
	case s != pricing.Standard:
		p.terms(s)
	}
}

// readHeaders reads the class of service that clouds take in headers of the request, by names in lower case.
//
// Sources, as read in November 2026: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
// and https://docs.cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo.
func (r *Request) readHeaders(header func(name string) string) {
	names := [2]string{"x-vertex-ai-llm-shared-request-type"}
	if r.API == BedrockConverse || r.API == BedrockInvoke {
		names = [...]string{"x-amzn-bedrock-performanceconfig-latency", "x-amzn-bedrock-service-tier"}
	}
	for _, name := range names {
		if name == "" || r.ModelAt.End == 0 && r.API != GeminiInteractions {
			continue
		}
		if s := serviceOf([]byte(header(name))); s != pricing.Standard {
			r.Facts |= ServiceTier
			r.Service = s
		}
	}
}

// speed reads Anthropic's, whose fast mode has prices of its own.
func (p *requestParser) speed() {
	v := p.s.Next()
	if v.Kind != jsonscan.Null && string(p.text(v)) != "standard" {
		p.terms(pricing.Service(p.label(v)))
	}
}

func (p *requestParser) terms(s pricing.Service) {
	p.r.Facts |= ServiceTier
	p.r.Service = s
}

// region reads inference_geo.
func (p *requestParser) region() {
	v := p.s.Next()
	if v.Kind != jsonscan.Null && string(p.text(v)) != "global" {
		p.r.Facts |= ServiceTier
		p.r.Region = p.label(v)
	}
}

// label returns a word of the client's, "unknown" for what is none.
func (p *requestParser) label(v jsonscan.Token) string {
	const longest = 32
	if text := p.text(v); len(text) > 0 && len(text) <= longest {
		return string(text)
	}
	return "unknown"
}

// anthropicBody reports whether the body is, or on Bedrock may be, in Anthropic's format.
func (p *requestParser) anthropicBody() bool {
	return p.r.API == AnthropicMessages || p.r.API == BedrockInvoke
}
