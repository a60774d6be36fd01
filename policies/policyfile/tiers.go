package policyfile

import (
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

func (p *parser) tier(e entry) {
	if !p.name(e.key, "tier") {
		return
	}
	t := policies.Tier{Name: policies.TierName(e.name)}
	var at []*yaml.Node
	for _, m := range p.texts(e.value, fmt.Sprintf("tier %q", e.name)) {
		ref, ok := p.modelRef(m.value, m.name)
		if !ok {
			continue
		}
		if slices.Contains(t.Models, ref) {
			p.report(m.value, DuplicateName, "tier %q names %q twice", "", e.name, m.name)
			continue
		}
		t.Models, at = append(t.Models, ref), append(at, m.value)
	}
	p.policy.Tiers = append(p.policy.Tiers, t)
	p.refs = append(p.refs, at)
}

// modelBytes are what the names of models are made of, among them Bedrock's ARNs and Vertex's dates.
const modelBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@+"

// modelRef reads "route/model". A model's own name may have slashes.
func (p *parser) modelRef(n *yaml.Node, text string) (policies.ModelRef, bool) {
	routeName, model, ok := strings.Cut(text, "/")
	ref := policies.ModelRef{Route: policies.RouteName(routeName), Model: pricing.ModelName(model)}
	if !ok || routeName == "" || model == "" || strings.Trim(model, modelBytes) != "" {
		p.report(n, BadModel, "%q is no model of a provider or pool", `write it as "openai/gpt-5"`, text)
		return ref, false
	}
	if !p.known(n, ref.Route, true) {
		return ref, false
	}
	pr := p.findProvider(ref.Route)
	if pr != nil && p.listed(pr.Vendor) && !p.priced(pr.Vendor, ref.Model) {
		hint := didYouMean(model, p.models(pr.Vendor))
		if hint == "" {
			hint = "check the spelling; without a price unknown_model decides"
		}
		p.report(n, UnpricedModel, "the catalogue has no price of %q at %q", hint, model, string(pr.Vendor))
	}
	return ref, true
}

func (p *parser) findTier(name policies.TierName) int {
	return slices.IndexFunc(p.policy.Tiers, func(t policies.Tier) bool { return t.Name == name })
}

func (p *parser) unknownTier(n *yaml.Node, name string) {
	names := make([]policies.TierName, len(p.policy.Tiers))
	for i := range p.policy.Tiers {
		names[i] = p.policy.Tiers[i].Name
	}
	hint := allOf(name, names)
	if hint == "" {
		hint = fmt.Sprintf(`declare it under "tiers", such as %s: [openai/gpt-5-mini]`, name)
	}
	p.report(n, UnknownTier, "unknown tier %q", hint, name)
}

// checkTiers looks for models that nobody's calls can go to.
func (p *parser) checkTiers() {
	for i := range p.policy.Tiers {
		p.checkTierPools(i)
		for j, ref := range p.policy.Tiers[i].Models {
			p.checkCallers(p.refs[i][j], ref)
		}
	}
	for i, at := range p.ruleAt {
		if at.tier != nil {
			p.checkRuleTier(&p.policy.Rules[i], at.tier)
		}
	}
}

// checkTierPools reports a tier of nothing but pools that are switched off.
func (p *parser) checkTierPools(i int) {
	t := &p.policy.Tiers[i]
	off := func(ref policies.ModelRef) bool {
		pool := p.findPool(ref.Route)
		return pool != nil && pool.Use == policies.Never
	}
	if len(t.Models) > 0 && !slices.ContainsFunc(t.Models, func(ref policies.ModelRef) bool { return !off(ref) }) {
		p.report(p.refs[i][0], UnservableTier, "tier %q has only pools with use: never", "add a model that calls can go to", string(t.Name))
	}
}

// checkCallers warns of a model that calls for other providers of the same API skip for want of a credential.
func (p *parser) checkCallers(n *yaml.Node, ref policies.ModelRef) {
	target := p.findProvider(ref.Route)
	if target == nil || !target.Credential.Caller {
		return
	}
	for _, other := range p.policy.Providers {
		if other.Name != target.Name && format(other.Vendor) == format(target.Vendor) {
			p.report(n, CallerCredential, "calls for provider %q cannot move to %q, which takes only its callers' credentials",
				"give it credential: file:/path, or ignore this if only its own calls should use the model",
				string(other.Name), string(target.Name))
			return
		}
	}
}

// format returns the vendor whose API a vendor speaks: most of them speak OpenAI's.
func format(vendor pricing.ProviderName) pricing.ProviderName {
	if vendor == provider.Anthropic || vendor == provider.Google {
		return vendor
	}
	return provider.OpenAI
}

// checkRuleTier reports a rule for calls of some providers whose tier takes none of them.
func (p *parser) checkRuleTier(r *policies.Rule, n *yaml.Node) {
	i := p.findTier(r.Tier)
	if i < 0 || len(r.When.Providers) == 0 || len(p.policy.Tiers[i].Models) == 0 {
		return
	}
	serves := func(ref policies.ModelRef) bool {
		target := p.findProvider(ref.Route)
		return target == nil || !target.Credential.Caller || slices.Contains(r.When.Providers, target.Name)
	}
	if !slices.ContainsFunc(p.policy.Tiers[i].Models, serves) {
		p.report(n, UnservableTier, "tier %q takes no calls for the rule's providers: its models need their callers' credentials",
			"give one of its providers credential: file:/path", string(r.Tier))
	}
}
