package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// loaded is a policy with what it was made of.
type loaded struct {
	set      *policies.Set
	overlays [][]pricing.Listing // of its price files, in their order
	origins  catalog.Origins     // of the set's prices, by those
	from     sources
}

// load reads, parses and compiles a policy file. Problems that do not stop it go to warnings.
func load(file string, warnings io.Writer) (*policies.Set, error) {
	l, err := readPolicy(file, warnings)
	return l.set, err
}

// readPolicy is load with the sources.
func readPolicy(file string, warnings io.Writer) (loaded, error) {
	reader := sourceReader{file: file}
	from, err := reader.read()
	if err != nil {
		return loaded{}, err
	}
	return compile(file, from, warnings)
}

// compile makes a set of a policy's sources.
func compile(file string, from sources, warnings io.Writer) (loaded, error) {
	p, overlays, problems := policyfile.ParseWith(file, from.text, from.price)
	if err := problems.Err(); err != nil {
		return loaded{}, err
	}
	if err := problems.Format(warnings); err != nil {
		return loaded{}, err
	}
	table, origins := catalog.WithOrigins(overlays...)
	set, err := policies.Compile(*p, table)
	if err != nil {
		return loaded{}, fmt.Errorf("compile policy %q: %w", file, err)
	}
	return loaded{set, overlays, origins, from}, nil
}

// filterJSON is the policy in the filter's form, with the prices that it needs.
func (l *loaded) filterJSON() []byte {
	return policies.AppendJSON(nil, l.set.Policy(), l.set.Needed(catalog.Curated(), slices.Concat(l.overlays...)))
}

func runCheck(_ context.Context, args []string, e env) int {
	f := flags("check", "check FILE", e)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if wrong := oneArg(f, "FILE"); wrong != "" {
		return misused(f, wrong)
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
	switch {
	case f.NArg() == 0 || f.Arg(0) != "compile":
		return misused(f, unknownCommand(f.Arg(0), "compile"))
	case f.NArg() == 1:
		return misused(f, "FILE is missing")
	case f.NArg() > 2:
		return misused(f, surplus(f.Arg(2)))
	}
	l, err := readPolicy(f.Arg(1), e.stderr)
	if err != nil {
		return e.fail(err)
	}
	fmt.Fprintf(e.stdout, "%s\n", l.filterJSON())
	return statusOK
}

// release is the version that the build names, "" for none: -ldflags "-X main.release=v1.2.3".
var release string

// version is the release, else the module's version, or what Go knows of the revision that the binary was built from.
func version() string {
	if release != "" {
		return release
	}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return b.Main.Version
}

func runVersion(_ context.Context, args []string, e env) int {
	f := flags("version", "version", e)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if f.NArg() > 0 {
		return misused(f, surplus(f.Arg(0)))
	}
	fmt.Fprintln(e.stdout, version())
	return statusOK
}
