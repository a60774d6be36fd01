package policies

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Signals is where the values of dimensions are read. A missing one is "".
type Signals interface {
	Header(name string) string // of the request; the name is in lower case
	Claim(name string) string  // of the token that the proxy verified
	PeerURI() string           // SPIFFE id of the client's certificate
	Account() string           // a hash of the key that the caller sent, "" if it sent none, or several
}

// MaxValue is the longest value of a dimension, in bytes.
const MaxValue = 512

// Payers reads who pays, in the policy's order of dimensions, and then those that every call has as far as a budget
// looks at them. The first verified source with a value wins, wherever it stands, as no label that a caller sets may
// hide who pays; without one, the first source with a value does. A value that is too long or no UTF-8 is missing: its
// call counts in the scope of those without one.
func (s *Set) Payers(from Signals) []Value {
	declared := s.policy.Dimensions
	if len(declared)+len(s.builtin) == 0 {
		return nil
	}
	values := make([]Value, len(declared), len(declared)+len(s.builtin))
	for i := range declared {
		d := &declared[i]
		values[i] = d.read(from)
	}
	for _, name := range s.builtin {
		v := Value{Name: name}
		if name == DimKey {
			v.Value = from.Account()
		} else {
			v.Value = Source{FromMTLS, string(name)}.read(from)
		}
		v.Verified = v.Value != ""
		values = append(values, v)
	}
	return values
}

// builtins are the dimensions of callers that a policy's budgets use without declaring them.
func (p *Policy) builtins() []DimensionName {
	var used []DimensionName
	for _, name := range [...]DimensionName{DimKey, DimNamespace, DimWorkload} {
		declared := slices.ContainsFunc(p.Dimensions, func(d Dimension) bool { return d.Name == name })
		if !declared && slices.ContainsFunc(p.Budgets, func(b Budget) bool { return b.reads(name) }) {
			used = append(used, name)
		}
	}
	return used
}

// IsBuiltin reports whether every call has a dimension of that name, whatever the policy declares.
func IsBuiltin(name DimensionName) bool {
	switch name {
	case DimKey, DimNamespace, DimWorkload, DimModel, DimProvider:
		return true
	}
	return false
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
	if len(v) > MaxValue || !utf8.ValidString(v) {
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
