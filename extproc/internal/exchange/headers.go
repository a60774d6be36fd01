package exchange

import (
	"strings"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// ownPrefix is of the headers that only farebox sets, apart from labels that a policy names.
const ownPrefix = "x-farebox-"

// RequestHeaders identifies the call: whose API it is, who pays, and whether the body is worth reading.
func (x *Exchange) RequestHeaders(in Incoming) Reply {
	x.in, x.phase, x.start = in, atBody, x.c.now()
	x.endpoint = provider.ParsePath(in.Path)
	path, _, _ := strings.Cut(in.Path, "?")
	x.route, x.vendor = x.snap.Set.Identify(in.Host, path, x.endpoint.API)
	x.dims = x.dimensions()
	switch {
	case in.header("upgrade") != "":
		return x.uncovered("upgrade")
	case x.endpoint.API == "" || in.Method != "POST":
		return x.uncovered("path")
	case in.NoBody && x.enforcing():
		return x.end(x.refuse(provider.BadRequest, "the request has no body", "", "farebox_empty_body"), "malformed")
	case in.NoBody:
		return x.uncovered("empty")
	}
	encoding := in.header("content-encoding")
	if x.enforcing() && encoding != "" && encoding != "identity" && encoding != "gzip" {
		return x.end(x.refuse(provider.Unsupported, "farebox reads plain and gzip request bodies, not "+encoding, "", "farebox_encoding"), "encoding")
	}
	return Reply{Metered: true, Remove: x.forged()}
}

// uncovered lets a request pass that is no model call, or refuses it where a budget covers the caller: what
// cannot be priced in advance could spend without limit. Free probes always pass.
func (x *Exchange) uncovered(reason string) Reply {
	covered := x.enforcing() && len(x.snap.Set.Policy().Budgets) > 0
	if covered && reason != "upgrade" && !provider.FreeProbe(x.in.Method, x.in.Path) {
		message := "a spend limit covers this endpoint and farebox cannot price it in advance; " +
			"call an endpoint that it reads, or ask the platform team to exempt this path"
		return x.end(x.refuse(provider.Unpriced, message, "", "farebox_unpriced"), policies.RefuseUnpriced.String())
	}
	x.phase = atEnd
	x.c.metrics.Uncovered(reason)
	return Reply{Reroute: true, Remove: x.forged(), Metadata: x.routed("uncovered")}
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

// forged lists the client's own x-farebox-* headers, all but those that the policy reads as labels.
func (x *Exchange) forged() []string {
	if !x.enforcing() {
		return nil
	}
	var names []string
	for i := range x.in.Headers {
		name := x.in.Headers[i].Name
		if strings.HasPrefix(name, ownPrefix) && !x.snap.Labels[name] {
			names = append(names, name)
		}
	}
	return names
}

// dimensions reads who pays, in the policy's order.
func (x *Exchange) dimensions() []policies.Value {
	declared := x.snap.Set.Policy().Dimensions
	values := make([]policies.Value, len(declared))
	for i := range declared {
		d := &declared[i]
		values[i].Name = d.Name
		for _, s := range d.Sources {
			if v := x.read(s); v != "" {
				values[i].Value, values[i].Verified = v, d.Verified(s.Kind)
				break
			}
		}
	}
	return values
}

// maxLabel bounds a value that ends up in the ledger and in messages.
const maxLabel = 256

func (x *Exchange) read(s policies.Source) string {
	var v string
	switch s.Kind {
	case policies.FromHeader:
		v = x.in.header(s.Key)
	case policies.FromJWT:
		if x.in.Claim != nil {
			v = x.in.Claim(s.Key)
		}
	case policies.FromMTLS:
		v = fromSPIFFE(x.in.PeerURI, s.Key)
	}
	if len(v) > maxLabel {
		v = v[:maxLabel]
	}
	return strings.ToValidUTF8(v, "�")
}

// fromSPIFFE reads a part of an id such as spiffe://cluster.local/ns/shop/sa/checkout.
func fromSPIFFE(uri, part string) string {
	if part == "uri" {
		return uri
	}
	rest, ok := strings.CutPrefix(uri, "spiffe://")
	if !ok {
		return ""
	}
	fields := strings.Split(rest, "/")
	name := map[string]string{"namespace": "ns", "workload": "sa"}[part]
	for i := 1; i+1 < len(fields); i += 2 {
		if fields[i] == name {
			return fields[i+1]
		}
	}
	return ""
}

// credentialHeaders carry a caller's key or account. They do not travel to another provider or pool.
var credentialHeaders = []string{"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization"}

// credentialPrefixes start further headers that belong to a caller's account at a vendor.
var credentialPrefixes = []string{"openai-", "anthropic-", "x-goog-", "x-amz-"}
