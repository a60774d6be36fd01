package policyfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
)

// stepWords are what a step can do, as it is written.
var stepWords = []string{"alert", "cap at TIER", "prefer pools", "fit output", "refuse", "free only"}

// steps reads what happens as a budget fills: percentages in rising order, each with a step or a list of them.
func (p *parser) steps(n *yaml.Node, b *policies.Budget) {
	last := int64(0)
	for _, e := range p.entries(n, `"steps"`) {
		percent, ok := p.stepPercent(e)
		if ok && percent <= last {
			p.report(e.key, StepOrder, "the step at %d%% stands behind the one at %d%%", "steps stand in rising order", percent, last)
		}
		last = max(last, percent)
		for _, s := range p.texts(e.value, fmt.Sprintf("step %s", e.name)) {
			if ok {
				p.step(s, percent, b)
			}
		}
	}
}

// stepPercent reads "80%".
func (p *parser) stepPercent(e entry) (int64, bool) {
	digits, cut := strings.CutSuffix(e.name, "%")
	switch {
	case !cut && isDigits(e.name):
		p.report(e.key, MissingUnit, "step %q has no unit", fmt.Sprintf("write %q", e.name+"%"), e.name)
		return 0, false
	case !cut || !isDigits(digits):
		p.report(e.key, BadValue, "%q is no step of a budget", `write whole percents such as "80%"`, e.name)
		return 0, false
	}
	percent, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || percent < 1 || percent > 100 {
		p.report(e.key, OutOfRange, "a step at %s", "steps are at 1% to 100% of the limit", e.name)
		return 0, false
	}
	return percent, true
}

// step adds what happens from a percentage on.
func (p *parser) step(e entry, percent int64, b *policies.Budget) {
	s := policies.Step{Percent: percent}
	text := strings.Join(strings.Fields(e.name), " ")
	tier, capped := strings.CutPrefix(text, "cap at ")
	switch {
	case capped:
		s.Do, s.Tier = policies.StepCapTier, p.stepTier(e.value, tier)
	case text == "alert":
		s.Do = policies.StepAlert
	case text == "prefer pools":
		s.Do = policies.StepPools
		if len(p.policy.Pools) == 0 {
			p.report(e.value, UselessStep, "there are no pools to prefer", `list some under "pools"`)
		}
	case text == "fit output":
		s.Do = policies.StepFit
		if b.FitOutput == 0 {
			p.report(e.value, MissingKey, "the step has no cap to go down to", `write "fit_output: down to 256 tokens" in the budget`)
		}
	case text == "refuse":
		s.Do = policies.StepRefuse
	case text == "free only":
		p.freeOnly(e.value, percent, b)
		return
	default:
		p.report(e.value, BadValue, "a step cannot be %q", oneOf(text, stepWords), text)
		return
	}
	p.addStep(e.value, s, b)
}

func (p *parser) addStep(n *yaml.Node, s policies.Step, b *policies.Budget) {
	switch {
	case s.Do == policies.StepRefuse && b.Soft:
		p.report(n, SoftBudget, "a soft budget never refuses a call", `leave "soft" out, or write another step`)
	case s.Do == policies.StepRefuse && s.Percent == 100: // as every hard budget does
	case slices.ContainsFunc(b.Steps, func(o policies.Step) bool { return o == s }):
		p.report(n, DuplicateName, "step %q stands twice at %d%%", "", n.Value, s.Percent)
	default:
		b.Steps = append(b.Steps, s)
	}
}

// freeOnly reads the step that keeps what costs nothing usable.
func (p *parser) freeOnly(n *yaml.Node, percent int64, b *policies.Budget) {
	switch {
	case b.Soft:
		p.report(n, SoftBudget, "a soft budget never refuses a call, so that all of them go on at 100%%", `leave "soft" out, or the step`)
	case percent != 100:
		p.report(n, BadValue, "free only is a step at 100%%", `write "refuse" to keep a part of the budget in reserve`)
	default:
		b.FreeOnly = true
	}
}

// stepTier finds the tier that a step caps at.
func (p *parser) stepTier(n *yaml.Node, name string) policies.TierName {
	if p.findTier(policies.TierName(name)) < 0 {
		p.unknownTier(n, name)
	}
	return policies.TierName(name)
}
