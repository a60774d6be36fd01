package policies

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/farebox-mesh/farebox/"

// ours are the packages that the filter links for its decisions. They may import one another and the standard
// library.
var ours = []string{module + "policies", module + "pricing", module + "pricing/jsonscan", module + "pricing/provider"}

// unwelcome are packages that a policy may seem to need and that the filter must not link: every Envoy worker
// compiles and holds what it links. TestDeps of package pricing has more of them.
var unwelcome = []struct{ path, why string }{
	{"encoding/json", "half a megabyte of code that decodes by reflection; the compiled policy is read by hand"},
	{"regexp", "a compiler and its tables; globs are matched by hand"},
	{"time/tzdata", "half a megabyte of zones; policyfile resolves them"},
	{"os/exec", "there are no processes under Envoy"},
	{"net/http", "a whole HTTP stack with TLS; take a function that returns header values"},
	{"text/template", "calls methods by name, so the linker keeps all of them"},
	{module + "policies/policyfile", "a YAML parser; the filter takes the compiled policy"},
	{module + "pricing/catalog", "every published price; the compiled policy has those that it needs"},
}

// TestDeps keeps decisions small and free of other modules, as they are linked into the filter.
func TestDeps(t *testing.T) {
	why := map[string]string{}
	for _, u := range unwelcome {
		why[u.path] = u.why
	}
	for _, path := range listDeps(t) {
		standard := !strings.Contains(strings.Split(path, "/")[0], ".")
		switch reason, bad := why[path]; {
		case bad:
			t.Errorf("policies links %s: %s", path, reason)
		case !standard && !slices.Contains(ours, path):
			t.Errorf("policies links %s, which is neither the standard library nor the core itself", path)
		}
	}
}

// listDeps returns the packages that policies links under wasip1.
func listDeps(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list dependencies: %v\n%s", err, stderr.String())
	}
	return strings.Fields(string(out))
}
