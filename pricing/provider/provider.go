// Package provider reads and edits the wire formats of model providers.
//
// A call is read in three steps. ParsePath says which API a URL belongs to. ParseCall reads headers and body: ParseRequest
// scans JSON once, strictly where money is at stake, and keeps the spans that matter; ParseForm does so for uploads. A
// Meter reads the response as it passes, split at any byte, and says what the provider counted.
//
// What farebox changes on the way is done by a Rewrite of the request; by a UsageStripper, which hides from a client the
// usage that only farebox asked for; and by a Stopper, which ends a stream that must not go on. Refuse answers in a
// vendor's place.
//
// Nothing is ever decoded and encoded again: an edit is a span of the original bytes and its replacement, so
// key order, white space, unknown fields and the spelling of numbers survive. Provider prompt caches key on them.
//
// Behaviour on bad input:
//
//   - malformed JSON, trailing bytes, invalid UTF-8, more than 128 levels: *RequestError, status 400
//   - a key that farebox acts on that appears twice, is escaped ("mod\u0065l") or differs only in case
//     ("Model") or, in OpenAI's formats but Responses, is in camel case ("maxTokens"), which Google reads as well:
//     *RequestError, status 400, as providers differ in which one wins
//   - a form that two parsers could split or name otherwise, see ParseForm: *RequestError, status 400
//   - an unknown key or an unexpected type of a key that farebox does not act on: kept as it is
//   - a response that is cut, malformed or silent on usage: a Reading without usage, never an error
package provider

import "github.com/farebox-mesh/farebox/pricing"

// API names a wire format.
type API string

// The wire formats whose responses are read.
const (
	OpenAIChat          API = "openai_chat"             // POST .../chat/completions
	OpenAIResponses     API = "openai_responses"        // POST .../responses, .../responses/compact; GET .../responses/ID
	OpenAICompletions   API = "openai_completions"      // POST .../completions
	OpenAIEmbeddings    API = "openai_embeddings"       // POST .../embeddings, of many vendors
	OpenAIImages        API = "openai_images"           // POST .../images/generations, /edits and /variations
	OpenAISpeech        API = "openai_speech"           // POST .../audio/speech
	OpenAITranscription API = "openai_transcription"    // POST .../audio/transcriptions and /translations
	AnthropicMessages   API = "anthropic_messages"      // POST .../v1/messages; on Vertex .../models/M:rawPredict and :streamRawPredict
	GeminiGenerate      API = "gemini_generate_content" // POST .../models/M:generateContent and :streamGenerateContent
	GeminiEmbed         API = "gemini_embed"            // POST .../models/M:embedContent and :batchEmbedContents
	GeminiInteractions  API = "gemini_interactions"     // POST .../interactions; GET .../interactions/ID
	VertexPredict       API = "vertex_predict"          // POST .../models/M:predict of Google's models: embeddings of texts, and pictures
	BedrockConverse     API = "bedrock_converse"        // POST /model/M/converse and /converse-stream
	BedrockInvoke       API = "bedrock_invoke"          // POST /model/M/invoke and /invoke-with-response-stream, in the model's own format
	CohereChat          API = "cohere_chat"             // POST /v1/chat, /v2/chat and /v1/generate
	CohereEmbed         API = "cohere_embed"            // POST /v1/embed and /v2/embed
	CohereRerank        API = "cohere_rerank"           // POST /v1/rerank and /v2/rerank, also of Voyage and Jina
	OllamaChat          API = "ollama_chat"             // POST /api/chat
	OllamaGenerate      API = "ollama_generate"         // POST /api/generate
	OllamaEmbed         API = "ollama_embed"            // POST /api/embed and /api/embeddings
	TGIGenerate         API = "tgi_generate"            // POST /generate and /generate_stream
)

// Vendors by their names in the catalogue.
const (
	OpenAI     pricing.ProviderName = "openai"
	Anthropic  pricing.ProviderName = "anthropic"
	Google     pricing.ProviderName = "google"
	Bedrock    pricing.ProviderName = "aws_bedrock"
	Cohere     pricing.ProviderName = "cohere"
	Groq       pricing.ProviderName = "groq"
	OpenRouter pricing.ProviderName = "openrouter"
	Perplexity pricing.ProviderName = "perplexity"
	Vercel     pricing.ProviderName = "vercel"
	XAI        pricing.ProviderName = "xai"
)

// Vendor returns the provider that defined the format, which serves it where neither host nor path prefix
// say otherwise; "" for the formats of servers that anybody runs.
func (a API) Vendor() pricing.ProviderName {
	switch a {
	case OpenAIChat, OpenAIResponses, OpenAICompletions, OpenAIEmbeddings, OpenAIImages, OpenAISpeech, OpenAITranscription:
		return OpenAI
	case AnthropicMessages:
		return Anthropic
	case GeminiGenerate, GeminiEmbed, GeminiInteractions, VertexPredict:
		return Google
	case BedrockConverse, BedrockInvoke:
		return Bedrock
	case CohereChat, CohereEmbed, CohereRerank:
		return Cohere
	}
	return ""
}

// Span is a stretch of bytes: from Start up to, not including, End. The zero Span is absent.
type Span struct{ Start, End int }

// Len is the number of bytes in the span.
func (s Span) Len() int { return s.End - s.Start }

// Edit replaces a span of a body or path. A span of no length is an insertion at Start.
type Edit struct {
	Span
	New string
}

// Facts are properties of a request that decide where it can be served and whether it can be cached.
type Facts uint32

// Each fact names the request fields that state it. A field that is null states nothing.
const (
	HeldState        Facts = 1 << iota // previous_response_id, previous_interaction_id, conversation, prompt, item references, cachedContent (also in extra_body), container, audio ids, conversation_id, Bedrock's managed prompts: the prompt is larger than the body
	SignedReasoning                    // thinking blocks, encrypted reasoning items, thought signatures, results of the provider's own tools
	OpenToolResults                    // the last turn carries tool results
	ServerTools                        // tools that the provider runs, if only by the model's name: web search, code execution, file search, MCP, Azure's data sources
	RemoteContent                      // images or files by URL or id
	Images                             // images, documents and videos, inline or remote
	Audio                              // audio parts or audio output
	Background                         // background mode of Responses and Interactions
	Stored                             // Responses and Interactions without "store": false
	OwnCacheMarks                      // any cache_control, prompt_cache_* or breakpoint of the client
	LongCacheWrites                    // such a mark with a lifetime other than the short one
	Sampling                           // temperature other than 1, top_p other than 1, top_k
	Penalties                          // presence_penalty, frequency_penalty other than 0, logit_bias, logprobs, top_logprobs
	Effort                             // reasoning_effort, reasoning.effort and .summary, encrypted reasoning asked for, output_config.effort, thinking of type adaptive, thinkingLevel
	ThinkingBudget                     // thinking.budget_tokens, thinkingBudget
	Prefill                            // the last turn is the assistant's
	ForcedTool                         // tool_choice that demands a tool
	StructuredOutput                   // response_format, text.format, output_config.format, responseSchema and the like
	LegacyCap                          // the cap is spelled max_tokens in OpenAI chat
	StopSequences                      // stop, stop_sequences
	IncludeUsage                       // stream_options.include_usage is true
	ServiceTier                        // service_tier other than auto, default or standard; Anthropic speed and inference_geo: priced apart
	CacheKey                           // prompt_cache_key
	RareEffort                         // Effort other than low, medium or high, which few models share
	Verbosity                          // verbosity other than medium
	ModernRoles                        // developer messages, or a system entry inside Anthropic messages
	OtherModels                        // models other than the one that is named may be billed: models, preset, route and plugins (OpenRouter), fallbacks, a tool with a model of its own, a name that is a router's
	Compaction                         // context_management that may have the model summarise the conversation: a further answer, of any length
	CustomTools                        // client tools other than functions: custom, local_shell, bash_*, computer_*
	HostChoice                         // provider with a preference that may make a host other than the usual serve (OpenRouter), providerOptions (Vercel): see Request.ChoosesHost
)

// Has reports whether all of the given facts hold.
func (f Facts) Has(g Facts) bool { return f&g == g }

// Any reports whether at least one of the given facts holds.
func (f Facts) Any(g Facts) bool { return f&g != 0 }

// Prefix is the part of a prompt that stays the same from call to call: the tools and the system prompt, in
// the order in which providers render them. The zero Prefix is a prompt without either.
type Prefix struct {
	Hash  uint64 // of API and bytes; white space between tokens counts
	Bytes int    // length of what was hashed, the upper bound of its tokens
}
