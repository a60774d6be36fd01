package exchange

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// A compressed request body may decode to at most maxPlain bytes and maxRatio times its size.
const (
	maxPlain = 64 << 20
	maxRatio = 200
)

// errTooLarge says that a compressed body is larger than it looks. Its text is for the client.
var errTooLarge = errors.New("the request body decodes to more than farebox reads")

// RequestBody reads the call and decides. The body must stay unchanged until the exchange ends.
func (x *Exchange) RequestBody(body []byte) Reply {
	x.phase = atResponse
	x.meter = provider.NewMeter(x.endpoint.API)
	plain, err := x.plain(body)
	if err == nil {
		x.call, err = provider.ParseRequest(x.endpoint, x.in.Path, plain)
	}
	if err != nil {
		return x.unreadable(err)
	}
	began := x.c.now()
	x.decision = x.snap.Set.Decide(policies.Request{
		Call: &x.call, Route: x.route, Vendor: x.vendor, Path: x.pathOnly(), Dims: x.dims, Header: x.in.header,
	}, x, began)
	x.c.metrics.Decided(x.c.now().Sub(began))
	if reply, hit := x.fromCache(); hit {
		return reply
	}
	err = x.take()
	if x.served == nil {
		return x.refused(err)
	}
	x.touchPrefix()
	return x.forward(plain, len(plain) != len(body) || &plain[0] != &body[0])
}

func (x *Exchange) pathOnly() string {
	path, _, _ := strings.Cut(x.in.Path, "?")
	return path
}

// plain returns the body without its compression. In observe mode the proxy forwards what the client sent all
// the same: the decoded copy is only read.
func (x *Exchange) plain(body []byte) ([]byte, error) {
	if x.in.header("content-encoding") != "gzip" {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, &provider.RequestError{Message: "the request body is not the gzip that its content-encoding says"}
	}
	limit := min(maxPlain, int64(len(body))*maxRatio)
	plain, err := io.ReadAll(io.LimitReader(z, limit+1))
	switch {
	case err != nil:
		return nil, &provider.RequestError{Message: "the request body is damaged gzip"}
	case int64(len(plain)) > limit:
		return nil, errTooLarge
	}
	return plain, nil
}

// unreadable answers a body that cannot be read. In observe mode it passes, and the response alone is metered.
func (x *Exchange) unreadable(err error) Reply {
	if x.enforcing() {
		var bad *provider.RequestError
		kind, param := provider.BadRequest, ""
		switch {
		case errors.As(err, &bad):
			param = bad.Param
		case errors.Is(err, errTooLarge):
			kind = provider.TooLarge
		}
		return x.end(x.refuse(kind, err.Error(), param, "farebox_bad_request"), "malformed")
	}
	x.c.metrics.Uncovered("malformed")
	x.call = provider.Request{Endpoint: x.endpoint, Choices: 1}
	asked := policies.Option{Route: x.route, Vendor: x.vendor, Model: x.call.Model, Unbounded: true}
	asked.Rate = x.snap.Set.Policy().Unknown.Charge
	x.decision = policies.Decision{Asked: asked, API: asked, Kept: "the request cannot be read"}
	x.observe()
	return Reply{Reroute: true, Metadata: x.routed("unread")}
}

// Cheaper implements policies.State.
func (x *Exchange) Cheaper(pool policies.RouteName) bool { return x.c.pools.Cheaper(pool, x.start) }

// PrefixSeen implements policies.State.
func (x *Exchange) PrefixSeen(route policies.RouteName, model pricing.ModelName, p provider.Prefix) bool {
	return x.c.prefixes.Seen(route, model, p, x.account(route), x.start)
}

// account tells the accounts apart that pay at a route, as provider caches belong to one: the caller's own, or
// ours, which is "".
func (x *Exchange) account(route policies.RouteName) string {
	if !x.snap.Set.Credential(route).Caller {
		return ""
	}
	for _, name := range credentialHeaders {
		if key := x.in.header(name); key != "" {
			return key
		}
	}
	return ""
}

// take reserves the first option that the budgets can bear and sets served. In observe mode the call leaves as
// it came, is booked whatever the budgets say, and would is what an enforcing policy would have taken.
func (x *Exchange) take() error {
	x.id = ledger.NewID(x.start)
	if !x.enforcing() {
		x.would, _ = x.decision.Choose(func(o *policies.Option) error {
			return x.c.ledger.Admit(x.ledgerDims(), o.Charge(), x.start)
		})
		x.observe()
		return nil
	}
	o, err := x.decision.Choose(func(o *policies.Option) error {
		return x.c.ledger.Reserve(x.reservation(o), x.start)
	})
	if o.Kind == policies.Refuse {
		x.would = o
		return err
	}
	x.served, x.reserved = o, true
	return nil
}

// observe books the call as asked. A journal that cannot be written never stops it: the ledger reports itself
// unhealthy and the call's settlement tries again.
func (x *Exchange) observe() {
	if x.id == (ledger.ID{}) {
		x.id = ledger.NewID(x.start)
	}
	x.served = &x.decision.Asked
	_, err := x.c.ledger.Book(x.reservation(x.served), x.start)
	x.reserved = err == nil
}

// refused answers a call that no option can serve.
func (x *Exchange) refused(err error) Reply {
	refusal := x.would.Refusal
	var limit *ledger.LimitError
	switch {
	case errors.As(err, &limit):
		message := fmt.Sprintf("spend limit reached: budget %q has %s left of %s, this call could cost %s; it refills at %s",
			limit.Budget, dollars(limit.Left), dollars(limit.Limit), dollars(limit.Need), limit.Refills.UTC().Format("2006-01-02 15:04 MST"))
		reply := x.refuse(provider.BudgetExhausted, message, "", "farebox_budget")
		reply.Answer.retryAfter(limit.Refills, x.start)
		return x.end(reply, refusal.String())
	case err != nil:
		x.c.logger.Error("reservation not recorded", "err", err)
		return x.end(x.refuse(provider.Unavailable, "the gateway cannot record this call and lets none out unrecorded; try again later", "", "farebox_journal"), "journal")
	case refusal == policies.RefuseUnknownModel:
		message := fmt.Sprintf("no price is known for model %q, and this gateway refuses unknown models; ask the platform team to add it to the price list", x.call.Model)
		return x.end(x.refuse(provider.ModelRefused, message, "model", "farebox_unknown_model"), refusal.String())
	}
	message := "a spend limit covers this call and its cost cannot be bounded in advance; set an output cap, or ask the platform team for a price of this model"
	return x.end(x.refuse(provider.Unpriced, message, "", "farebox_unpriced"), policies.RefuseUnpriced.String())
}

// touchPrefix remembers the prompt's prefix for the calls that follow.
func (x *Exchange) touchPrefix() {
	if x.call.Prefix.Bytes > 0 {
		x.c.prefixes.Touch(x.served.Route, x.served.Model, x.call.Prefix, x.account(x.served.Route), x.start)
	}
}

// forward lets the call out. decoded says that plain is not what the client sent.
func (x *Exchange) forward(plain []byte, decoded bool) Reply {
	reply := Reply{Reroute: true, Metadata: x.metadata()}
	if !x.enforcing() {
		return reply
	}
	target := x.served.Edit
	edits, err := x.call.Rewrite(nil, target)
	if err != nil {
		// Decide asked Servable before: a disagreement is a bug, and the call must not leave half edited.
		x.release("internal error")
		x.c.logger.Error("internal error: rewrite refused after decision", "err", err)
		return x.end(x.refuse(provider.Unavailable, "the gateway could not rewrite this call", "", "farebox_internal"), "internal")
	}
	if len(edits) > 0 || decoded {
		reply.Body = provider.Apply(nil, plain, edits)
		reply.Set = append(reply.Set, Header{"content-length", strconv.Itoa(len(reply.Body))})
	}
	if decoded {
		reply.Remove = append(reply.Remove, "content-encoding")
	}
	if !x.snap.Set.Policy().Passive {
		reply.Set = append(reply.Set, Header{"accept-encoding", "identity"})
	}
	if !x.readdress(&reply) {
		x.release("no credential")
		return x.end(x.refuse(provider.Unavailable, "the gateway has no credential for the upstream it chose; ask the platform team", "", "farebox_credential"), "credential")
	}
	return reply
}

// metadata says what was decided: the route table matches on it, Envoy shows it to the client and logs it.
func (x *Exchange) metadata() []Header {
	decision := x.served.Kind.String()
	m := []Header{
		{"route", string(x.served.Route)}, {"decision", decision},
		{"model", string(x.served.Model)}, {"requested_model", string(x.call.Model)}, {"id", x.id.String()},
	}
	if x.decision.Rule != "" {
		m = append(m, Header{"rule", string(x.decision.Rule)})
	}
	if x.decision.Tier != "" {
		m = append(m, Header{"tier", string(x.decision.Tier)})
	}
	if x.would != nil {
		m = append(m, Header{"would", x.would.Kind.String()})
	}
	return m
}
