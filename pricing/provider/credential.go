package provider

import (
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// keyHeaders carry a caller's key or session.
var keyHeaders = append(slices.Clone(everyPlace.headers), "cookie", "proxy-authorization")

// accountPrefixes start further headers that belong to a caller's account at a vendor.
var accountPrefixes = []string{"openai-", "anthropic-", "x-goog-", "x-amz-", "x-amzn-"}

// secretWords stand in the names under which gateways and clouds pass keys and identities on. A call that moves leaves
// behind whatever is called like that: a header too few is an inconvenience, one too many a leak.
var secretWords = []string{"auth", "token", "key", "secret", "credential", "cookie", "session", "oidc", "jwt", "saml", "signature", "password"}

func soundsSecret(name string) bool {
	return slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(name, w) })
}

// protocolHeaders begin like those, but say which form of its API a call takes: a call that stays with the vendor,
// at whatever address, is not valid without them.
var protocolHeaders = []string{"anthropic-version", "anthropic-beta", "openai-beta"}

// IsCredential reports whether a request header carries the account of a caller of vendor from, and must not go to
// vendor to. moved says that the call goes to another upstream; otherwise it stays and gets another key. The name is
// in lower case.
func IsCredential(name string, from, to pricing.ProviderName, moved bool) bool {
	switch {
	case strings.HasPrefix(name, ":"):
		return false
	case slices.Contains(keyHeaders, name):
		return true
	case from == to && slices.Contains(protocolHeaders, name) && strings.HasPrefix(name, string(from)+"-"):
		return false
	case !moved:
		return strings.HasPrefix(name, "openai-")
	}
	return soundsSecret(name) || slices.ContainsFunc(accountPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// Authorize returns the header in which a vendor takes its key for a call of the API. Where Anthropic and Google serve
// OpenAI's format they document the key that OpenAI's clients send. Azure takes keys as api-key, and tokens of Entra as
// Bearer; Google takes keys for Gemini, and tokens as Bearer for what else Vertex serves.
func Authorize(vendor pricing.ProviderName, api API, key string) (name, value string) {
	switch {
	case vendor == azureOpenAI:
		return "api-key", key
	case vendor == Anthropic && api != OpenAIChat:
		return "x-api-key", key
	case vendor == Google && (api == "" || api.Vendor() == Google):
		return "x-goog-api-key", key
	}
	return "authorization", "Bearer " + key
}

// WithoutKey removes from the query of a path where any vendor takes keys, what else is called like a credential, and
// what some servers would read as several parameters. The rest of it stays as it was spelled.
func WithoutKey(path string) string {
	base, query, found := strings.Cut(path, "?")
	if !found {
		return path
	}
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool {
		name, _, _ := strings.Cut(p, "=")
		name = paramName(name)
		return soundsSecret(name) || slices.Contains(everyPlace.params, name) || slices.Contains(everyPlace.opaque, name) ||
			strings.Contains(p, ";")
	})
	if len(kept) == 0 {
		return base
	}
	return base + "?" + strings.Join(kept, "&")
}
