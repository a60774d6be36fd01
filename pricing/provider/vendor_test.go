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
	if got := provider.VendorOf("/v1/models", nil); got != provider.OpenAI {
		t.Errorf("VendorOf without headers = %q, want %q", got, provider.OpenAI)
	}
}
