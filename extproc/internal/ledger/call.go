package ledger

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// None is the value under which a call without a verified value counts.
const None = "(none)"

// Dim is what a call says about who pays. Only a verified value scopes a budget; the others are labels.
type Dim struct {
	Name     policies.DimensionName `json:"n"`
	Value    string                 `json:"v"`
	Verified bool                   `json:"ok,omitempty"`
}

// ScopeText prints the values of a scope for people: "team=search model=gpt-6-luna".
func ScopeText(scope []Dim) string {
	words := make([]string, len(scope))
	for i, d := range scope {
		words[i] = string(d.Name) + "=" + d.Value
	}
	return strings.Join(words, " ")
}

// Call is what is known of a call before it leaves.
type Call struct {
	ID       ID                   `json:"id"`
	At       time.Time            `json:"at"`              // when it was reserved or recorded; set by the ledger
	Dims     []Dim                `json:"dims,omitempty"`  // not to be changed once the ledger has them
	Provider pricing.ProviderName `json:"prov,omitempty"`  // whose prices apply
	API      provider.API         `json:"api,omitempty"`   // wire format
	Route    policies.RouteName   `json:"route,omitempty"` // provider or pool that serves it
	Asked    pricing.ModelName    `json:"ask,omitempty"`   // model that the client asked for
	Model    pricing.ModelName    `json:"model,omitempty"` // model as sent upstream
	Rule     policies.RuleName    `json:"rule,omitempty"`  // "" for none
	Tier     policies.TierName    `json:"tier,omitempty"`  // "" for none
	Pool     policies.RouteName   `json:"pool,omitempty"`  // own pool that may serve it, whether or not it does; "" for none
	Observed bool                 `json:"obs,omitempty"`   // booked without the power to refuse; set by the ledger
}

// normalize replaces what JSON cannot carry, so that a call scopes the same balances before and after a
// restart. It leaves the caller's slice alone.
func (c *Call) normalize() {
	c.Dims = validDims(c.Dims)
	c.At = c.At.Round(0).UTC()
	for _, s := range []*string{(*string)(&c.Asked), (*string)(&c.Model)} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
}

// validDims returns dims with all values valid UTF-8: dims itself if they are.
func validDims(dims []Dim) []Dim {
	invalid := func(d Dim) bool { return !utf8.ValidString(d.Value) }
	if !slices.ContainsFunc(dims, invalid) {
		return dims
	}
	dims = slices.Clone(dims)
	for i := range dims {
		dims[i].Value = strings.ToValidUTF8(dims[i].Value, "\uFFFD")
	}
	return dims
}

// Reservation is the most that a call may cost, held until it is settled or released.
type Reservation struct {
	Call
	Bound  pricing.Money `json:"bound"`            // the most that the call can cost; 0 is unknown
	Charge pricing.Money `json:"charge,omitempty"` // of Bound, what budgets count: nothing for own pools
	// Estimate is what the call is expected to cost, which soft budgets hold, and what it is taken to have cost if
	// nobody settles it; 0 stands for Bound.
	Estimate pricing.Money `json:"est,omitempty"`
	// Attempts is how often a call was sent before it was parked: each may be billed. 0 where that is not known.
	Attempts int                `json:"tries,omitempty"`
	Facts    policies.BillFacts `json:"facts,omitzero"` // of a parked call, for its bill
}
