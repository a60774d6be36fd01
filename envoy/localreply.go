package envoy

import "fmt"

// localReply is a body for an error of Envoy's own, in the shape that the SDKs
// of one provider's API read.
type localReply struct {
	When string // CEL expression over the attributes of the request
	JSON string // body, with Envoy's command operators
}

// Envoy gives immediate responses of farebox, and of the filter, to the same
// mappers. Theirs have details that start with DetailsPrefix, or none at all.
const envoysOwn = `size(response.code_details) > 0 && !response.code_details.startsWith("` + DetailsPrefix + `")`

// fault is a kind of error of Envoy's own: what it is called in each API. Types and
// statuses are those that farebox answers with itself, in package provider; the
// codes tell what answered.
type fault struct {
	when      string // CEL; the first that holds counts
	message   string // chosen here: Envoy's own text names addresses
	kind      string // OpenAI: error.type
	code      string // OpenAI: error.code
	anthropic string // Anthropic: error.type
	google    string // Google: error.status
}

var faults = []fault{
	{
		when: `response.code == 413`, message: fmt.Sprintf("the request body is larger than the %d MiB that this gateway takes", bufferLimit>>20),
		kind: "invalid_request_error", code: "request_too_large", anthropic: "request_too_large", google: "INVALID_ARGUMENT",
	},
	{
		when: `response.code == 403`, message: "the gateway refused the request; connection upgrades are not supported, use plain HTTP requests",
		kind: "invalid_request_error", code: "request_refused", anthropic: "permission_error", google: "PERMISSION_DENIED",
	},
	{
		when: `response.code == 503 && xds.cluster_name == "farebox_unrouted"`, message: "the gateway cannot decide this request at the moment, or knows no provider for it; nothing was sent",
		kind: "server_error", code: "farebox_undecided", anthropic: "api_error", google: "UNAVAILABLE",
	},
	{
		when: `response.code == 504 || response.code == 408`, message: "the gateway gave up waiting",
		kind: "server_error", code: "gateway_timeout", anthropic: "api_error", google: "DEADLINE_EXCEEDED",
	},
	{
		when: `response.code >= 500`, message: "the gateway could not reach the provider",
		kind: "server_error", code: "upstream_unavailable", anthropic: "api_error", google: "UNAVAILABLE",
	},
	{
		when: `response.code >= 400`, message: "the gateway could not take the request",
		kind: "invalid_request_error", code: "bad_request", anthropic: "invalid_request_error", google: "INVALID_ARGUMENT",
	},
}

// localReplies returns the bodies of all faults, those for one API together. As for
// farebox, the end of a path tells the API: hosts put prefixes of their own before it.
func localReplies() []localReply {
	apis := []struct {
		is   string // CEL
		body func(fault) string
	}{
		{`request.url_path.contains("/v1/messages")`, fault.anthropicBody},
		{`(request.url_path.contains("/v1beta/") || request.url_path.matches(":(generateContent|streamGenerateContent|countTokens)$"))`, fault.googleBody},
		{`true`, fault.openaiBody},
	}
	var replies []localReply
	for _, api := range apis {
		for _, f := range faults {
			when := fmt.Sprintf("%s && (%s) && %s", api.is, f.when, envoysOwn)
			replies = append(replies, localReply{When: when, JSON: api.body(f)})
		}
	}
	return replies
}

func (f fault) openaiBody() string {
	return fmt.Sprintf(`{error: {message: %q, type: %q, code: %q, param: null}}`, f.message, f.kind, f.code)
}

// Source: https://docs.anthropic.com/en/api/errors
func (f fault) anthropicBody() string {
	return fmt.Sprintf(`{type: error, error: {type: %q, message: %q}}`, f.anthropic, f.message)
}

// Source: https://cloud.google.com/apis/design/errors
func (f fault) googleBody() string {
	return fmt.Sprintf(`{error: {code: "%%RESPONSE_CODE%%", message: %q, status: %q}}`, f.message, f.google)
}
