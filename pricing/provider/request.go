package provider

import (
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// Request is what a call asks for, as far as prices, rules, rewrites and caches depend on it. It keeps the body and
// the path by reference. ParseCall, and for bodies alone ParseRequest and ParseForm, are the only ways to make one; it is not
// changed afterwards, so it may be read by several goroutines.
type Request struct {
	Endpoint // with the model and the stream flag of the call, wherever they stand

	MaxOutput      int64   // the cap on generated tokens per answer, reasoning included; 0 if there is none
	Choices        int64   // answers asked for (n, best_of, candidateCount), at least 1
	PredictedBytes int64   // bytes of a predicted output: what of it is rejected is billed as output beyond the cap
	Temperature    float64 // as stated, if HasTemperature
	HasTemperature bool
	NoOutput       bool // the answer has no tokens: embeddings and rankings

	// Pieces is the most of what is billed by the piece: searches and runs of the provider's tools, pictures, characters
	// to be spoken, search units of a ranking. OpenPieces says that the body does not bound all of it.
	Pieces     pricing.Usage
	OpenPieces bool

	// Boundless says that the call may be billed what no price list knows and no count bounds: a code interpreter with more
	// memory than the usual, the searches of Alibaba's models, fields that only its provider knows.
	Boundless bool

	// OpenSeconds says that the body does not bound the length of a recording, where that is what is billed: see
	// secondsOf. Pieces.Seconds is the most otherwise.
	OpenSeconds bool

	InputMedia  bool // the prompt may hold pictures or sound
	OutputMedia bool // the answer may
	Form        bool // the body is a form: what ParseForm read, of which nothing is edited or kept

	Service     pricing.Service // the class of service asked for; what is not known by a name of ours has the caller's
	AutoService bool            // "auto" was asked for: the account's settings choose. OpenAI takes silence for the same
	Region      string          // where the call must be processed (inference_geo), "" for anywhere
	Size        string          // of pictures to be made, as stated
	Quality     string          // likewise

	Messages   int // entries of the conversation, whatever the API calls them
	Tools      int
	ImageParts int

	Facts  Facts  // see there
	Prefix Prefix // tools and system prompt

	body []byte
	path string

	root     Span // between the braces of the body
	model    Span // the value
	cap      limit
	otherCap limit // chat: max_completion_tokens, where both are present
	config   Span  // what holds the cap, whole, if present: generationConfig, Ollama's options, TGI's parameters
	options  Span  // stream_options, whole, if present
	include  Span  // the value of include_usage in them

	lastTool  Span // Anthropic: the last tool that can carry a mark
	system    Span // Anthropic: a system prompt that is a string
	lastBlock Span // Anthropic: the last block of the system prompt that can carry a mark
	marks     [maxMarks]Span
	nmarks    int

	budget     int64 // of thinking; the cap must be above it
	mediaBytes int64 // of inline images, documents, audio and video
	mediaParts int   // those, and what is remote
	imageFloor int64 // by how much the images' most tokens exceed their bytes; of a form's, also what they are less
	builtins   int   // tools whose definition the provider holds
	keyPresent bool  // prompt_cache_key is present, if only as null
	unbounded  bool  // holds documents, audio or video, of which bytes say little
	bodyMarks  bool  // cache options other than prompt_cache_key
	ownData    bool  // Azure: data sources are asked first
	tokenIDs   bool  // the prompt consists of token ids, which belong to a model
	extraInput int64 // tokens that are counted more than once
}

// maxMarks is the number of cache marks whose places are kept: a fifth one is refused by the provider.
const maxMarks = 4

// limit is a cap on the output as the body spells it.
type limit struct {
	key, value Span
	n          int64 // 0 for null, -1 for any negative number
	null       bool
}

func (l limit) present() bool { return l.value.End > 0 }

func (l limit) stated() bool { return l.present() && !l.null }

// endless reports whether a number is stated that caps nothing, as servers may take it: none of them writes less than
// a token.
func (l limit) endless() bool { return l.stated() && l.n <= 0 }

// A RequestError says why a call cannot be read safely. It is the client's mistake: status 400, or 413 for
// CodeTooLarge.
type RequestError struct {
	Param   string // the key at fault, "" if it is the whole body
	Code    string // see the Code constants
	Message string // for the client
}

// Codes of a RequestError.
const (
	CodeInvalidJSON  = "invalid_json"
	CodeInvalidForm  = "invalid_form"
	CodeDuplicateKey = "duplicate_key"
	CodeAmbiguousKey = "ambiguous_key"
	CodeInvalidType  = "invalid_type"
	CodeMissing      = "missing_required_parameter"
	CodeBadEncoding  = "invalid_encoding"
	CodeTooLarge     = "request_too_large"
)

// Error returns the message.
func (e *RequestError) Error() string { return e.Message }

// Kind is the error that the client gets for it.
func (e *RequestError) Kind() ErrorKind {
	if e.Code == CodeTooLarge {
		return TooLarge
	}
	return BadRequest
}

// ParseRequest reads the body of a call to ep, which ParsePath made of path. The error is a *RequestError.
// Time is linear in the length of the body; the caller limits that.
func ParseRequest(ep Endpoint, path string, body []byte) (Request, error) {
	p := requestParser{s: jsonscan.New(body), body: body}
	p.r = Request{Endpoint: ep, Choices: 1, body: body, path: path}
	root := p.s.Next()
	if root.Kind != jsonscan.Object {
		p.invalid(p.s.Err())
		return Request{}, p.err
	}
	p.top(root)
	if err := p.s.Finish(); p.err == nil && err != nil {
		p.invalid(err)
	}
	if p.err == nil && p.r.Model == "" {
		p.fail("model", CodeMissing, `"model" is required`)
	}
	if p.err != nil {
		return Request{}, p.err
	}
	p.finish()
	return p.r, nil
}

// Tokens that a prompt may have beyond the bytes of the body.
const (
	tokensPerCall    = 64
	tokensPerMessage = 16
	tokensForTools   = 1024 // hidden instructions; Anthropic's pricing page lists up to 804
	tokensPerBuiltin = 1024 // a tool without a schema in the body: 735 for computer use, on the same page
)

// InputBound returns a number of tokens that the prompt does not exceed, whichever model reads it, as no token is
// shorter than a byte and an inline image costs at most what its API's dearest model takes for one; -1 if the body does
// not bound it, as the provider adds to it (HeldState, RemoteContent, ServerTools, Compaction) or unpacks it (documents, audio,
// video, which are billed by pages and seconds that hostile or silent data holds in almost no bytes). Then the context
// window does, for each time that the model reads the prompt: how often the provider's own tools make it do so nothing
// says.
func (r *Request) InputBound() int64 {
	if r.unbounded || r.Facts.Any(HeldState|RemoteContent|ServerTools|Compaction) {
		return -1
	}
	bound := int64(len(r.body)) + r.imageFloor + r.extraInput + tokensPerCall + tokensPerMessage*int64(r.Messages)
	if r.Tools > 0 {
		bound += tokensForTools + tokensPerBuiltin*int64(r.builtins)
	}
	return bound
}

// InputEstimate returns about how many tokens the prompt has: BytesPerToken to a token, 1,000 tokens to an image,
// document, recording or video.
func (r *Request) InputEstimate() int64 {
	return (int64(len(r.body))-r.mediaBytes)/BytesPerToken + 1000*int64(r.mediaParts)
}

// BytesPerToken is how many bytes of text a token stands for on average, the vendors' rule of thumb for English. It
// serves expectations only; bounds count a token per byte.
const BytesPerToken = 4

// EstimateTokens is how many tokens that many bytes of text are expected to be.
func EstimateTokens(bytes int64) int64 { return (bytes + BytesPerToken - 1) / BytesPerToken }

// mostImageTokens is the most that one image costs in an API's format, whichever model reads it.
func mostImageTokens(a API) int64 {
	switch a {
	case AnthropicMessages:
		return 5000 // 2,576 pixels on the long edge at 750 pixels to a token: 4,784 (Opus 4.7 and later)
	case GeminiGenerate, GeminiInteractions:
		return 10_000 // 258 for each tile of 768 x 768; 16 tiles at the largest size that is kept
	}
	// gpt-4o-mini: 2,833 and 5,667 for each of at most 8 tiles of 512 x 512, after scaling to 768 x 2,048.
	return 48_200
}
