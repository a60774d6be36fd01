package pricefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// outline walks the JSON of a file beside the types that it is decoded into. It says what encoding/json does not: where
// each mistake is, that a key stands twice, and which one is misspelled.
type outline struct {
	text     []byte
	dec      *json.Decoder
	keys     []string                                 // that lead to where it is
	fields   map[reflect.Type]map[string]reflect.Type // see fieldsOf
	mistakes Mistakes
	full     bool            // as many mistakes are found as are looked for: the walk ends
	own      bool            // a key that a price file has stands at the top
	others   int             // objects under other keys there, as in lists by model
	places   map[string]span // of the values at these paths, to be filled in; nil: none wanted
}

func newOutline(text []byte) *outline {
	o := &outline{text: text, dec: json.NewDecoder(bytes.NewReader(text)), fields: make(map[reflect.Type]map[string]reflect.Type)}
	o.dec.UseNumber()
	return o
}

// check returns what is wrong with the form of a document.
func check(text []byte) Mistakes {
	o := newOutline(text)
	if o.document() {
		if _, s, err := o.next(); !errors.Is(err, io.EOF) {
			o.report(span{s.start, s.start + 1}, "something follows the object", "")
		}
	}
	if !o.own && o.others > 0 {
		m := o.mistakes[0]
		m.Message, m.Hint, m.Key, m.Known = fmt.Sprintf("%q is no key of an overlay: this is another kind of list", m.Key), formatHint, "", nil
		return Mistakes{m}
	}
	return o.mistakes
}

// formatHint is what to do with lists of other formats.
const formatHint = `an overlay is JSON: {"listings": [...]}; farebox prices import makes one of other lists`

// document walks the whole text. Like all steps it reports whether the walk can go on.
func (o *outline) document() bool { return o.value(reflect.TypeFor[document]()) }

// start is where the next token begins.
func (o *outline) start() int {
	start := int(o.dec.InputOffset())
	for start < len(o.text) && strings.IndexByte(" \t\r\n,:", o.text[start]) >= 0 {
		start++
	}
	return start
}

// next reads a token, none once there are mistakes enough.
func (o *outline) next() (json.Token, span, error) {
	start := o.start()
	if o.full {
		return nil, span{start, start}, errMore
	}
	token, err := o.dec.Token()
	return token, span{start, int(o.dec.InputOffset())}, err
}

// report notes a mistake. After the most that are looked for, it notes that there are more.
func (o *outline) report(s span, message, hint string) {
	if o.full = len(o.mistakes) == maxMistakes; o.full {
		message, hint = errMore.Error(), ""
	}
	m := s.mistake(o.text, message)
	m.Hint = hint
	o.mistakes = append(o.mistakes, m)
}

// broken notes that the text is no JSON from here on, and what was wanted, "" if that is a matter of the whole file.
func (o *outline) broken(s span, want string, err error) bool {
	if o.full {
		return false
	}
	if len(o.keys) == 0 && want != keyHint {
		want = formatHint
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.start = len(bytes.TrimRight(o.text, " \t\r\n"))
		o.report(span{s.start, s.start + 1}, "the file ends within the object", formatHint)
		return false
	}
	rest := o.text[s.start:]
	word := rest[:max(0, bytes.IndexAny(append(slices.Clip(rest), ','), " \t\r\n,:\"{}[]"))]
	switch before := bytes.TrimRight(o.text[:s.start], " \t\r\n"); {
	case len(before) > 0 && bytes.IndexByte([]byte(",:[{"), before[len(before)-1]) < 0:
		o.report(span{s.start, s.start + 1}, "a comma or colon is missing before this", "")
	case len(word) > 0:
		o.report(span{s.start, s.start + len(word)}, fmt.Sprintf("%q is no JSON", word), want)
	case rest[0] == '"':
		o.report(span{s.start, s.start + 1}, "this text is no JSON: it ends on its line, and \\ is written \\\\", "")
	default:
		o.report(span{s.start, s.start + 1}, fmt.Sprintf("%c has no place here", rest[0]), "is the comma before it one too many?")
	}
	return false
}

// keyHint is what to write for a key.
const keyHint = "a key stands in quotes"

var timeType = reflect.TypeFor[moment]()

func (o *outline) value(t reflect.Type) bool {
	token, s, err := o.next()
	if err != nil {
		return o.broken(s, wanted(t), err)
	}
	if name := path(o.keys); o.places != nil {
		if _, wanted := o.places[name]; wanted {
			o.places[name] = s
		}
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch delim, _ := token.(json.Delim); {
	case delim == '{' && t != timeType && (t.Kind() == reflect.Struct || t.Kind() == reflect.Map):
		return o.object(t)
	case delim == '[' && t.Kind() == reflect.Slice:
		return o.list(t.Elem())
	case delim != 0:
		hint := ""
		if len(o.keys) == 0 {
			hint = formatHint
		}
		o.report(span{s.start, s.end}, wanted(t), hint)
		return o.skip(1)
	}
	if !fits(token, t) {
		o.report(s, wanted(t), "")
	}
	return true
}

// fits reports whether a token that is no object and no list is of the type.
func fits(token json.Token, t reflect.Type) bool {
	switch v := token.(type) {
	case string:
		_, err := time.Parse(time.RFC3339, v)
		return t.Kind() == reflect.String || (t == timeType && err == nil)
	case json.Number:
		_, err := strconv.ParseInt(string(v), 10, 64)
		return t.Kind() == reflect.Int64 && err == nil
	case bool:
		return t.Kind() == reflect.Bool
	}
	return false
}

// wanted says what a value of the type looks like.
func wanted(t reflect.Type) string {
	switch {
	case t == timeType:
		return `want a time as in RFC 3339: "2026-11-22T00:00:00Z"`
	case t.Kind() == reflect.Struct || t.Kind() == reflect.Map:
		return "want an object: {...}"
	case t.Kind() == reflect.Slice:
		return "want a list: [...]"
	case t.Kind() == reflect.Int64:
		return "want a whole number"
	case t.Kind() == reflect.Bool:
		return "want true or false"
	}
	return `want text in quotes, rates too: "2.5"`
}

// object walks the keys and values of an object that has begun.
func (o *outline) object(t reflect.Type) bool {
	fields, met := o.fields[t]
	if !met {
		fields = fieldsOf(t)
		o.fields[t] = fields
	}
	seen := make(map[string]bool)
	for o.dec.More() {
		token, s, err := o.next()
		if err != nil {
			return o.broken(s, keyHint, err)
		}
		key := token.(string) // the decoder takes nothing else here
		field, known := fields[key]
		if t.Kind() == reflect.Map {
			field, known = t.Elem(), true
		}
		if len(o.keys) == 0 {
			o.top(known)
		}
		if !known || seen[key] {
			o.stray(s, key, known, fields)
			if !o.skip(0) {
				return false
			}
			continue
		}
		seen[key] = true
		if !o.under(key, field) {
			return false
		}
	}
	return o.end()
}

// top notes what stands under a key at the top.
func (o *outline) top(known bool) {
	o.own = o.own || known
	if start := o.start(); !known && start < len(o.text) && o.text[start] == '{' {
		o.others++
	}
}

// stray notes a key that is not known, or stands twice.
func (o *outline) stray(s span, key string, known bool, fields map[string]reflect.Type) {
	if known {
		o.report(s, fmt.Sprintf("%q stands twice", key), "")
		return
	}
	o.report(s, fmt.Sprintf("unknown key %q", key), "")
	if o.full {
		return
	}
	m := &o.mistakes[len(o.mistakes)-1]
	m.Key, m.Known = key, slices.Sorted(maps.Keys(fields))
}

func (o *outline) list(t reflect.Type) bool {
	for i := 0; o.dec.More(); i++ {
		if !o.under(strconv.Itoa(i), t) {
			return false
		}
	}
	return o.end()
}

// under walks the value of a key.
func (o *outline) under(key string, t reflect.Type) bool {
	o.keys = append(o.keys, key)
	defer func() { o.keys = o.keys[:len(o.keys)-1] }()
	return o.value(t)
}

// end reads the end of an object or list.
func (o *outline) end() bool {
	if _, s, err := o.next(); err != nil {
		return o.broken(s, "", err)
	}
	return true
}

// skip reads to the end of a value that is open by so many levels, at least one token.
func (o *outline) skip(depth int) bool {
	for {
		token, s, err := o.next()
		if err != nil {
			return o.broken(s, "", err)
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return true
		}
	}
}

// fieldsOf are the types of a struct's fields by their keys, none of another type.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if t.Kind() != reflect.Struct {
		return nil
	}
	fields := make(map[string]reflect.Type)
	for _, f := range reflect.VisibleFields(t) {
		if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); key != "" {
			fields[key] = f.Type
		}
	}
	return fields
}
