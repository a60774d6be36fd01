package provider

import (
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// keyHeaders carry a caller's key or session.
var keyHeaders = []string{"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization"}

// accountPrefixes start further headers that belong to a caller's account at a vendor.
var accountPrefixes = []string{"openai-", "anthropic-", "x-goog-", "x-amz-"}

// protocolHeaders begin like those, but say which form of its API a call takes: a call that stays with the vendor,
// at whatever address, is not valid without them.
var protocolHeaders = []string{"anthropic-version", "anthropic-beta", "openai-beta"}

// IsCredential reports whether a request header carries the account of a caller of vendor from, and must not go to
// vendor to. moved says that the call goes to another upstream; otherwise it stays and gets another key. The name is
// in lower case.
func IsCredential(name string, from, to pricing.ProviderName, moved bool) bool {
	switch {
	case slices.Contains(keyHeaders, name):
		return true
	case from == to && slices.Contains(protocolHeaders, name) && strings.HasPrefix(name, string(from)+"-"):
		return false
	case !moved:
		return strings.HasPrefix(name, "openai-")
	}
	return slices.ContainsFunc(accountPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// Account is the credential that a request carries, "" for none. It tells accounts apart and is not to be kept.
func Account(header func(name string) string) string {
	for _, name := range keyHeaders {
		if key := header(name); key != "" {
			return key
		}
	}
	return ""
}

// Authorize returns the header in which a vendor takes its key for a call of the API. Where Anthropic and Google serve
// OpenAI's format they document the key that OpenAI's clients send. Azure takes keys as api-key, and tokens of Entra as
// Bearer.
func Authorize(vendor pricing.ProviderName, api API, key string) (name, value string) {
	switch {
	case vendor == azureOpenAI:
		return "api-key", key
	case vendor == Anthropic && api != OpenAIChat:
		return "x-api-key", key
	case vendor == Google && api != OpenAIChat:
		return "x-goog-api-key", key
	}
	return "authorization", "Bearer " + key
}

// keyParameters carry a caller's credential in the query of Google's APIs.
// Source: https://cloud.google.com/apis/docs/system-parameters
var keyParameters = []string{"key", "$key", "access_token", "$access_token", "oauth_token"}

// WithoutKey removes credentials from the query of a path. The rest of it stays as it was spelled.
func WithoutKey(path string) string {
	base, query, found := strings.Cut(path, "?")
	if !found {
		return path
	}
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool {
		name, _, _ := strings.Cut(p, "=")
		return slices.Contains(keyParameters, unescape(name))
	})
	if len(kept) == 0 {
		return base
	}
	return base + "?" + strings.Join(kept, "&")
}
