package exchange

import (
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// parkedFor is how long an answer that is made in the background may wait to be fetched. Then the call is settled at
// its bound: whether and how it ended nobody told.
const parkedFor = 24 * time.Hour

// parkingKey names an answer that a provider holds.
func (x *Exchange) parkingKey(id string) string { return string(x.route) + " " + id }

// park keeps the reservation of a call whose answer is made in the background until somebody fetches it, and reports
// whether it could.
func (x *Exchange) park(r *provider.Reading) bool {
	if !r.Pending || r.ID == "" || !x.reserved {
		return false
	}
	p := ledger.Parking{Key: x.parkingKey(r.ID), Attempts: 1, Facts: x.decision.Facts, Until: x.c.now().Add(parkedFor)}
	if x.resent() {
		p.Attempts = x.status.Attempts
	}
	if err := x.c.ledger.Park(x.id, p); err != nil {
		x.logError("background call not parked, settled at its bound", err)
		return false
	}
	x.reserved = false
	return true
}

// fetch lets a request for an answer that the provider holds pass, and reads that answer if a call waits for it, here or
// in another replica.
func (x *Exchange) fetch() Reply {
	x.parked = x.parkingKey(x.endpoint.Fetch)
	id, here := x.c.ledger.Parked(x.parked)
	if !here && (!x.c.ledger.SharesAnswers() || x.mustBePriced()) {
		return x.uncovered("path")
	}
	reply := x.pass("fetched")
	x.id, x.fetching = id, true
	x.phase, x.out = atResponse, true
	reply.Fetched = true
	return reply
}

// settleFetched settles the call whose answer was fetched, if all of it was and it is final, or tells the replicas of it.
// Whoever fetches it again finds it settled.
func (x *Exchange) settleFetched() []Header {
	x.phase = atEnd
	r := x.metered().Close()
	if x.endpoint.Selective || r.Pending || x.status.Code >= 400 || !(r.HasUsage || r.Complete || r.Failed) {
		return nil
	}
	if x.id == (ledger.ID{}) {
		x.shareAnswer(&r)
		return nil
	}
	reservation, open := x.c.ledger.Reservation(x.id)
	if !open {
		return nil
	}
	x.resume(&reservation)
	return x.settleAt(r, true, ledger.Cut, "")
}

// resume makes this the exchange of a call that left earlier.
func (x *Exchange) resume(r *ledger.Reservation) {
	x.decision = x.snap.Set.Resume(policies.Sent{
		Route: r.Route, Vendor: r.Provider, Asked: r.Asked, Model: r.Model, At: r.At, Facts: r.Facts,
	})
	x.decision.Rule, x.decision.Tier = r.Rule, r.Tier
	x.served = x.decision.First()
	x.served.Bound = r.Bound
	x.status.Attempts, x.status.Unsent = r.Attempts, false // of the call: the fetch costs nothing
	x.payers, x.at, x.began = r.Dims, r.At, r.At
	x.call.Endpoint, x.call.Model = x.endpoint, r.Asked
	x.expected, x.reserved = r.Estimate, true
	x.fetching = false
}
