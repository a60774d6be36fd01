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
