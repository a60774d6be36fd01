package pricefile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Mistake is one thing that is wrong with a file.
type Mistake struct {
	Line, Column, Width int // of the value or key, from 1, in characters; where something is missing, of what lacks it
	Message             string
	Hint                string   // what to write instead, "" if the message says it
	Key                 string   // the key that is not known, "" for other mistakes
	Known               []string // the keys that are known there
}

// String prints the place and what is wrong: "3:14: unknown key "inptu"".
func (m *Mistake) String() string { return fmt.Sprintf("%d:%d: %s", m.Line, m.Column, m.Message) }

// Mistakes are what is wrong with a file, in file order. Where there are many, the last says that there are more.
type Mistakes []Mistake

// Error prints a line for each.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i := range ms {
		lines[i] = ms[i].String()
	}
	return strings.Join(lines, "\n")
}

// span is a stretch of a file in bytes.
type span struct{ start, end int }

// mistake places a message in a text.
func (s span) mistake(text []byte, message string) Mistake {
	start, end := min(s.start, len(text)), min(s.end, len(text))
	first := bytes.LastIndexByte(text[:start], '\n') + 1
	return Mistake{
		Line:    bytes.Count(text[:start], []byte{'\n'}) + 1,
		Column:  utf8.RuneCount(text[first:start]) + 1,
		Width:   max(1, utf8.RuneCount(text[start:end])),
		Message: message,
	}
}

// placed says under which key an error was found. Its text is that of the error.
type placed struct {
	key string
	err error
}

func (p *placed) Error() string { return p.err.Error() }
func (p *placed) Unwrap() error { return p.err }

// at places an error, if there is one, at a key or the index of a list.
func at(key any, err error) error {
	if err == nil {
		return nil
	}
	return &placed{fmt.Sprint(key), err}
}

// topical is an error with what it is about before its text: "window: unknown day "mo"".
type topical struct {
	topic string
	err   error
}

func (t *topical) Error() string { return t.topic + ": " + t.err.Error() }
func (t *topical) Unwrap() error { return t.err }

// about says what an error is about, if there is one.
func about(topic string, err error) error {
	if err == nil {
		return nil
	}
	return &topical{topic, err}
}

// split takes joined errors apart; each keeps its place and what it is about.
func split(err error) []error {
	var out []error
	switch e := err.(type) { //nolint:errorlint // the wrappers themselves are taken apart, one at a time
	case nil:
	case *placed:
		for _, inner := range split(e.err) {
			out = append(out, &placed{e.key, inner})
		}
	case *topical:
		for _, inner := range split(e.err) {
			out = append(out, &topical{e.topic, inner})
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			out = append(out, split(inner)...)
		}
	default:
		out = append(out, err)
	}
	return out
}

// hinted is an error with what to write instead. Its text is that of the error.
type hinted struct {
	hint string
	err  error
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// keysOf are the keys that lead to an error's place, the outermost first.
func keysOf(err error) []string {
	var keys []string
	for {
		p, ok := errors.AsType[*placed](err)
		if !ok {
			return keys
		}
		keys, err = append(keys, p.key), p.err
	}
}

// mistakesOf finds the places of errors in a text that is JSON, and puts them in file order.
func mistakesOf(text []byte, errs []error) Mistakes {
	places := make(map[string]span)
	for _, err := range errs {
		for keys := keysOf(err); ; keys = keys[:len(keys)-1] {
			places[path(keys)] = span{}
			if len(keys) == 0 {
				break
			}
		}
	}
	o := newOutline(text)
	o.places = places
	o.document()
	var out Mistakes
	for _, err := range errs {
		keys := keysOf(err)
		for len(keys) > 0 && places[path(keys)] == (span{}) {
			keys = keys[:len(keys)-1] // what is missing has no place of its own
		}
		s := places[path(keys)]
		if c := text[s.start]; c == '{' || c == '[' {
			s.end = s.start + 1
		}
		m := s.mistake(text, err.Error())
		if h, ok := errors.AsType[*hinted](err); ok {
			m.Hint = h.hint
		}
		out = append(out, m)
	}
	return out.first(maxMistakes)
}

// first puts mistakes in file order and keeps the first n; where there are more, one that says so follows.
func (ms Mistakes) first(n int) Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if len(ms) <= n {
		return ms
	}
	more := ms[n]
	more.Message, more.Hint, more.Key, more.Known = errMore.Error(), "", "", nil
	return append(ms[:n:n], more)
}

// beside adds the mistakes at places where none is yet.
func (ms Mistakes) beside(others Mistakes) Mistakes {
	out := slices.Clone(ms)
	for i := range others {
		if !slices.ContainsFunc(ms, func(m Mistake) bool { return m.Line == others[i].Line && m.Column == others[i].Column }) {
			out = append(out, others[i])
		}
	}
	return out.first(maxMistakes)
}

// path names a place by its keys.
func path(keys []string) string { return strings.Join(keys, "\x00") }
