// Package policytest reads the vectors in policies/testdata/vectors, for the tests of every door: the Go API, the
// ext_proc server and the filter each make a Result of a Vector, and all of them must be the Result it wants.
// The README there describes the files.
//
// It is for tests only; nothing else imports it.
package policytest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/farebox-mesh/farebox/pricing"
)

// Vector is one case: a policy, a call and its response, and what is to become of them.
type Vector struct {
	Name  string // of the file, without its extension
	Title string // a sentence
	Doors []Door // those that can run it; never empty

	Policy   string
	At       time.Time // the moment of the call
	Cheaper  string    // the pool that is cheaper than the API, "" for none
	Prefix   bool      // the model has just seen the prompt's prefix
	Answered bool      // the same call was answered before
	Spent    map[string]pricing.Money

	Secrets  map[string]string // credential files below SecretsDir, by their names
	Request  Message
	Response *Message // nil where nothing may reach the provider
	Want     Result

	path string
}

// SecretsDir is where the policies of the vectors look for credential files.
const SecretsDir = "/run/secrets"

// Door is one way in which a product answers calls.
type Door string

// The doors.
const (
	API     Door = "api"      // the Go packages
	ExtProc Door = "ext_proc" // the gRPC server with its ledger
	Filter  Door = "filter"   // the light filter
)

// allDoors run every vector that names none.
var allDoors = []Door{API, ExtProc, Filter}

// defaultMoment is the moment of vectors that state none: a Tuesday.
var defaultMoment = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// Message is a request or a response.
type Message struct {
	Method, Path string // of a request
	Status       int    // of a response
	Header       [][2]string
	Body         []byte // plain, whatever the content-encoding
}

// Get returns the first value of a header, "" if it is missing.
func (m *Message) Get(name string) string {
	for _, h := range m.Header {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

// Wire returns the body as it travels: compressed where the content-encoding says so.
func (m *Message) Wire() []byte {
	if m.Get("content-encoding") != "gzip" {
		return m.Body
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(m.Body) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// Load reads every vector of a folder that a door can run, in the order of their names.
func Load(dir string, door Door) ([]Vector, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no vectors in %q", dir)
	}
	var vectors []Vector
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read vector: %w", err)
		}
		v, err := parse(file, data)
		if err != nil {
			return nil, fmt.Errorf("read vector %q: %w", file, err)
		}
		if slices.Contains(v.Doors, door) {
			vectors = append(vectors, v)
		}
	}
	return vectors, nil
}

func parse(file string, data []byte) (Vector, error) {
	a := txtar.Parse(data)
	name := strings.TrimSuffix(filepath.Base(file), ".txtar")
	v := Vector{
		Name: name, Title: strings.TrimSpace(string(a.Comment)), Doors: allDoors, At: defaultMoment, path: file,
		Spent: map[string]pricing.Money{}, Secrets: map[string]string{}, Want: Result{Facts: map[Fact]string{}},
	}
	if v.Title == "" {
		return v, errors.New("no title")
	}
	for _, f := range a.Files {
		if err := v.section(f.Name, f.Data); err != nil {
			return v, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	if v.Policy == "" || v.Request.Path == "" {
		return v, errors.New("want sections policy.yaml and request")
	}
	if v.Want.Body == nil && v.Want.forwarded() {
		v.Want.Body = v.Request.Wire()
	}
	return v, nil
}

func (v *Vector) section(name string, data []byte) (err error) {
	switch name {
	case "case":
		return v.settings(data)
	case "policy.yaml":
		v.Policy = string(data)
	case "request":
		v.Request, err = parseMessage(data)
	case "response":
		var m Message
		m, err = parseMessage(data)
		v.Response = &m
	case "want":
		return v.Want.parse(data)
	case "want.body":
		v.Want.Body = bytes.TrimSuffix(data, []byte("\n"))
	case "want.answer":
		v.Want.Answer = bytes.TrimSuffix(data, []byte("\n"))
	default:
		secret, ok := strings.CutPrefix(name, "secrets/")
		if !ok {
			return errors.New("unknown section")
		}
		v.Secrets[secret] = string(data)
	}
	return err
}

// settings reads the section "case".
func (v *Vector) settings(data []byte) (err error) {
	for key, value := range members(data) {
		switch key {
		case "at":
			v.At, err = time.Parse(time.RFC3339, value)
		case "doors":
			v.Doors = nil
			for _, d := range strings.Fields(value) {
				v.Doors = append(v.Doors, Door(d))
			}
		case "cheaper":
			v.Cheaper = value
		case "prefix":
			v.Prefix = value == "seen"
		case "answered":
			v.Answered = value == "before"
		case "spent":
			name, amount, _ := strings.Cut(value, "=$")
			v.Spent[name], err = pricing.ParseMoney(amount)
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// members iterates over lines of the form "key: value".
func members(data []byte) func(yield func(key, value string) bool) {
	return func(yield func(key, value string) bool) {
		for line := range strings.Lines(string(data)) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			if key != "" && !yield(key, value) {
				return
			}
		}
	}
}

// parseMessage reads a start line, header lines, an empty line and the body up to its last newline.
func parseMessage(data []byte) (m Message, err error) {
	head, body, _ := bytes.Cut(data, []byte("\n\n"))
	m.Body = bytes.TrimSuffix(body, []byte("\n"))
	start, headers, _ := strings.Cut(string(head), "\n")
	if method, path, ok := strings.Cut(start, " "); ok {
		m.Method, m.Path = method, path
	} else if m.Status, err = strconv.Atoi(start); err != nil {
		return m, fmt.Errorf("start line %q: want METHOD PATH or STATUS", start)
	}
	for name, value := range members([]byte(headers)) {
		m.Header = append(m.Header, [2]string{name, value})
	}
	return m, nil
}

// Update writes got to the vector's file as what it wants, all but the facts that the door cannot know.
func (v *Vector) Update(got Result, unknown ...Fact) error {
	data, err := os.ReadFile(v.path)
	if err != nil {
		return fmt.Errorf("update vector: %w", err)
	}
	a := txtar.Parse(data)
	facts := maps.Clone(got.Facts)
	for _, f := range unknown {
		facts[f] = v.Want.Facts[f]
	}
	set(a, "want", Result{Facts: facts}.text())
	if got.Body != nil && !bytes.Equal(got.Body, v.Request.Wire()) {
		set(a, "want.body", string(got.Body)+"\n")
	} else {
		set(a, "want.body", "")
	}
	if got.Answer != nil {
		set(a, "want.answer", string(got.Answer)+"\n")
	}
	if err := os.WriteFile(v.path, txtar.Format(a), 0o644); err != nil {
		return fmt.Errorf("update vector: %w", err)
	}
	return nil
}

// set replaces, adds or, without text, removes a section.
func set(a *txtar.Archive, name, text string) {
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	switch {
	case i >= 0 && text == "":
		a.Files = slices.Delete(a.Files, i, i+1)
	case i >= 0:
		a.Files[i].Data = []byte(text)
	case text != "":
		a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
	}
}
