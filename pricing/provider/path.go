package provider

import (
	"iter"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// Endpoint is what a URL says of a call. The zero value is no call that is read.
type Endpoint struct {
	API     API               // "" if the path is none of the formats
	Model   pricing.ModelName // of the call; ParsePath knows it only where the path holds it
	ModelAt Span              // of the model in the path, percent-encoded as it is there; absent if the body holds it
	Stream  bool              // the answer is a stream; ParsePath knows it only where the path says so
	SSE     bool              // that stream consists of server-sent events, not of a JSON array or AWS frames

	// Fetch is the id of an answer that the provider holds and a GET of the path fetches, as one that was made in the
	// background. Such a path is no call, but its answer states the usage of the call that it answers.
	Fetch string

	// Selective says that the call chooses what of the answer it is sent: usage that the answer states may lack what it
	// did not choose. See ReadHeaders.
	Selective bool
}

// IsCall reports whether a POST to the path asks a model for something.
func (e Endpoint) IsCall() bool { return e.API != "" && e.Fetch == "" }

// pathEnds are the ends of paths that tell the API, each before any that ends alike. Those of one word are Ollama's
// and TGI's own. An agent of Mistral's answers with its own model and tools, which nobody can price.
var pathEnds = [...]struct {
	end string
	api API
}{
	{"/chat/completions", OpenAIChat}, {"/agents/completions", ""}, {"/completions", OpenAICompletions},
	{"/responses", OpenAIResponses}, {"/responses/compact", OpenAIResponses},
	{"/v1/messages", AnthropicMessages}, {"/interactions", GeminiInteractions},
	{"/api/embeddings", OllamaEmbed}, {"/embeddings", OpenAIEmbeddings},
	{"/images/generations", OpenAIImages}, {"/images/edits", OpenAIImages}, {"/images/variations", OpenAIImages},
	{"/audio/speech", OpenAISpeech}, {"/audio/transcriptions", OpenAITranscription}, {"/audio/translations", OpenAITranscription},
	{"/v1/chat", CohereChat}, {"/v2/chat", CohereChat}, {"/v1/generate", CohereChat},
	{"/v1/embed", CohereEmbed}, {"/v2/embed", CohereEmbed}, {"/rerank", CohereRerank},
	{"/api/chat", OllamaChat}, {"/api/generate", OllamaGenerate}, {"/api/embed", OllamaEmbed},
	{"/generate", TGIGenerate}, {"/generate_stream", TGIGenerate},
}

// ParsePath says which call a POST to the path is, query included. It goes by the end of the path, as hosts put
// prefixes of their own before it: /openai/v1/chat/completions, /inference/v1/chat/completions. Percent-encoded
// letters are decoded first, as the provider does, and case is ignored, as Azure does. Batches, token counts and other
// methods of the same resources are not calls, nor is a path with detours, which servers resolve or do not.
func ParsePath(path string) Endpoint {
	raw, query := cutQuery(path)
	e := parsePath(strings.TrimRight(raw, "/"), query)
	e.Selective = e.API != "" && choosesFields(query)
	return e
}

// ReadHeaders reads what the headers of a request say of the endpoint, by names in lower case.
func (e *Endpoint) ReadHeaders(header func(name string) string) {
	e.Selective = e.Selective || e.API != "" && header("x-goog-fieldmask") != ""
}

// parsePath reads a path without the slashes at its end.
func parsePath(raw, query string) Endpoint {
	plain := unescape(raw)
	if !straight(plain) {
		return Endpoint{}
	}
	if e, ok := bedrockPath(raw); ok {
		return e
	}
	low := mergeSlashes(strings.ToLower(plain))
	for i := range pathEnds {
		if strings.HasSuffix(low, pathEnds[i].end) {
			e := Endpoint{API: pathEnds[i].api, Stream: strings.HasSuffix(low, "/generate_stream")}
			e.SSE = e.Stream
			return azureDeployment(e, raw, low, pathEnds[i].end)
		}
	}
	if e, ok := held(plain); ok {
		return e
	}
	return googlePath(raw, query)
}

// straight reports whether a path has neither steps to itself or back, nor what some servers take for a slash.
func straight(plain string) bool {
	for segment := range strings.SplitSeq(plain, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return strings.IndexByte(plain, '\\') < 0
}

func mergeSlashes(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// held reads /responses/ID and /interactions/ID.
func held(plain string) (Endpoint, bool) {
	slash := strings.LastIndexByte(plain, '/')
	if slash < 0 {
		return Endpoint{}, false
	}
	id := plain[slash+1:]
	switch {
	case strings.HasSuffix(plain[:slash], "/responses") && id != "input_tokens":
		return Endpoint{API: OpenAIResponses, Fetch: id}, true
	case strings.HasSuffix(plain[:slash], "/interactions"):
		return Endpoint{API: GeminiInteractions, Fetch: id}, true
	}
	return Endpoint{}, false
}

// azureDeployment adds the model of /deployments/M/chat/completions and the like, where Azure ignores the body's. low
// is the path in lower case and decoded. What else it may hold there is no call: whose model answers is not known.
func azureDeployment(e Endpoint, raw, low, verb string) Endpoint {
	const list = "/deployments/"
	if !strings.Contains(low, list) {
		return e
	}
	start, end := len(list), len(raw)-len(verb)
	for start < end && !strings.EqualFold(raw[start-len(list):start], list) {
		start++
	}
	if start >= end || strings.Contains(raw[start:end], "/") || !strings.EqualFold(raw[end:], verb) {
		return Endpoint{}
	}
	e.ModelAt = Span{start, end}
	e.Model = pricing.ModelName(unescape(raw[start:end]))
	return e
}

// bedrockPath reads /model/M/converse and the like. M may be an ARN, whose slash need not be encoded.
func bedrockPath(raw string) (Endpoint, bool) {
	const list = "/model/"
	start := strings.Index(raw, list) + len(list)
	slash := strings.LastIndexByte(raw, '/')
	if start < len(list) || slash <= start {
		return Endpoint{}, false
	}
	e := Endpoint{Model: pricing.ModelName(unescape(raw[start:slash])), ModelAt: Span{start, slash}}
	switch unescape(raw[slash+1:]) {
	case "converse":
		e.API = BedrockConverse
	case "converse-stream":
		e.API, e.Stream = BedrockConverse, true
	case "invoke":
		e.API = BedrockInvoke
	case "invoke-with-response-stream":
		e.API, e.Stream = BedrockInvoke, true
	}
	return e, e.API != ""
}

// googlePath reads .../models/M:generateContent and the other verbs of the Gemini API and Vertex AI. On Vertex M may
// be an endpoint of the customer's own, and the models of other publishers take the formats of these.
func googlePath(raw, query string) Endpoint {
	slash := strings.LastIndexByte(raw, '/')
	if slash < 0 {
		return Endpoint{}
	}
	plain := unescape(raw[:slash])
	colon, verb := cutVerb(raw, slash+1)
	if colon == slash+1 || !(strings.HasSuffix(plain, "/models") || strings.HasSuffix(plain, "/endpoints") || strings.HasSuffix(plain, "/tunedModels")) {
		return Endpoint{}
	}
	e := Endpoint{Model: pricing.ModelName(unescape(raw[slash+1 : colon])), ModelAt: Span{slash + 1, colon}}
	switch verb {
	case "generateContent":
		e.API = GeminiGenerate
	case "streamGenerateContent":
		e.API, e.Stream, e.SSE = GeminiGenerate, true, wantsEvents(query)
	case "embedContent", "batchEmbedContents":
		e.API = GeminiEmbed
	case "predict":
		e.API = predictFormat(plain)
	case "rawPredict":
		e.API = publisherFormat(plain)
	case "streamRawPredict":
		e.API, e.Stream, e.SSE = publisherFormat(plain), true, true
	}
	if e.API == "" || e.Model == countTokens {
		return Endpoint{}
	}
	return e
}

// countTokens is the name under which Vertex counts the tokens of a Claude call, at no charge.
// Source: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/count-tokens.
const countTokens = "count-tokens"

// predictFormat is the format of predict: that of Google's own models, on Vertex and at the Gemini API, which has no
// publishers in its paths. What a model of the customer's own takes nobody knows.
func predictFormat(plain string) API {
	if strings.HasSuffix(plain, "/publishers/google/models") || strings.HasSuffix(plain, "/models") && !strings.Contains(strings.ToLower(plain), "/publishers/") {
		return VertexPredict
	}
	return ""
}

// publisherFormat is the format that a publisher's models take behind rawPredict on Vertex.
func publisherFormat(plain string) API {
	switch {
	case strings.HasSuffix(plain, "/publishers/anthropic/models"):
		return AnthropicMessages
	case strings.HasSuffix(plain, "/publishers/mistralai/models"), strings.HasSuffix(plain, "/publishers/ai21/models"):
		return OpenAIChat
	}
	return ""
}

// cutVerb returns the offset of the last colon from start on, which may be encoded, and what follows it, decoded.
func cutVerb(raw string, start int) (colon int, verb string) {
	segment := raw[start:]
	if i := strings.LastIndexByte(segment, ':'); i >= 0 {
		return start + i, unescape(segment[i+1:])
	}
	for i := len(segment) - 3; i >= 0; i-- {
		if strings.EqualFold(segment[i:i+3], "%3a") {
			return start + i, unescape(segment[i+3:])
		}
	}
	return start, ""
}

// wantsEvents reports whether a query asks Google for server-sent events, by alt or by its system name $alt.
func wantsEvents(query string) bool {
	for key, value := range parameters(query) {
		if (key == "alt" || key == "$alt") && strings.EqualFold(value, "sse") {
			return true
		}
	}
	return false
}

// choosesFields reports whether a query has Google send parts of the answer only, or has a system parameter that may
// have it do so. Source: https://docs.cloud.google.com/apis/docs/system-parameters, read in November 2026.
func choosesFields(query string) bool {
	for key := range parameters(query) {
		switch key {
		case "fields":
			return true
		case "$alt", "$key", "$prettyPrint", "$.xgafv":
		default:
			if strings.HasPrefix(key, "$") {
				return true
			}
		}
	}
	return false
}

// parameters yields the keys and values of a query, decoded.
func parameters(query string) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for query != "" {
			var pair string
			pair, query, _ = strings.Cut(query, "&")
			key, value, _ := strings.Cut(pair, "=")
			if !yield(unescape(key), unescape(value)) {
				return
			}
		}
	}
}

// openAIBase is what stands before /chat/completions and /responses at the vendors that serve OpenAI's formats, pools
// (vendor "") included. A vendor that is not listed is taken to serve none: Bedrock has another base for each of its
// hosts, and Voyage no chat.
//
// Sources, as read in November 2026: the API reference of each vendor, and for those whose own format is another one
// https://platform.claude.com/docs/en/api/openai-sdk, https://ai.google.dev/gemini-api/docs/openai,
// https://docs.cohere.com/docs/compatibility-api, https://docs.z.ai/guides/develop/openai/python,
// https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope and
// https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle.
var openAIBase = map[pricing.ProviderName]string{
	"": "/v1", OpenAI: "/v1", Anthropic: "/v1", Google: "/v1beta/openai", azureOpenAI: "/openai/v1",
	"alibaba": "/compatible-mode/v1", "cerebras": "/v1", "cohere": "/compatibility/v1", "deepseek": "/v1",
	"fireworks": "/inference/v1", "groq": "/openai/v1", "minimax": "/v1", "mistral": "/v1", "moonshot": "/v1",
	"openrouter": "/api/v1", "together": "/v1", "xai": "/v1", "zai": "/api/paas/v4",
}

// PathAt returns the path, query included, at which a vendor serves a call of the API that came by path. For an API
// that the vendor does not serve, which Servable refuses, it is the path itself.
func PathAt(vendor pricing.ProviderName, api API, path string) string {
	end := ""
	switch api {
	case OpenAIChat:
		end = "/chat/completions"
	case OpenAIResponses:
		end = "/responses"
	}
	base, ok := openAIBase[vendor]
	if end == "" || !ok {
		return path
	}
	if _, query := cutQuery(path); query != "" {
		end += "?" + query
	}
	return base + end
}

func cutQuery(path string) (raw, query string) {
	path, _, _ = strings.Cut(path, "#")
	raw, query, _ = strings.Cut(path, "?")
	return raw, query
}

// unescape decodes percent-encoding. What is not valid encoding stays as it is, as in most servers.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
			if high >= 0 && low >= 0 {
				out = append(out, byte(high<<4|low))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// appendSegment appends s as one segment of a path, in which a colon would end the model's name.
func appendSegment(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '@':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}
