package provider

import (
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
)

// TestEveryVendorThatStatesItsChargeIsRead reads 25 of each vendor's unit where its responses have it.
func TestEveryVendorThatStatesItsChargeIsRead(t *testing.T) {
	const body = `{"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1`
	bodies := map[pricing.ProviderName]string{
		OpenRouter: body + `,"cost":25}}`,
		Perplexity: body + `,"cost":{"request_cost":1,"total_cost":25}}}`,
		Vercel:     body + `},"providerMetadata":{"gateway":{"cost":"25"}}}`,
		XAI:        body + `,"cost_in_usd_ticks":25}}`,

		vercelListed: body + `},"providerMetadata":{"gateway":{"cost":"25"}}}`,
	}
	for vendor, places := range chargePlaces {
		want, _ := shifted([]byte("25"), places)
		m := NewMeter(ParsePath(chatPath), vendor)
		m.Write([]byte(bodies[vendor]))
		if r := m.Close(); !r.HasStated || r.Stated != want || !StatesCharge(vendor) {
			t.Errorf("%s: a stated charge of %s, %v; want %s", vendor, r.Stated, r.HasStated, want)
		}
	}
	for _, vendor := range []pricing.ProviderName{"", OpenAI, Anthropic, Groq} {
		if StatesCharge(vendor) {
			t.Errorf("%q is said to state its charge", vendor)
		}
	}
}

// TestAStatedChargeHasAMost is the edge up to which a charge is believed, on its own and beside that of the caller's key.
func TestAStatedChargeHasAMost(t *testing.T) {
	for _, tt := range []struct {
		vendor pricing.ProviderName
		rest   string // of a usage
		want   pricing.Money
		stated bool
	}{
		{OpenRouter, `"cost":1000000`, 1_000_000e9, true},
		{OpenRouter, `"cost":1000000.000000001`, 0, false},
		{OpenRouter, `"cost":1e9`, 0, false},
		{OpenRouter, `"cost":"1000001"`, 0, false},
		{OpenRouter, `"cost":7,"is_byok":true,"cost_details":{"upstream_inference_cost":1000000}`, 1_000_007e9, true},
		{OpenRouter, `"cost":7,"is_byok":true,"cost_details":{"upstream_inference_cost":1000001}`, 0, false},
		{OpenRouter, `"cost":7,"is_byok":true`, 0, false},
		{Perplexity, `"cost":{"total_cost":1000001}`, 0, false},
		{XAI, `"cost_in_usd_ticks":10000000000000000`, 1_000_000e9, true},
		{XAI, `"cost_in_usd_ticks":10000000000000005`, 0, false},
	} {
		m := NewMeter(ParsePath(chatPath), tt.vendor)
		m.Write([]byte(`{"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,` + tt.rest + `}}`))
		if r := m.Close(); r.HasStated != tt.stated || r.Stated != tt.want || !r.HasUsage {
			t.Errorf("%s %s: a stated charge of %s, %v; want %s, %v", tt.vendor, tt.rest, r.Stated, r.HasStated, tt.want, tt.stated)
		}
	}
}
