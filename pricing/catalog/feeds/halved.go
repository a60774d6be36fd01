package feeds

import (
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// half is the factor of the classes below, in parts per million.
const half = 500_000

// halved are the classes of service that a vendor sells at half its price. A list that states no price of them falls
// back to that rule.
// Source: the vendors' price pages on batch and flex processing.
var halved = map[pricing.ProviderName][]pricing.Service{
	"openai": {pricing.Batch, pricing.Flex}, "anthropic": {pricing.Batch}, "google": {pricing.Batch, pricing.Flex}, "mistral": {pricing.Batch},
}

// noBatches are parts of the names of models that are served as they speak, hear or draw: the rule is not theirs.
var noBatches = []string{"realtime", "audio", "live", "tts", "transcribe", "image", "search", "moderation"}

// halve adds the classes that a vendor sells at half the price to listings that lack them.
func halve(listings []pricing.Listing) {
	for i := range listings {
		l := &listings[i]
		vendor := l.Provider != "google" || strings.HasPrefix(string(l.Model), "gemini-") // Vertex AI sells others' models too
		apart := slices.ContainsFunc(noBatches, func(part string) bool { return strings.Contains(string(l.Model), part) })
		if l.Unpriced || l.Price.Input == 0 || !vendor || apart {
			continue
		}
		for _, s := range halved[l.Provider] {
			addHalf(l, s)
		}
	}
}

// addHalf adds a class at half the standard price, unless the listing has it. Batch and flex stand before the
// others.
func addHalf(l *pricing.Listing, s pricing.Service) {
	if slices.ContainsFunc(l.Variants, func(v pricing.Variant) bool { return v.Service == s }) {
		return
	}
	price, err := l.Price.Scaled(half)
	if err != nil {
		return
	}
	at := 0
	if s == pricing.Flex && len(l.Variants) > 0 && l.Variants[0].Service == pricing.Batch {
		at = 1
	}
	l.Variants = slices.Insert(slices.Clone(l.Variants), at, pricing.Variant{Service: s, Price: price})
}
