package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// A decoder reads one request body with its vendor's eye: keys are matched exactly, the last duplicate wins,
// unknown keys are ignored, null is absence. The first value of a wrong type is kept as problem.
type decoder struct {
	vendor  vendor
	problem *apiError
}

// fields is one JSON object of the body. A zero value reads as empty.
type fields struct {
	d       *decoder
	path    string
	members map[string]json.RawMessage
}

// decodeBody reads the whole body as one object.
func decodeBody(v vendor, body []byte) (fields, error) {
	f := fields{d: &decoder{vendor: v}}
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&f.members); err != nil {
		return f, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return f, errors.New("trailing data")
	}
	if f.members == nil {
		return f, errors.New("expected an object")
	}
	return f, nil
}

// raw returns the member's bytes, or nil when it is absent or null. Google takes camelCase and snake_case.
func (f fields) raw(key string) json.RawMessage {
	v, ok := f.members[key]
	if !ok && f.d != nil && f.d.vendor == google {
		v = f.members[snake(key)]
	}
	if string(v) == "null" {
		return nil
	}
	return v
}

func snake(key string) string {
	var sb strings.Builder
	for _, r := range key {
		if unicode.IsUpper(r) {
			sb.WriteByte('_')
		}
		sb.WriteRune(unicode.ToLower(r))
	}
	return sb.String()
}

func (f fields) has(key string) bool { return f.raw(key) != nil }

// at is the path of a member in the vendor's spelling.
func (f fields) at(key string) string {
	if f.path == "" {
		return key
	}
	return f.path + "." + key
}

func (f fields) text(key string) string {
	var s string
	f.into(key, "string", &s)
	return s
}

func (f fields) flag(key string) bool {
	var b bool
	f.into(key, "boolean", &b)
	return b
}

func (f fields) integer(key string) int {
	var n int
	f.into(key, "integer", &n)
	return n
}

func (f fields) number(key string) float64 {
	var n float64
	f.into(key, "number", &n)
	return n
}

// object returns a member that is an object; absent reads as empty.
func (f fields) object(key string) fields {
	o := fields{d: f.d, path: f.at(key)}
	f.into(key, "object", &o.members)
	return o
}

// list returns the elements of an array member.
func (f fields) list(key string) []element {
	var raws []json.RawMessage
	f.into(key, "array", &raws)
	return f.d.elements(f.at(key), raws)
}

// isString tells a string member from an array, where APIs take either.
func (f fields) isString(key string) bool { return bytes.HasPrefix(f.raw(key), []byte{'"'}) }

func (f fields) into(key, want string, dst any) {
	raw := f.raw(key)
	if raw == nil {
		return
	}
	if json.Unmarshal(raw, dst) != nil {
		f.d.wrongType(f.at(key), want, raw)
	}
}

// An element is one value of an array.
type element struct {
	d    *decoder
	path string
	raw  json.RawMessage
}

func (d *decoder) elements(path string, raws []json.RawMessage) []element {
	out := make([]element, len(raws))
	for i, raw := range raws {
		at := fmt.Sprintf("%s[%d]", path, i)
		if d.vendor == anthropic {
			at = path + "." + strconv.Itoa(i)
		}
		out[i] = element{d, at, raw}
	}
	return out
}

// object reads the element as an object.
func (e element) object() fields {
	o := fields{d: e.d, path: e.path}
	if json.Unmarshal(e.raw, &o.members) != nil || o.members == nil {
		e.d.wrongType(e.path, "object", e.raw)
	}
	return o
}

// reject keeps the first problem.
func (d *decoder) reject(e *apiError) {
	if d.problem == nil {
		d.problem = e
	}
}

func (d *decoder) wrongType(path, want string, raw json.RawMessage) {
	switch d.vendor {
	case anthropic:
		names := map[string]string{"object": "dictionary", "array": "list", "number": "number", "boolean": "boolean"}
		name := want
		if n := names[want]; n != "" {
			name = n
		}
		d.reject(invalid(anthropic, "%s: Input should be a valid %s", path, name))
	case google:
		d.reject(invalid(google, "Invalid value at '%s' (%s), %.80s", path, want, raw))
	default:
		d.reject(invalid(openai, "Invalid type for '%s': expected %s, but got %s instead.", path, article(want), article(typeOf(raw))).
			about("invalid_type", path))
	}
}

func article(kind string) string {
	switch kind {
	case "null":
		return kind
	case "object", "array", "integer":
		return "an " + kind
	}
	return "a " + kind
}

func typeOf(raw json.RawMessage) string {
	switch {
	case len(raw) == 0 || raw[0] == 'n':
		return "null"
	case raw[0] == '"':
		return "string"
	case raw[0] == '{':
		return "object"
	case raw[0] == '[':
		return "array"
	case raw[0] == 't' || raw[0] == 'f':
		return "boolean"
	case bytes.ContainsAny(raw, ".eE"):
		return "decimal number"
	}
	return "integer"
}
