package provider

import (
	"strconv"
	"unicode/utf8"

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
	BudgetExhausted                  // 429: a hard budget cannot cover the call
	ModelRefused                     // 403: policy does not let this caller use the model
	Unpriced                         // 403: the call cannot be priced, and a hard budget covers it
	Unavailable                      // 503: farebox cannot serve the call now
)

// errorShapes is what the kinds are called. Sources: the error pages of the OpenAI and Anthropic documentation and
// google.rpc.Code; OpenAI answers 403 with model_not_found for a model that a project must not use.
var errorShapes = [...]struct {
	status                 int
	openAIType, openAICode string
	anthropic              string
	google, googleReason   string
}{
	BadRequest:      {400, "invalid_request_error", "", "invalid_request_error", "INVALID_ARGUMENT", "INVALID_REQUEST"},
	TooLarge:        {413, "invalid_request_error", "request_too_large", "request_too_large", "INVALID_ARGUMENT", "REQUEST_TOO_LARGE"},
	Unsupported:     {415, "invalid_request_error", "unsupported_encoding", "invalid_request_error", "INVALID_ARGUMENT", "UNSUPPORTED_ENCODING"},
	BudgetExhausted: {429, "insufficient_quota", "insufficient_quota", "rate_limit_error", "RESOURCE_EXHAUSTED", "BUDGET_EXHAUSTED"},
	ModelRefused:    {403, "invalid_request_error", "model_not_found", "permission_error", "PERMISSION_DENIED", "MODEL_REFUSED"},
	Unpriced:        {403, "invalid_request_error", "unpriced_request", "permission_error", "PERMISSION_DENIED", "UNPRICED_REQUEST"},
	Unavailable:     {503, "server_error", "service_unavailable", "api_error", "UNAVAILABLE", "UNAVAILABLE"},
}

// maxMessage bounds the message in an error body, in bytes: parts of it come from clients.
const maxMessage = 2000

// ErrorBody returns an error in the shape in which the API answers its own, so that official clients raise what
// they raise for the provider's. The message may hold any bytes; it is cut at 2000 and escaped. Param names the
// request field at fault, "" for none. An API that is not read gets OpenAI's shape, the most common one.
func ErrorBody(api API, kind ErrorKind, message, param string) (status int, contentType string, body []byte) {
	shape := &errorShapes[kind]
	message = clip(message)
	switch api {
	case AnthropicMessages:
		body = append(body, `{"type":"error","error":{"type":`...)
		body = jsonscan.AppendString(body, shape.anthropic)
		body = append(body, `,"message":`...)
		body = jsonscan.AppendString(body, message)
		body = append(body, `},"request_id":null}`...)
	case GeminiGenerate:
		return shape.status, "application/json; charset=UTF-8", geminiError(kind, message, param)
	default:
		body = append(body, `{"error":{"message":`...)
		body = jsonscan.AppendString(body, message)
		body = append(body, `,"type":`...)
		body = jsonscan.AppendString(body, shape.openAIType)
		body = append(body, `,"param":`...)
		body = appendStringOrNull(body, param)
		body = append(body, `,"code":`...)
		body = appendStringOrNull(body, shape.openAICode)
		body = append(body, "}}"...)
	}
	return shape.status, "application/json", body
}

// geminiError is a google.rpc.Status in JSON, with the details of google/rpc/error_details.proto.
func geminiError(kind ErrorKind, message, param string) []byte {
	shape := &errorShapes[kind]
	body := append([]byte(nil), `{"error":{"code":`...)
	body = strconv.AppendInt(body, int64(shape.status), 10)
	body = append(body, `,"message":`...)
	body = jsonscan.AppendString(body, message)
	body = append(body, `,"status":`...)
	body = jsonscan.AppendString(body, shape.google)
	body = append(body, `,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":`...)
	body = jsonscan.AppendString(body, shape.googleReason)
	body = append(body, `,"domain":"farebox"}`...)
	if param != "" {
		body = append(body, `,{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":`...)
		body = jsonscan.AppendString(body, param)
		body = append(body, `,"description":`...)
		body = jsonscan.AppendString(body, message)
		body = append(body, "}]}"...)
	}
	if kind == BudgetExhausted { // as long as a Retry-After of farebox's ever is
		body = append(body, `,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"60s"}`...)
	}
	return append(body, "]}}"...)
}

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
