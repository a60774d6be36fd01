package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// load reads, parses and compiles a policy file. Problems that do not stop it go to warnings.
func load(file string, warnings io.Writer) (*policies.Set, error) {
	set, _, err := readPolicy(file, warnings)
	return set, err
}

// compile makes a set of a policy's sources.
func compile(file string, from sources, warnings io.Writer) (*policies.Set, error) {
	p, problems := policyfile.Parse(file, from.text)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if err := problems.Format(warnings); err != nil {
		return nil, err
	}
	overlays, err := parsePrices(file, p.Overlays, from.prices)
	if err != nil {
		return nil, err
	}
	set, err := policies.Compile(*p, catalog.With(overlays...))
	if err != nil {
		return nil, fmt.Errorf("compile policy %q: %w", file, err)
	}
	return set, nil
}

// compiled is the policy in the filter's form, with the prices that it needs.
func compiled(file string, set *policies.Set) ([]byte, error) {
	paths := set.Policy().Overlays
	texts, err := readPrices(file, paths)
	if err != nil {
		return nil, err
	}
	overlays, err := parsePrices(file, paths, texts)
	if err != nil {
		return nil, err
	}
	return policies.AppendJSON(nil, set.Policy(), set.Needed(catalog.Curated(), slices.Concat(overlays...))), nil
}

func runCheck(_ context.Context, args []string, e env) int {
	f := flags("check", "check FILE", e)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if f.NArg() != 1 {
		f.Usage()
		return statusUsage
	}
	set, err := load(f.Arg(0), e.stderr)
	if err != nil {
		return e.fail(err)
	}
	p := set.Policy()
	fmt.Fprintf(e.stdout, "%s: ok, mode %s, %s, %s, %s, %s\n", f.Arg(0), p.Mode,
		count(len(p.Tiers), "tier"), count(len(p.Rules), "rule"), count(len(p.Pools), "pool"), count(len(p.Budgets), "budget"))
	return statusOK
}

// count is a number of things: "1 rule", "2 rules".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func runPolicy(_ context.Context, args []string, e env) int {
	f := flags("policy", "policy compile FILE", e)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if f.NArg() != 2 || f.Arg(0) != "compile" {
		f.Usage()
		return statusUsage
	}
	set, err := load(f.Arg(1), e.stderr)
	if err != nil {
		return e.fail(err)
	}
	text, err := compiled(f.Arg(1), set)
	if err != nil {
		return e.fail(err)
	}
	fmt.Fprintf(e.stdout, "%s\n", text)
	return statusOK
}

func runVersion(_ context.Context, _ []string, e env) int {
	fmt.Fprintln(e.stdout, version())
	return statusOK
}
