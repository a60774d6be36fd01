// Command bench measures what farebox costs, end to end through a real Envoy. It prints a Markdown table on
// standard output and its progress on standard error.
//
//	make build && go run ./e2e/bench
//
// Five stacks, each an Envoy with one worker, take the same loads in turn, round after round, so that whatever
// else the machine does meets all of them:
//
//	no ext_proc    Envoy alone
//	empty ext_proc Envoy and a server that answers the same messages and does nothing (e2e/bench/empty)
//	observe        Envoy and farebox, which decides and records and changes nothing
//	enforce        Envoy and farebox, which reserves on a budget and rewrites the model
//	exact hit      Envoy and farebox, which answers from its cache
//
// CPU is the time of Envoy and of the server, per request, in user and kernel mode. Ratios are taken within a
// round; the table shows the medians over the rounds. The upstream is a process of its own with constant
// answers, and neither it nor the client is in the sums.
//
// FAREBOX_ENVOY names the Envoy; without it the program runs envoy/install.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

const module = "github.com/farebox-mesh/farebox"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var b bench
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	short := f.Bool("short", false, "measure little: shows that the benchmark works, not what farebox costs")
	upstream := f.Bool("upstream", false, "be the upstream; the benchmark starts itself with this flag")
	f.StringVar(&b.bin, "bin", "bin", "`DIR` of the farebox binary")
	if err := f.Parse(args); err != nil {
		return 2
	}
	var err error
	if *upstream {
		err = serveUpstream(ctx, stdout)
	} else {
		b.progress = stderr
		b.size(*short)
		err = b.run(ctx, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// bench is one run of the benchmark.
type bench struct {
	bin      string // folder of the farebox binary
	progress io.Writer
	rounds   int
	starts   int // of farebox, to time them
	loads    []load

	dir          string // working folder with a short name
	farebox      string
	empty        string
	envoy        string
	envoyVersion string
}

// size sets how much is measured.
func (b *bench) size(short bool) {
	b.rounds, b.starts = 5, 5
	b.loads = loads(1500, 4000, 96)
	if short {
		b.rounds, b.starts = 1, 1
		b.loads = loads(50, 100, 16)
	}
}

func (b *bench) run(ctx context.Context, out io.Writer) error {
	// Sockets are in it, whose paths have at most 107 bytes.
	dir, err := os.MkdirTemp("/tmp", "fbx")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b.dir = dir
	if err := b.programs(ctx); err != nil {
		return err
	}
	boots, err := b.timeStarts(ctx)
	if err != nil {
		return err
	}
	results, err := b.measure(ctx)
	if err != nil {
		return err
	}
	report{bench: b, boots: boots, results: results}.write(out)
	return nil
}

// envoyVersion finds 1.40.0 in "envoy  version: 0123abc/1.40.0/Clean/RELEASE/BoringSSL".
var envoyVersion = regexp.MustCompile(`version: [0-9a-f]+/([^/]+)/`)

// programs finds or builds what the benchmark runs.
func (b *bench) programs(ctx context.Context) (err error) {
	if b.farebox, err = filepath.Abs(filepath.Join(b.bin, "farebox")); err != nil {
		return err
	}
	if _, err := os.Stat(b.farebox); err != nil {
		return fmt.Errorf("no farebox to measure, run make build: %w", err)
	}
	b.empty = filepath.Join(b.dir, "empty")
	if _, err := output(ctx, "go", "build", "-trimpath", "-o", b.empty, module+"/e2e/bench/empty"); err != nil {
		return err
	}
	if b.envoy = os.Getenv("FAREBOX_ENVOY"); b.envoy == "" {
		if b.envoy, err = output(ctx, "go", "run", module+"/envoy/install", "-pinned"); err != nil {
			return err
		}
	}
	version, err := output(ctx, b.envoy, "--version")
	if err != nil {
		return err
	}
	m := envoyVersion.FindStringSubmatch(version)
	if m == nil {
		return fmt.Errorf("version of Envoy: no number in %q", version)
	}
	b.envoyVersion = m[1]
	return nil
}

// output runs a program to its end and returns what it wrote to standard output.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return "", fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// measure runs every load on every stack in turn, round after round.
func (b *bench) measure(ctx context.Context) (results, error) {
	up, err := b.startUpstream(ctx)
	if err != nil {
		return nil, err
	}
	defer up.process.stop()
	var stacks []*stack
	for _, v := range variants() {
		s, err := b.startStack(ctx, v, up.url)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		defer s.stop()
		stacks = append(stacks, s)
	}
	fmt.Fprintln(b.progress, "bench: warming up")
	for _, l := range b.loads {
		for _, s := range stacks {
			if err := s.warm(ctx, l); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", s.variant.name, l.name, err)
			}
		}
	}
	r := make(results, len(b.loads))
	for i := range r {
		r[i] = make([][]sample, len(stacks))
	}
	for round := range b.rounds {
		for i, l := range b.loads {
			fmt.Fprintf(b.progress, "bench: round %d of %d, %s\n", round+1, b.rounds, l.name)
			for j, s := range stacks {
				m, err := s.measure(ctx, l)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", s.variant.name, l.name, err)
				}
				r[i][j] = append(r[i][j], m)
			}
		}
	}
	return r, nil
}
