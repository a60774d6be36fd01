package filter

import (
	"errors"
	"fmt"
	"strings"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// incoming is what the request headers say.
type incoming struct {
	method, path, host string
	headers            [][2]string // pseudo-headers included
}

// header returns the first value of a header, "" if it is missing.
func (in *incoming) header(name string) string {
	for i := range in.headers {
		if in.headers[i][0] == name {
			return in.headers[i][1]
		}
	}
	return ""
}

// joined returns all values of a header, joined with commas.
func (in *incoming) joined(name string) string {
	var values []string
	for i := range in.headers {
		if in.headers[i][0] == name {
			values = append(values, in.headers[i][1])
		}
	}
	return strings.Join(values, ",")
}

// pathOnly is the path without its query.
func (in *incoming) pathOnly() string {
	path, _, _ := strings.Cut(in.path, "?")
	return path
}

// identify finds out whose call it is and whether the body is worth reading.
func (x *Exchange) identify(last bool) Action {
	headers, err := x.host.RequestHeaders()
	if err != nil {
		x.fail(fmt.Sprintf("read request headers: %v", err))
		return x.undecidable()
	}
	x.in = incoming{headers: headers}
	x.in.method, x.in.path, x.in.host = x.in.header(":method"), x.in.header(":path"), x.in.header(":authority")
	x.endpoint = provider.ParsePath(x.in.path)
	x.endpoint.ReadHeaders(x.in.header)
	x.route, x.vendor = x.f.set.Identify(x.in.host, x.in.path, x.endpoint.API, x.in.header)
	x.start = x.host.Now()
	switch {
	case x.in.header("upgrade") != "", !x.endpoint.IsCall(), x.in.method != "POST",
		strings.HasPrefix(x.in.header("content-type"), "multipart/"):
		return x.pass()
	case last && x.enforcing():
		return x.refuse(provider.BadRequest, "the request has no body", "")
	case last:
		return x.pass()
	}
	if e := x.encoding(); x.enforcing() && e != "" && e != "gzip" {
		return x.refuse(provider.Unsupported, "farebox reads plain and gzip request bodies, not "+e, "")
	}
	x.phase = atBody
	return Pause
}

// encoding is how the request body is compressed, "" if it is not.
func (x *Exchange) encoding() string { return provider.Encoding(x.in.joined("content-encoding")) }

// pass lets a request that is no model call take the road that the caller meant. In observe mode the route table cuts
// the prefix.
func (x *Exchange) pass() Action {
	x.phase = atEnd
	e := edits{route: x.route}
	if path := x.f.set.ProviderPath(x.in.host, x.in.path); x.enforcing() && path != x.in.path {
		e.set = append(e.set, [2]string{":path", path})
	}
	return x.send(&e)
}

// decide reads the call and lets it out as the policy says.
func (x *Exchange) decide() Action {
	body, err := x.host.RequestBody()
	if err != nil {
		x.fail(fmt.Sprintf("read request body: %v", err))
		return x.undecidable()
	}
	x.meter = provider.NewMeter(x.endpoint, x.vendor)
	plain, decoded := body, x.encoding() == "gzip"
	if decoded {
		if plain, err = provider.Gunzip(body); err != nil {
			return x.unreadable(body, err)
		}
	}
	call, err := provider.ParseCall(x.endpoint, x.in.path, x.in.joined("content-type"), x.in.header, plain)
	if err != nil {
		return x.unreadable(body, err)
	}
	x.decision = x.f.set.Decide(policies.Request{
		Call: &call, Route: x.route, Vendor: x.vendor, Path: x.in.pathOnly(), Dims: x.f.set.Payers(signals{x}), Header: x.in.header,
	}, policies.NoState{}, x.start)
	x.input, x.phase = call.InputEstimate(), atResponse
	first := x.decision.First()
	switch {
	case !x.enforcing():
		x.served, x.would = &x.decision.Asked, first
		return x.send(&edits{route: x.route})
	case first.Kind == policies.Refuse:
		return x.refuseModel()
	}
	x.served = first
	return x.forward(&call, plain, decoded)
}

// unreadable answers a body that cannot be read. In observe mode it passes, and the response alone is metered.
func (x *Exchange) unreadable(body []byte, err error) Action {
	if x.enforcing() {
		var bad *provider.RequestError
		if !errors.As(err, &bad) {
			bad = &provider.RequestError{Message: err.Error()}
		}
		return x.refuse(bad.Kind(), bad.Message, bad.Param)
	}
	x.decision = x.f.set.Unread(x.route, x.vendor, x.endpoint.Model)
	x.served, x.input, x.phase = &x.decision.Asked, provider.EstimateTokens(int64(len(body))), atResponse
	return x.send(&edits{route: x.route})
}

// refuseModel answers a call that the policy has no option for: budgets aside, that is an unknown model.
func (x *Exchange) refuseModel() Action {
	message := fmt.Sprintf("no price is known for model %q, and this gateway refuses unknown models; ask the platform team to add it to the price list", x.decision.Asked.Model)
	return x.refuse(provider.ModelRefused, message, "model")
}

// undecidable is the end of a request that something went wrong with.
func (x *Exchange) undecidable() Action {
	if !x.enforcing() {
		return Continue
	}
	if x.answered {
		return Pause
	}
	return x.refuse(provider.Unavailable, "the gateway could not decide this call; nothing was sent", "")
}

// refuse answers in the shape of the vendor's own errors.
func (x *Exchange) refuse(kind provider.ErrorKind, message, param string) Action {
	x.phase, x.answered = atEnd, true
	r := provider.Refuse(x.endpoint.API, x.vendor, provider.Fault{Kind: kind, Message: message, Param: param})
	headers := append([][2]string{{"content-type", r.ContentType}, {"x-farebox-decision", "refuse"}}, r.Headers...)
	err := x.host.Answer(r.Status, headers, r.Body)
	if err != nil {
		// Held back for good: the proxy ends it by its own timeout, and nothing leaves undecided.
		x.host.Log(fmt.Sprintf("answer: %v", err))
		return Pause
	}
	x.publish(x.refusal())
	return Pause
}
