package exchange

import (
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// editor changes an answer as it passes. Each of its parts may be nil.
type editor struct {
	usage   *provider.UsageStripper // takes out the usage that farebox asked for and the client did not
	stop    *provider.Stopper       // can end the stream between two events
	stopped bool                    // it did: nothing more of the answer goes on
	leaving bool                    // the rest passes as it comes
	out     []byte                  // what goes on in the place of a piece
}

// newEditor returns what the answer to the call needs, nil if it passes as it comes. The call must not have left yet:
// its request says what the client asked for.
func (x *Exchange) newEditor() *editor {
	var e editor
	if x.call.AddsUsage(x.served.Edit) {
		e.usage = &provider.UsageStripper{}
	}
	if x.served.Kind != policies.Pooled && x.stopsOnBudget() {
		e.stop = provider.NewStopper(x.call.Endpoint, x.served.Vendor, x.call.Facts.Has(provider.IncludeUsage))
	}
	if e.usage == nil && e.stop == nil {
		return nil
	}
	return &e
}

// stopsOnBudget reports whether a hard budget that covers the call ends its stream once that has used up what is
// reserved. Where nobody knows the most that it may cost, nothing is.
func (x *Exchange) stopsOnBudget() bool {
	return !x.served.Unbounded && x.snap.Set.StopsStreams(x.dims, policies.ModelRef{Route: x.served.Route, Model: x.served.Model})
}

// readAtOnce is how much of an answer that may be ended is read before it is looked at again: however large the pieces
// are in which it comes, a few events pass beyond what is reserved.
const readAtOnce = 1 << 10

// read reads a piece of the response, and returns what becomes of it.
func (x *Exchange) read(piece []byte, last bool) Piece {
	e := x.editor
	if e == nil {
		x.metered().Write(piece)
		return Piece{}
	}
	e.out = e.out[:0]
	for more := true; more; {
		part := piece
		if e.stop != nil {
			part = piece[:min(len(piece), readAtOnce)]
		}
		piece = piece[len(part):]
		more = len(piece) > 0
		x.metered().Write(part)
		e.write(part, !more && (last || e.leaving))
		if e.stop != nil && !e.stopped && (more || !last) {
			e.out = append(e.out, x.stopStream()...)
		}
	}
	if e.leaving && !e.stopped {
		x.editor = nil
	}
	return Piece{Edited: true, Body: e.out}
}

// write adds what goes on in the place of a part of the answer, the last one that is edited or not.
func (e *editor) write(part []byte, last bool) {
	if e.stopped {
		return
	}
	out := part
	if e.usage != nil {
		out = e.usage.Write(out)
		if last {
			out = append(out, e.usage.Close()...)
		}
	}
	if e.stop != nil {
		out = e.stop.Write(out)
		if last {
			out = append(out, e.stop.Close()...)
		}
	}
	e.out = append(e.out, out...)
}

// stopStream returns the end of a stream that has used up what was reserved for it, nil for one that has not.
func (x *Exchange) stopStream() []byte {
	r := x.meter.Reading()
	u, _ := x.used(&r)
	cost, err := x.served.Cost(u)
	if err == nil && cost <= x.served.Charge() {
		return nil
	}
	end, ok := x.editor.stop.Stop(u)
	if !ok {
		return nil // between the last event and the end of the body
	}
	x.editor.stopped, x.keep = true, false
	x.c.metrics.Stopped()
	return end
}

// used is what the call has used so far, and whether that is an estimate.
func (x *Exchange) used(r *provider.Reading) (u pricing.Usage, estimated bool) {
	u, estimated = x.decision.Usage(x.served, r, x.input)
	if estimated && x.editor != nil && x.editor.stopped { // so no cap limits it
		u.Output = max(u.Output, provider.EstimateTokens(r.TextBytes))
	}
	return u, estimated
}
