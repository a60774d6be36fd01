package exchange

import (
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// maxKept bounds the answer that is collected for the cache.
const maxKept = 8 << 20

// ResponseStatus says what the proxy knows of the response. It comes before the first ResponseBody.
func (x *Exchange) ResponseStatus(s Status) { x.status = s }

// ResponseBody reads a piece of the response. The transport lets every piece but the last pass before it calls,
// so that nobody waits for the reading. After the last piece the call is settled, and the result is metadata
// for the access log.
func (x *Exchange) ResponseBody(piece []byte, last bool) []Header {
	if x.phase != atResponse || x.meter == nil {
		return nil
	}
	x.meter.Write(piece)
	if x.keep {
		x.collect(piece)
	}
	if !last {
		return nil
	}
	x.phase = atEnd
	return x.settle(x.meter.Close(), true)
}

func (x *Exchange) collect(piece []byte) {
	if len(x.answer)+len(piece) > maxKept {
		x.keep, x.answer = false, nil
		return
	}
	x.answer = append(x.answer, piece...)
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
	if x.phase != atResponse || x.meter == nil {
		x.phase = atEnd
		return
	}
	x.phase = atEnd
	x.settle(x.meter.Close(), false)
}

// NeverSent finishes an exchange whose reply to the request body did not reach the proxy: the call cannot have
// left.
func (x *Exchange) NeverSent() {
	if x.phase == atResponse {
		x.release("never sent")
	}
	x.phase = atEnd
}

// release gives back what was reserved for a call that is proven unbilled.
func (x *Exchange) release(reason string) {
	x.phase = atEnd
	if !x.reserved {
		return
	}
	x.reserved = false
	if err := x.c.ledger.Release(x.id, reason, x.c.now()); err != nil {
		x.c.logger.Error("release not recorded", "request_id", x.id.String(), "err", err)
	}
}

// settle books what the call came to. whole says that the response passed to its end.
func (x *Exchange) settle(r provider.Reading, whole bool) []Header {
	if unbilled := x.unbilled(r); unbilled != "" {
		x.c.metrics.Record(x.measured(&ledger.Entry{Status: x.status.Code}))
		x.release(unbilled)
		return []Header{{"cost_usd", pricing.Money(0).String()}}
	}
	e, err := x.entry(r, whole)
	if err != nil {
		// Only a sum beyond Money comes here: keep the reservation's bound, which fitted.
		x.c.logger.Error("internal error: cost not computed", "request_id", x.id.String(), "err", err)
		e.Estimated = true
	}
	if err := x.c.ledger.Settle(e); err != nil {
		x.c.logger.Error("settlement not recorded yet", "request_id", x.id.String(), "err", err)
	}
	x.c.metrics.Record(x.measured(&e))
	x.observePool(r.Usage)
	x.store(r, whole)
	return x.costs(&e)
}

// unbilled returns why the provider cannot have charged for the call, or "" if it may have.
func (x *Exchange) unbilled(r provider.Reading) string {
	code, details := x.status.Code, x.status.Details
	switch {
	case code < 400 || r.HasUsage:
		return ""
	case details == "" || details == "via_upstream":
		return "the provider answered with an error"
	}
	return neverTaken(details)
}

// entry is what the ledger is told of a call that may have been billed.
func (x *Exchange) entry(r provider.Reading, whole bool) (ledger.Entry, error) {
	e := ledger.Entry{
		Call: x.ledgerCall(), Settled: x.c.now(), Responded: r.Model,
		Status: x.status.Code, Attempts: x.status.Attempts, Usage: r.Usage, Outcome: outcome(r, whole),
	}
	if !r.HasUsage {
		e.Estimated, e.Usage = true, x.estimate(r)
	}
	listing := x.charged(r.Model)
	bill, err := x.decision.Bill(x.served, e.Usage, listing)
	if err != nil {
		return e, err
	}
	e.Cost, e.Baseline, e.Savings = bill.Cost, bill.Baseline, ledger.Savings(bill.Savings)
	if x.served.Kind != policies.Pooled {
		e.Charge = e.Cost
	}
	e.PriceSource = source(x.served, listing)
	if e.PriceSource == unknownModel {
		x.c.metrics.UnknownModel()
	}
	if x.decision.Pool != "" {
		e.Eligible, err = x.decision.API.Cost(e.Usage)
	}
	return e, err
}

// charged is the listing of the model that answered, which may be another than the one that was asked for.
func (x *Exchange) charged(model pricing.ModelName) *pricing.Listing {
	if x.served.Kind == policies.Pooled || model == "" {
		return nil
	}
	return x.snap.Set.Prices().Lookup(x.served.Vendor, model, x.start)
}

// estimate is what a call without stated usage is taken to have used: what the provider said until then, the
// expected prompt, and a token for every few bytes of answer that were seen.
func (x *Exchange) estimate(r provider.Reading) pricing.Usage {
	u := r.Usage
	if u.TotalInput() == 0 {
		u.Input = x.call.InputEstimate()
	}
	u.Output = max(u.Output, policies.EstimateTokens(r.TextBytes))
	return u
}

func outcome(r provider.Reading, whole bool) ledger.Outcome {
	switch {
	case r.Complete:
		return ledger.OK
	case r.Failed:
		return ledger.Failed
	case whole:
		return ledger.Cut
	}
	return ledger.Cancelled
}

// unknownModel is the source of a price that the policy sets for models that nobody listed.
const unknownModel = "unknown_model"

// source is where the price was read that the call is charged at.
func source(o *policies.Option, charged *pricing.Listing) string {
	switch {
	case o.Kind == policies.Pooled:
		return "gpu"
	case charged != nil:
		return charged.Source
	case o.Listing != nil:
		return o.Listing.Source
	}
	return unknownModel
}

// observePool tells the break-even what an eligible call would have cost at the API.
func (x *Exchange) observePool(u pricing.Usage) {
	if x.decision.Pool == "" {
		return
	}
	cost, err := x.decision.API.Cost(u)
	if err == nil {
		x.c.pools.Observe(x.decision.Pool, cost, u.TotalInput()+u.Output, x.c.now())
	}
}

// costs is what the access log shows of the price.
func (x *Exchange) costs(e *ledger.Entry) []Header {
	m := []Header{
		{"cost_usd", e.Cost.String()}, {"baseline_usd", e.Baseline.String()},
		{"input_tokens", itoa(e.Usage.TotalInput())}, {"output_tokens", itoa(e.Usage.Output)},
	}
	if e.Estimated {
		m = append(m, Header{"estimated", "true"})
	}
	return m
}
