package policies

import (
	"errors"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// OptionKind says how an option differs from what the caller asked for.
type OptionKind uint8

// The kinds. Options of a decision stand in order of preference and end with Refuse.
const (
	Asked  OptionKind = iota // as the caller sent it, output cap aside
	Tiered                   // another model of a provider
	Pooled                   // a model of an own pool
	Refuse                   // no call; an error in the API's own shape
)

var optionKindNames = [...]string{"asked", "tier", "pool", "refuse"}

// String returns the kind's name in headers, metrics and reports.
func (k OptionKind) String() string { return optionKindNames[k] }

// Option is one way to serve a call.
type Option struct {
	Kind      OptionKind
	Route     RouteName            // where the call goes
	Vendor    pricing.ProviderName // whose prices apply there; "" for pools
	Model     pricing.ModelName    // the model as sent upstream
	Listing   *pricing.Listing     // its price; nil for pools and unknown models
	Rate      pricing.Rate         // where Listing is nil: charged for every token; 0 for the dearest rates of the list
	Terms     pricing.Terms        // class of service and region that the call asks for
	Output    int64                // the most tokens that the answers can have; 0 is unknown
	Bound     pricing.Money        // the most that the call can cost
	Unbounded bool                 // it may cost more: Bound is 0, or the most for its tokens where fees are not known
	Expected  pricing.Money        // what it is expected to cost; at most Bound where that is known
	Edit      provider.Target      // what the request must become
	Refusal   Refusal              // for Refuse: why
	Lack      Lack                 // for RefuseUnpriced: what is missing to bound Model

	cap     int64          // the most tokens of one answer; 0 is unknown
	dearest *pricing.Price // of an unknown model without a rate of its own
}

// Charge is the part of the bound that budgets reserve. Calls to own pools are paid by the hour anyway.
func (o *Option) Charge() pricing.Money {
	if o.Kind == Pooled {
		return 0
	}
	return o.Bound
}

// Cost prices a usage under the terms that the call asks for. Errors are those of pricing.Price.Cost.
func (o *Option) Cost(u pricing.Usage) (pricing.Money, error) {
	price, _ := o.price(o.Terms)
	return price.Cost(u)
}

// Refusal is the reason of a refusal.
type Refusal uint8

// The reasons.
const (
	RefuseBudget       Refusal = iota // no earlier option fits the budgets
	RefuseUnknownModel                // unknown_model: refuse
	RefuseUnpriced                    // a hard budget covers a call that cannot be priced in advance
	RefuseStep                        // a budget's step keeps the rest of it in reserve; Decision.Budget and Step say which
)

var refusalNames = [...]string{"budget", "unknown_model", "unpriced", "budget_step"}

// String returns the reason's name in metrics and reports.
func (r Refusal) String() string { return refusalNames[r] }

// maxOptions is enough for the preferred option, a free pool and the refusal.
const maxOptions = 3

// Decision is what a policy says about a call.
type Decision struct {
	Rule RuleName  // the rule that matched, "" for none
	Tier TierName  // its tier, or the one that a budget's step put in its place; "" for none
	Kept string    // why a matched tier did not change the model, "" if it did or none matched
	Pool RouteName // the pool that the call is eligible for, whether or not it goes there; "" for none

	// Budget and Step are the step that made the call what it is: of several the last of alert, cap tier, prefer
	// pools, fit output and refuse. A Step of 0% is fit_output, which acts whatever is spent. "" for none.
	Budget BudgetName
	Step   Step

	Asked Option // the call as the caller sent it: the baseline
	API   Option // the call as it would be served without the pool; equal to Asked where no tier applies
	Facts BillFacts

	options [maxOptions]Option
	n       int
}

// BillFacts are what the bill of an answer depends on besides the option that served the call: all that has to be kept of
// a request until its answer is fetched.
type BillFacts struct {
	// LongWrites says that the request asked for the long lifetime of cache writes, where the API counts either alike.
	LongWrites bool  `json:"long,omitempty"`
	OpenModel  bool  `json:"open,omitempty"`      // which model answers is known from the response alone
	OpenHost   bool  `json:"host,omitempty"`      // the call chooses which host of a router serves it, at that host's price
	Boundless  bool  `json:"boundless,omitempty"` // the call may be billed what no price list knows
	Contexts   int64 `json:"ctx,omitempty"`       // how many contexts of its model the call can use, 0 if nothing bounds that
	Seconds    int64 `json:"secs,omitempty"`      // expected length of sound, for answers that do not state it
	Characters int64 `json:"chars,omitempty"`     // the same by the text that is spoken
}

// Options returns the options in order of preference. The last one is always a refusal.
func (d *Decision) Options() []Option { return d.options[:d.n] }

// First returns the preferred option.
func (d *Decision) First() *Option { return &d.options[0] }

// Choose returns the first option that try accepts. An error of try moves on to the next option; the refusal
// that ends every decision is never tried, and carries the first error along.
func (d *Decision) Choose(try func(*Option) error) (*Option, error) {
	var first error
	for i := range d.Options() {
		o := &d.options[i]
		if o.Kind == Refuse {
			return o, first
		}
		err := try(o)
		if err == nil {
			return o, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, errors.New("internal error: a decision without refusal")
}

func (d *Decision) add(o Option) {
	d.options[d.n] = o
	d.n++
}
