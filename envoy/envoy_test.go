package envoy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// binary is an Envoy to test with, found once.
type binary struct {
	name string
	path func() (string, error)
}

var binaries = []binary{
	{"pinned", sync.OnceValues(func() (string, error) { return install("-pinned") })},
	{"oldest", sync.OnceValues(func() (string, error) { return install("-oldest") })},
}

func install(flag string) (string, error) {
	var said bytes.Buffer
	cmd := exec.Command("go", "run", "./install", flag)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		os.Stderr.Write(said.Bytes())
	}
	return strings.TrimSpace(string(out)), err
}

// eachEnvoy runs a test on the pinned and on the oldest supported Envoy. Where
// there is none it is skipped, but not in CI.
func eachEnvoy(t *testing.T, test func(t *testing.T, envoy string)) {
	for _, b := range binaries {
		t.Run(b.name, func(t *testing.T) {
			path, err := b.path()
			if err != nil && os.Getenv("CI") == "" {
				t.Skipf("no Envoy: go run ./envoy/install -%s: %v", b.name, err)
			}
			if err != nil {
				t.Fatalf("no Envoy: go run ./envoy/install -%s: %v", b.name, err)
			}
			test(t, path)
		})
	}
}

func TestEnvoyTakesTheShippedFiles(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, envoy string) {
		for _, mode := range []Mode{Observe, Enforce} {
			validate(t, envoy, string(mode)+".yaml")
		}
	})
}

// The smallest module that Envoy takes for a proxy-wasm filter: a memory and two
// empty functions, one for the version of the ABI, one that allocates nothing.
const emptyFilter = "\x00asm\x01\x00\x00\x00" +
	"\x01\x09\x02\x60\x00\x00\x60\x01\x7f\x01\x7f" + // types: ()->(), (i32)->i32
	"\x03\x03\x02\x00\x01" + // functions of these types
	"\x05\x03\x01\x00\x01" + // memory of one page
	"\x07\x2d\x03\x17proxy_abi_version_0_2_0\x00\x00\x06malloc\x00\x01\x06memory\x02\x00" + // exports
	"\x0a\x09\x02\x02\x00\x0b\x04\x00\x41\x00\x0b" // bodies: nothing, return 0

func TestEnvoyTakesEveryForm(t *testing.T) {
	filter := filepath.Join(t.TempDir(), "filter.wasm")
	if err := os.WriteFile(filter, []byte(emptyFilter), 0o644); err != nil {
		t.Fatal(err)
	}
	light := &Wasm{File: filter, Config: `{"rules":[{"name":"a \"quoted\" one\n"}]}`}
	eachEnvoy(t, func(t *testing.T, envoy string) {
		for _, tt := range []struct {
			name   string
			change func(*Config)
		}{
			{"server by TCP address", func(c *Config) { c.ExtProc = "127.0.0.1:9002" }},
			{"server by name", func(c *Config) { c.ExtProc = "farebox:9002" }},
			{"access log in a file", func(c *Config) { c.AccessLog = filepath.Join(t.TempDir(), "access.log") }},
			{"ports that Envoy chooses", func(c *Config) { c.Listen, c.AdminAddress = "127.0.0.1:0", "[::1]:0" }},
			{"upstreams of all kinds", func(c *Config) {
				c.Upstreams = []Upstream{
					{Name: "a", URLs: []string{"https://127.0.0.1:8443"}, Paths: []string{"/"}},
					{Name: "b", URLs: []string{"http://[::1]:8080/", "http://gpu-2.example:8080"}},
					{Name: "c-1.x", URLs: []string{"https://example.com:8443"}, Headers: []string{"x-key"}, Queries: []string{"k.1"}, Hosts: []string{"*.example.com"}, Prefix: "/c.1/x y"},
				}
				c.Fallback = "b"
			}},
			{"filter and server", func(c *Config) { c.Wasm = light }},
			{"filter alone", func(c *Config) { c.Wasm, c.ExtProc = light, "" }},
		} {
			for _, mode := range []Mode{Observe, Enforce} {
				t.Run(tt.name+" "+string(mode), func(t *testing.T) {
					c := Shipped(mode)
					tt.change(&c)
					validate(t, envoy, write(t, c))
				})
			}
		}
	})
}

// write renders c into a file.
func write(t *testing.T, c Config) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bootstrap.yaml")
	if err := os.WriteFile(file, render(t, c), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func validate(t *testing.T, envoy, file string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), envoy, "--mode", "validate", "-l", "warning", "--use-dynamic-base-id", "-c", file)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("envoy --mode validate -c %s: %v\n%s", file, err, out)
	}
}
