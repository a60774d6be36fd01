package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/envoy"
)

// readyWithin is how long Envoy may take to start: it compiles the module first.
const readyWithin = 2 * time.Minute

// proxy is an Envoy with the filter.
type proxy struct {
	addr string // of the listener
	log  string // file of the access log
}

// eachEnvoy runs a test on the pinned and on the oldest supported Envoy. Where there is none it is skipped, but not
// in CI.
func eachEnvoy(t *testing.T, test func(t *testing.T, binary string)) {
	for _, which := range []string{"pinned", "oldest"} {
		t.Run(which, func(t *testing.T) {
			var said bytes.Buffer
			cmd := exec.Command("go", "run", "../envoy/install", "-"+which)
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil && os.Getenv("CI") == "" {
				t.Skipf("no Envoy: go run ./envoy/install -%s: %v\n%s", which, err, &said)
			}
			if err != nil {
				t.Fatalf("no Envoy: go run ./envoy/install -%s: %v\n%s", which, err, &said)
			}
			test(t, strings.TrimSpace(string(out)))
		})
	}
}

// configuration is an Envoy whose filter decides alone, in front of upstreams by name. "eu" has a prefix of that name.
func configuration(t *testing.T, mode envoy.Mode, policy []byte, upstreams map[string]string) envoy.Config {
	t.Helper()
	c := envoy.Config{
		Mode: mode, Listen: "127.0.0.1:0", AdminAddress: "127.0.0.1:0", AccessLog: filepath.Join(t.TempDir(), "access.log"),
		Wasm: &envoy.Wasm{File: moduleFile(t), Config: string(policy)},
	}
	for name, url := range upstreams {
		u := envoy.Upstream{Name: name, URLs: []string{url}}
		if name == "eu" {
			u.Prefix = "/eu"
		}
		c.Upstreams = append(c.Upstreams, u)
	}
	return c
}

// start runs Envoy until the end of the test. change edits the rendered configuration; it may be nil.
func start(t *testing.T, binary string, c envoy.Config, change func(string) string) proxy {
	t.Helper()
	dir := t.TempDir()
	var config bytes.Buffer
	if err := envoy.Render(&config, c); err != nil {
		t.Fatal(err)
	}
	text := config.String()
	if change != nil {
		text = change(text)
	}
	file, admin := filepath.Join(dir, "bootstrap.yaml"), filepath.Join(dir, "admin")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	// The access log is flushed often, so that tests need not wait for it.
	cmd := exec.Command(binary, "-c", file, "--concurrency", "1", "--use-dynamic-base-id", "--admin-address-path", admin, "-l", "warning", "--file-flush-interval-msec", "50")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait() }() // ends with the process, which the clean-up stops
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
		if t.Failed() {
			t.Logf("Envoy's log:\n%s", &log)
		}
	})
	for deadline := time.Now().Add(readyWithin); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if addr, ok := listener(admin); ok {
			return proxy{addr, c.AccessLog}
		}
		select {
		case <-exited:
			t.Fatal("Envoy ended while it started")
		default:
		}
	}
	t.Fatalf("Envoy was not ready within %v", readyWithin)
	return proxy{}
}

// listener asks Envoy's admin interface for the address of the listener, which is there once it takes calls.
func listener(adminFile string) (string, bool) {
	admin, err := os.ReadFile(adminFile)
	if err != nil || !reached("http://"+string(admin)+"/ready", "LIVE") {
		return "", false
	}
	res, err := http.Get("http://" + string(admin) + "/listeners")
	if err != nil {
		return "", false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	addr, found := strings.CutPrefix(strings.TrimSpace(string(text)), "farebox::")
	return addr, err == nil && found
}

func reached(url, want string) bool {
	res, err := http.Get(url)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return err == nil && strings.HasPrefix(string(text), want)
}

// logLine is a line of the access log, as far as tests look at it.
type logLine struct {
	Path     string
	Status   int
	Upstream string
	Filter   string // the filter's record
}

// record is what the filter says of a call.
type record struct {
	Decision, Route, Rule, Tier, Model, Would string
	RequestedModel                            string `json:"requested_model"`
	CostUSD                                   string `json:"cost_usd"`
	BaselineUSD                               string `json:"baseline_usd"`
	Usage                                     map[string]int64
	Estimated                                 bool
}

// logged waits for the line of a call, which is known by its path, and returns it with the filter's record.
func (p proxy) logged(t *testing.T, path string) (logLine, record) {
	t.Helper()
	for deadline := time.Now().Add(readyWithin); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(p.log)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		for lines.Scan() {
			var line logLine
			if json.Unmarshal(lines.Bytes(), &line) != nil || line.Path != path {
				continue // half a line, or another call's
			}
			var r record
			if line.Filter != "" {
				if err := json.Unmarshal([]byte(line.Filter), &r); err != nil {
					t.Fatalf("record %q: %v", line.Filter, err)
				}
			}
			return line, r
		}
	}
	t.Fatalf("no access log line for %s", path)
	return logLine{}, record{}
}
