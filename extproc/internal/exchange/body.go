package exchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// slowBody is from how many bytes on a body may take longer to decide than a proxy waits by default.
const slowBody = 256 << 10

// NeedsTime reports whether the proxy should wait longer than usual for the reply to the body.
func (x *Exchange) NeedsTime(body []byte) bool { return len(body) > slowBody || x.encoding() != "" }

// RequestBody reads the call and decides. Neither the exchange nor its reply keeps a part of body once the reply
// is sent.
func (x *Exchange) RequestBody(body []byte) (Reply, error) {
	if x.phase != atBody {
		return Reply{}, ErrOrder
	}
	x.at = x.c.now()
	reply := x.decide(body)
	x.c.metrics.Decided(x.c.now().Sub(x.at))
	x.logDecision(&reply)
	return reply, nil
}

func (x *Exchange) decide(body []byte) Reply {
	plain, decoded, err := x.plain(body)
	if err == nil {
		x.call, err = provider.ParseCall(x.endpoint, x.in.Path, x.in.joined("content-type"), x.in.header, plain)
	}
	if err != nil {
		return x.unreadable(err)
	}
	x.input = x.call.InputEstimate()
	path, _, _ := strings.Cut(x.in.Path, "?")
	request := policies.Request{
		Call: &x.call, Route: x.route, Vendor: x.vendor, Path: path, Dims: x.dims, Header: x.in.header,
	}
	x.decision = x.snap.Set.Decide(request, x, x.at)
	hit, found := x.lookUp()
	if !x.enforcing() {
		x.intend(found)
		x.observe()
		return x.forward(plain, decoded)
	}
	if found {
		return x.replay(&hit)
	}
	err = x.reserve()
	for tries := 1; x.served == nil && x.fits(err) && tries < maxFits; tries++ {
		x.decision = x.snap.Set.Decide(request, x, x.at)
		x.keep = false // the key is that of the first decision
		err = x.reserve()
	}
	if x.served == nil {
		return x.refused(err)
	}
	return x.forward(plain, decoded)
}

// maxFits is how often an answer's length is fitted to what calls that came at the same time leave.
const maxFits = 4

// fits reports whether a call may pass with a shorter answer, as others took what was left when it was decided: the
// budget that refused it fits answers.
func (x *Exchange) fits(err error) bool {
	var limit *ledger.LimitError
	return errors.As(err, &limit) &&
		slices.ContainsFunc(x.snap.Set.Policy().Budgets, func(b policies.Budget) bool { return b.Name == limit.Budget && b.FitOutput > 0 })
}

// plain returns the body without its compression, and whether there was any. In observe mode the proxy forwards
// what the client sent all the same: the decoded copy is only read.
func (x *Exchange) plain(body []byte) (plain []byte, decoded bool, err error) {
	if x.encoding() != "gzip" {
		return body, false, nil
	}
	x.c.inflating <- struct{}{}
	defer func() { <-x.c.inflating }()
	plain, err = provider.Gunzip(body)
	return plain, true, err
}

// unreadable answers a body that cannot be read. In observe mode it passes, and the response alone is metered.
func (x *Exchange) unreadable(err error) Reply {
	if x.enforcing() {
		var bad *provider.RequestError
		if !errors.As(err, &bad) {
			bad = &provider.RequestError{Message: err.Error()}
		}
		return x.end(x.refuse(bad.Kind(), bad.Message, bad.Param, "farebox_bad_request"), "malformed")
	}
	x.c.metrics.Uncovered("malformed")
	x.call = provider.Request{Endpoint: x.endpoint, Choices: 1}
	x.decision = x.snap.Set.Unread(x.route, x.vendor, x.endpoint.Model)
	x.would = intent{kind: policies.Refuse.String()}
	x.observe()
	x.left()
	return Reply{Reroute: true, Metadata: x.routed("unread")}
}

// Cheaper implements policies.State.
func (x *Exchange) Cheaper(pool policies.RouteName) bool { return x.c.pools.Cheaper(pool, x.at) }

// PrefixSeen implements policies.State.
func (x *Exchange) PrefixSeen(route policies.RouteName, model pricing.ModelName, p provider.Prefix) bool {
	k := cache.PrefixKey{Route: route, Model: model, Prefix: p, Account: x.account(route)}
	return x.c.prefixes.Claimable(k, x.at)
}

// Left implements policies.State.
func (x *Exchange) Left(b *policies.Budget) (left, limit pricing.Money, covered bool) {
	return x.c.ledger.Left(b, &ledger.Call{Dims: x.payers, Model: modelLabel(x.call.Model), Route: x.route}, x.at)
}

// ExpectedOutput implements policies.State.
func (x *Exchange) ExpectedOutput(route policies.RouteName, model pricing.ModelName) int64 {
	return x.c.ledger.Expect(route, modelLabel(model), x.payers)
}

// account tells the accounts apart that pay at a route, as provider caches belong to one: the caller's own, "" where it
// cannot be told, or ours, which is "".
func (x *Exchange) account(route policies.RouteName) string {
	if !x.snap.Set.Credential(route).Caller {
		return ""
	}
	return signals{x}.Account()
}

// refused answers a call that no option can serve. err is why the budgets or the journal did not take it, nil if
// they were not asked.
func (x *Exchange) refused(err error) Reply {
	last := &x.decision.Options()[len(x.decision.Options())-1]
	refusal := last.Refusal
	x.c.metrics.Record(x.refusedCall())
	var limit *ledger.LimitError
	switch {
	case errors.As(err, &limit) && limit.Outage:
		x.logSparsely(&x.c.outage, "shared balances out of reach", err)
		message := fmt.Sprintf("the gateway cannot reach the balance of budget %q at the moment and lets nothing pass it; try again later", limit.Budget)
		return x.end(x.refuse(provider.Unavailable, message, "", "farebox_outage"), "outage")
	case errors.As(err, &limit):
		message := fmt.Sprintf("spend limit reached: budget %q has %s left of %s, this call could cost %s; it refills at %s",
			limit.Budget, dollars(limit.Left), dollars(limit.Limit), atMost(limit.Need), moment(limit.Refills))
		return x.end(x.refuseSpending(message, limit.Refills), refusal.String())
	case refusal == policies.RefuseStep:
		return x.refusedByStep()
	case err != nil:
		x.logUnwritten("reservation not recorded", err)
		return x.end(x.refuse(provider.Unavailable, "the gateway cannot record this call and lets none out unrecorded; try again later", "", "farebox_journal"), "journal")
	case refusal == policies.RefuseUnknownModel:
		message := fmt.Sprintf("no price is known for model %q, and this gateway refuses unknown models; ask the platform team to add it to the price list", x.call.Model)
		return x.end(x.refuse(provider.ModelRefused, message, "model", "farebox_unknown_model"), refusal.String())
	}
	return x.end(x.refuse(provider.Unpriced, x.unpriced(last), "", "farebox_unpriced"), policies.RefuseUnpriced.String())
}

// refusedByStep answers a call that a budget's step refuses, as it keeps the rest of the money in reserve.
func (x *Exchange) refusedByStep() Reply {
	d, refills := &x.decision, x.at
	limits := x.snap.Set.Policy().Budgets
	for i := range limits {
		if limits[i].Name == d.Budget {
			refills = limits[i].End(x.at)
		}
	}
	message := fmt.Sprintf("spend limit reached: budget %q takes no more calls at %d%% of its limit; it refills at %s",
		d.Budget, d.Step.Percent, moment(refills))
	return x.end(x.refuseSpending(message, refills), policies.RefuseStep.String())
}

// moment prints a time for clients, to the minute.
func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 MST") }
