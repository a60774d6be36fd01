package pricefile

import (
	"bytes"
	"errors"
	"fmt"
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

// Mistakes are what is wrong with a file, in file order: one of each listing, or all keys and types that are. Where
// there are many, the last says that there are more.
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

// mistakesOf finds the places of errors in a text that check accepts.
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
	return out
}

// path names a place by its keys.
func path(keys []string) string { return strings.Join(keys, "\x00") }
