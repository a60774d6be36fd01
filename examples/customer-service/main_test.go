package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{{"-calls", "0"}, {"-calls", "many"}, {"-unknown"}, {"extra"}} {
		var stdout, stderr bytes.Buffer
		if got := run(t.Context(), args, &stdout, &stderr); got != 2 || stdout.Len() > 0 || stderr.Len() == 0 {
			t.Errorf("run(%q) = %d, stdout %q, stderr %q, want 2 and a word on stderr", args, got, &stdout, &stderr)
		}
	}
}

func TestMissingProgramsAreNamed(t *testing.T) {
	var stdout, stderr bytes.Buffer
	got := run(t.Context(), []string{"-bin", t.TempDir()}, &stdout, &stderr)
	if got != 1 || !strings.Contains(stderr.String(), "farebox: no such file") || !strings.Contains(stderr.String(), "make demo") {
		t.Errorf("run = %d, stderr %q, want 1, what is missing and what to do", got, &stderr)
	}
}

func TestAProcessIsAwaitedAndStopped(t *testing.T) {
	p, err := start(t.TempDir(), "child", "sh", "-c", "echo port=4711; sleep 600 & wait")
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.await(t.Context(), p.log, regexp.MustCompile(`port=(\d+)`))
	if got != "4711" || err != nil {
		t.Errorf("await = %q, %v", got, err)
	}
	p.stop()
	p.stop() // once more is nothing
	if p.err == nil {
		t.Error("the child ended by itself, want by a signal")
	}
}

func TestAProcessThatEndsEarlyTellsWhy(t *testing.T) {
	dir := t.TempDir()
	p, err := start(dir, "child", "sh", "-c", "echo address in use >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.await(t.Context(), filepath.Join(dir, "none"), regexp.MustCompile(`(x)`))
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "address in use") {
		t.Errorf("await = %v, want the status and the output", err)
	}
}

func TestListenerURL(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"one", `{"listener_statuses":[{"name":"farebox","local_address":{"socket_address":{"address":"127.0.0.1","port_value":43127}}}]}`, "http://127.0.0.1:43127"},
		{"none", `{}`, ""},
		{"no JSON", `envoy`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := listenerURL([]byte(tt.body))
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("listenerURL(%s) = %q, %v, want %q", tt.body, got, err, tt.want)
			}
		})
	}
}

func TestProgressWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, 40)
	for i := range 40 {
		p.show(i+1, 0)
	}
	p.end()
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) != 10 || !strings.HasPrefix(lines[0], " 10%  4 of 40 calls") || !strings.HasPrefix(lines[9], "100%  40 of 40 calls") {
		t.Errorf("%d lines, want one each tenth:\n%s", len(lines), &out)
	}
}
