package main

import (
	"net/http"
	"strings"
)

const poolKey = "pool-key" // the bearer token that a pool's callers should use

// bearer returns the token of the authorization header, or "".
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// caller is the credential that a call is billed to, and whose prompt cache it shares.
func caller(in *inbound) string {
	for _, c := range []string{in.r.Header.Get("x-api-key"), in.r.Header.Get("x-goog-api-key"), in.r.URL.Query().Get("key"),
		in.r.Header.Get("api-key"), in.r.Header.Get("authorization")} {
		if c != "" {
			return c
		}
	}
	return ""
}

// checkCredentials asks for a credential of the vendor's own kind; any value will do.
func checkCredentials(in *inbound) *apiError {
	h := in.r.Header
	switch in.house {
	case "":
	case ollamaHome:
		return nil
	case bedrockAWS, vertex: // signatures and tokens of a cloud
		if h.Get("authorization") == "" {
			return statusError(in.vendor, http.StatusForbidden)
		}
		return nil
	default:
		if bearer(in.r) == "" && h.Get("api-key") == "" {
			return statusError(in.vendor, http.StatusUnauthorized)
		}
		return nil
	}
	switch in.vendor {
	case anthropic:
		if h.Get("x-api-key") == "" && bearer(in.r) == "" {
			return &apiError{status: http.StatusUnauthorized, kind: "authentication_error", message: "x-api-key header is required"}
		}
		if h.Get("anthropic-version") == "" {
			return invalid(anthropic, "anthropic-version: header is required")
		}
	case google:
		if h.Get("x-goog-api-key") == "" && in.r.URL.Query().Get("key") == "" {
			return &apiError{status: http.StatusForbidden, kind: "PERMISSION_DENIED", message: "Method doesn't allow unregistered callers " +
				"(callers without established identity). Please use API Key or other form of API consumer identity to call this API."}
		}
	default:
		if bearer(in.r) == "" {
			return &apiError{status: http.StatusUnauthorized, kind: "invalid_request_error", message: "You didn't provide an API key. You need to " +
				"provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). " +
				"You can obtain an API key from https://platform.openai.com/account/api-keys."}
		}
	}
	return nil
}

// leaks says whether a call to a pool carries a credential, or another trace of a vendor's caller.
func leaks(r *http.Request) bool {
	for name := range r.Header {
		switch name = strings.ToLower(name); {
		case name == "authorization":
			if bearer(r) != poolKey {
				return true
			}
		case name == "x-api-key", name == "api-key", name == "x-goog-api-key", name == "cookie",
			strings.HasPrefix(name, "openai-"), strings.HasPrefix(name, "anthropic-"):
			return true
		}
	}
	return r.URL.Query().Has("key")
}
