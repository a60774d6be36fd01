package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

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
		case strings.HasPrefix(header("authorization"), "AWS4-HMAC-SHA256 "):
			return Bedrock
		}
	}
	raw, query := cutQuery(path)
	switch {
	case strings.Contains(raw, "/v1/messages"):
		return Anthropic
	case strings.HasPrefix(raw, "/model/"):
		return Bedrock
	case strings.Contains(raw, "/v1beta/"), strings.HasPrefix(query, "key="), strings.Contains(query, "&key="):
		return Google
	case strings.Contains(raw, "/v1/"):
		return OpenAI
	}
	return ""
}
