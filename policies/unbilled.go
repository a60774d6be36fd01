package policies

import "strings"

// neverTakenDetails are parts of the response code details of answers that Envoy made itself before any upstream had
// the request. Attempts before the last one count as never sent too: the shipped routes retry nothing else.
// Source: Envoy, "Response Code Details", and the reasons of stream resets that stand there in braces.
var neverTakenDetails = []string{
	"no_healthy_upstream", "cluster_not_found", "route_not_found", "request_payload_too_large", "direct_response",
	"connection_failure", "connection_timeout", "{overflow}", "overload", "maintenance_mode", "rate_limited",
}

// Unbilled returns why a provider cannot have charged for a call, by the status of the response and Envoy's details
// of it, or "" if it may have. A status that is not told (0) proves nothing, and neither does one whose maker is not
// told and may be the proxy, which waited long enough for the provider to work.
//
// An error of the provider's own, of any status, is taken for unbilled. Google says so of the statuses 400 and 500
// (https://ai.google.dev/gemini-api/docs/billing); of OpenAI, Anthropic and the rest it is assumed, as an error has no
// usage to charge. Callers ask only where the response stated no usage.
func Unbilled(status int, details string) string {
	switch {
	case status < 400:
		return ""
	case details == "via_upstream", details == "" && status < 500 && status != 408:
		return "the provider answered with an error"
	}
	for _, d := range neverTakenDetails {
		if strings.Contains(details, d) {
			return "no upstream took the call: " + strings.Trim(d, "{}")
		}
	}
	return ""
}
