package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vector is a file of policies/testdata/vectors; the README there describes it.
type vector struct {
	name     string
	title    string
	sections map[string]string
	settings map[string]string // section case
	want     map[string]string // section want
}

var sectionLine = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// vectors are those that this package can run: it cannot move the clock, nor make a budget spent or a pool cheaper.
func vectors(t *testing.T) []vector {
	t.Helper()
	files, err := filepath.Glob("../policies/testdata/vectors/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	var list []vector
	for _, file := range files {
		v := readVector(t, file)
		_, at := v.settings["at"]
		_, spent := v.settings["spent"]
		_, cheaper := v.settings["cheaper"]
		if doors := v.settings["doors"]; at || spent || cheaper || doors != "" && !strings.Contains(doors, "ext_proc") {
			continue
		}
		list = append(list, v)
	}
	return list
}

func readVector(t *testing.T, file string) vector {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := vector{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), sections: map[string]string{}}
	marks := sectionLine.FindAllSubmatchIndex(text, -1)
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		v.sections[string(text[m[2]:m[3]])] = string(text[m[1]:end])
	}
	if len(marks) > 0 {
		v.title = strings.TrimSpace(string(text[:marks[0][0]]))
	}
	v.settings, v.want = pairs(v.sections["case"]), pairs(v.sections["want"])
	return v
}

// pairs reads lines of the form "key: value".
func pairs(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok {
			m[key] = value
		}
	}
	return m
}

// message splits a section into its start line, headers and body.
func message(section string) (start string, headers map[string]string, body []byte) {
	head, text, _ := strings.Cut(section, "\n\n")
	start, list, _ := strings.Cut(head, "\n")
	return start, pairs(list), []byte(strings.TrimSuffix(text, "\n"))
}

// wire is a body as it travels.
func wire(headers map[string]string, body []byte) []byte {
	if headers["content-encoding"] == "gzip" {
		return zip(body)
	}
	return body
}

func (v *vector) call() call {
	start, headers, body := message(v.sections["request"])
	method, path, _ := strings.Cut(start, " ")
	c := call{method: method, path: path, body: wire(headers, body)}
	for name, value := range headers {
		if name == "host" {
			c.host = value
		} else {
			c = c.with(name, value)
		}
	}
	return c
}

// policy is the vector's, with its credentials in files of the test.
func (v *vector) policy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range v.sections {
		if secret, ok := strings.CutPrefix(name, "secrets/"); ok {
			if err := os.WriteFile(filepath.Join(dir, secret), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return strings.ReplaceAll(v.sections["policy.yaml"], "/run/secrets", dir)
}

func TestVectors(t *testing.T) {
	all := vectors(t)
	// Prompts that must not have been seen come before those that must.
	slices.SortStableFunc(all, func(a, b vector) int { return len(a.settings["prefix"]) - len(b.settings["prefix"]) })
	routes := map[string]bool{}
	for _, v := range all {
		if route := v.want["route"]; route != "" {
			routes[route] = true
		}
	}
	// Envoy's configuration is made once, so the first policy names all that later ones do.
	var named strings.Builder
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		fmt.Fprintf(&named, "  %s: {vendor: openai, hosts: [%s.example], credential: caller}\n", route, route)
	}
	for _, mode := range []string{"observe", "enforce"} {
		t.Run(mode, func(t *testing.T) {
			p, replaced := newPuppet(t), map[string]string{} // each mode has a provider of its own, as they run beside each other
			for route := range routes {
				replaced[route] = p.url
			}
			s := newStack(t, setup{policy: "version: 1\nmode: " + mode + "\nproviders:\n" + named.String(), replace: replaced})
			for _, v := range all {
				if strings.Contains(v.sections["policy.yaml"], "mode: enforce") != (mode == "enforce") {
					continue
				}
				t.Run(v.name, func(t *testing.T) { s.runs(t, p, &v) })
			}
			s.quiet(t)
		})
	}
}

// runs sends a vector's call and compares what comes of it.
func (s *stack) runs(t *testing.T, p *puppet, v *vector) {
	t.Helper()
	s.reload(t, v.policy(t))
	start, headers, body := message(v.sections["response"])
	status, _ := strconv.Atoi(start) // left out where nothing may reach the provider
	p.says(status, headers, wire(headers, body))
	if len(v.settings["prefix"]+v.settings["answered"]) > 0 {
		s.send(t, v.call())
		s.lines++
	}
	before := s.summary(t).Calls
	p.forget()
	a := s.send(t, v.call())
	s.lines++
	got := map[string]string{"decision": a.header.Get("x-farebox-decision")}
	if v.want["decision"] == "refuse" || v.want["decision"] == "replay" {
		got["status"] = fmt.Sprint(a.status)
		if want := strings.TrimSuffix(v.sections["want.answer"], "\n"); want != unnamed(a.body) {
			t.Errorf("answer %s\nwant %s", a.body, want)
		}
		if n := len(p.received()); n != 0 {
			t.Errorf("the provider received %d requests, want none", n)
		}
	} else {
		v.sent(t, p, got)
	}
	if v.want["decision"] != "refuse" {
		s.booked(t, before, got)
	}
	want := maps.Clone(v.want)
	if v.want["decision"] == "replay" {
		delete(want, "usage") // the access log says what was bought
	}
	for _, unknown := range []string{"refusal", "kept", "pool", "bound", "savings", "removed", "set", "list_usd"} {
		delete(want, unknown)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", v.title, diff)
	}
}

var requestName = regexp.MustCompile(`"request_id":"[0-9a-f-]{36}"`)

// unnamed is the body of a refusal without the name that every request has of its own.
func unnamed(body []byte) string {
	return requestName.ReplaceAllString(string(body), `"request_id":null`)
}

// sent compares what reached the provider.
func (v *vector) sent(t *testing.T, p *puppet, got map[string]string) {
	t.Helper()
	list := p.received()
	if len(list) != 1 {
		t.Fatalf("the provider received %d requests, want 1", len(list))
	}
	r := list[0]
	got["path"] = r.Path
	want := v.call().body
	if text, ok := v.sections["want.body"]; ok {
		want = []byte(strings.TrimSuffix(text, "\n"))
	}
	if !bytes.Equal(want, r.Body) {
		t.Errorf("body at the provider (-want +got):\n%s", cmp.Diff(string(want), string(r.Body)))
	}
	for _, name := range strings.Split(v.want["removed"], ", ") {
		if value, ok := r.Headers[name]; ok {
			t.Errorf("%s: %s reached the provider", name, value)
		}
	}
	if name, value, ok := strings.Cut(v.want["set"], " "); ok && r.Headers[name] != value {
		t.Errorf("%s: %q reached the provider, want %q", name, r.Headers[name], value)
	}
}

// booked adds what the ledger and the access log say of the latest call.
func (s *stack) booked(t *testing.T, before int64, got map[string]string) {
	t.Helper()
	sum, line := s.settled(t, before+1), s.logged(t, s.lines)[s.lines-1]
	e := sum.Latest[0]
	note := func(name string, value any) {
		if text, ok := value.(string); ok && text != "" {
			got[name] = text
		}
	}
	note("rule", line["rule"])
	note("tier", line["tier"])
	note("would", line["would"])
	note("usage", usageText(t, line["usage"]))
	note("route", e.Route)
	note("model", e.Model)
	note("cost_usd", e.Cost.String())
	note("baseline_usd", (e.Cost + e.Saved).String())
	if e.Estimated {
		got["estimated"] = "true"
	}
}

// usageText prints the usage of the access log, which is JSON in a string, as vectors do.
func usageText(t *testing.T, value any) string {
	t.Helper()
	text, ok := value.(string)
	if !ok {
		return ""
	}
	var usage map[string]int64
	decode(t, text, &usage)
	var parts []string
	for _, kind := range []string{
		"input", "cache_read", "cache_write_short", "cache_write_long", "output", "reasoning",
		"input_audio", "input_image", "cache_read_audio", "output_audio", "output_image",
		"web_searches", "file_searches", "code_runs", "search_units", "images", "seconds", "characters",
	} {
		if n := usage[kind]; n > 0 {
			parts = append(parts, fmt.Sprint(kind, " ", n))
		}
	}
	return strings.Join(parts, ", ")
}
