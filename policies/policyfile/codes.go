package policyfile

import _ "embed"

// Code names a kind of problem. Codes are stable: scripts may test for them.
type Code string

// The codes. Each has its own paragraph in CODES.md; those from UnpricedModel on are warnings.
const (
	FileTooLarge       Code = "file-too-large"
	YAMLSyntax         Code = "yaml-syntax"
	YAMLFeature        Code = "yaml-feature"
	UnsupportedVersion Code = "unsupported-version"
	MissingKey         Code = "missing-key"
	UnknownKey         Code = "unknown-key"
	DuplicateKey       Code = "duplicate-key"
	DuplicateName      Code = "duplicate-name"
	DuplicateHost      Code = "duplicate-host"
	NotSupportedYet    Code = "not-supported-yet"
	WrongType          Code = "wrong-type"
	EmptyList          Code = "empty-list"
	BadValue           Code = "bad-value"
	BadName            Code = "bad-name"
	ReservedName       Code = "reserved-name"
	MissingUnit        Code = "missing-unit"
	TooPrecise         Code = "too-precise"
	OutOfRange         Code = "out-of-range"
	ImpossibleLimit    Code = "impossible-limit"
	BadHost            Code = "bad-host"
	BadEndpoint        Code = "bad-endpoint"
	BadCredential      Code = "bad-credential"
	BadSource          Code = "bad-source"
	BadModel           Code = "bad-model"
	UnknownTier        Code = "unknown-tier"
	UnknownDimension   Code = "unknown-dimension"
	UnknownProvider    Code = "unknown-provider"
	UnknownAPI         Code = "unknown-api"
	UnknownZone        Code = "unknown-zone"
	UnreachableRule    Code = "unreachable-rule"
	UnservableTier     Code = "unservable-tier"
	UntrustedScope     Code = "untrusted-scope"
	StepOrder          Code = "step-order"
	UselessStep        Code = "useless-step"
	SoftBudget         Code = "soft-budget"
	UnreadablePrices   Code = "unreadable-prices"
	BadPrices          Code = "bad-prices"

	UnpricedModel       Code = "unpriced-model"
	UnpricedProvider    Code = "unpriced-provider"
	CallerCredential    Code = "caller-credential"
	ContradictingPrices Code = "contradicting-prices"
	DoubtfulPrices      Code = "doubtful-prices"
)

// warning reports whether a policy with such a problem is still usable.
func (c Code) warning() bool {
	return c == UnpricedModel || c == UnpricedProvider || c == CallerCredential || c == ContradictingPrices || c == DoubtfulPrices
}

//go:embed CODES.md
var reference string

// Reference returns the page that explains every code, in Markdown.
func Reference() string { return reference }
