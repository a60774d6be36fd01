package filter

import (
	"fmt"
	"time"

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
	atEnd            // answered here, let go or recorded
)

// Exchange is one request with its response. Filter.Begin makes one. It belongs to one goroutine.
type Exchange struct {
	f     *Filter
	host  Host
	phase phase

	in       incoming
	endpoint provider.Endpoint
	route    policies.RouteName
	vendor   pricing.ProviderName
	start    time.Time
	answered bool // the client was refused here

	// Of the call itself nothing is kept: its body would fill the worker's memory while the answer streams.
	decision policies.Decision
	served   *policies.Option // the option taken; nil until a call leaves
	would    *policies.Option // observe mode: what an enforcing policy would have taken
	input    int64            // expected prompt in tokens, should the response state no usage
	meter    *provider.Meter
}

// Begin starts an exchange under the policy in force.
func (f *Filter) Begin(h Host) *Exchange { return &Exchange{f: f, host: h} }

// RequestHeaders reads the headers. last says that the request ends with them.
func (x *Exchange) RequestHeaders(last bool) (a Action) {
	defer x.guardRequest(&a)
	return x.identify(last)
}

// RequestBody is told of a piece of the body, and reads all of it with the last one. The proxy may call it again
// for the same last piece.
func (x *Exchange) RequestBody(last bool) (a Action) {
	defer x.guardRequest(&a)
	if x.phase != atBody {
		return Continue
	}
	if !last {
		return Pause
	}
	return x.decide()
}

// RequestTrailers is told of trailers. A body before trailers has no last piece, so this is its end.
func (x *Exchange) RequestTrailers() (a Action) {
	defer x.guardRequest(&a)
	if x.phase != atBody {
		return Continue
	}
	return x.decide()
}

// ResponseHeaders publishes a first record: should another request's fault end the worker's memory, the access
// log still knows what was decided.
func (x *Exchange) ResponseHeaders() {
	defer x.guardResponse()
	if x.phase == atResponse {
		x.publish(x.record())
	}
}

// ResponseBody reads a piece of the response, which passes at once whatever happens here.
func (x *Exchange) ResponseBody(size int) {
	defer x.guardResponse()
	if x.phase != atResponse || size == 0 {
		return
	}
	piece, err := x.host.ResponseBody(size)
	if err != nil {
		x.fail(fmt.Sprintf("read response body: %v", err))
		return
	}
	x.meter.Write(piece)
}

// Done prices the call and publishes the final record. It is the last callback, also of a call that was aborted.
func (x *Exchange) Done() {
	defer x.guardResponse()
	if x.phase != atResponse {
		return
	}
	x.phase = atEnd
	x.publish(x.settle())
}

// guardRequest, deferred, turns a panic into a refusal: in enforce mode nothing leaves undecided, or half edited.
// After it no callback does anything.
func (x *Exchange) guardRequest(a *Action) {
	if r := recover(); r != nil {
		x.fail(fmt.Sprintf("internal error: %v", r))
		*a = x.undecidable()
	}
}

// guardResponse, deferred, turns a panic into a response that is metered no further.
func (x *Exchange) guardResponse() {
	if r := recover(); r != nil {
		x.fail(fmt.Sprintf("internal error: %v", r))
	}
}

// fail ends the exchange's work.
func (x *Exchange) fail(message string) {
	x.phase = atEnd
	x.host.Log(message)
}

func (x *Exchange) enforcing() bool { return x.f.set.Enforcing() }

func (x *Exchange) publish(record []byte) {
	if err := x.host.Publish(record); err != nil {
		x.host.Log(fmt.Sprintf("publish record: %v", err))
	}
}
