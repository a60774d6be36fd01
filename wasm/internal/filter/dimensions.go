package filter

import (
	"strings"

	"github.com/farebox-mesh/farebox/policies"
)

// maxLabel bounds a value that ends up in the access log, in bytes.
const maxLabel = 256

// dimensions reads who pays, in the policy's order.
func (x *Exchange) dimensions() []policies.Value {
	declared := x.f.set.Policy().Dimensions
	values := make([]policies.Value, len(declared))
	for i := range declared {
		d := &declared[i]
		values[i].Name = d.Name
		for _, s := range d.Sources {
			if v := x.source(s); v != "" {
				values[i].Value, values[i].Verified = v, d.Verified(s.Kind)
				break
			}
		}
	}
	return values
}

func (x *Exchange) source(s policies.Source) string {
	var v string
	switch s.Kind {
	case policies.FromHeader:
		v = x.in.header(s.Key)
	case policies.FromJWT:
		v = x.host.Claim(s.Key)
	case policies.FromMTLS:
		v = fromSPIFFE(x.host.PeerURI(), s.Key)
	}
	return clip(v)
}

// fromSPIFFE reads a part of an id such as spiffe://cluster.local/ns/shop/sa/checkout.
func fromSPIFFE(uri, part string) string {
	label := ""
	switch part {
	case "uri":
		return uri
	case "namespace":
		label = "ns"
	case "workload":
		label = "sa"
	}
	rest, ok := strings.CutPrefix(uri, "spiffe://")
	if !ok || label == "" {
		return ""
	}
	fields := strings.Split(rest, "/")
	for i := 1; i+1 < len(fields); i += 2 {
		if fields[i] == label {
			return fields[i+1]
		}
	}
	return ""
}

func clip(s string) string {
	if len(s) > maxLabel {
		s = s[:maxLabel]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
