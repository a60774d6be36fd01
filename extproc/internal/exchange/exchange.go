// Package exchange conducts one HTTP request and its response as a state machine, free of gRPC and Envoy types.
//
// A Conductor holds what all exchanges share. Each request gets an Exchange and drives it phase by phase:
//
//	RequestHeaders -> RequestBody -> ResponseStatus -> ResponseBody (any number) -> End
//
// A phase returns a Reply, which the transport turns into its own messages. The order of work in RequestBody is
// read, decide, cache, reserve, edit; whatever ends the exchange early leaves through End, which settles what
// was reserved. Only what is proven unbilled is released: a call that never left, that no upstream took, or
// that the provider answered with an error status. Everything else is settled at its reported usage, or else
// as an estimate with the whole reservation as its bound.
//
// An answer that the provider makes in the background leaves its reservation parked under the answer's id. The exchange
// of a GET that fetches it has no RequestBody; if the answer is final it settles the call that left earlier, or tells the
// other replicas of it, where Collect settles a call that is parked there.
//
// Responses pass before they are read, unless they are edited: the usage that farebox asked for is taken out again, and
// a stream that has used up its reservation is ended where a budget says so.
//
// In observe mode the request and the response pass untouched whatever happens here, and what an enforcing
// policy would have done is recorded with the call. Answers are looked up and kept then too, apart from those
// that are replayed, so that hits are counted before they are switched on.
//
// Behaviour on faults:
//
//   - a phase out of order: ErrOrder; what was reserved is settled by End
//   - the proxy answers the client itself: released where its reason proves that no upstream had the call.
//     Envoy 1.36 does not show us its own answers, as 1.40 does: such a call ends without a response, an estimate
//   - a response whose status is not told (0): settled at the usage that it states, else an estimate; never
//     cached, never released
//   - a response without a body ends without a ResponseBody: an estimate
//   - the journal cannot be written: in enforce mode nothing leaves; in observe mode everything does
//   - a bug of ours: the transport calls Abandon, which settles or releases and answers or lets pass
//
// An Exchange belongs to one goroutine. A Conductor is safe for concurrent use.
package exchange

import (
	"errors"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// ErrOrder says that a phase came before its time, or twice.
var ErrOrder = errors.New("phase out of order")

// phase is how far an exchange has come.
type phase uint8

const (
	atStart    phase = iota
	atBody           // the headers were read, the body is awaited
	atResponse       // the call left, read or unread
	atEnd            // settled, answered or let go
)

// Exchange is one request with its response. The zero value is not usable: Conductor.Begin makes one.
type Exchange struct {
	c     *Conductor
	snap  *Snapshot // the policy that the exchange began with
	phase phase
	out   bool      // the call left
	began time.Time // when the headers came
	at    time.Time // when the body was there: the moment of everything that is decided

	in       Incoming // emptied when the call leaves
	endpoint provider.Endpoint
	route    policies.RouteName // whom the caller addressed
	vendor   pricing.ProviderName
	dims     []policies.Value
	payers   []ledger.Dim // dims as the ledger knows them

	call     provider.Request // holds the body; emptied when the call leaves
	input    int64            // tokens that the prompt is expected to have
	decision policies.Decision
	served   *policies.Option // the option taken; nil until then
	would    intent           // observe mode
	id       ledger.ID
	reserved bool          // in the ledger, neither settled nor released
	expected pricing.Money // what the reservation says of the cost, should nobody learn it

	prefix  cache.PrefixKey // of the call that leaves
	claimed bool            // the call marks it for the provider's cache

	fetching bool   // the answer to a call that left earlier, whose reservation id names; zero if it is not held here
	parked   string // key of that answer

	meter   *provider.Meter
	editor  *editor // nil where the response passes as it comes
	status  Status
	renewed time.Time // the reservation
	begun   bool      // a piece of the answer passed
	key     cache.Key // where the answer is to be kept, if keep
	keep    bool
	answer  []byte // the answer so far, while keep
}

// Begin starts an exchange under the policy in force.
func (c *Conductor) Begin() *Exchange {
	return &Exchange{c: c, snap: c.snapshot.Load()}
}

// enforcing reports whether the exchange may change the call.
func (x *Exchange) enforcing() bool { return x.snap.Set.Enforcing() }

// left notes that the call is on its way, and lets go of what was only needed to decide: a request may take
// megabytes, and its answer minutes.
func (x *Exchange) left() {
	x.phase, x.out = atResponse, true
	x.in, x.call = Incoming{}, provider.Request{Endpoint: x.call.Endpoint}
}
