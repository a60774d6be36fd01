package policyfile

import (
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
)

// mtlsSources are the attributes of a peer's SPIFFE certificate.
var mtlsSources = []string{"mtls:namespace", "mtls:workload", "mtls:uri"}

// dimension reads a source, a list of sources, or both with the promise that headers can be trusted.
func (p *parser) dimension(e entry) {
	if !p.name(e.key, "dimension") {
		return
	}
	if e.name == "all" || slices.Contains(conditionKeys, e.name) || slices.Contains(laterConditions, e.name) || strings.HasPrefix(e.name, "header.") {
		p.report(e.key, ReservedName, "%q means something else in rules or caches", "choose another name", e.name)
		return
	}
	what := fmt.Sprintf("dimension %q", e.name)
	d := policies.Dimension{Name: policies.DimensionName(e.name)}
	from := e.value
	if from.Kind == yaml.MappingNode {
		f := p.fields(e.key, from, what, keys{now: []string{"from", "trusted"}})
		d.Trusted = p.flag(f.get("trusted"), "trusted")
		from = p.required(f, "from", what, "name its sources")
	}
	if from != nil {
		for _, s := range p.texts(from, what) {
			if src, ok := p.readSource(s.value, s.name); ok {
				d.Sources = append(d.Sources, src)
			}
		}
	}
	p.policy.Dimensions = append(p.policy.Dimensions, d)
}

func (p *parser) readSource(n *yaml.Node, text string) (policies.Source, bool) {
	kind, key, _ := strings.Cut(text, ":")
	s := policies.Source{Kind: policies.SourceKind(kind), Key: key}
	hint := `write "header:NAME", "jwt:CLAIM" or "mtls:namespace"`
	switch s.Kind {
	case policies.FromHeader:
		s.Key = strings.ToLower(key)
		if isToken(s.Key) {
			return s, true
		}
		hint = `write "header:NAME"`
	case policies.FromJWT:
		if key != "" && !strings.ContainsAny(key, " \t\n") {
			return s, true
		}
		hint = `write "jwt:CLAIM"`
	case policies.FromMTLS:
		if slices.Contains(mtlsSources, text) {
			return s, true
		}
		hint = oneOf(text, mtlsSources)
	}
	p.report(n, BadSource, "%q is no source of a dimension", hint, text)
	return s, false
}

// isToken reports whether s can be the name of a header in lower case.
// Source: RFC 9110, section 5.6.2.
func isToken(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") == ""
}

func (p *parser) findDimension(name policies.DimensionName) *policies.Dimension {
	for i := range p.policy.Dimensions {
		if p.policy.Dimensions[i].Name == name {
			return &p.policy.Dimensions[i]
		}
	}
	return nil
}

// scope finds a dimension that divides money or cached answers. One that only a client's header fills would let
// the client pick a fresh budget or another team's answers.
func (p *parser) scope(n *yaml.Node, name, what string) policies.DimensionName {
	d := p.findDimension(policies.DimensionName(name))
	if d == nil {
		hint := allOf(name, p.dimensionNames())
		if hint == "" {
			hint = fmt.Sprintf(`declare it under "dimensions", such as %s: "jwt:%s"`, name, name)
		}
		p.report(n, UnknownDimension, "unknown dimension %q", hint, name)
		return policies.DimensionName(name)
	}
	verified := func(s policies.Source) bool { return d.Verified(s.Kind) }
	if len(d.Sources) > 0 && !slices.ContainsFunc(d.Sources, verified) {
		p.report(n, UntrustedScope, "dimension %q comes from a client's header and cannot divide %s",
			"read it from jwt: or mtls:, or say trusted: true if the mesh sets the header", name, what)
	}
	return d.Name
}

func (p *parser) dimensionNames() []string {
	names := make([]string, len(p.policy.Dimensions))
	for i, d := range p.policy.Dimensions {
		names[i] = string(d.Name)
	}
	return names
}
