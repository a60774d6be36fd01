package policyfile

import (
	"strconv"

	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// Parse reads a policy file; name is what problems call it. It returns all problems of the file at once, in file
// order, and the policy unless Problems.Err is not nil. Whatever Parse accepts, policies.Compile does too. It does not
// look at the price files that the policy names: see ParseWith.
func Parse(name string, data []byte) (*policies.Policy, Problems) {
	policy, _, problems := ParseWith(name, data, nil)
	return policy, problems
}

// parse reads the sections and checks what they say of each other.
func (p *parser) parse(data []byte) {
	if top := p.load(data); top != nil {
		p.sections(top)
		p.checkTiers()
		p.checkReach()
		p.checkPrices()
	}
}

// parser fills a policy from the sections of a file. Things with problems are declared all the same, so that
// one mistake is not reported again wherever the thing is used.
type parser struct {
	source
	read     func(path string) ([]byte, error) // price files; nil: they are not looked at
	overlays [][]pricing.Listing               // of the price files that could be read
	own      *pricing.Table                    // what the overlays have ever priced; nil until somebody asks
	within   Problems                          // of price files
	lists    []priceList                       // the price files without a mistake
	policy   policies.Policy
	claims   map[string]policies.RouteName // hosts and path prefixes, by whom they belong to
	refs     [][]*yaml.Node                // where the models of each tier stand
	ruleAt   []ruleNodes
}

func newParser(name string, read func(path string) ([]byte, error)) *parser {
	return &parser{source: source{file: name}, read: read, claims: make(map[string]policies.RouteName)}
}

// ruleNodes are the places of a rule.
type ruleNodes struct {
	rule     *yaml.Node // its name, else its first key
	tier     *yaml.Node // nil if it names none
	readable bool       // its conditions could be read: one that could not would look like none
}

// The keys of the top level. The later ones belong to the language as planned.
var topKeys = keys{
	now: []string{"version", "mode", "metering", "providers", "dimensions", "tiers", "rules", "caches", "pools",
		"budgets", "prices", "unknown_model", "ledger", "refusal_status"},
	later: []string{"classifier", "classifiers", "quality", "guard", "alerts", "replicas", "store", "batch", "trim", "audit"},
}

// sections reads them, those that define names before those that use them.
func (p *parser) sections(top *yaml.Node) {
	f := p.fields(top, top, "a policy", topKeys)
	p.version(f)
	p.policy.Mode = choice(&p.source, f.get("mode"), "mode", policies.Observe, policies.Enforce)
	p.policy.Passive = choice(&p.source, f.get("metering"), "metering", "active", "passive") == "passive"
	prices := p.prices(f)
	p.each(f, "pools", p.pool)
	p.providers(f)
	p.each(f, "dimensions", p.dimension)
	p.each(f, "tiers", p.tier)
	p.list(f, "rules", p.rule)
	p.caches(f)
	p.list(f, "budgets", p.budget)
	p.list(prices, "discounts", p.discount)
	p.unknownModel(f)
	p.records(f)
	p.refusalStatus(f)
}

// each reads a section that maps names to things.
func (p *parser) each(f fields, section string, read func(entry)) {
	n := f.get(section)
	if n == nil {
		return
	}
	for _, e := range p.entries(n, strconv.Quote(section)) {
		read(e)
	}
}

// list reads a section that is a list of mappings.
func (p *parser) list(f fields, section string, read func(index int, n *yaml.Node)) {
	n := f.get(section)
	if n == nil {
		return
	}
	if n.Kind != yaml.SequenceNode {
		p.report(n, WrongType, "%q is a list", `begin each entry with "- "`, section)
		return
	}
	for i, item := range n.Content {
		if item.Kind != yaml.MappingNode {
			p.report(item, WrongType, "an entry of %q is a mapping", "write it as key: value", section)
			continue
		}
		read(i, item)
	}
}

func (p *parser) version(f fields) {
	n := p.required(f, "version", "the policy", `begin with "version: 1"`)
	if n == nil {
		return
	}
	if n.Kind != yaml.ScalarNode || n.Value != "1" {
		p.report(n, UnsupportedVersion, "version %q is not known to this release", `write "version: 1"`, n.Value)
	}
}

// defaultCharge is what a million tokens of an unknown model count if the file does not say. It is more than most
// models cost, so that a budget errs on the side of its owner.
const defaultCharge = pricing.Rate(30 * pricing.Dollar)

func (p *parser) unknownModel(f fields) {
	p.policy.Unknown = policies.UnknownModel{Charge: defaultCharge, Alert: true}
	n := f.get("unknown_model")
	switch {
	case n == nil:
		return
	case n.Kind == yaml.ScalarNode && n.Value == "allow":
		p.policy.Unknown = policies.UnknownModel{Alert: true} // at the dearest rates that are listed
		return
	case n.Kind == yaml.ScalarNode:
		if n.Value != "refuse" {
			p.report(n, BadValue, "unknown_model cannot be %q", `write "refuse", "allow" or {charge: $30 per 1M, alert: true}`, n.Value)
		}
		p.policy.Unknown = policies.UnknownModel{Refuse: true}
		return
	}
	u := p.fields(n, n, "unknown_model", keys{now: []string{"charge", "alert"}})
	p.policy.Unknown.Alert = p.flag(u.get("alert"), "alert")
	if c := p.required(u, "charge", "unknown_model", `write "charge: $30 per 1M"`); c != nil {
		p.policy.Unknown.Charge = positive(p, c, "charge", perMillion)
	}
}

// quantity reads a scalar with a unit, or reports what is wrong with it and returns zero.
func quantity[T any](p *parser, n *yaml.Node, what string, read func(string) (T, *mistake)) T {
	var zero T
	text, ok := p.text(n, what)
	if !ok {
		return zero
	}
	v, m := read(text)
	if m != nil {
		p.report(n, m.code, "%s: %s", m.hint, what, m.message)
		return zero
	}
	return v
}

// positive is quantity for a number that zero makes useless.
func positive[T ~int64](p *parser, n *yaml.Node, what string, read func(string) (T, *mistake)) T {
	before := len(p.problems)
	v := quantity(p, n, what, read)
	if v == 0 && len(p.problems) == before {
		p.report(n, ImpossibleLimit, "%s is zero", "", what)
	}
	return v
}

// duplicate reports a name that its kind already has.
func (p *parser) duplicate(n *yaml.Node, taken bool, what string) bool {
	if taken {
		p.report(n, DuplicateName, "%s %q is defined twice", "names are unique", what, n.Value)
	}
	return taken
}
