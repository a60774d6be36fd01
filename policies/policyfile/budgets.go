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
	now:   []string{"name", "limit", "per", "zone", "steps", "aborted"},
	later: []string{"soft", "fit_output", "on_outage", "stop_on_budget", "alert", "rollover"},
}

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
		b.Limit, b.Window = p.limit(limit)
	}
	if per := f.get("per"); per != nil {
		b.Per = p.budgetScope(per)
	}
	if zone := f.get("zone"); zone != nil {
		b.Zone = p.zone(zone)
	}
	if steps := f.get("steps"); steps != nil {
		b.FreeOnly = p.steps(steps)
	}
	if a := f.get("aborted"); a != nil {
		b.AbortedEstimate = choice(&p.source, a, "aborted", "estimate") == "estimate"
	}
	p.policy.Budgets = append(p.policy.Budgets, b)
}

// limit reads "$14,200 per month".
func (p *parser) limit(n *yaml.Node) (pricing.Money, policies.Period) {
	text, ok := p.text(n, "limit")
	if !ok {
		return 0, policies.Month
	}
	amount, per, cut := words(text, " per ")
	switch {
	case !cut:
		p.report(n, MissingUnit, "limit %q has no window", `write "$500 per day" or "$14,200 per month"`, text)
		return 0, policies.Month
	case per == "hour" || per == "week" || per == "year" || strings.Contains(per, "rolling"):
		p.reportLater(n, fmt.Sprintf("a limit per %s", per))
	case per != string(policies.Day) && per != string(policies.Month):
		p.report(n, BadValue, "a limit cannot be per %q", oneOf(per, []policies.Period{policies.Day, policies.Month}), per)
	}
	return positive(p, n, "limit", func(string) (pricing.Money, *mistake) { return dollars(amount) }), policies.Period(per)
}

func (p *parser) budgetScope(n *yaml.Node) []policies.DimensionName {
	var per []policies.DimensionName
	for _, e := range p.texts(n, "per") {
		d := p.scope(e.value, e.name, "a budget")
		if slices.Contains(per, d) {
			p.report(e.value, DuplicateName, "dimension %q stands twice", "", e.name)
			continue
		}
		per = append(per, d)
	}
	return per
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

// steps reads what happens as the budget fills and reports whether, when it is full, what is free goes on.
func (p *parser) steps(n *yaml.Node) (freeOnly bool) {
	for _, e := range p.entries(n, `"steps"`) {
		percent, ok := strings.CutSuffix(e.name, "%")
		switch {
		case !ok && isDigits(e.name):
			p.report(e.key, MissingUnit, "step %q has no unit", fmt.Sprintf("write %q", e.name+"%"), e.name)
		case !ok || !isDigits(percent):
			p.report(e.key, BadValue, "%q is no step of a budget", `write "100%"`, e.name)
		case percent != "100":
			p.reportLater(e.key, fmt.Sprintf("a step at %s", e.name))
		default:
			freeOnly = p.fullStep(e.value)
		}
	}
	return freeOnly
}

// fullStep reads what happens at 100%.
func (p *parser) fullStep(n *yaml.Node) (freeOnly bool) {
	for _, later := range []string{"alert", "cap at ", "downgrade", "prefer "} {
		if strings.HasPrefix(n.Value, later) {
			p.reportLater(n, fmt.Sprintf("step %q", n.Value))
			return false
		}
	}
	return choice(&p.source, n, "step 100%", "refuse", "free only") == "free only"
}
