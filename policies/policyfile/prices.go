package policyfile

import (
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
)

// prices reads which files go before the catalogue, and returns the section.
func (p *parser) prices(f fields) fields {
	n := f.get("prices")
	if n == nil {
		return fields{}
	}
	g := p.fields(n, n, `"prices"`, keys{now: []string{"files", "discounts"}})
	if files := g.get("files"); files != nil {
		for _, e := range p.texts(files, "files") {
			p.priceFile(e)
		}
	}
	return g
}

func (p *parser) priceFile(e entry) {
	switch {
	case e.name == "" || strings.TrimSpace(e.name) != e.name || strings.ContainsAny(e.name, "\x00\n"):
		p.report(e.value, BadValue, "%q is no path of a file", `write it as "prices/overlay.json"`, e.name)
	case slices.Contains(p.policy.Overlays, e.name):
		p.report(e.value, DuplicateName, "%q stands twice", "", e.name)
	default:
		p.policy.Overlays = append(p.policy.Overlays, e.name)
		p.overlay(e.value, e.name)
	}
}

func (p *parser) discount(index int, n *yaml.Node) {
	what := fmt.Sprintf("discount %d", index+1)
	f := p.fields(n, n, what, keys{now: []string{"provider", "models", "off"}})
	var d policies.Discount
	if of := p.required(f, "provider", what, `write "provider: openai"`); of != nil {
		if name, ok := p.text(of, "provider"); ok && p.known(of, policies.RouteName(name), false) {
			d.Vendor = p.findProvider(policies.RouteName(name)).Vendor
		}
	}
	if models := f.get("models"); models != nil {
		for _, m := range p.texts(models, "models") {
			d.Models = append(d.Models, m.name)
		}
	}
	if off := p.required(f, "off", what, `write "off: 15%"`); off != nil {
		d.PPM = 1_000_000 - positive(p, off, "off", percent)
	}
	p.policy.Discounts = append(p.policy.Discounts, d)
}
