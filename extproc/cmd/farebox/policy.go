package main

import (
	"context"
	"fmt"
	"io"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// load reads, parses and compiles a policy file. Problems that do not stop it go to warnings.
func load(file string, warnings io.Writer) (*policies.Set, error) {
	set, _, err := readPolicy(file, warnings)
	return set, err
}

// compile makes a set of a policy's text.
func compile(file string, text []byte, warnings io.Writer) (*policies.Set, error) {
	p, problems := policyfile.Parse(file, text)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if err := problems.Format(warnings); err != nil {
		return nil, err
	}
	set, err := policies.Compile(*p, catalog.Table())
	if err != nil {
		return nil, fmt.Errorf("compile policy %q: %w", file, err)
	}
	return set, nil
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
	fmt.Fprintf(e.stdout, "%s: ok, mode %s, %d tiers, %d rules, %d pools, %d budgets\n",
		f.Arg(0), p.Mode, len(p.Tiers), len(p.Rules), len(p.Pools), len(p.Budgets))
	return statusOK
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
	fmt.Fprintf(e.stdout, "%s\n", policies.AppendJSON(nil, set.Policy(), listings(set)))
	return statusOK
}

// listings are the prices that a filter needs: those of the vendors that the policy names.
func listings(set *policies.Set) []pricing.Listing {
	vendors := map[pricing.ProviderName]bool{}
	for _, p := range set.Policy().Providers {
		vendors[p.Vendor] = true
	}
	var chosen []pricing.Listing
	for _, l := range catalog.Listings() {
		if vendors[l.Provider] {
			chosen = append(chosen, l)
		}
	}
	return chosen
}

func runVersion(_ context.Context, _ []string, e env) int {
	fmt.Fprintln(e.stdout, version())
	return statusOK
}
