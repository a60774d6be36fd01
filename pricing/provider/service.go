package provider

import "github.com/farebox-mesh/farebox/pricing"

// serviceOf maps the word that a response has for its class of service. One that no vendor documents is a class of its
// own, which no listing has a price for; so are those that are paid in advance (OpenAI's scale, Bedrock's reserved,
// Vertex's provisioned throughput).
//
// Sources, as read in November 2026: the API references of OpenAI (service_tier, where fast is the newer name of
// priority), Anthropic (usage.service_tier), Groq (service_tier), Google (usageMetadata.trafficType and serviceTier) and
// Amazon Bedrock (serviceTier.type).
func serviceOf(word []byte) pricing.Service {
	var lower [32]byte // no vendor's word is longer
	n := copy(lower[:], word)
	for i, c := range lower[:n] {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	switch string(lower[:n]) {
	case "", "default", "auto", "standard", "standard_only", "on_demand", "traffic_type_unspecified":
		return pricing.Standard
	case "batch":
		return pricing.Batch
	case "flex", "on_demand_flex":
		return pricing.Flex
	case "priority", "fast", "on_demand_priority":
		return pricing.Priority
	case "ultrafast":
		return pricing.Ultrafast
	}
	return pricing.Service(lower[:n])
}
