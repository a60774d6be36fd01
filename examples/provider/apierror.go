package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// An apiError is a refusal in a vendor's own words. kind is OpenAI's and Anthropic's type and Google's status; code
// and param are OpenAI's alone, where empty means null.
type apiError struct {
	status  int
	kind    string
	code    string
	param   string
	message string
}

// invalid is a 400 that every vendor calls an invalid request.
func invalid(v vendor, format string, args ...any) *apiError {
	kind := "invalid_request_error"
	switch v {
	case google:
		kind = "INVALID_ARGUMENT"
	case bedrock:
		kind = "ValidationException"
	}
	return &apiError{status: http.StatusBadRequest, kind: kind, message: fmt.Sprintf(format, args...)}
}

// about sets OpenAI's code and param.
func (e *apiError) about(code, param string) *apiError {
	e.code, e.param = code, param
	return e
}

// body renders e in the shape of v's API.
func (e *apiError) body(v vendor, requestID string) []byte {
	var shape any
	switch v {
	case anthropic:
		shape = struct {
			Type  string `json:"type"`
			Error struct {
				Type    string `json:"type"`
				Message string `json:"message"`
			} `json:"error"`
			RequestID string `json:"request_id"`
		}{"error", struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		}{e.kind, e.message}, requestID}
	case bedrock:
		shape = map[string]string{"message": e.message}
	case cohere:
		shape = map[string]string{"id": requestID, "message": e.message}
	case ollama:
		shape = map[string]string{"error": e.message}
	case google:
		shape = map[string]any{"error": struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Status  string `json:"status"`
		}{e.status, e.message, e.kind}}
	default:
		shape = map[string]any{"error": struct {
			Message string  `json:"message"`
			Type    string  `json:"type"`
			Param   *string `json:"param"`
			Code    *string `json:"code"`
		}{e.message, e.kind, orNull(e.param), orNull(e.code)}}
	}
	if v == openai || v == google {
		return pretty(shape)
	}
	return mustJSON(shape)
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// mustJSON encodes values that this program builds itself, which always encode.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("internal error: encode %T: %v", v, err))
	}
	return b
}

// pretty is how OpenAI and Google print JSON bodies.
func pretty(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("internal error: encode %T: %v", v, err))
	}
	return append(b, '\n')
}

// statusError is the answer that a vendor gives for a bare HTTP status: its own trouble or a rate limit.
func statusError(v vendor, status int) *apiError {
	kinds := map[vendor]map[int]string{
		openai:    {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error", 413: "invalid_request_error", 429: "requests", 500: "server_error", 503: "server_error"},
		anthropic: {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"},
		google:    {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"},
		bedrock:   {400: "ValidationException", 403: "AccessDeniedException", 404: "ResourceNotFoundException", 408: "ModelTimeoutException", 413: "ValidationException", 429: "ThrottlingException", 503: "ServiceUnavailableException"},
	}
	messages := map[int]string{
		404: "Not found",
		413: "Request too large",
		429: "Rate limit reached. Please try again later.",
		500: "The server had an error while processing your request. Sorry about that!",
		503: "The model is overloaded. Please try again later.",
		529: "Overloaded",
	}
	e := &apiError{status: status, kind: kinds[v][status], message: messages[status]}
	if e.kind == "" {
		e.kind = map[vendor]string{openai: "server_error", anthropic: "api_error", google: "UNKNOWN", bedrock: "InternalServerException"}[v]
	}
	if e.message == "" {
		e.message = http.StatusText(status)
	}
	if v == openai && status == http.StatusTooManyRequests {
		e.code = "rate_limit_exceeded"
	}
	return e
}
