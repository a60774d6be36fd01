package policyfile

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

var providerKeys = keys{
	now:   []string{"hosts", "prefix", "vendor", "region", "service", "credential"},
	later: []string{"on_outage", "endpoint"},
}

// providers reads the section. A file without one covers the vendors whose APIs are read.
func (p *parser) providers(f fields) {
	p.each(f, "providers", p.provider)
	if f.get("providers") != nil {
		return
	}
	for _, vendor := range []pricing.ProviderName{provider.OpenAI, provider.Anthropic, provider.Google} {
		p.addFromCatalogue(f.at, policies.RouteName(vendor))
	}
}

func (p *parser) provider(e entry) {
	if !p.name(e.key, "provider") || p.duplicate(e.key, p.isPool(policies.RouteName(e.name)), "pool or provider") {
		return
	}
	what := fmt.Sprintf("provider %q", e.name)
	f := p.fields(e.key, e.value, what, providerKeys)
	pr := policies.Provider{
		Name:       policies.RouteName(e.name),
		Vendor:     pricing.ProviderName(e.name),
		Credential: policies.Credential{Caller: true},
	}
	if n := f.get("vendor"); n != nil {
		p.vendor(n, &pr)
	}
	p.recognition(f, &pr, what)
	if n := f.get("region"); n != nil && p.name(n, "region") {
		pr.Region = n.Value
	}
	pr.Priority = choice(&p.source, f.get("service"), "service", "standard", "priority") == "priority"
	if n := f.get("credential"); n != nil {
		pr.Credential = p.credential(n, true)
	}
	if !f.has("vendor") && !p.listed(pr.Vendor) {
		p.report(e.key, UnpricedProvider, "the catalogue has no prices of %q",
			`name the vendor whose prices apply ("vendor: openai"), else unknown_model decides`, e.name)
	}
	p.policy.Providers = append(p.policy.Providers, pr)
}

func (p *parser) vendor(n *yaml.Node, pr *policies.Provider) {
	v, ok := p.text(n, "vendor")
	if !ok {
		return
	}
	pr.Vendor = pricing.ProviderName(v)
	if !p.listed(pr.Vendor) {
		p.report(n, UnknownProvider, "the catalogue has no vendor %q", didYouMean(v, vendors()), v)
	}
}

// recognition reads the hosts and the prefix, and sees to it that there are any.
func (p *parser) recognition(f fields, pr *policies.Provider, what string) {
	switch n := f.get("hosts"); {
	case n != nil:
		for _, h := range p.texts(n, "hosts") {
			if host := strings.ToLower(h.name); p.host(h.value, host) && p.claim(h.value, host, pr.Name) {
				pr.Hosts = append(pr.Hosts, host)
			}
		}
	case pr.Name == policies.RouteName(pr.Vendor):
		p.addHosts(f.at, pr)
	}
	if n := f.get("prefix"); n != nil {
		if v, ok := p.text(n, "prefix"); ok && p.prefix(n, v) && p.claim(n, v, pr.Name) {
			pr.Prefix = v
		}
	}
	if len(pr.Hosts) == 0 && f.get("hosts") == nil && f.get("prefix") == nil {
		p.report(f.at, MissingKey, "%s has no %q", `calls are recognised by "hosts" or "prefix"`, what, "hosts")
	}
}

// host checks an authority: lower case, no scheme, port, path or wildcard.
func (p *parser) host(n *yaml.Node, host string) bool {
	labels := strings.Split(host, ".")
	bad := func(label string) bool {
		return label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != ""
	}
	if len(host) > 253 || slices.ContainsFunc(labels, bad) {
		p.report(n, BadHost, "%q is no host", `write it as "api.openai.com", without scheme, port, path or *`, n.Value)
		return false
	}
	return true
}

func (p *parser) prefix(n *yaml.Node, prefix string) bool {
	u, err := url.Parse(prefix)
	plain := err == nil && u.Path == prefix && strings.HasPrefix(prefix, "/") && !strings.HasSuffix(prefix, "/")
	if !plain || strings.ContainsAny(prefix, "* ") || strings.Contains(prefix, "//") {
		p.report(n, BadValue, "%q is no path prefix", `write it as "/groq", without a slash at its end`, prefix)
		return false
	}
	return true
}

// claim reserves a host or prefix for a provider, as a call must be recognised as one.
func (p *parser) claim(n *yaml.Node, what string, by policies.RouteName) bool {
	owner, taken := p.claims[what]
	if taken {
		p.report(n, DuplicateHost, "%q is claimed by provider %q and by provider %q", "a call belongs to one provider",
			what, string(owner), string(by))
		return false
	}
	p.claims[what] = by
	return true
}

// credential reads "caller", where that is allowed, or "file:/path". What it is instead is never printed.
func (p *parser) credential(n *yaml.Node, caller bool) policies.Credential {
	v, _ := p.text(n, "credential")
	if path, ok := strings.CutPrefix(v, "file:"); ok && strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "\x00\n") {
		return policies.Credential{File: path}
	}
	switch {
	case v == "caller" && caller:
		return policies.Credential{Caller: true}
	case v == "caller":
		p.report(n, BadCredential, "the caller's credential never goes to a pool", `write "file:/path", or leave it out`)
	default:
		p.mask(n)
		p.report(n, BadCredential, "a credential is the path of a file that holds it",
			`write "file:/run/secrets/NAME"; keys never stand in a policy`)
	}
	return policies.Credential{}
}

// addFromCatalogue declares a vendor that the file does not list, and reports whether it could.
func (p *parser) addFromCatalogue(n *yaml.Node, name policies.RouteName) bool {
	vendor := pricing.ProviderName(name)
	if !slices.Contains(vendors(), vendor) {
		return false
	}
	pr := policies.Provider{Name: name, Vendor: vendor, Credential: policies.Credential{Caller: true}}
	p.addHosts(n, &pr)
	if len(pr.Hosts) == 0 && len(defaultHosts(vendor)) == 0 {
		p.report(n, MissingKey, "provider %q has no hosts of its own in the catalogue", `list it under "providers" with its hosts`, string(name))
	}
	p.policy.Providers = append(p.policy.Providers, pr)
	return true
}

// addHosts gives a provider the hosts that the catalogue knows for its vendor.
func (p *parser) addHosts(n *yaml.Node, pr *policies.Provider) {
	for _, host := range defaultHosts(pr.Vendor) {
		if p.claim(n, host, pr.Name) {
			pr.Hosts = append(pr.Hosts, host)
		}
	}
}

// known finds a provider by name, from the catalogue if the file does not list it, else reports it.
func (p *parser) known(n *yaml.Node, name policies.RouteName, alsoPools bool) bool {
	if p.findProvider(name) != nil || alsoPools && p.isPool(name) || p.addFromCatalogue(n, name) {
		return true
	}
	var names []string
	kind := "provider"
	for _, pr := range p.policy.Providers {
		names = append(names, string(pr.Name))
	}
	if alsoPools {
		kind = "provider or pool"
		for _, pool := range p.policy.Pools {
			names = append(names, string(pool.Name))
		}
	}
	for _, v := range vendors() {
		names = append(names, string(v))
	}
	p.report(n, UnknownProvider, "unknown %s %q", didYouMean(string(name), names), kind, string(name))
	return false
}

func (p *parser) findProvider(name policies.RouteName) *policies.Provider {
	for i := range p.policy.Providers {
		if p.policy.Providers[i].Name == name {
			return &p.policy.Providers[i]
		}
	}
	return nil
}
