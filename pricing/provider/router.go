package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// Routers sell a model under one name and have one of many hosts serve it, each at a price of its own: what they list
// is no bound for a call that steers the choice.
//
// Sources, as read in November 2026: https://openrouter.ai/docs/guides/routing/provider-selection;
// https://vercel.com/docs/ai-gateway/models-and-providers/provider-filtering-and-ordering;
// https://huggingface.co/docs/inference-providers.
const (
	vercelListed      pricing.ProviderName = "vercel_ai_gateway" // Vercel where prices are listed
	huggingFace       pricing.ProviderName = "huggingface"
	huggingFaceListed                      = "huggingface_" // and the host whose prices are listed
)

// ChoosesHost reports whether the call tells a router which of its hosts is to serve it, or not to, in its body or its
// path. Calls of vendors that are no routers never do, whatever their fields mean there. prefix is what stands before the
// vendor's own path. What a name like "deepseek/deepseek-r1:nitro" chooses its listing knows: see pricing.Listing.
func (r *Request) ChoosesHost(vendor pricing.ProviderName, prefix string) bool {
	switch {
	case vendor == OpenRouter, vendor == Vercel, vendor == vercelListed:
		return r.Facts.Has(HostChoice)
	case vendor == huggingFace, strings.HasPrefix(string(vendor), huggingFaceListed):
		host, _, _ := strings.Cut(strings.TrimPrefix(unescape(r.path), prefix), "/v1/")
		host = strings.Trim(host, "/")
		return host != "" && huggingFaceListed+host != string(vendor)
	}
	return false
}

// routing reads OpenRouter's preferences. Whatever the router may answer by passing a host over counts, max_price too:
// it leaves cache writes and fees open, and the host with the cheaper prompt may be the one with the dearer answer.
func (p *requestParser) routing() {
	o := p.s.Next()
	chosen := o.Kind != jsonscan.Object && o.Kind != jsonscan.Null
	for key, ok := p.s.Member(o); ok; key, ok = p.s.Member(o) {
		name, v := string(p.s.Text(key)), p.s.Next()
		switch {
		case v.Kind == jsonscan.Null, v.Kind == jsonscan.False, name == "allow_fallbacks":
		case name == "sort" && string(p.text(v)) == "price": // the cheapest first, as ":floor"
		default:
			chosen = true
		}
	}
	if chosen {
		p.r.Facts |= HostChoice
	}
}
