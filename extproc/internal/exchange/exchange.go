// Package exchange conducts one HTTP request and its response as a state machine, free of gRPC and Envoy types.
//
// A Conductor holds what all exchanges share. Each request gets an Exchange and drives it phase by phase:
//
//	RequestHeaders -> RequestBody -> ResponseBody (any number) -> End
//
// A phase returns a Reply, which the transport turns into its own messages. The order of work in RequestBody is
// read, decide, cache, reserve, edit; whatever ends the exchange early leaves through End, which settles what
// was reserved. Only what is proven unbilled is released: a call that never left, that no upstream took, or
// that the provider answered with an error status. Everything else is settled at its reported usage, or else
// as an estimate with the whole reservation as its bound.
//
// In observe mode the request and the response pass untouched whatever happens here, and what would have been
// done is recorded with the call.
//
// An Exchange belongs to one goroutine. A Conductor is safe for concurrent use.
package exchange

import (
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// phase is how far an exchange has come.
type phase uint8

const (
	atStart    phase = iota
	atBody           // the headers were read, the body is awaited
	atResponse       // the call left, or left unread
	atEnd            // settled, answered or let go
)

// Exchange is one request with its response. The zero value is not usable: Conductor.Begin makes one.
type Exchange struct {
	c     *Conductor
	snap  *Snapshot // the policy that the exchange began with
	phase phase

	in       Incoming
	endpoint provider.Endpoint
	route    policies.RouteName
	vendor   pricing.ProviderName
	dims     []policies.Value

	call     provider.Request
	decision policies.Decision
	served   *policies.Option // the option taken; nil until a call leaves
	would    *policies.Option // observe mode: what would have been taken
	id       ledger.ID
	reserved bool
	start    time.Time

	meter  *provider.Meter // nil where the response is not read
	status Status
	key    cache.Key // where the answer is to be kept; see keep
	keep   bool
	answer []byte // the answer so far, while keep
}

// Begin starts an exchange under the policy in force.
func (c *Conductor) Begin() *Exchange {
	return &Exchange{c: c, snap: c.snapshot.Load()}
}

// enforcing reports whether the exchange may change the call.
func (x *Exchange) enforcing() bool { return x.snap.Set.Enforcing() }
