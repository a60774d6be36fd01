package pricing

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/farebox-mesh/farebox/"

// ours are the packages that the proxy-wasm filter links. They may import one another and the standard library.
var ours = []string{module + "pricing", module + "pricing/jsonscan", module + "pricing/provider"}

// unwelcome are packages of the standard library that ours may not bring into the filter: every Envoy worker
// compiles and holds what it links.
var unwelcome = []struct{ path, why string }{
	{"encoding/json", "half a megabyte of code that decodes by reflection; use jsonscan"},
	{"regexp", "a compiler and its tables; the formats here are read by hand"},
	{"net", "a resolver and sockets, which the core never uses"},
	{"net/http", "a whole HTTP stack with TLS; take bytes and header values"},
	{"os/exec", "there are no processes under Envoy"},
	{"math/rand", "the core is a function of its arguments; take the number"},
	{"html/template", "pages belong to extproc/internal/admin"},
	{"text/template", "calls methods by name, so the linker keeps all of them"},
}

// mayReflect are the packages of the standard library that import reflect and that ours may link all the same.
var mayReflect = map[string]string{
	"fmt":              "errors name what was wrong",
	"internal/fmtsort": "part of fmt",
	"encoding/binary":  "compress/gzip reads its header with it",
}

// TestDeps keeps the core small and free of other modules, as it is linked into the filter.
func TestDeps(t *testing.T) {
	why := map[string]string{}
	for _, u := range unwelcome {
		why[u.path] = u.why
	}
	for _, line := range listDeps(t) {
		path, imports, _ := strings.Cut(line, " ")
		standard := !strings.Contains(strings.Split(path, "/")[0], ".")
		switch reason, bad := why[path]; {
		case bad:
			t.Errorf("the core links %s: %s", path, reason)
		case !standard && !slices.Contains(ours, path):
			t.Errorf("the core links %s, which is neither the standard library nor the core itself", path)
		}
		if _, ok := mayReflect[path]; !ok && slices.Contains(strings.Fields(imports), "reflect") {
			t.Errorf("%s imports reflect, which keeps methods from being dropped by the linker; only %v may", path, mayReflect)
		}
	}
}

// listDeps returns a line per package that ours link under wasip1: its path and what it imports.
func listDeps(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`}, ours...)...)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list dependencies: %v\n%s", err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
