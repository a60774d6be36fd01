package policyfile

import (
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/policies"
)

// checkReach reports rules that never match, as an earlier rule takes every call that they would.
// It sees what follows from the text alone, and no more.
func (p *parser) checkReach() {
	for j := range p.policy.Rules {
		for i := range j {
			first, later := &p.policy.Rules[i], &p.policy.Rules[j]
			if !p.ruleAt[i].readable || !p.ruleAt[j].readable || !covers(&first.When, &later.When) {
				continue
			}
			p.report(p.ruleAt[j].rule, UnreachableRule, "rule %q never matches: rule %q on line %d takes its calls",
				"put the narrower rule first, or remove it", string(later.Name), string(first.Name), p.ruleAt[i].rule.Line)
			break
		}
	}
}

// covers reports whether every call that b matches is certain to match a.
func covers(a, b *policies.Match) bool {
	return coversLabels(a.Dimensions, b.Dimensions) && coversLabels(a.Headers, b.Headers) &&
		coversGlobs(a.Models, b.Models) && coversGlobs(a.Paths, b.Paths) &&
		coversNames(a.Providers, b.Providers) && coversNames(a.APIs, b.APIs) &&
		coversFlag(a.Tools, b.Tools) && coversFlag(a.Images, b.Images) && coversFlag(a.Stream, b.Stream) &&
		coversRange(a.Input, b.Input) && coversRange(a.MaxOutput, b.MaxOutput)
}

func coversLabels(a, b []policies.Condition) bool {
	for _, c := range a {
		i := slices.IndexFunc(b, func(d policies.Condition) bool { return d.Key == c.Key })
		if i < 0 || !coversGlobs(c.Values, b[i].Values) {
			return false
		}
	}
	return true
}

// coversGlobs reports whether each of b's globs is within one of a's; an empty list is everything.
func coversGlobs(a, b []string) bool {
	if len(a) == 0 {
		return true
	}
	for _, glob := range b {
		if !slices.ContainsFunc(a, func(wide string) bool { return coversGlob(wide, glob) }) {
			return false
		}
	}
	return len(b) > 0
}

// coversGlob knows equal globs, "*", and a prefix glob such as "gpt-*". "*" asks for a value, which "" is not.
func coversGlob(wide, glob string) bool {
	prefix, ok := strings.CutSuffix(wide, "*")
	if wide == glob {
		return true
	}
	return ok && glob != "" && !strings.Contains(prefix, "*") && strings.HasPrefix(glob, prefix)
}

func coversNames[S ~string](a, b []S) bool {
	outside := func(s S) bool { return !slices.Contains(a, s) }
	return len(a) == 0 || len(b) > 0 && !slices.ContainsFunc(b, outside)
}

func coversFlag(a, b *bool) bool { return a == nil || b != nil && *a == *b }

func coversRange(a, b policies.Range) bool {
	return a.Min <= b.Min && (a.Max == 0 || b.Max != 0 && b.Max <= a.Max)
}
