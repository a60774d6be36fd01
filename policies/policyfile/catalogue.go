package policyfile

import (
	"slices"
	"sync"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// hostsOf holds the hosts of a vendor's public API, which a provider of its name has unless the file says
// otherwise. Vendors whose hosts differ from customer to customer have none here.
// Source: the catalogue, which a test compares.
var hostsOf = map[pricing.ProviderName][]string{
	"alibaba":    {"dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com", "dashscope.aliyuncs.com"},
	"anthropic":  {"api.anthropic.com"},
	"cerebras":   {"api.cerebras.ai"},
	"cohere":     {"api.cohere.com", "api.cohere.ai"},
	"deepseek":   {"api.deepseek.com"},
	"fireworks":  {"api.fireworks.ai"},
	"google":     {"generativelanguage.googleapis.com", "aiplatform.googleapis.com"},
	"groq":       {"api.groq.com"},
	"minimax":    {"api.minimax.io"},
	"mistral":    {"api.mistral.ai", "codestral.mistral.ai"},
	"moonshot":   {"api.moonshot.ai"},
	"openai":     {"api.openai.com"},
	"openrouter": {"openrouter.ai"},
	"together":   {"api.together.xyz", "api.together.ai"},
	"voyage":     {"api.voyageai.com"},
	"xai":        {"api.x.ai"},
	"zai":        {"api.z.ai"},
}

func defaultHosts(vendor pricing.ProviderName) []string { return hostsOf[vendor] }

// ever is what the catalogue has ever priced, whenever that was: a policy is not wrong on the day after a
// price ends.
var ever = sync.OnceValue(func() *pricing.Table {
	return timeless(catalog.Table().Listings())
})

// timeless is a table of listings as if each held for ever.
func timeless(listings []pricing.Listing) *pricing.Table {
	listings = slices.Clone(listings)
	for i := range listings {
		listings[i].From, listings[i].Until, listings[i].Windows = time.Time{}, time.Time{}, nil
	}
	return pricing.NewTable(listings)
}

// vendors are the names that the catalogue knows, in alphabetical order.
var vendors = sync.OnceValue(func() []pricing.ProviderName {
	var names []pricing.ProviderName
	for _, l := range catalog.Table().Listings() {
		names = append(names, l.Provider)
	}
	for name := range hostsOf {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
})

// models are the names that the price files and the catalogue have of a vendor's models, aliases included.
func (p *parser) models(vendor pricing.ProviderName) []pricing.ModelName {
	var names []pricing.ModelName
	for _, l := range slices.Concat(slices.Concat(p.overlays...), catalog.Table().Listings()) {
		if l.Provider == vendor {
			names = append(append(names, l.Model), l.Aliases...)
		}
	}
	return names
}
