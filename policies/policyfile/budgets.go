package policyfile

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a policy means the same on a machine without time zones

	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

var budgetKeys = keys{
	now: []string{"name", "limit", "per", "for", "zone", "soft", "steps", "fit_output", "stop_on_budget", "aborted", "on_outage"},
	// What an operator does to a budget at run time is no part of the file.
	later: []string{"alert", "rollover"},
}

// periods are the windows of a limit, as they are written.
var periods = []policies.Period{policies.Hour, policies.Day, policies.Week, policies.Month, policies.Rolling}

func (p *parser) budget(index int, n *yaml.Node) {
	what := fmt.Sprintf("budget %d", index+1)
	f := p.fields(n, n, what, budgetKeys)
	b := policies.Budget{Window: policies.Month, Zone: time.UTC}
	if name := p.required(f, "name", what, `write "name: company"`); name != nil {
		if v, ok := p.label(name, "budget"); ok {
			b.Name = policies.BudgetName(v)
			same := func(o policies.Budget) bool { return o.Name == b.Name }
			p.duplicate(name, slices.ContainsFunc(p.policy.Budgets, same), "budget")
		}
	}
	if limit := p.required(f, "limit", what, `write "limit: $500 per day"`); limit != nil {
		p.limit(limit, &b)
	}
	b.Soft = p.flag(f.get("soft"), "soft")
	if per := f.get("per"); per != nil {
		b.Per = p.budgetScope(per, b.Soft)
	}
	if only := f.get("for"); only != nil {
		b.Only = p.budgetCalls(only, b.Soft)
	}
	if zone := f.get("zone"); zone != nil {
		b.Zone = p.zone(zone)
	}
	p.spending(f, &b)
	p.policy.Budgets = append(p.policy.Budgets, b)
}

// spending reads what a budget does on the way up and when it is spent.
func (p *parser) spending(f fields, b *policies.Budget) {
	if fit := f.get("fit_output"); fit != nil {
		b.FitOutput = positive(p, fit, "fit_output", downTo)
	}
	if steps := f.get("steps"); steps != nil {
		p.steps(steps, b)
	}
	b.StopOnBudget = p.flag(f.get("stop_on_budget"), "stop_on_budget")
	b.AbortedEstimate = choice(&p.source, f.get("aborted"), "aborted", "bound", "estimate") == "estimate"
	b.OpenOnOutage = choice(&p.source, f.get("on_outage"), "on_outage", "refuse", "allow") == "allow"
	if !b.Soft {
		return
	}
	for _, key := range []string{"fit_output", "stop_on_budget", "aborted", "on_outage"} {
		if n := f.get(key); n != nil {
			p.report(n, SoftBudget, "%q means nothing in a soft budget, which never refuses a call", "leave it or \"soft\" out", key)
		}
	}
}

// limit reads "$14,200 per month" or "$5 per rolling 24h".
func (p *parser) limit(n *yaml.Node, b *policies.Budget) {
	text, ok := p.text(n, "limit")
	if !ok {
		return
	}
	amount, per, cut := words(text, " per ")
	window, length, rolling := strings.Cut(per, " ")
	switch b.Window = policies.Period(window); {
	case !cut:
		p.report(n, MissingUnit, "limit %q has no window", `write "$500 per day" or "$14,200 per month"`, text)
		return
	case b.Window == policies.Rolling:
		b.Length = p.rolling(n, length)
	case rolling || !slices.Contains(periods, b.Window):
		p.report(n, BadValue, "a limit cannot be per %q", oneOf(per, periods), per)
	}
	b.Limit = positive(p, n, "limit", func(string) (pricing.Money, *mistake) { return dollars(amount) })
}

// shortestRolling is the shortest rolling window: what a balance forgets is counted in sixtieths of it.
const shortestRolling = time.Minute

func (p *parser) rolling(n *yaml.Node, text string) time.Duration {
	const hint = `write "$5 per rolling 24h"`
	if text == "" {
		p.report(n, MissingUnit, "a rolling window has no length", hint)
		return shortestRolling
	}
	length := quantity(p, n, "rolling window", func(string) (time.Duration, *mistake) { return lifetime(text) })
	if length > 0 && length < shortestRolling {
		p.report(n, OutOfRange, "a rolling window of %s is shorter than a minute", hint, text)
	}
	if length > longestRolling {
		p.report(n, OutOfRange, "a rolling window of %s is longer than a year", hint, text)
	}
	return length
}

// longestRolling bounds how far back balances are added up.
const longestRolling = 366 * 24 * time.Hour

// budgetScope reads the dimensions that divide a budget.
func (p *parser) budgetScope(n *yaml.Node, soft bool) []policies.DimensionName {
	var per []policies.DimensionName
	for _, e := range p.texts(n, "per") {
		d := p.budgetDimension(e.value, e.name, soft)
		if slices.Contains(per, d) {
			p.report(e.value, DuplicateName, "dimension %q stands twice", "", e.name)
			continue
		}
		per = append(per, d)
	}
	return per
}

// budgetCalls reads the values that a call must have to be counted.
func (p *parser) budgetCalls(n *yaml.Node, soft bool) []policies.Condition {
	var only []policies.Condition
	for _, e := range p.entries(n, `"for"`) {
		d := p.budgetDimension(e.key, e.name, soft)
		values := p.globs(e)
		if d == policies.DimProvider {
			for _, v := range p.texts(e.value, e.name) {
				if !strings.Contains(v.name, "*") {
					p.known(v.value, policies.RouteName(v.name), true)
				}
			}
		}
		if len(values) > 0 {
			only = append(only, policies.Condition{Key: string(d), Values: values})
		}
	}
	return only
}

// budgetDimension finds a dimension of a budget: a declared one, or one that every call has. A label that clients set
// divides soft budgets only, which nobody is refused by.
func (p *parser) budgetDimension(n *yaml.Node, name string, soft bool) policies.DimensionName {
	d := policies.DimensionName(name)
	if p.findDimension(d) == nil && policies.IsBuiltin(d) {
		if d == policies.DimKey && !soft {
			p.checkKeys(n)
		}
		return d
	}
	if soft && p.findDimension(d) != nil {
		return d
	}
	return p.scope(n, name, "a hard budget")
}

// checkKeys reports a hard budget on keys where a provider takes ours instead: nobody checks what the caller sends
// then, and each new key would have a fresh budget.
func (p *parser) checkKeys(n *yaml.Node) {
	for _, pr := range p.policy.Providers {
		if pr.Credential.File != "" {
			p.report(n, UntrustedScope, "nobody checks the keys of calls for provider %q, which carry the one in its file",
				"divide the budget by a dimension from jwt: or mtls:, or make it soft", string(pr.Name))
			return
		}
	}
}

// zone finds a time zone by its name in the IANA database. "Local" would depend on the machine.
func (p *parser) zone(n *yaml.Node) *time.Location {
	v, ok := p.text(n, "zone")
	if !ok {
		return time.UTC
	}
	loc, err := time.LoadLocation(v)
	if err != nil || v == "" || v == "Local" {
		p.report(n, UnknownZone, "unknown time zone %q", `write a name such as "Europe/Berlin" or "UTC"`, v)
		return time.UTC
	}
	return loc
}
