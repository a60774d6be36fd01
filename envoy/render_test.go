package envoy

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite observe.yaml and enforce.yaml")

func TestShippedFilesAreWhatRenderGives(t *testing.T) {
	for _, mode := range []Mode{Observe, Enforce} {
		t.Run(string(mode), func(t *testing.T) {
			got := render(t, Shipped(mode))
			file := string(mode) + ".yaml"
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s is not current, run go test ./envoy -update (-want +got):\n%s", file, diff)
			}
		})
	}
}

func TestRenderReportsEveryMistake(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"unknown mode", func(c *Config) { c.Mode = "audit" }, `unknown mode "audit": want "observe" or "enforce"`},
		{"nothing decides", func(c *Config) { c.ExtProc = "" }, "enforce mode without ext_proc and without filter: nothing would decide a call"},
		{"listen on a name", func(c *Config) { c.Listen = "localhost:80" }, `listen address "localhost:80": want an IP address and a port`},
		{"admin without port", func(c *Config) { c.AdminAddress = "127.0.0.1" }, "admin: want HOST:PORT: address 127.0.0.1: missing port in address"},
		{"ext_proc port", func(c *Config) { c.ExtProc = "farebox:99999" }, `ext_proc: address "farebox:99999": want HOST:PORT`},
		{"socket path of 108 bytes", func(c *Config) { c.ExtProc = "unix:/" + strings.Repeat("s", 107) }, `ext_proc: socket path "/` + strings.Repeat("s", 107) + `": want 1 to 107 bytes`},
		{"filter without file", func(c *Config) { c.Wasm = &Wasm{} }, "filter without a file"},
		{"no upstream", func(c *Config) { c.Upstreams = nil; c.Fallback = "" }, "no upstream"},
		{"same upstream twice", func(c *Config) { c.Upstreams = append(c.Upstreams, c.Upstreams[0]) }, `upstream "openai" is there twice`},
		{"reserved name", func(c *Config) { c.Upstreams[3].Name = "farebox_x" }, `upstream name "farebox_x": want letters, digits, dots, dashes and underscores, and no prefix farebox_`},
		{"name that breaks YAML", func(c *Config) { c.Upstreams[3].Name = "a: b" }, `upstream name "a: b": want letters, digits, dots, dashes and underscores, and no prefix farebox_`},
		{"URL without scheme", func(c *Config) { c.Upstreams[3].URLs = []string{"api.openai.com"} }, `upstream "gpu": URL "api.openai.com": want http://HOST or https://HOST`},
		{"URL with path", func(c *Config) { c.Upstreams[3].URLs = []string{"http://gpu/v1"} }, `upstream "gpu": URL "http://gpu/v1": only scheme, host and port can be given`},
		{"URL with query", func(c *Config) { c.Upstreams[3].URLs = []string{"http://gpu/?key=k"} }, `upstream "gpu": URL "http://gpu/?key=k": only scheme, host and port can be given`},
		{"two schemes", func(c *Config) { c.Upstreams[3].URLs = []string{"http://gpu", "https://gpu"} }, `upstream "gpu": URL "https://gpu": the URLs of an upstream are all http, or all https of one host`},
		{"no URL", func(c *Config) { c.Upstreams[3].URLs = nil }, `upstream "gpu": no URL`},
		{"header in capitals", func(c *Config) { c.Upstreams[3].Headers = []string{"X-Key"} }, `upstream "gpu": header name "X-Key": want lower-case letters, digits and dashes`},
		{"query parameter that breaks YAML", func(c *Config) { c.Upstreams[3].Queries = []string{"a: b"} }, `upstream "gpu": query parameter "a: b": want letters, digits, dots, dashes and underscores`},
		{"prefix that ends with a slash", func(c *Config) { c.Upstreams[3].Prefix = "/eu/" }, `upstream "gpu": prefix "/eu/": want segments as in "/eu", without a slash at the end`},
		{"prefix without slash", func(c *Config) { c.Upstreams[3].Prefix = "eu" }, `upstream "gpu": prefix "eu": want segments as in "/eu", without a slash at the end`},
		{"path without slash", func(c *Config) { c.Upstreams[3].Paths = []string{"v1"} }, `upstream "gpu": path "v1" does not start with a slash`},
		{"unknown fallback", func(c *Config) { c.Fallback = "azure" }, `fallback "azure" is not an upstream`},
		{"two at once", func(c *Config) { c.Listen, c.Fallback = ":80", "azure" }, "listen: address \":80\": want HOST:PORT\nfallback \"azure\" is not an upstream"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Shipped(Enforce)
			tt.change(&c)
			var out bytes.Buffer
			err := Render(&out, c)
			if err == nil {
				t.Fatal("Render took the configuration")
			}
			if diff := cmp.Diff("render Envoy configuration: "+tt.want, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if out.Len() > 0 {
				t.Errorf("Render wrote %d bytes of a configuration that it refused", out.Len())
			}
		})
	}
}

func TestUndecidedCallsArePlacedFromHostToLongestPath(t *testing.T) {
	got := undecided([]Upstream{
		{Name: "a", Hosts: []string{"a.example"}, Paths: []string{"/", "/v1/long/"}},
		{Name: "b", Headers: []string{"b-key"}, Queries: []string{"k"}, Paths: []string{"/v1/"}, Hosts: []string{"b.example"}},
		{Name: "c", Prefix: "/c"},
		{Name: "d", Prefix: "/c/d.e", Hosts: []string{"d.example"}},
	})
	want := []route{
		{Cluster: "a", Host: `(?i)(a\.example)(:[0-9]+)?`},
		{Cluster: "b", Host: `(?i)(b\.example)(:[0-9]+)?`},
		{Cluster: "d", Host: `(?i)(d\.example)(:[0-9]+)?`},
		{Cluster: "d", Prefix: "/c/d.e", Rewrite: `^/c/d\.e(/|$)`},
		{Cluster: "c", Prefix: "/c", Rewrite: `^/c(/|$)`},
		{Cluster: "b", Header: "b-key"},
		{Cluster: "b", Query: "k"},
		{Cluster: "a", Path: "/v1/long/"},
		{Cluster: "b", Path: "/v1/"},
		{Cluster: "a", Path: "/"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

func TestDecidedCallsLoseThePrefixWhereTheHostDoesNotTell(t *testing.T) {
	upstreams := []Upstream{{Name: "a", Hosts: []string{"a.example"}}, {Name: "b", Prefix: "/b"}, {Name: "c", Prefix: "/c", Hosts: []string{"c.example", "d.example"}}}
	for mode, want := range map[Mode][]route{
		Observe: {
			{Cluster: "a"}, {Cluster: "b", Rewrite: "^/b(/|$)"},
			{Cluster: "c", Host: `(?i)(c\.example|d\.example)(:[0-9]+)?`}, {Cluster: "c", Rewrite: "^/c(/|$)"},
		},
		Enforce: {{Cluster: "a"}, {Cluster: "b"}, {Cluster: "c"}},
	} {
		if diff := cmp.Diff(want, decided(mode, upstreams)); diff != "" {
			t.Errorf("%s routes (-want +got):\n%s", mode, diff)
		}
	}
}

func render(t *testing.T, c Config) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Render(&out, c); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
