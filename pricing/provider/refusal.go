package provider

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// ErrorKind is why a call is answered with an error of farebox's own.
type ErrorKind uint8

// The kinds of errors. Clients retry none but BudgetExhausted and Unavailable by themselves, and those only
// where no x-should-retry header tells them otherwise.
const (
	BadRequest      ErrorKind = iota // 400: the request is malformed or ambiguous
	TooLarge                         // 413: the request is above a limit
	Unsupported                      // 415: the body's encoding cannot be read
	BudgetExhausted                  // 429, on Bedrock 400: a hard budget cannot cover the call
	ModelRefused                     // 403: policy does not let this caller use the model
	Unpriced                         // 403: the call cannot be priced, and a hard budget covers it
	Unavailable                      // 503: farebox cannot serve the call now
)

// errorShapes is what the kinds are called. Sources: the error pages of the OpenAI and Anthropic documentation,
// google.rpc.Code, and the common errors of the Bedrock runtime; OpenAI answers 403 with model_not_found for a model that
// a project must not use. AWS clients retry throttling by its name, so a spent budget is a quota there.
var errorShapes = [...]struct {
	status                 int
	openAIType, openAICode string
	anthropic              string
	google, googleReason   string
	amazon                 string
}{
	BadRequest:      {400, "invalid_request_error", "", "invalid_request_error", "INVALID_ARGUMENT", "INVALID_REQUEST", "ValidationException"},
	TooLarge:        {413, "invalid_request_error", "request_too_large", "request_too_large", "INVALID_ARGUMENT", "REQUEST_TOO_LARGE", "ValidationException"},
	Unsupported:     {415, "invalid_request_error", "unsupported_encoding", "invalid_request_error", "INVALID_ARGUMENT", "UNSUPPORTED_ENCODING", "ValidationException"},
	BudgetExhausted: {429, "insufficient_quota", "insufficient_quota", "rate_limit_error", "RESOURCE_EXHAUSTED", "BUDGET_EXHAUSTED", "ServiceQuotaExceededException"},
	ModelRefused:    {403, "invalid_request_error", "model_not_found", "permission_error", "PERMISSION_DENIED", "MODEL_REFUSED", "AccessDeniedException"},
	Unpriced:        {403, "invalid_request_error", "unpriced_request", "permission_error", "PERMISSION_DENIED", "UNPRICED_REQUEST", "AccessDeniedException"},
	Unavailable:     {503, "server_error", "service_unavailable", "api_error", "UNAVAILABLE", "UNAVAILABLE", "ServiceUnavailableException"},
}

// A Fault is why a call is refused, and what its caller is told.
type Fault struct {
	Kind    ErrorKind
	Message string        // any bytes: it is cut at 2000 and escaped
	Param   string        // the request field at fault, "" for none
	Status  int           // of a spent budget: 402 or 403, which no client retries; any other value is the vendor's own
	Wait    time.Duration // until a spent budget refills
	ID      string        // of the request, for those who ask about it; "" for none
}

// Refusal is the answer to a call that is not served.
type Refusal struct {
	Status      int
	ContentType string
	Headers     [][2]string // besides the content type; names are in lower case
	Body        []byte
}

// maxRetryAfter bounds the hint to clients: some SDKs sleep for whatever they are told.
const maxRetryAfter = time.Minute

// Refuse makes the answer in the shape in which a vendor answers its own errors of the API, so that official clients
// raise what they raise for the provider's. It tells clients not to retry by themselves; those who do all the same
// read of a spent budget how long to wait, at most a minute. No status is one that clients retry but 429 and 503. An
// API that is not read gets its vendor's shape, or OpenAI's, the most common one.
func Refuse(api API, vendor pricing.ProviderName, f Fault) Refusal {
	f.Message = clip(f.Message)
	dialect := dialectOf(api, vendor)
	r := Refusal{Status: f.status(dialect), ContentType: "application/json", Headers: [][2]string{{"x-should-retry", "false"}}}
	if f.Kind == BudgetExhausted {
		r.Headers = append(r.Headers, [2]string{"retry-after", strconv.Itoa(f.seconds())})
	}
	switch dialect {
	case anthropicErrors:
		r.identify("request-id", f.ID)
		r.Body = anthropicError(&f)
	case googleErrors:
		r.ContentType = "application/json; charset=UTF-8"
		r.Body = googleError(&f, r.Status)
	case amazonErrors:
		r.identify("x-amzn-requestid", f.ID)
		r.Headers = append(r.Headers, [2]string{"x-amzn-errortype", errorShapes[f.Kind].amazon})
		r.Body = messageError(`{"message":`, f.Message)
	case cohereErrors:
		start := `{"message":`
		if f.ID != "" {
			start = `{"id":` + string(jsonscan.AppendString(nil, f.ID)) + `,"message":`
		}
		r.Body = messageError(start, f.Message)
	case detailErrors:
		r.Body = messageError(`{"detail":`, f.Message)
	case plainErrors:
		r.Body = messageError(`{"error":`, f.Message)
	case openRouterErrors:
		r.Body = openRouterError(&f, r.Status)
	case mistralErrors:
		r.Body = append(openAIFields([]byte(`{"object":"error",`), &f), '}')
	default:
		r.identify("x-request-id", f.ID)
		r.Body = append(openAIFields([]byte(`{"error":{`), &f), "}}"...)
	}
	return r
}

func (r *Refusal) identify(header, id string) {
	if id != "" {
		r.Headers = append(r.Headers, [2]string{header, id})
	}
}

// status is the HTTP status. 408, 409, 529 and others of 500 and above would make clients retry a spent budget.
func (f *Fault) status(d dialect) int {
	switch {
	case f.Kind != BudgetExhausted:
	case f.Status == 402 || f.Status == 403:
		return f.Status
	case d == amazonErrors:
		return 400
	}
	return errorShapes[f.Kind].status
}

// seconds is how long clients are told to wait.
func (f *Fault) seconds() int {
	return int(min(max(f.Wait, time.Second), maxRetryAfter) / time.Second)
}

// dialect is how a vendor shapes its errors.
type dialect uint8

const (
	openAIErrors dialect = iota
	anthropicErrors
	googleErrors
	amazonErrors
	cohereErrors
	detailErrors // Voyage, Jina
	plainErrors  // Ollama, TGI
	openRouterErrors
	mistralErrors
)

// dialectOf goes by the API: vendors who serve another's API shape its errors alike.
func dialectOf(a API, vendor pricing.ProviderName) dialect {
	switch a {
	case AnthropicMessages:
		return anthropicErrors
	case GeminiGenerate, GeminiEmbed, GeminiInteractions, VertexPredict:
		return googleErrors
	case BedrockConverse, BedrockInvoke:
		return amazonErrors
	case OllamaChat, OllamaGenerate, OllamaEmbed, TGIGenerate:
		return plainErrors
	}
	switch vendor {
	case "voyage", "jina":
		return detailErrors
	case "mistral":
		return mistralErrors
	case OpenRouter:
		return openRouterErrors
	}
	switch {
	case a == CohereChat, a == CohereEmbed, a == CohereRerank, a == "" && vendor == Cohere:
		return cohereErrors
	case a == "" && vendor == Anthropic:
		return anthropicErrors
	case a == "" && vendor == Google:
		return googleErrors
	case a == "" && vendor == Bedrock:
		return amazonErrors
	}
	return openAIErrors
}

func messageError(start, message string) []byte {
	return append(jsonscan.AppendString([]byte(start), message), '}')
}

// openAIFields appends the members of an error of OpenAI's.
func openAIFields(body []byte, f *Fault) []byte {
	shape := &errorShapes[f.Kind]
	body = jsonscan.AppendString(append(body, `"message":`...), f.Message)
	body = jsonscan.AppendString(append(body, `,"type":`...), shape.openAIType)
	body = appendStringOrNull(append(body, `,"param":`...), f.Param)
	return appendStringOrNull(append(body, `,"code":`...), shape.openAICode)
}

func anthropicError(f *Fault) []byte {
	kind := errorShapes[f.Kind].anthropic
	switch {
	case f.Kind != BudgetExhausted:
	case f.Status == 402:
		kind = "billing_error"
	case f.Status == 403:
		kind = "permission_error"
	}
	body := jsonscan.AppendString([]byte(`{"type":"error","error":{"type":`), kind)
	body = jsonscan.AppendString(append(body, `,"message":`...), f.Message)
	return append(appendStringOrNull(append(body, `},"request_id":`...), f.ID), '}')
}

// openRouterError repeats the status as its code.
// Source: https://openrouter.ai/docs/api-reference/errors, read in November 2026.
func openRouterError(f *Fault, status int) []byte {
	body := strconv.AppendInt([]byte(`{"error":{"code":`), int64(status), 10)
	body = jsonscan.AppendString(append(body, `,"message":`...), f.Message)
	body = jsonscan.AppendString(append(body, `,"metadata":{"reason":`...), errorShapes[f.Kind].openAIType)
	return append(body, "}}}"...)
}

// googleError is a google.rpc.Status in JSON, with the details of google/rpc/error_details.proto.
func googleError(f *Fault, status int) []byte {
	shape := &errorShapes[f.Kind]
	body := strconv.AppendInt([]byte(`{"error":{"code":`), int64(status), 10)
	body = jsonscan.AppendString(append(body, `,"message":`...), f.Message)
	body = jsonscan.AppendString(append(body, `,"status":`...), shape.google)
	body = append(body, `,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":`...)
	body = append(jsonscan.AppendString(body, shape.googleReason), `,"domain":"farebox"}`...)
	if f.Param != "" {
		body = append(body, `,{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":`...)
		body = jsonscan.AppendString(body, f.Param)
		body = jsonscan.AppendString(append(body, `,"description":`...), f.Message)
		body = append(body, "}]}"...)
	}
	if f.Kind == BudgetExhausted {
		body = append(body, `,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"`...)
		body = append(strconv.AppendInt(body, int64(f.seconds()), 10), `s"}`...)
	}
	return append(body, "]}}"...)
}

// maxMessage bounds the message in an error body, in bytes: parts of it come from clients.
const maxMessage = 2000

// clip cuts a message at maxMessage bytes, between characters.
func clip(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	end := maxMessage
	for end > maxMessage-utf8.UTFMax && !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end]
}

func appendStringOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return jsonscan.AppendString(dst, s)
}
