package policies

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// Request is a model call as policies see it.
type Request struct {
	Call   *provider.Request    // what the body says; never nil
	Route  RouteName            // the provider that the caller addressed
	Vendor pricing.ProviderName // whose prices and limits apply there
	Path   string               // without query
	Dims   []Value              // who pays, one for each dimension of the policy, in its order
	Header func(name string) string
}

// Value is the value of a dimension for one call; an empty one is missing.
type Value struct {
	Name     DimensionName
	Value    string
	Verified bool // may scope money; see Dimension.Verified
}

// dim returns the value of a dimension, whoever set it: rules may match on labels.
func (r *Request) dim(name DimensionName) string {
	for i := range r.Dims {
		if r.Dims[i].Name == name {
			return r.Dims[i].Value
		}
	}
	return ""
}

func (r *Request) header(name string) string {
	if r.Header == nil {
		return ""
	}
	return r.Header(name)
}

// State is what a decision depends on besides the request and the policy. Its methods must be pure for the
// time of a decision.
type State interface {
	// Cheaper reports whether a pool with use: when cheaper, or above a volume, is to be used.
	Cheaper(pool RouteName) bool
	// PrefixSeen reports whether a model saw the prefix within the lifetime of its prompt cache.
	PrefixSeen(route RouteName, model pricing.ModelName, p provider.Prefix) bool
	// Left returns what a budget of the policy has left for the call as it was asked, of which limit, top-ups included,
	// and whether it covers the call at all.
	Left(b *Budget) (left, limit pricing.Money, covered bool)
	// ExpectedOutput returns how many tokens such a call was answered with of late, 0 if that is not known.
	ExpectedOutput(route RouteName, model pricing.ModelName) int64
}

// NoState is a process that has seen nothing yet.
type NoState struct{}

// Cheaper reports false.
func (NoState) Cheaper(RouteName) bool { return false }

// PrefixSeen reports false.
func (NoState) PrefixSeen(RouteName, pricing.ModelName, provider.Prefix) bool { return false }

// Left reports that the budget is untouched, and covers nothing that is known.
func (NoState) Left(b *Budget) (left, limit pricing.Money, covered bool) {
	return b.Limit, b.Limit, false
}

// ExpectedOutput reports that nothing is known.
func (NoState) ExpectedOutput(RouteName, pricing.ModelName) int64 { return 0 }
