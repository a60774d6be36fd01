package policytest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// Result is what a door makes of a vector.
type Result struct {
	Facts  map[Fact]string // those without a value are left out
	Body   []byte          // of the request as it leaves; nil where none does
	Answer []byte          // the client gets it in place of the provider's; nil for none
}

// Fact is something that a result says.
type Fact string

// The facts, in the order in which vectors list them.
const (
	Decision  Fact = "decision"     // asked, tier, pool, refuse or replay
	Would     Fact = "would"        // observe mode: the decision that was not acted on
	Refusal   Fact = "refusal"      // why policy refuses; not known to the filter and the server
	Rule      Fact = "rule"         // the one that matched
	Tier      Fact = "tier"         // of that rule
	Kept      Fact = "kept"         // why the tier did not change the model; known to the Go API
	Pool      Fact = "pool"         // that the call is eligible for; not known to the filter
	Step      Fact = "step"         // of a budget, that made the call what it is; known to the Go API
	Route     Fact = "route"        // where the call goes
	Model     Fact = "model"        // as it is sent
	Bound     Fact = "bound"        // the most that the call's tokens can cost, in dollars; not known to the filter
	Path      Fact = "path"         // as it is sent
	Removed   Fact = "removed"      // the client's headers that do not go on; not known to the Go API
	Set       Fact = "set"          // credentials that go on in their place; not known to the Go API
	Status    Fact = "status"       // of the answer in place of the provider's
	Usage     Fact = "usage"        // disjoint kinds
	Cost      Fact = "cost_usd"     // what the call came to
	ListCost  Fact = "list_usd"     // by the price list, where the provider stated another charge; known to the Go API
	Baseline  Fact = "baseline_usd" // what the call as asked would have come to
	Savings   Fact = "savings"      // baseline less cost, by lever; not known to the filter
	Estimated Fact = "estimated"    // true: the provider stated no usage, or bills under terms that nobody lists
)

var factOrder = []Fact{
	Decision, Would, Refusal, Rule, Tier, Kept, Pool, Step, Route, Model, Bound, Path, Removed, Set, Status, Usage, Cost,
	ListCost, Baseline, Savings, Estimated,
}

// forwarded reports whether a call leaves.
func (r Result) forwarded() bool {
	return r.Facts[Decision] != "refuse" && r.Facts[Decision] != "replay"
}

// Without returns the result less some facts.
func (r Result) Without(facts ...Fact) Result {
	r.Facts = maps.Clone(r.Facts)
	for _, f := range facts {
		delete(r.Facts, f)
	}
	return r
}

// Note states a fact, unless value is empty.
func (r Result) Note(f Fact, value string) {
	if value != "" {
		r.Facts[f] = value
	}
}

// Money states what a call came to. A call that was not billed has a cost of zero and no baseline.
func (r Result) Money(u pricing.Usage, cost, baseline pricing.Money, s pricing.Savings, estimated bool) {
	r.Note(Usage, UsageText(u))
	r.Note(Cost, cost.String())
	r.Note(Baseline, baseline.String())
	r.Note(Savings, savingsText(s))
	if estimated {
		r.Note(Estimated, "true")
	}
}

// UsageText lists the kinds that are not zero: "input 12, output 3".
func UsageText(u pricing.Usage) string {
	var parts []string
	for kind, n := range u.All() {
		if n != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", kind, n))
		}
	}
	return strings.Join(parts, ", ")
}

// savingsText lists the levers that made a difference: "tier 0.000012000".
func savingsText(s pricing.Savings) string {
	var parts []string
	for lever, m := range s {
		if m != 0 {
			parts = append(parts, fmt.Sprintf("%s %s", pricing.Lever(lever), m))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *Result) parse(data []byte) error {
	for key, value := range members(data) {
		if !slices.Contains(factOrder, Fact(key)) {
			return fmt.Errorf("unknown fact %q", key)
		}
		r.Facts[Fact(key)] = value
	}
	return nil
}

// text prints the facts as vectors list them.
func (r Result) text() string {
	var b strings.Builder
	for _, f := range factOrder {
		if v := r.Facts[f]; v != "" {
			fmt.Fprintf(&b, "%s: %s\n", f, v)
		}
	}
	return b.String()
}
