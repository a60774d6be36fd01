package provider

import "github.com/farebox-mesh/farebox/pricing"

// Reading is what a response said of itself, so far or in the end.
type Reading struct {
	ID       string            // of an answer that is Pending
	Model    pricing.ModelName // the model that answered, "" if not stated
	Usage    pricing.Usage     // normalised to disjoint kinds; see HasUsage and Partial
	HasUsage bool              // the provider stated the final usage, and one that can be: what it charges for
	Complete bool              // the response ended as its API ends
	Failed   bool              // the body is an error or the stream ended in one
	Stream   bool              // the response is a stream of events, JSON lines or frames, or Gemini's array of chunks
	Pending  bool              // the provider goes on making the answer, to be fetched by its ID: nothing is final yet

	// Service and Region are the terms that the provider says it billed under, the zero values where it says nothing.
	// A Service that no vendor documents, or that is paid in advance, is in the response's own word. HasTerms says that
	// the Service was stated, if only as the standard one.
	Service  pricing.Service
	HasTerms bool
	Region   string

	// Stated is what the call cost, as the response says, if HasStated. Anybody can write a number into a response:
	// whether the host is a provider that states its charge is the caller's decision.
	Stated    pricing.Money
	HasStated bool

	// OtherModels says that Usage holds tokens or pictures of other models than Model, at prices of their own.
	OtherModels bool

	// Partial says that neither the final usage nor the end of the response has come, as in one that still
	// runs or was cut. Usage holds what was stated until then, if anything (Anthropic: the input).
	Partial bool

	// Finish is why generation stopped: of several choices the reason that speaks most against a replay.
	Finish Finish

	// TextBytes counts the text, reasoning and tool arguments of all choices that were seen, for estimates.
	TextBytes int64
}

// Finish is why a model stopped.
type Finish uint8

// The reasons, whatever an API calls them. Only FinishStop and, where allowed, FinishTools are worth replaying.
const (
	FinishUnknown  Finish = iota // not stated, not for all choices, or for a reason of its own
	FinishStop                   // done: stop, end_turn, stop_sequence, STOP, completed
	FinishLength                 // cut at the cap: length, max_tokens, MAX_TOKENS, incomplete
	FinishTools                  // wants a tool: tool_calls, tool_use, function calls
	FinishFiltered               // refused or filtered: content_filter, refusal, SAFETY
)
