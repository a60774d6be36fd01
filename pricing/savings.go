package pricing

// Lever is one way in which a call was made cheaper.
type Lever uint8

// The levers, in the fixed order in which they are applied: each is credited with what it saves after the
// ones before it.
const (
	LeverTier Lever = iota
	LeverExactCache
	LeverSemanticCache
	LeverPromptCache
	LeverTrimming
	LeverOutputCap
	LeverServiceTier
	LeverSelfHosting
	NumLevers
)

var leverNames = [NumLevers]string{
	"tier", "exact_cache", "semantic_cache", "prompt_cache", "trimming", "output_cap", "service_tier", "self_hosting",
}

// String returns the lever's name in metrics, JSON and reports.
func (l Lever) String() string { return leverNames[l] }

// Savings is what each lever saved on a call; a loss is negative.
type Savings [NumLevers]Money

// Total is the sum over all levers: baseline minus cost.
func (s Savings) Total() Money {
	var sum Money
	for _, m := range s {
		sum += m
	}
	return sum
}
