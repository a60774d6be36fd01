package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// Target is what a request must become. The zero fields leave what the request says.
type Target struct {
	Vendor     pricing.ProviderName // of the target; "" is a pool of one's own
	Model      pricing.ModelName
	SameHost   bool  // the upstream stays the same
	MaxOutput  int64 // lowers the cap to this; the caller keeps it within the model's maximum
	MarkPrefix bool  // Anthropic: mark tools and system prompt for the provider's cache
	CacheKey   bool  // OpenAI: add a prompt_cache_key made of the prefix
	AddUsage   bool  // ask for the usage of a stream that would not state it; see AddsUsage
}

// An UnservableError says why a request cannot become what a Target wants without becoming another one.
type UnservableError struct {
	Reason string // a short phrase
}

// Error returns the reason.
func (e *UnservableError) Error() string { return e.Reason }

// Servable returns nil if the request stays valid and keeps its meaning when it is sent to t, else an
// *UnservableError. A request that stays at its host with its model always is. It depends on nothing but its
// arguments, and allocates nothing if it returns nil.
func (r *Request) Servable(t Target) error {
	if reason := r.unservable(t); reason != "" {
		return &UnservableError{Reason: reason}
	}
	return nil
}

// reasons say what a request with a fact must not be moved away from.
type reasons []struct {
	fact   Facts
	reason string
}

// bound are the facts that tie a call to its model; a dated snapshot of it is the same model.
var bound = reasons{
	{HeldState, "the call continues a conversation that the provider holds"},
	{SignedReasoning, "signed reasoning belongs to its model"},
	{OpenToolResults, "open tool results belong to the model that asked for them"},
}

// hosted are the facts that tie a call to its host.
var hosted = reasons{
	{Background, "a background answer is fetched from its host"},
	{Stored, "the provider stores the answer for calls that follow"},
	{RemoteContent, "files and URLs may not be readable elsewhere"},
	{ServerTools, "tools run at the provider"},
}

// rejected are the facts that a model may reject, as its Capability says.
var rejected = reasons{
	{Sampling, "the model takes no temperature, top_p or top_k"},
	{Penalties, "the model takes no penalties or log probabilities"},
	{RareEffort, "the model may not know this level of effort"},
	{Effort, "the model takes no reasoning effort"},
	{ThinkingBudget, "the model takes no thinking budget"},
	{Verbosity, "the model takes no verbosity"},
	{Prefill, "the model takes no start of its answer"},
	{ForcedTool, "the model cannot be made to use a tool"},
	{StructuredOutput, "the model takes no output format"},
	{StopSequences, "the model takes no stop sequences"},
	{Images, "the model reads no images"},
	{Audio, "the model has no audio"},
	{ServerTools, "the model may lack the provider's tools"},
	{CustomTools, "the model may lack these kinds of tools"},
	{ModernRoles, "the model may not know these roles"},
	{ServiceTier, "the model may lack this service tier"},
}

// first returns the reason of the first fact that holds, "" if none does.
func (rs reasons) first(f Facts) string {
	for i := range rs {
		if f.Any(rs[i].fact) {
			return rs[i].reason
		}
	}
	return ""
}

func (r *Request) unservable(t Target) string {
	if r.stays(t) {
		return ""
	}
	if reason := r.tied(); reason != "" {
		return reason
	}
	if !t.SameHost {
		if !speaks(t.Vendor, r.API) {
			return "not the same API"
		}
		if r.API != GeminiGenerate && r.ModelAt.End > 0 {
			return "the model stands in the path of its host"
		}
		if reason := hosted.first(r.Facts); reason != "" {
			return reason
		}
	} else if undated(r.Model) == undated(t.Model) {
		return ""
	}
	if reason := bound.first(r.Facts); reason != "" {
		return reason
	}
	can := CapabilityOf(t.Vendor, t.Model)
	if reason := rejected.first(r.Facts & (can.Rejects | r.lostAt(t))); reason != "" {
		return reason
	}
	return r.misfit(t, can)
}

// tied returns why the API ties a call to its model and host, "" if it does not. Bedrock's calls are signed with the
// caller's key over path and body, so nothing in them can be edited.
func (r *Request) tied() string {
	switch r.API {
	case BedrockConverse, BedrockInvoke:
		return "the call is signed as it is"
	case OpenAIEmbeddings, GeminiEmbed, CohereEmbed, OllamaEmbed:
		return "embeddings of two models cannot be compared"
	case OpenAIImages, OpenAISpeech, OpenAITranscription, CohereRerank, VertexPredict:
		return "no other model is known to answer alike"
	case GeminiInteractions:
		return "what an interaction may hold depends on its model"
	case TGIGenerate:
		return "the server has one model"
	}
	if r.tokenIDs {
		return "token ids belong to their model"
	}
	return ""
}

// stays reports whether model and host stay what they are.
func (r *Request) stays(t Target) bool {
	return t.SameHost && (t.Model == r.Model || t.Model == "")
}

// lostAt returns the facts that get lost between chat's format and that of a vendor who translates it.
func (r *Request) lostAt(t Target) Facts {
	if r.API == OpenAIChat && (t.Vendor == Anthropic || t.Vendor == Google) {
		return Penalties | Effort | Verbosity | StructuredOutput | Prefill | ForcedTool | ModernRoles
	}
	return 0
}

// misfit returns a reason that no fact states.
func (r *Request) misfit(t Target, can Capability) string {
	switch {
	case r.bodyMarks && r.API != AnthropicMessages:
		return "cache options belong to their model"
	case r.cap.stated() && r.otherCap.stated() && can.Cap != "":
		return "the model takes only one of two output caps"
	case r.Choices > 1 && t.Vendor != OpenAI && t.Vendor != Google && t.Vendor != "":
		return "the model gives one answer"
	}
	return ""
}

// speaks reports whether a vendor serves calls in the format.
func speaks(vendor pricing.ProviderName, a API) bool {
	switch a {
	case OpenAIChat:
		_, ok := openAIBase[vendor]
		return ok
	case OpenAIResponses:
		return vendor == OpenAI || vendor == azureOpenAI
	case AnthropicMessages, GeminiGenerate, CohereChat:
		return vendor == a.Vendor()
	}
	return false
}

// undated returns a model's name without the date of its snapshot.
func undated(name pricing.ModelName) pricing.ModelName {
	if base, ok := name.CutDate(); ok {
		return base
	}
	return pricing.ModelName(strings.TrimSuffix(string(name), "-latest"))
}
