// Package envoy renders the Envoy configuration that farebox runs behind, and
// holds the two configurations that ship for installation by hand.
//
// observe.yaml lets every call through to its provider, decided or not, and is
// for a first look at what would be saved. enforce.yaml is closed by routing:
// the ext_proc filter never fails a call, so that a restart of farebox cuts no
// answer that is streaming, and the route table refuses what nobody decided.
// A call's way is chosen by the dynamic metadata farebox.route, which no client
// can forge and which the server sets with its reply to the request body.
//
// What the rendered configuration expects of the server:
//
//   - its reply to the request body sets dynamic metadata in the namespace
//     "farebox" (keys: route, decision, rule, tier, model, requested_model,
//     cost_usd, cache, usage) and clears the route cache;
//   - route is the Name of an Upstream;
//   - the details of every immediate response start with DetailsPrefix. Envoy
//     gives all other local replies (body too large, provider unreachable) a
//     JSON body in the shape of the provider's API, and would do the same to an
//     immediate response whose details start otherwise.
//
// Without ext_proc the light filter routes by the request header x-farebox-route,
// which is then taken from clients before the first route is matched.
package envoy

import (
	_ "embed" // for VERSION and OLDEST
	"strings"
)

// DetailsPrefix starts the details of every immediate response of farebox. The
// rendered configuration leaves the bodies of such responses as they are.
const DetailsPrefix = "farebox"

var (
	//go:embed VERSION
	version string
	//go:embed OLDEST
	oldest string
)

// Version returns the Envoy release that farebox is tested with, as in "1.40.0".
func Version() string { return strings.TrimSpace(version) }

// Oldest returns the oldest Envoy release that farebox supports, as in "1.36.4".
func Oldest() string { return strings.TrimSpace(oldest) }
