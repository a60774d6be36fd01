package policyfile

import (
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

var ruleKeys = keys{
	now:   []string{"name", "when", "tier", "max_output"},
	later: []string{"fit_output", "batch", "flex", "cache", "translate", "trim", "refuse", "quality", "min_model"},
}

// The keys of "when" besides dimensions and header.NAME.
var (
	conditionKeys   = []string{"model", "provider", "path", "api", "tools", "images", "stream", "input", "output"}
	laterConditions = []string{"difficulty", "task", "keywords", "classifier", "language", "time"}
)

// apis are the values of "api": the formats that farebox reads.
var apis = []string{
	string(provider.OpenAIChat), string(provider.OpenAIResponses), string(provider.OpenAICompletions),
	string(provider.OpenAIEmbeddings), string(provider.OpenAIImages), string(provider.OpenAISpeech),
	string(provider.OpenAITranscription), string(provider.AnthropicMessages), string(provider.GeminiGenerate),
	string(provider.GeminiEmbed), string(provider.GeminiInteractions), string(provider.VertexPredict),
	string(provider.BedrockConverse), string(provider.BedrockInvoke),
	string(provider.CohereChat), string(provider.CohereEmbed), string(provider.CohereRerank),
	string(provider.OllamaChat), string(provider.OllamaGenerate), string(provider.OllamaEmbed), string(provider.TGIGenerate),
}

func (p *parser) rule(index int, n *yaml.Node) {
	what := fmt.Sprintf("rule %d", index+1)
	f := p.fields(n, n, what, ruleKeys)
	r := policies.Rule{Name: policies.RuleName(what)}
	at := n
	if name := f.get("name"); name != nil {
		if v, ok := p.label(name, "rule"); ok {
			r.Name, at = policies.RuleName(v), name
		}
	}
	same := func(o policies.Rule) bool { return o.Name == r.Name }
	p.duplicate(at, slices.ContainsFunc(p.policy.Rules, same), "rule")
	before := len(p.problems)
	if when := f.get("when"); when != nil {
		for _, e := range p.entries(when, `"when"`) {
			p.condition(&r.When, e)
		}
	}
	readable := len(p.problems) == before
	use := f.get("tier")
	if use != nil {
		r.Tier = p.ruleTier(use)
	}
	if m := f.get("max_output"); m != nil {
		r.MaxOutput = positive(p, m, "max_output", tokens)
	}
	p.policy.Rules = append(p.policy.Rules, r)
	p.ruleAt = append(p.ruleAt, ruleNodes{rule: at, tier: use, readable: readable})
}

func (p *parser) ruleTier(n *yaml.Node) policies.TierName {
	v, ok := p.text(n, "tier")
	if ok && p.findTier(policies.TierName(v)) < 0 {
		p.unknownTier(n, v)
	}
	return policies.TierName(v)
}

// condition adds one entry of "when" to a match.
func (p *parser) condition(m *policies.Match, e entry) {
	switch e.name {
	case "model":
		m.Models = p.globs(e)
	case "path":
		m.Paths = p.paths(e)
	case "provider":
		for _, v := range p.texts(e.value, e.name) {
			if p.known(v.value, policies.RouteName(v.name), false) {
				m.Providers = append(m.Providers, policies.RouteName(v.name))
			}
		}
	case "api":
		m.APIs = p.apis(e)
	case "tools":
		m.Tools = p.boolean(e)
	case "images":
		m.Images = p.boolean(e)
	case "stream":
		m.Stream = p.boolean(e)
	case "input":
		m.Input = quantity(p, e.value, e.name, tokenRange)
	case "output":
		m.MaxOutput = quantity(p, e.value, e.name, tokenRange)
	default:
		p.labelCondition(m, e)
	}
}

// labelCondition reads a condition on a header or dimension.
func (p *parser) labelCondition(m *policies.Match, e entry) {
	if header, ok := strings.CutPrefix(e.name, "header."); ok {
		header = strings.ToLower(header)
		if !isToken(header) {
			p.report(e.key, BadName, "%q is no name for a header", "", header)
			return
		}
		if slices.ContainsFunc(m.Headers, func(c policies.Condition) bool { return c.Key == header }) {
			p.report(e.key, DuplicateKey, "%q stands twice", "names of headers do not depend on case", header)
			return
		}
		m.Headers = append(m.Headers, policies.Condition{Key: header, Values: p.globs(e)})
		return
	}
	switch {
	case p.findDimension(policies.DimensionName(e.name)) != nil:
		m.Dimensions = append(m.Dimensions, policies.Condition{Key: e.name, Values: p.globs(e)})
	case slices.Contains(laterConditions, e.name):
		p.reportLater(e.key, fmt.Sprintf("a condition on %q", e.name))
	default:
		hint := didYouMean(e.name, append(p.dimensionNames(), conditionKeys...))
		if hint == "" {
			hint = `conditions are dimensions, header.NAME, ` + strings.Join(conditionKeys, ", ")
		}
		p.report(e.key, UnknownDimension, "unknown condition %q", hint, e.name)
	}
}

func (p *parser) globs(e entry) []string {
	var values []string
	for _, v := range p.texts(e.value, e.name) {
		values = append(values, v.name)
	}
	return values
}

func (p *parser) paths(e entry) []string {
	for _, v := range p.texts(e.value, e.name) {
		if (!strings.HasPrefix(v.name, "/") && !strings.HasPrefix(v.name, "*")) || strings.ContainsAny(v.name, "?#") {
			p.report(v.value, BadValue, "%q matches no path", `begin with "/" or "*", and leave the query out`, v.name)
		}
	}
	return p.globs(e)
}

func (p *parser) apis(e entry) []string {
	var list []string
	for _, v := range p.texts(e.value, e.name) {
		if !slices.Contains(apis, v.name) {
			p.report(v.value, UnknownAPI, "unknown API %q", oneOf(v.name, apis), v.name)
			continue
		}
		list = append(list, v.name)
	}
	return list
}

func (p *parser) boolean(e entry) *bool {
	b := p.flag(e.value, e.name)
	return &b
}
