package provider_test

import (
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

func TestVendorOfGoesByHeadersThenByPath(t *testing.T) {
	for _, tt := range []struct {
		path, header string
		want         pricing.ProviderName
	}{
		{"/v1/models", "", provider.OpenAI},
		{"/v1/models", "anthropic-version", provider.Anthropic},
		{"/v1/models", "anthropic-beta", provider.Anthropic},
		{"/v1/models", "x-api-key", provider.Anthropic},
		{"/v1/models", "x-goog-api-key", provider.Google},
		{"/v1/models", "x-goog-api-client", provider.Google},
		{"/v1/models?key=AIza", "", provider.Google},
		{"/v1/models?alt=json&key=AIza", "", provider.Google},
		{"/v1/models?monkey=1", "", provider.OpenAI},
		{"/v1/messages/count_tokens", "", provider.Anthropic},
		{"/v1beta/models", "", provider.Google},
		{"/healthz", "", ""},
		{"/healthz?next=/v1/models", "", ""},
		{"/healthz", "authorization", ""},
		{"/model/anthropic.claude-haiku-4-5-v1%3A0/count-tokens", "", provider.Bedrock},
	} {
		header := func(name string) string {
			if name == tt.header {
				return "x"
			}
			return ""
		}
		if got := provider.VendorOf(tt.path, header); got != tt.want {
			t.Errorf("VendorOf(%q) with header %q = %q, want %q", tt.path, tt.header, got, tt.want)
		}
	}
	signed := func(name string) string {
		if name == "authorization" {
			return "AWS4-HMAC-SHA256 Credential=x"
		}
		return ""
	}
	if got := provider.VendorOf("/foundation-models", signed); got != provider.Bedrock {
		t.Errorf("VendorOf a call that AWS signs = %q, want %q", got, provider.Bedrock)
	}
	if got := provider.VendorOf("/v1/models", nil); got != provider.OpenAI {
		t.Errorf("VendorOf without headers = %q, want %q", got, provider.OpenAI)
	}
}
