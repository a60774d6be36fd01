package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// maxSize bounds the module in bytes: Envoy compiles all of it in every process, and that is its start-up time.
// Today it is well below; see the log of TestModuleIsSmall.
const maxSize = 5 << 20

// module builds the filter once for all tests, the way the Makefile does.
var module = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "farebox-wasm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "farebox.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// moduleFile returns the path of the built module.
func moduleFile(t *testing.T) string {
	t.Helper()
	code, err := module()
	if err != nil {
		t.Fatalf("build the module: %v", err)
	}
	file := filepath.Join(t.TempDir(), "farebox.wasm")
	if err := os.WriteFile(file, code, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestModuleIsSmall(t *testing.T) {
	code, err := module()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(code))
	if len(code) > maxSize {
		t.Errorf("the module has %d bytes, want at most %d: look for a new import", len(code), maxSize)
	}
}

// unwelcome are packages that would make the module noticeably larger.
var unwelcome = []struct{ path, why string }{
	{"encoding/json", "1.1 MB more; use jsonscan and append"},
	{"regexp", "a compiler and its tables; globs are enough"},
	{"net", "a resolver and sockets, which a module has not got"},
	{"net/url", "more than cutting a query takes"},
	{"net/http", "a whole HTTP stack with TLS; Envoy is one"},
	{"log", "Envoy has a log"},
	{"text/template", "calls methods by name, so the linker keeps all of them"},
	{"go.yaml.in/yaml/v4", "a third of the module; the filter takes compiled policies"},
	{"github.com/farebox-mesh/farebox/pricing/catalog", "the prices that a policy needs come with it"},
	{"github.com/farebox-mesh/farebox/policies/policyfile", "the filter takes compiled policies"},
}

func TestDeps(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	for _, u := range unwelcome {
		if slices.Contains(deps, u.path) {
			t.Errorf("the module links %s: %s", u.path, u.why)
		}
	}
}
