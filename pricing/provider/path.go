package provider

import (
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// Endpoint is what a URL says of a call. The zero value is no call that is read.
type Endpoint struct {
	API     API               // "" if the path is none of the formats
	Model   pricing.ModelName // of the call; ParsePath knows it only where the path holds it
	ModelAt Span              // of the model in the path, percent-encoded as it is there; absent if the body holds it
	Stream  bool              // the answer is a stream; ParsePath knows it only of Gemini
	SSE     bool              // that stream consists of server-sent events, not of a JSON array
}

// ParsePath says which call a POST to the path is, query included. It goes by the end of the path, as hosts put
// prefixes of their own before it: /openai/v1/chat/completions, /inference/v1/chat/completions. Percent-encoded
// letters are decoded first, as the provider does. Batches, token counts and other methods of the same resources
// are not calls.
func ParsePath(path string) Endpoint {
	raw, query := cutQuery(path)
	raw = strings.TrimRight(raw, "/")
	plain := unescape(raw)
	switch {
	case strings.HasSuffix(plain, "/chat/completions"):
		return azureDeployment(Endpoint{API: OpenAIChat}, raw)
	case strings.HasSuffix(plain, "/responses"):
		return Endpoint{API: OpenAIResponses}
	case strings.HasSuffix(plain, "/v1/messages"):
		return Endpoint{API: AnthropicMessages}
	}
	return geminiPath(raw, query)
}

// azureDeployment adds the model of /deployments/M/chat/completions, where Azure ignores the body's.
func azureDeployment(e Endpoint, raw string) Endpoint {
	const list, verb = "/deployments/", "/chat/completions"
	start := strings.LastIndex(raw, list) + len(list)
	end := len(raw) - len(verb)
	if start < len(list) || start >= end || strings.Contains(raw[start:end], "/") {
		return e
	}
	e.ModelAt = Span{start, end}
	e.Model = pricing.ModelName(unescape(raw[start:end]))
	return e
}

// geminiPath reads .../models/M:generateContent and :streamGenerateContent.
func geminiPath(raw, query string) Endpoint {
	slash := strings.LastIndexByte(raw, '/')
	if slash < 0 || !strings.HasSuffix(unescape(raw[:slash]), "/models") {
		return Endpoint{}
	}
	colon, verb := cutVerb(raw, slash+1)
	if colon == slash+1 || (verb != "generateContent" && verb != "streamGenerateContent") {
		return Endpoint{}
	}
	return Endpoint{
		API:     GeminiGenerate,
		Model:   pricing.ModelName(unescape(raw[slash+1 : colon])),
		ModelAt: Span{slash + 1, colon},
		Stream:  verb == "streamGenerateContent",
		SSE:     verb == "streamGenerateContent" && wantsEvents(query),
	}
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
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key = unescape(key); (key == "alt" || key == "$alt") && strings.EqualFold(unescape(value), "sse") {
			return true
		}
	}
	return false
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

// FreeProbe reports whether a request is one that providers answer at no charge: HEAD and OPTIONS, GET of the root,
// of model lists and of answers held by the provider, and token counts.
func FreeProbe(method, path string) bool {
	raw, _ := cutQuery(path)
	plain := strings.TrimRight(unescape(raw), "/")
	switch method {
	case "HEAD", "OPTIONS":
		return true
	case "GET":
		_, held, ok := strings.Cut(plain, "/responses/")
		return plain == "" || strings.HasSuffix(plain, "/models") || strings.Contains(plain, "/models/") ||
			(ok && held != "")
	case "POST":
		return strings.HasSuffix(plain, "/messages/count_tokens") ||
			strings.HasSuffix(plain, "/responses/input_tokens") ||
			(strings.Contains(plain, "/models/") && strings.HasSuffix(plain, ":countTokens"))
	}
	return false
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
