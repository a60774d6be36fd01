package exchange

import (
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// maxKept bounds the answer that is collected for the cache.
const maxKept = 8 << 20

// ResponseStatus says what the proxy knows of the response. It comes before the first ResponseBody.
func (x *Exchange) ResponseStatus(s Status) { x.status = s }

// ResponseHeader tells a header of the response, which comes before the first ResponseBody. Some providers state
// usage there.
func (x *Exchange) ResponseHeader(name, value string) {
	if x.phase == atResponse {
		x.metered().Header(name, value)
	}
}

// Piece is what becomes of a piece of the response. The zero Piece passes as it came.
type Piece struct {
	Edited   bool
	Body     []byte   // goes on in its place if Edited; of the exchange, until the next piece
	Metadata []Header // after the last piece: for the access log
}

// Edits reports whether the response is edited, so that the transport must not let a piece pass before it was read.
func (x *Exchange) Edits() bool { return x.editor != nil }

// StopEditing lets what is left of the response pass as it comes, from the next piece on.
func (x *Exchange) StopEditing() {
	if x.editor != nil {
		x.editor.leaving = true
	}
}

// ResponseBody reads a piece of the response. The transport lets every piece but the last pass before it calls,
// so that nobody waits for the reading, unless the response is edited. After the last piece the call is settled. The
// answer to a request that was never decided, which is the proxy's own, is not read.
func (x *Exchange) ResponseBody(piece []byte, last bool) (Piece, error) {
	switch x.phase {
	case atBody:
		return Piece{}, nil
	case atResponse:
	default:
		return Piece{}, ErrOrder
	}
	if !x.begun {
		x.begun = true
		x.keptPrefix()
	}
	out := x.read(piece, last)
	if x.keep {
		if out.Edited {
			piece = out.Body
		}
		x.collect(piece)
	}
	switch {
	case !last:
		x.renew()
	case x.fetching:
		out.Metadata = x.settleFetched()
	default:
		out.Metadata = x.settle(true, ledger.Cut, "")
	}
	return out, nil
}

// metered returns the meter of the response.
func (x *Exchange) metered() *provider.Meter {
	if x.meter == nil {
		x.meter = provider.NewMeter(x.endpoint, x.vendor)
	}
	return x.meter
}

// renewEvery is how often an answer that streams renews its reservation: far more often than it would expire.
const renewEvery = time.Minute

// renew keeps the reservation of an answer under way.
func (x *Exchange) renew() {
	if !x.reserved {
		return
	}
	if now := x.c.now(); now.Sub(x.renewed) >= renewEvery {
		x.renewed = now
		x.c.ledger.Renew(x.id, now)
	}
}

// keptPrefix notes that the provider keeps the prefix that the call marked: it can be read from the moment at which
// the answer begins. A call that fails wrote nothing.
func (x *Exchange) keptPrefix() {
	switch {
	case !x.claimed:
	case x.status.Code < 400:
		x.c.prefixes.Kept(x.prefix, x.c.now())
		x.claimed = false
	default:
		x.unclaimPrefix()
	}
}

// unclaimPrefix lets another call write the prefix that this one claimed.
func (x *Exchange) unclaimPrefix() {
	if x.claimed {
		x.c.prefixes.Unclaim(x.prefix, x.at)
		x.claimed = false
	}
}

// Reason is why an exchange ends.
type Reason uint8

// The reasons. None of them means that the call was not billed.
const (
	StreamEnded Reason = iota // the proxy is done with the request, or the client went away
	Leaving                   // this process shuts down
)

// End finishes an exchange whose last piece did not come. It may be called in any phase, and does nothing in
// an exchange that is finished.
func (x *Exchange) End(why Reason) {
	switch {
	case x.phase == atResponse && x.fetching:
		x.settleFetched()
	case x.phase == atResponse:
		detail := ""
		if why == Leaving {
			detail = "farebox shut down before the answer ended"
		}
		x.settle(false, ledger.Cancelled, detail)
	case x.phase == atBody:
		x.release("never sent")
	}
	x.phase = atEnd
}

// NeverSent finishes an exchange whose reply to the request body did not reach the proxy. Routes that refuse what
// nobody decided kept the call back; in observe mode it may have left all the same.
func (x *Exchange) NeverSent() {
	if x.phase == atResponse && x.enforcing() {
		x.release("never sent")
	}
	x.End(StreamEnded)
}

// Abandon finishes an exchange after a panic, in whatever state that left it, and returns what the proxy is to do
// if it waits for a reply to the request: in enforce mode a call whose decision failed does not leave.
func (x *Exchange) Abandon(cause error) Reply {
	x.phase = atEnd
	x.logError("internal error: exchange abandoned", cause)
	x.c.metrics.Refused("internal")
	if x.out || !x.enforcing() {
		x.settleUnread()
		return Reply{Reroute: true, Metadata: x.routed("unread")}
	}
	x.release("internal error")
	return x.refuse(provider.Unavailable, "the gateway could not decide this call", "", "farebox_internal")
}
