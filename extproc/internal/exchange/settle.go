package exchange

import (
	"errors"
	"fmt"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// release gives back what was reserved for a call that is proven unbilled: it was not sent, or answered with a status
// that says so.
func (x *Exchange) release(reason string) {
	x.phase = atEnd
	x.unclaimPrefix()
	x.book(x.c.ledger.Release, ledger.Entry{
		Call: ledger.Call{ID: x.id}, Settled: x.c.now(), Outcome: ledger.Released, Detail: reason,
		Status: x.status.Code, Took: x.c.now().Sub(x.began),
	})
}

// book settles or releases the reservation, once. Of a call that the ledger could not take, the metrics alone know.
func (x *Exchange) book(how func(ledger.Entry) error, e ledger.Entry) {
	switch {
	case x.reserved:
		if err := how(e); err != nil {
			x.logUnwritten("settlement not recorded yet", err)
		}
		x.reserved = false // after a panic in there, Abandon tries again
	case x.served != nil:
		e.Call = x.ledgerCall(x.served)
		Count(x.c.metrics, x.snap.Set, &e)
	}
}

// settle books what the call came to. whole says that the response passed to its end; otherwise and detail are
// the outcome of a response that does not say of itself that it is complete, and what is known of that.
func (x *Exchange) settle(whole bool, otherwise ledger.Outcome, detail string) []Header {
	x.phase = atEnd
	var r provider.Reading
	if x.meter != nil {
		r = x.meter.Close()
	}
	if x.park(&r) {
		return nil
	}
	return x.settleAt(r, whole, otherwise, detail)
}

// settleAt books what the response says that the call came to.
func (x *Exchange) settleAt(r provider.Reading, whole bool, otherwise ledger.Outcome, detail string) []Header {
	if reason := x.unbilled(&r); reason != "" && !x.resent() {
		x.release(reason)
		return []Header{{"cost_usd", pricing.Money(0).String()}}
	}
	e, charged := x.entry(r)
	if e.Outcome = x.outcome(r, otherwise); e.Outcome == otherwise {
		e.Detail = detail
	}
	if x.editor != nil && x.editor.stopped {
		e.Outcome, e.Detail = ledger.Cut, "ended at the spend limit"
	}
	if e.PriceSource = source(x.served, &charged); e.PriceSource == unknownModel {
		x.c.metrics.UnknownModel()
	}
	x.book(x.c.ledger.Settle, e)
	if x.decision.Pool != "" {
		x.c.pools.Observe(x.decision.Pool, e.Eligible, e.Usage.Total(), e.Settled)
	}
	if x.served.Kind == policies.Pooled {
		x.c.pools.Took(x.served.Route, e.Usage.Total(), e.Settled)
	}
	x.store(r, whole)
	return x.costs(&e)
}

// unbilled says why the answer proves that its attempt is not billed, "" if it does not.
func (x *Exchange) unbilled(r *provider.Reading) string {
	if r.HasUsage {
		return ""
	}
	return policies.Unbilled(x.status.Code, x.status.Details)
}

// resent reports whether the proxy sent the request more than once, so that a provider may have billed more than the
// attempt that was answered.
func (x *Exchange) resent() bool { return x.status.Attempts > 1 && !x.status.Unsent }

// settleUnread books a call of which nothing can be said but that it may have been billed.
func (x *Exchange) settleUnread() {
	if !x.reserved {
		return
	}
	e := ledger.Entry{Call: ledger.Call{ID: x.id}, Settled: x.c.now(), Outcome: ledger.Lost, Estimated: true}
	e.Cost, e.Baseline = x.expected, x.expected
	if x.served == nil || x.served.Kind != policies.Pooled {
		e.Charge = e.Cost
	}
	x.book(x.c.ledger.Settle, e)
}

// entry is what the ledger is told of a call that may have been billed, and the price that it was billed at.
func (x *Exchange) entry(r provider.Reading) (ledger.Entry, policies.Charge) {
	e := ledger.Entry{
		Call: ledger.Call{ID: x.id}, Settled: x.c.now(), Responded: modelLabel(r.Model),
		Status: x.status.Code, Attempts: x.status.Attempts, Took: x.c.now().Sub(x.began),
	}
	if x.unbilled(&r) == "" {
		e.Usage, e.Estimated = x.used(&r)
	}
	bill, charged := x.bill(&r, e.Usage)
	e.Cost, e.Baseline, e.Savings = bill.Cost, bill.Baseline, bill.Savings
	e.Estimated = e.Estimated || bill.Estimated
	e.Service, e.Region = charged.Terms.Service, charged.Terms.Region
	if e.Stated = charged.Stated != nil; e.Stated {
		e.ListCost = bill.ListCost
	}
	x.addAttempts(&e)
	if x.served.Kind != policies.Pooled {
		e.Charge = e.Cost
	}
	if err := x.imagine(&e); err != nil { // which changes nothing about the bill
		x.logError("internal error: alternatives not computed", err)
	}
	return e, charged
}

// bill is what the call cost, and by what price. Of a usage that comes to more than any call, what was reserved is the
// most that can be told.
func (x *Exchange) bill(r *provider.Reading, u pricing.Usage) (policies.Bill, policies.Charge) {
	charged := x.snap.Set.Charged(x.served, r, x.at)
	bill, err := x.decision.Bill(x.served, u, charged)
	if err == nil && max(bill.Cost, bill.ListCost, bill.Baseline) > pricing.MaxCost {
		err = fmt.Errorf("cost %s USD, baseline %s USD: %w", bill.Cost, bill.Baseline, pricing.ErrOverflow)
	}
	if err != nil {
		x.logError("cost not plausible, settled at its bound", err)
		most := max(x.served.Bound, x.expected)
		bill = policies.Bill{Cost: most, ListCost: most, Baseline: most, Estimated: true}
		charged.Stated = nil
	}
	return bill, charged
}

// addAttempts charges what the proxy sent again as often as it did, each time as an estimate: a provider may have
// billed all of them. No lever saves anything on these.
func (x *Exchange) addAttempts(e *ledger.Entry) {
	if !x.resent() {
		return
	}
	for range min(x.status.Attempts, ledger.MaxAttempts) - 1 {
		e.Cost, e.Extra = pricing.AddCapped(e.Cost, x.expected), pricing.AddCapped(e.Extra, x.expected)
		e.Baseline = pricing.AddCapped(e.Baseline, x.expected)
	}
	e.Estimated = true
}

// imagine adds what the usage would have cost elsewhere: at the API instead of a pool, and of an observed call as an
// enforcing policy would have had it.
func (x *Exchange) imagine(e *ledger.Entry) error {
	var atAPI, enforced error
	if x.decision.Pool != "" {
		e.Eligible, atAPI = x.decision.API.Cost(e.Usage)
	}
	e.Would, e.WouldModel = x.would.kind, modelLabel(x.would.model)
	switch o := x.would.option; {
	case o == nil:
	case o.Kind == policies.Asked:
		e.WouldCost = e.Cost // at the price of the model that answered
	default:
		e.WouldCost, enforced = o.Cost(e.Usage)
	}
	return errors.Join(atAPI, enforced)
}

func (x *Exchange) outcome(r provider.Reading, otherwise ledger.Outcome) ledger.Outcome {
	switch {
	case r.Failed || x.status.Code >= 400:
		return ledger.Failed
	case r.Complete:
		return ledger.OK
	}
	return otherwise
}

// unknownModel is the source of a price that the policy sets for models that nobody listed.
const unknownModel = "unknown_model"

// poolPrice is the source of a price that follows from what a pool's GPUs cost.
const poolPrice = "gpu"

// statedPrice is the source of a charge that the response states.
const statedPrice = "stated"

// source is where the price was read that the call is charged at.
func source(o *policies.Option, c *policies.Charge) string {
	switch {
	case o.Kind == policies.Pooled:
		return poolPrice
	case c.Stated != nil:
		return statedPrice
	case c.Listing != nil:
		return c.Listing.Source
	case o.Listing != nil:
		return o.Listing.Source
	}
	return unknownModel
}

// costs is what the access log shows of the price.
func (x *Exchange) costs(e *ledger.Entry) []Header {
	m := []Header{
		{"cost_usd", e.Cost.String()}, {"baseline_usd", e.Baseline.String()}, {"usage", usageText(&e.Usage)},
	}
	if e.Estimated {
		m = append(m, Header{"estimated", "true"})
	}
	if x.editor != nil && x.editor.stopped {
		m = append(m, Header{"ended", "spend limit"})
	}
	return m
}

// usageText is a usage in the access log: {"input":12,"output":3}, kinds that are zero left out.
func usageText(u *pricing.Usage) string {
	b := append(make([]byte, 0, 64), '{')
	for kind, count := range u.All() {
		b = appendCount(b, kind, count)
	}
	return string(append(b, '}'))
}
