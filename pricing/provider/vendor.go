package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// chatBase is what stands before /v1/chat/completions at vendors that speak OpenAI's format under a path of
// their own. Sources: the vendors' API references.
var chatBase = map[pricing.ProviderName]string{
	"groq": "/openai", "openrouter": "/api", "fireworks": "/inference",
}

// PathAt returns the path, query included, at which a vendor serves a call of the API that came by path. Pools,
// whose vendor is "", speak OpenAI's format at its usual path.
func PathAt(vendor pricing.ProviderName, api API, path string) string {
	if api != OpenAIChat {
		return path
	}
	_, query, found := strings.Cut(path, "?")
	at := chatBase[vendor] + "/v1/chat/completions"
	if found && query != "" {
		at += "?" + query
	}
	return at
}

// CapWritten is the cap on the output that Rewrite leaves in a request for t: t's, unless the API or the thinking
// budget wants more. It is for targets that lower the cap.
func (r *Request) CapWritten(t Target) int64 {
	w := rewriter{r: r, can: CapabilityOf(t.Vendor, t.Model)}
	return max(t.MaxOutput, w.least())
}

// VendorOf tells whose API a request without a known call belongs to: model lists, token counts and whatever else
// a path does not say. Headers come first, as several vendors share paths and no key may reach another vendor. It
// returns "" if nothing tells.
func VendorOf(path string, header func(name string) string) pricing.ProviderName {
	if header != nil {
		switch {
		case header("anthropic-version") != "", header("anthropic-beta") != "", header("x-api-key") != "":
			return Anthropic
		case header("x-goog-api-key") != "", header("x-goog-api-client") != "":
			return Google
		}
	}
	raw, query := cutQuery(path)
	switch {
	case strings.Contains(raw, "/v1/messages"):
		return Anthropic
	case strings.Contains(raw, "/v1beta/"), strings.HasPrefix(query, "key="), strings.Contains(query, "&key="):
		return Google
	case strings.Contains(raw, "/v1/"):
		return OpenAI
	}
	return ""
}
