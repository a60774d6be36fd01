// Package filter is the logic of the light filter: one HTTP request and its response, decided and metered inside
// the proxy. It knows no proxy-wasm: a Host makes the calls into the proxy, and the proxy's callbacks drive an
// Exchange:
//
//	RequestHeaders -> RequestBody (any number) -> RequestTrailers (if any)
//	  -> ResponseHeaders -> ResponseBody (any number) -> Done
//
// The configuration is the compiled policy that "farebox policy compile" prints. In enforce mode the filter
// rewrites the call as the policy's first option says; in observe mode the call leaves as it came, and what would
// have been done is recorded. In both modes it sets the request header x-farebox-route, by which the route table
// of this deployment chooses the upstream; a client's own value never survives. Setting a request header makes
// Envoy choose the route anew.
//
// What the filter has not got, as every worker of the proxy has a memory of its own, there are no files, and values
// come without their types:
//
//   - budgets and the exact cache: left out of the decision, with a warning at start
//   - pools used when cheaper: a tier passes them over; pools that are always used work
//   - credentials from files: a tier's models that need one are passed over; a call that stays where the caller
//     sent it keeps the caller's credential. One that moves to a pool leaves it behind
//   - provider cache markers: no prefix was ever seen before, so none is marked
//   - claims of a token that are numbers or booleans, which Envoy hands over in binary: a dimension read from one has
//     no value here, while the server reads it
//
// Behaviour on bad input and faults:
//
//   - a request that is no call which farebox reads (path, method, upgrade, no body in observe mode) passes and is
//     routed to its provider
//   - enforce mode refuses a call that cannot be read, an unknown model where the policy says so, and a body whose
//     encoding is neither plain nor gzip, each with an error in the API's own shape; observe mode lets them pass and
//     meters the answer
//   - a panic, which would cut every stream of the worker, is caught in each callback: an undecided call is refused
//     with 503 in enforce mode and passes in observe mode; an answer runs on and is metered no further
//   - an answer that was cut or states no usage is charged as an estimate and says so
package filter

import (
	"fmt"
	"slices"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// routeHeader is the request header by which the route table chooses the upstream.
const routeHeader = "x-farebox-route"

// Filter is one policy in force. It is immutable; New makes one.
type Filter struct {
	set      *policies.Set
	warnings []string
}

// New compiles a plugin configuration, the output of "farebox policy compile".
func New(config []byte) (*Filter, error) {
	p, listings, err := policies.DecodeJSON(config)
	if err != nil {
		return nil, fmt.Errorf("read compiled policy: %w", err)
	}
	f := &Filter{}
	f.limit(p)
	f.set, err = policies.Compile(*p, pricing.NewTable(listings))
	if err != nil {
		return nil, fmt.Errorf("compile policy: %w", err)
	}
	return f, nil
}

// Warnings says what of the policy the filter cannot do, a sentence each.
func (f *Filter) Warnings() []string { return f.warnings }

// limit takes out of a policy what needs files or shared state.
func (f *Filter) limit(p *policies.Policy) {
	if len(p.Budgets) > 0 {
		f.warn("the policy's %d budgets limit nothing here: the filter keeps no balances", len(p.Budgets))
		p.Budgets = nil
	}
	if p.Exact != nil {
		f.warn("the exact cache is off: the filter keeps no answers")
		p.Exact = nil
	}
	keyed := map[policies.RouteName]bool{}
	for _, q := range p.Providers {
		keyed[q.Name] = q.Credential.File != ""
	}
	for _, q := range p.Pools {
		keyed[q.Name] = q.Credential.File != ""
	}
	for i := range p.Tiers {
		t := &p.Tiers[i]
		t.Models = slices.DeleteFunc(t.Models, func(m policies.ModelRef) bool {
			if keyed[m.Route] {
				f.warn("tier %q passes over %s/%s: the filter reads no credential files", t.Name, m.Route, m.Model)
			}
			return keyed[m.Route]
		})
	}
}

func (f *Filter) warn(format string, args ...any) {
	f.warnings = append(f.warnings, fmt.Sprintf(format, args...))
}
