package provider_test

import (
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

func TestIsCredentialKeepsTheCallersAccountAtItsVendor(t *testing.T) {
	const openAI, anthropic, google = provider.OpenAI, provider.Anthropic, provider.Google
	for _, tt := range []struct {
		header   string
		from, to pricing.ProviderName
		moved    bool
		want     bool
	}{
		{"authorization", openAI, openAI, false, true},
		{"x-api-key", anthropic, openAI, true, true},
		{"api-key", "azure_openai", openAI, true, true},
		{"x-goog-api-key", google, google, false, true},
		{"cookie", openAI, openAI, false, true},
		{"proxy-authorization", openAI, "", true, true},
		{"ocp-apim-subscription-key", "azure_openai", "azure_openai", false, true},
		{"openai-organization", openAI, openAI, false, true}, // of the caller's key, which another one replaces
		{"openai-organization", openAI, "", true, true},
		{"openai-beta", openAI, openAI, false, false},
		{"openai-beta", openAI, openAI, true, false},
		{"openai-beta", openAI, anthropic, true, true},
		{"anthropic-version", anthropic, anthropic, false, false},
		{"anthropic-beta", anthropic, anthropic, true, false},
		{"anthropic-version", anthropic, "", true, true},
		{"anthropic-version", openAI, openAI, true, true}, // of a vendor that the call never was for
		{"anthropic-workspace", anthropic, anthropic, false, false},
		{"anthropic-workspace", anthropic, anthropic, true, true},
		{"x-goog-user-project", google, "", true, true},
		{"x-amz-security-token", "aws_bedrock", openAI, true, true},
		{"ocp-apim-subscription-key", openAI, "", true, true},
		{"x-forwarded-access-token", openAI, anthropic, true, true},
		{"x-amzn-oidc-data", openAI, anthropic, true, true},
		{"helicone-auth", openAI, openAI, true, true},
		{"content-type", openAI, anthropic, true, false},
		{"x-team", openAI, anthropic, true, false},
	} {
		if got := provider.IsCredential(tt.header, tt.from, tt.to, tt.moved); got != tt.want {
			t.Errorf("IsCredential(%q, from %q to %q, moved %t) = %t, want %t", tt.header, tt.from, tt.to, tt.moved, got, tt.want)
		}
	}
}

func TestAuthorizeUsesTheHeaderOfVendorAndFormat(t *testing.T) {
	for _, tt := range []struct {
		vendor      pricing.ProviderName
		api         provider.API
		name, value string
	}{
		{provider.OpenAI, provider.OpenAIResponses, "authorization", "Bearer k"},
		{provider.Anthropic, provider.AnthropicMessages, "x-api-key", "k"},
		{provider.Anthropic, provider.OpenAIChat, "authorization", "Bearer k"},
		{provider.Google, provider.GeminiGenerate, "x-goog-api-key", "k"},
		{provider.Google, provider.OpenAIChat, "authorization", "Bearer k"},
		{provider.Google, provider.AnthropicMessages, "authorization", "Bearer k"},
		{provider.Google, provider.OpenAIEmbeddings, "authorization", "Bearer k"},
		{provider.Google, provider.GeminiEmbed, "x-goog-api-key", "k"},
		{provider.Google, "", "x-goog-api-key", "k"},
		{provider.Cohere, provider.CohereChat, "authorization", "Bearer k"},
		{"azure_openai", provider.OpenAIChat, "api-key", "k"},
		{"groq", provider.OpenAIChat, "authorization", "Bearer k"},
		{"", provider.OpenAIChat, "authorization", "Bearer k"},
	} {
		if name, value := provider.Authorize(tt.vendor, tt.api, "k"); name != tt.name || value != tt.value {
			t.Errorf("Authorize(%q, %s) = %s: %s, want %s: %s", tt.vendor, tt.api, name, value, tt.name, tt.value)
		}
	}
}

func TestWithoutKeyTakesCredentialsOutOfAQuery(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"/v1/models", "/v1/models"},
		{"/v1/models?", "/v1/models?"},
		{"/v1beta/models/m:generateContent?key=AIza", "/v1beta/models/m:generateContent"},
		{"/p?alt=sse&key=AIza&x=%20", "/p?alt=sse&x=%20"},
		{"/p?%6bey=AIza&alt=sse", "/p?alt=sse"},
		{"/p?$key=a&access_token=b&$access_token=c&oauth_token=d&%24key=e", "/p"},
		{"/p?key&x", "/p?x"},
		{"/p?subscription-key=a&bearer_token=b&$httpHeaders=Authorization:c&%24httpHeaders=d&X-Amz-Credential=e&x=1", "/p?x=1"},
		{"/p?api_key=1&api-key=2&token=3&alt=sse", "/p?alt=sse"},
		{"/p?a=b;key=c&alt=sse", "/p?alt=sse"},
	} {
		if got := provider.WithoutKey(tt.path); got != tt.want {
			t.Errorf("WithoutKey(%q) = %q, want %q", tt.path, got, tt.want)
		}
	}
}
