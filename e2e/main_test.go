package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// bin is the folder of the binaries under test.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

// besides is how many tests run at a time: they wait more than they work.
const besides = 4

func run(m *testing.M) int {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(max(besides, runtime.GOMAXPROCS(0)))); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	if bin = os.Getenv("FAREBOX_BIN"); bin != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "fbx-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	for name, pkg := range map[string]string{"farebox": "./extproc/cmd/farebox", "provider": "./examples/provider"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg)
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: build %s: %v\n%s", pkg, err, out)
			return 1
		}
	}
	bin = dir
	return m.Run()
}

// release names an Envoy: a flag of envoy/install.
type release string

const (
	pinned release = "pinned" // of envoy/VERSION
	oldest release = "oldest" // of envoy/OLDEST
)

var envoys = map[release]func() (string, error){
	pinned: sync.OnceValues(func() (string, error) { return install(pinned) }),
	oldest: sync.OnceValues(func() (string, error) { return install(oldest) }),
}

// install returns the path of an Envoy.
func install(r release) (string, error) {
	cmd := exec.Command("go", "run", "./envoy/install", "-"+string(r))
	cmd.Dir, cmd.Stderr = "..", os.Stderr
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// parallel has the tests that run beside others.
var parallel sync.Map

// beside lets a test run beside others. It may be called more than once.
func beside(t *testing.T) {
	if _, again := parallel.LoadOrStore(t, true); !again {
		t.Parallel()
	}
}

// eachEnvoy runs a test on the pinned and on the oldest supported release.
func eachEnvoy(t *testing.T, test func(*testing.T, release)) {
	beside(t)
	for _, r := range []release{pinned, oldest} {
		t.Run("Envoy "+string(r), func(t *testing.T) { test(t, r) })
	}
}
