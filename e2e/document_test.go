package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestThePolicyOfTheREADMEIsRight(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, opened := strings.Cut(string(text), "\n```yaml\n")
	policy, _, closed := strings.Cut(rest, "\n```\n")
	if !opened || !closed || !strings.Contains(policy, "version: 1") {
		t.Fatal("README.md has no block of YAML with a policy")
	}
	file := filepath.Join(t.TempDir(), "readme.yaml")
	if err := os.WriteFile(file, []byte(policy+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, nil, "check", file)
}

func TestThePoliciesOfTheExamplesAreRight(t *testing.T) {
	files, err := filepath.Glob("../examples/*/policy.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no policy in examples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) { command(t, nil, "check", file) })
	}
}

// TestTheDemoRuns runs what make demo runs, with fewer calls. Its status says whether ledger and invoice are equal.
func TestTheDemoRuns(t *testing.T) {
	envoy, err := envoys[pinned]()
	if err != nil {
		t.Fatalf("no Envoy: %v", err)
	}
	folder, err := filepath.Abs(bin)
	if err != nil {
		t.Fatal(err)
	}
	demo := filepath.Join(t.TempDir(), "demo")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", demo, "./examples/customer-service")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, demo, "-calls", "200", "-once", "-bin", folder)
	// Asked to end, the demo ends what it started.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "FAREBOX_ENVOY="+envoy)
	var report, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &report, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("demo: %v\n%s%s", err, &report, &said)
	}
	for _, want := range []string{"customer service: ", ": equal\n"} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &report)
		}
	}
}
