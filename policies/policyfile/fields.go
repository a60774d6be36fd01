package policyfile

import (
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// entry is a key of a mapping with its value.
type entry struct {
	name       string
	key, value *yaml.Node
}

// entries returns a mapping's entries in file order, without the second and later ones of a name.
func (s *source) entries(n *yaml.Node, what string) []entry {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		s.report(n, WrongType, "%s is a mapping", "write it as key: value", what)
		return nil
	}
	seen := make(map[string]int, len(n.Content)/2)
	list := make([]entry, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := entry{name: n.Content[i].Value, key: n.Content[i], value: n.Content[i+1]}
		if e.key.Kind != yaml.ScalarNode {
			s.report(e.key, WrongType, "a key is a single word", "")
			continue
		}
		if line, ok := seen[e.name]; ok {
			s.report(e.key, DuplicateKey, "%q stands twice", fmt.Sprintf("first on line %d", line), e.name)
			continue
		}
		seen[e.name] = e.key.Line
		list = append(list, e)
	}
	return list
}

// fields are the values of a mapping whose keys are fixed.
type fields struct {
	at     *yaml.Node // where to report what is missing
	values map[string]*yaml.Node
}

// has reports whether the key is there, even without a value.
func (f fields) has(key string) bool { return f.values[key] != nil }

// get returns the value of a key, nil if it is absent or null.
func (f fields) get(key string) *yaml.Node {
	if n := f.values[key]; n != nil && !isNull(n) {
		return n
	}
	return nil
}

// keys are the spellings that a mapping knows: those that work and those that do not yet.
type keys struct{ now, later []string }

// fields reads a mapping with fixed keys. Problems about what is missing are reported at the node named at.
func (s *source) fields(at, n *yaml.Node, what string, known keys) fields {
	f := fields{at: at, values: make(map[string]*yaml.Node, len(known.now))}
	for _, e := range s.entries(n, what) {
		switch {
		case slices.Contains(known.now, e.name):
			f.values[e.name] = e.value
		case slices.Contains(known.later, e.name):
			s.reportLater(e.key, fmt.Sprintf("%q in %s", e.name, what))
		default:
			s.maskAll(e.value)
			s.report(e.key, UnknownKey, "unknown key %q in %s", unknownKeyHint(e.name, known.now), e.name, what)
		}
	}
	return f
}

func unknownKeyHint(name string, known []string) string {
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		return "an amount with a comma needs quotes inside { }"
	}
	return oneOf(name, known)
}

// reportLater reports a feature that the language has and this release does not.
func (s *source) reportLater(n *yaml.Node, what string) {
	s.report(n, NotSupportedYet, "%s is not supported yet", "leave it out until a release lists it", what)
}

// required returns the value of a key, or nil with a problem reported.
func (s *source) required(f fields, key, what, hint string) *yaml.Node {
	n := f.get(key)
	if n == nil {
		at := f.at
		if v := f.values[key]; v != nil && v.Value != "" {
			at = v
		}
		s.report(at, MissingKey, "%s has no %q", hint, what, key)
	}
	return n
}

// items returns the elements of a list; a scalar is a list of one.
func (s *source) items(n *yaml.Node, what string) []*yaml.Node {
	switch {
	case n.Kind == yaml.ScalarNode && !isNull(n):
		return []*yaml.Node{n}
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		return n.Content
	case n.Kind == yaml.MappingNode:
		s.report(n, WrongType, "%s is a list", "", what)
	default:
		s.report(n, EmptyList, "%s is empty", "name at least one, or leave the key out", what)
	}
	return nil
}

// text returns a scalar's text; ok is false with a problem reported for anything else.
func (s *source) text(n *yaml.Node, what string) (value string, ok bool) {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		return n.Value, true
	}
	s.report(n, WrongType, "%s is a single value", "", what)
	return "", false
}

// texts returns the scalars of a list with their places.
func (s *source) texts(n *yaml.Node, what string) []entry {
	var list []entry
	for _, item := range s.items(n, what) {
		if v, ok := s.text(item, what); ok {
			list = append(list, entry{name: v, value: item})
		}
	}
	return list
}

// flag reads true or false.
func (s *source) flag(n *yaml.Node, what string) bool {
	if n == nil {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		s.report(n, BadValue, "%s is true or false", "", what)
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

// choice reads one of a few words; it returns the first one, the default, if the key is absent or wrong.
func choice[S ~string](s *source, n *yaml.Node, what string, words ...S) S {
	if n == nil {
		return words[0]
	}
	v, ok := s.text(n, what)
	if !ok || slices.Contains(words, S(v)) {
		return S(v)
	}
	s.report(n, BadValue, "%s cannot be %q", oneOf(v, words), what, v)
	return words[0]
}

// name checks the name of a thing that appears in headers, metrics and routes.
func (s *source) name(n *yaml.Node, what string) bool {
	for i, c := range []byte(n.Value) {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || !strings.ContainsRune("-_.", rune(c))) {
			s.report(n, BadName, "%q is no name for a %s", "use letters, digits and - _ .", n.Value, what)
			return false
		}
	}
	if n.Value == "" || len(n.Value) > maxSuggested {
		s.report(n, BadName, "the name of a %s has 1 to %d characters", "", what, maxSuggested)
		return false
	}
	return true
}

// label reads the name of a rule or budget: free text that fits on a line.
func (s *source) label(n *yaml.Node, what string) (string, bool) {
	v, ok := s.text(n, what)
	if ok && (v == "" || len(v) > maxLabel || printable(v) != v || strings.TrimSpace(v) != v || strings.Contains(v, "\t")) {
		s.report(n, BadName, "the name of a %s has 1 to %d bytes on one line", "", what, maxLabel)
		return "", false
	}
	return v, ok
}

// maxLabel is the longest name of a rule or budget in bytes: it goes into headers and metrics.
const maxLabel = 128

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
