// Package policies decides what happens to a model call.
//
// A Policy is what a person wrote; Compile checks it against a price table and returns a Set. Set.Decide is a
// pure function of a request, a state and a moment: it returns the options in order of preference, each with
// the most that it can cost, and the caller takes the first one that its budgets can reserve. The ext_proc
// server, the proxy-wasm filter, farebox explain and the tests all call it.
//
// Bounds are at the dearest that a call can be billed: of the class of service that it asks for, with media and long
// cache writes if it may have them, and with the fees of the provider's tools. Calls whose prompt the body does not
// bound, as the provider adds to it (held state, remote files, its own tools), reserve the context window once; tools
// without a limit count as usualTools. What is billed beyond that is an overrun, which the ledger counts. A class of
// service that no listing prices, and a choice of several models, have no bound: a hard budget refuses them as
// unpriced; elsewhere they are billed at the dearest class that is listed, and the bill is an estimate.
//
// The package reads no clock, file, environment or network.
package policies

import (
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// Names that a policy file gives to things.
type (
	DimensionName string // who pays: "team", "feature"
	TierName      string // a class of service: "heavy", "medium"
	RuleName      string
	BudgetName    string
	// RouteName is a provider's or pool's name. Envoy's route table matches on it.
	RouteName string
)

// Mode says whether a policy acts.
type Mode string

// Observe decides and records but changes nothing; it is the default. Enforce acts.
const (
	Observe Mode = "observe"
	Enforce Mode = "enforce"
)

// Policy is one policy file, with units resolved. Names are unique within their kind, and provider and pool
// names within both.
type Policy struct {
	Mode       Mode
	Passive    bool // metering: passive. Do not pin the accept-encoding of responses
	Providers  []Provider
	Dimensions []Dimension
	Tiers      []Tier
	Rules      []Rule // first match wins; no match: what the caller asked for
	Exact      *ExactCache
	Prompt     bool // caches: {prompt: auto}
	Pools      []Pool
	Budgets    []Budget
	Unknown    UnknownModel
	Overlays   []string      // price files that go before the catalogue, the last one first
	Discounts  []Discount    // negotiated; first match wins
	Keep       time.Duration // how long the ledger keeps entries; 0 for ever
	Refusal    int           // HTTP status of a refusal for money: 429 (the default), 402 or 403
}

// Discount is a negotiated factor on a provider's list prices of tokens.
type Discount struct {
	Vendor pricing.ProviderName
	Models []string // any of these globs; empty: all
	PPM    int64    // factor in parts per million: 850000 is 15% off
}

// Provider says how a vendor's calls are recognised and paid for.
type Provider struct {
	Name       RouteName            // the route
	Vendor     pricing.ProviderName // whose prices apply; the name itself unless the file says otherwise
	Hosts      []string             // authorities without port, lower case
	Prefix     string               // path prefix such as "/groq"; "" if recognised by host only
	Priority   bool                 // its projects serve calls that name no class of service with priority, where a model has it
	Region     string               // where its hosts process calls, "us" or "eu", if that has a price of its own; "" anywhere
	Credential Credential
}

// Credential says whose key a call carries: the caller's own, or the one in a file.
type Credential struct {
	Caller bool
	File   string // path; read at start, at reload and when it changes; first line, trimmed
}

// Dimension is an answer to "who pays".
type Dimension struct {
	Name    DimensionName
	Sources []Source // first verified one with a value wins, else the first label with one
	Trusted bool     // a header may scope hard budgets and cache partitions
}

// Source is where a dimension's value is read.
type Source struct {
	Kind SourceKind
	Key  string // header name in lower case, claim, or attribute
}

// SourceKind names a place that values come from.
type SourceKind string

// Verified sources are set by the mesh; a header is set by whoever calls and is only a label.
const (
	FromHeader SourceKind = "header" // request header
	FromJWT    SourceKind = "jwt"    // claim of the token that Envoy's jwt_authn verified
	FromMTLS   SourceKind = "mtls"   // "namespace", "workload" or "uri" of the peer's SPIFFE certificate
)

// Verified reports whether a value of the dimension may scope money when it came from the given source.
func (d *Dimension) Verified(k SourceKind) bool { return d.Trusted || k != FromHeader }

// Tier is a class of service: models in order of preference.
type Tier struct {
	Name   TierName
	Models []ModelRef
}

// ModelRef is a model at a provider or in a pool, written "anthropic/claude-opus-5-5".
type ModelRef struct {
	Route RouteName
	Model pricing.ModelName
}

// Rule is a condition and an outcome.
type Rule struct {
	Name      RuleName
	When      Match
	Tier      TierName // "" keeps the model
	MaxOutput int64    // cap on output tokens, 0 for none; a smaller cap of the caller stays
}

// Match is the conjunction of its conditions; the zero Match matches every call.
type Match struct {
	Dimensions []Condition // Key is a dimension
	Headers    []Condition // Key is a header name in lower case
	Models     []string    // any of these globs ("gpt-*"); empty: all
	Providers  []RouteName // any of these; empty: all
	Paths      []string    // any of these globs, query left out; empty: all
	APIs       []string    // any of these API names; empty: all
	Tools      *bool       // the request declares tools
	Images     *bool
	Stream     *bool
	Input      Range // estimated input tokens
	MaxOutput  Range // the caller's own cap; a request without one is above every number
}

// Condition demands a value: any of Values, each a glob. A missing value matches only "".
type Condition struct {
	Key    string
	Values []string
}

// Range is a half-open interval of tokens: Min <= n < Max. Max 0 is unbounded.
type Range struct{ Min, Max int64 }

// ExactCache says which answers are replayed to identical requests.
type ExactCache struct {
	TTL            time.Duration
	Per            DimensionName // partition; "" with All
	All            bool          // per: all
	MaxTemperature float64       // requests above it are not cached; absent temperature is allowed
	ToolCalls      bool          // cache answers that call tools
	MaxMegabytes   int
}

// Pool is a self-hosted, OpenAI-compatible upstream.
type Pool struct {
	Name       RouteName
	Endpoints  []string      // "http://10.0.0.5:8000"
	GPUHour    pricing.Money // one GPU for one hour, on demand
	SpotHour   pricing.Money // one spot GPU for one hour; 0: none are used
	SpotShare  int64         // of the GPUs in percent, how many are spot
	GPUs       int64
	Throughput int64       // tokens per second of the whole pool
	Models     []PoolModel // throughput by model, where it differs
	Context    int64       // context window of its models in tokens; 0 unknown
	Use        PoolUse
	Above      int64      // for AboveVolume: tokens per day
	Credential Credential // Caller is not allowed: the caller's key never goes to a pool
}

// PoolModel is what a pool makes of one model.
type PoolModel struct {
	Model        pricing.ModelName
	Quantisation string // "fp8", "awq"; "" unknown
	Throughput   int64  // tokens per second of the whole pool
}

// PoolUse says when a tier sends calls to a pool.
type PoolUse string

// WhenCheaper compares what the eligible calls of the last 24 hours would have cost at the API with what the
// GPUs cost in 24 hours. AboveVolume looks at the tokens of those calls instead.
const (
	WhenCheaper PoolUse = "when cheaper"
	AboveVolume PoolUse = "above volume"
	Always      PoolUse = "always"
	Never       PoolUse = "never"
)

// Dimensions that every call has, besides those that the policy declares. Nobody but the proxy and farebox sets them.
const (
	DimKey       DimensionName = "key"       // the account whose credential the caller sent: a hash of it; unless declared
	DimNamespace DimensionName = "namespace" // of the caller's certificate, unless declared
	DimWorkload  DimensionName = "workload"  // of the caller's certificate, unless declared
	DimModel     DimensionName = "model"     // that serves the call
	DimProvider  DimensionName = "provider"  // route that serves the call
)

// Budget limits what a scope may spend in a window. It is hard unless Soft.
type Budget struct {
	Name     BudgetName
	Limit    pricing.Money
	Per      []DimensionName // one balance per combination of values; empty: one for everybody
	Only     []Condition     // calls whose verified values match all of these; empty: every call
	Window   Period
	Length   time.Duration  // of a Rolling window
	Zone     *time.Location // never nil after Compile; UTC by default
	Soft     bool           // counts what calls are expected to cost, warns, and never refuses
	Steps    []Step         // on the way up, by rising percentage
	FreeOnly bool           // 100%: free only. Cache hits and pools stay usable when the money is gone
	// FitOutput is the smallest cap on the output that a call may be fitted to before it is refused; 0: none.
	FitOutput int64
	// StopOnBudget ends a stream that has used up its reservation.
	StopOnBudget bool
	// AbortedEstimate counts an aborted call at its estimate instead of its bound.
	AbortedEstimate bool
	// OpenOnOutage lets calls pass when the store of shared balances cannot be reached and the lease is used up.
	OpenOnOutage bool
}

// Step is what happens from a part of a budget's limit on.
type Step struct {
	Percent int64 // of the limit that is spent or reserved, 1 to 100
	Do      StepAction
	Tier    TierName // for CapTier
}

// StepAction names what a step does. At 100% a hard budget refuses, whatever its steps.
type StepAction string

// The actions.
const (
	StepAlert   StepAction = "alert"
	StepCapTier StepAction = "cap tier"     // no tier above Tier, in the order of the policy
	StepPools   StepAction = "prefer pools" // own pools first, cheaper or not
	StepFit     StepAction = "fit output"   // caps the output at what the step leaves, down to FitOutput
	StepRefuse  StepAction = "refuse"       // below 100%: keeps the rest in reserve
)

// Period is the length of a budget's window.
type Period string

// Calendar periods in the budget's zone, weeks from Monday; a rolling window is the last Length.
const (
	Hour    Period = "hour"
	Day     Period = "day"
	Week    Period = "week"
	Month   Period = "month"
	Rolling Period = "rolling"
)

// rollingSteps is in how many steps a rolling window moves on.
const rollingSteps = 60

// Grain is the length of the steps in which a rolling window moves on. Everything that was spent in the last Length
// counts, and of what is older at most one Grain.
func (b *Budget) Grain() time.Duration { return max(b.Length/rollingSteps, time.Second) }

// Start returns the first moment of the window that contains at, of a rolling one that of the Grain that contains it.
func (b *Budget) Start(at time.Time) time.Time {
	at = at.In(b.Zone)
	day := at.Day()
	switch b.Window {
	case Rolling:
		return at.Truncate(b.Grain())
	case Hour: // some zones have an offset that is no whole hour, and change it by one that is
		return at.Add(-time.Duration(at.Minute())*time.Minute - time.Duration(at.Second())*time.Second - time.Duration(at.Nanosecond()))
	case Week:
		day -= (int(at.Weekday()) + 6) % 7
	case Month:
		day = 1
	}
	return time.Date(at.Year(), at.Month(), day, 0, 0, 0, 0, b.Zone)
}

// End returns the first moment after the window that contains at: when the budget refills. What was spent in the
// Grain that contains at refills a rolling one a Length after it.
func (b *Budget) End(at time.Time) time.Time {
	s := b.Start(at)
	switch b.Window {
	case Rolling:
		return s.Add(b.Grain()).Add(b.Length)
	case Hour:
		return s.Add(time.Hour)
	case Week:
		return time.Date(s.Year(), s.Month(), s.Day()+7, 0, 0, 0, 0, b.Zone)
	case Month:
		return time.Date(s.Year(), s.Month()+1, 1, 0, 0, 0, 0, b.Zone)
	}
	return time.Date(s.Year(), s.Month(), s.Day()+1, 0, 0, 0, 0, b.Zone)
}

// UnknownModel says what happens to a call for a model without a price.
type UnknownModel struct {
	Refuse bool
	Charge pricing.Rate // otherwise: this rate for every token; 0: Dearest, never nothing
	Alert  bool
	// Dearest is the highest rate of every kind of token that the policy's vendors list. Compile finds it where it is
	// needed and not given.
	Dearest pricing.Rates
}
