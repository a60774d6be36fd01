package exchange

import (
	"strings"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// RequestHeaders identifies the call: whose API it is, who pays, and whether the body is worth reading. The
// exchange goes on only if the reply is Metered.
func (x *Exchange) RequestHeaders(in Incoming) (Reply, error) {
	if x.phase != atStart {
		return Reply{}, ErrOrder
	}
	x.in, x.phase, x.began = in, atBody, x.c.now()
	x.at = x.began
	x.endpoint = provider.ParsePath(in.Path)
	x.endpoint.ReadHeaders(in.header)
	x.route, x.vendor = x.snap.Set.Identify(in.Host, in.Path, x.endpoint.API, x.in.header)
	x.identifyPayers()
	if in.Misfit != "" {
		x.c.reportMisfit(in.Misfit)
	}
	switch {
	case in.header("upgrade") != "":
		return x.uncovered("upgrade"), nil
	case x.endpoint.Fetch != "" && in.Method == "GET":
		return x.fetch(), nil
	case !x.endpoint.IsCall() || in.Method != "POST":
		return x.uncovered("path"), nil
	case x.takesFiles() && hasPrefixFold(in.header("content-type"), "multipart/") && !x.takesForm():
		return x.uncovered("multipart"), nil
	case in.NoBody && x.enforcing():
		return x.end(x.refuse(provider.BadRequest, "the request has no body", "", "farebox_empty_body"), "malformed"), nil
	case in.NoBody:
		return x.uncovered("empty"), nil
	}
	if e := x.encoding(); x.enforcing() && e != "" && e != "gzip" {
		return x.end(x.refuse(provider.Unsupported, "farebox reads plain and gzip request bodies, not "+e, "", "farebox_encoding"), "encoding"), nil
	}
	return Reply{Metered: true, Headers: x.endpoint.API == provider.BedrockInvoke, Remove: x.forged()}, nil
}

// takesForm reports whether the body is a form that is read.
func (x *Exchange) takesForm() bool { return x.endpoint.TakesForm(x.in.joined("content-type")) }

// takesFiles reports whether the API takes files. Others take JSON whatever a client says it sends.
func (x *Exchange) takesFiles() bool {
	return x.endpoint.API == provider.OpenAITranscription || x.endpoint.API == provider.OpenAIImages
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// encoding is how the request body is compressed, "" if it is not.
func (x *Exchange) encoding() string {
	return provider.Encoding(x.in.joined("content-encoding"))
}

// uncovered lets a request pass that is no model call, or refuses it where a budget covers the caller: what
// cannot be priced in advance could spend without limit. Free probes always pass.
func (x *Exchange) uncovered(reason string) Reply {
	if x.mustBePriced() {
		message := "a spend limit covers this endpoint and farebox cannot price it in advance; " +
			"call an endpoint that it reads, or ask the platform team"
		return x.end(x.refuse(provider.Unpriced, message, "", "farebox_unpriced"), policies.RefuseUnpriced.String())
	}
	x.phase = atEnd
	x.c.metrics.Uncovered(reason)
	if x.enforcing() && x.route == "" && x.in.Path == "/" && (x.in.Method == "HEAD" || x.in.Method == "GET") {
		// Clients look whether their base URL answers before the first call, and no provider is known to ask.
		return Reply{Answer: &Answer{Status: 200, ContentType: "text/plain; charset=utf-8", Body: []byte("farebox\n"), Details: "farebox_root"}}
	}
	return x.pass("uncovered")
}

// mustBePriced reports whether a budget covers the caller, so that nothing passes unread that could spend.
func (x *Exchange) mustBePriced() bool {
	return x.enforcing() && x.snap.Set.Limits(x.dims, policies.ModelRef{Route: x.route}) && !x.free()
}

// pass lets a request take the road that the caller meant.
func (x *Exchange) pass(decision string) Reply {
	reply := Reply{Reroute: true, Remove: x.forged(), Metadata: x.routed(decision)}
	if path := x.snap.Set.ProviderPath(x.in.Host, x.in.Path); x.enforcing() && path != x.in.Path {
		reply.Set = []Header{{":path", path}}
	}
	return reply
}

// free reports whether a request cannot spend. A connection that is upgraded can carry anything, and the path of
// a call is no free probe by any method but those that never spend.
func (x *Exchange) free() bool {
	if x.in.header("upgrade") != "" {
		return false
	}
	if x.endpoint.IsCall() && x.in.Method != "HEAD" && x.in.Method != "OPTIONS" {
		return false
	}
	return provider.FreeProbe(x.in.Method, x.in.Path)
}

// end finishes an exchange with an answer that was refused for a reason.
func (x *Exchange) end(r Reply, reason string) Reply {
	x.phase = atEnd
	x.c.metrics.Refused(reason)
	return r
}

// routed is the metadata that lets an undecided call take the road that the caller meant.
func (x *Exchange) routed(decision string) []Header {
	if x.route == "" {
		return []Header{{"decision", decision}}
	}
	return []Header{{"route", string(x.route)}, {"decision", decision}}
}

// forged lists the headers that do not go on to a provider.
func (x *Exchange) forged() []string {
	if !x.enforcing() {
		return nil
	}
	var names []string
	for i := range x.in.Headers {
		if name := x.in.Headers[i].Name; x.snap.Set.Stripped(name) {
			names = append(names, name)
		}
	}
	return names
}
