package policies

import (
	"strings"
	"unicode/utf8"
)

// Signals is where the values of dimensions are read. A missing one is "".
type Signals interface {
	Header(name string) string // of the request; the name is in lower case
	Claim(name string) string  // of the token that the proxy verified
	PeerURI() string           // SPIFFE id of the client's certificate
}

// maxValue is the longest value of a dimension in bytes.
const maxValue = 512

// Payers reads who pays, in the policy's order of dimensions. The first verified source with a value wins, wherever
// it stands, as no label that a caller sets may hide who pays; without one, the first source with a value does. A value
// that is too long or no UTF-8 is missing: its call counts in the scope of those without one.
func (s *Set) Payers(from Signals) []Value {
	declared := s.policy.Dimensions
	if len(declared) == 0 {
		return nil
	}
	values := make([]Value, len(declared))
	for i := range declared {
		d := &declared[i]
		values[i] = d.read(from)
	}
	return values
}

func (d *Dimension) read(from Signals) Value {
	found := Value{Name: d.Name}
	for _, source := range d.Sources {
		verified := d.Verified(source.Kind)
		if found.Value != "" && !verified {
			continue // the first label stands
		}
		if v := source.read(from); v != "" {
			found.Value, found.Verified = v, verified
		}
		if found.Verified {
			break
		}
	}
	return found
}

func (s Source) read(from Signals) string {
	v := ""
	switch s.Kind {
	case FromHeader:
		v = from.Header(s.Key)
	case FromJWT:
		v = from.Claim(s.Key)
	case FromMTLS:
		v = spiffePart(from.PeerURI(), s.Key)
	}
	if len(v) > maxValue || !utf8.ValidString(v) {
		return ""
	}
	return v
}

// spiffePart reads a part of an id such as spiffe://cluster.local/ns/shop/sa/checkout.
func spiffePart(uri, part string) string {
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
	_, path, _ := strings.Cut(rest, "/")
	for path != "" {
		var name, value string
		name, path, _ = strings.Cut(path, "/")
		value, path, _ = strings.Cut(path, "/")
		if name == label {
			return value
		}
	}
	return ""
}

// ownPrefix is of the headers that only farebox sets, apart from labels that a policy names: those are the client's
// to say, and go on as they came.
const ownPrefix = "x-farebox-"

// Stripped reports whether a client's header must not go on to a provider in enforce mode: what only farebox sets,
// and what makes some servers, Google's among them, take a request for one of another method, so that a call that
// spends would look like a free GET. The name is in lower case.
func (s *Set) Stripped(name string) bool {
	switch name {
	case "x-http-method-override", "x-http-method", "x-method-override":
		return true
	}
	return strings.HasPrefix(name, ownPrefix) && !s.labels[name]
}

// labelHeaders are the headers that the policy reads.
func labelHeaders(p *Policy) map[string]bool {
	labels := map[string]bool{}
	for _, d := range p.Dimensions {
		for _, source := range d.Sources {
			if source.Kind == FromHeader {
				labels[source.Key] = true
			}
		}
	}
	for i := range p.Rules {
		for _, c := range p.Rules[i].When.Headers {
			labels[c.Key] = true
		}
	}
	return labels
}
