package policies

import (
	"slices"
	"strings"
)

// mismatch names the condition of a rule that a request does not meet. The zero mismatch is a match.
type mismatch struct{ kind, key string }

// Matches reports whether a request meets all conditions.
func (m *Match) Matches(r *Request) bool { return m.check(r) == mismatch{} }

// check returns the first condition that fails. It does not allocate.
func (m *Match) check(r *Request) mismatch {
	for i := range m.Dimensions {
		if c := &m.Dimensions[i]; !c.accepts(r.dim(DimensionName(c.Key))) {
			return mismatch{"dimension", c.Key}
		}
	}
	for i := range m.Headers {
		if c := &m.Headers[i]; !c.accepts(r.header(c.Key)) {
			return mismatch{"header", c.Key}
		}
	}
	call := r.Call
	switch {
	case len(m.Models) > 0 && !anyGlob(m.Models, string(call.Model)):
		return mismatch{kind: "model"}
	case len(m.Providers) > 0 && !slices.Contains(m.Providers, r.Route):
		return mismatch{kind: "provider"}
	case len(m.Paths) > 0 && !anyGlob(m.Paths, r.Path):
		return mismatch{kind: "path"}
	case len(m.APIs) > 0 && !slices.Contains(m.APIs, string(call.API)):
		return mismatch{kind: "api"}
	case m.Tools != nil && *m.Tools != (call.Tools > 0):
		return mismatch{kind: "tools"}
	case m.Images != nil && *m.Images != (call.ImageParts > 0):
		return mismatch{kind: "images"}
	case m.Stream != nil && *m.Stream != call.Stream:
		return mismatch{kind: "stream"}
	case !m.Input.contains(call.InputEstimate()):
		return mismatch{kind: "input"}
	case call.MaxOutput == 0 && m.MaxOutput.Max > 0:
		return mismatch{kind: "output"} // no cap is above every number
	case call.MaxOutput > 0 && !m.MaxOutput.contains(call.MaxOutput):
		return mismatch{kind: "output"}
	}
	return mismatch{}
}

func (c *Condition) accepts(value string) bool { return anyGlob(c.Values, value) }

func (r Range) contains(n int64) bool { return n >= r.Min && (r.Max == 0 || n < r.Max) }

func anyGlob(globs []string, s string) bool {
	for _, g := range globs {
		if glob(g, s) {
			return true
		}
	}
	return false
}

// glob matches s with a pattern in which * stands for any text. An empty s matches only the empty pattern, so
// that a missing value is never matched by "*".
func glob(pattern, s string) bool {
	if s == "" {
		return pattern == ""
	}
	prefix, rest, starred := strings.Cut(pattern, "*")
	if !starred {
		return pattern == s
	}
	if !strings.HasPrefix(s, prefix) {
		return false
	}
	s = s[len(prefix):]
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s, rest = s[at+len(part):], next
	}
}
