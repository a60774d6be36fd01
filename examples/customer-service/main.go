// Command customer-service shows LLM traffic get cheaper through a real Envoy. It starts a test provider that stands
// for all vendors, another that stands for own GPUs, farebox and Envoy, sends them two days of a customer service's
// calls, and prints what they cost and what they would have cost.
//
//	go run ./examples/customer-service [-calls N] [-seed N] [-once]
//
// It is run in the root of the repository, where make has built bin/farebox and bin/provider; FAREBOX_ENVOY names the
// Envoy, else the one on PATH is taken. On a terminal it keeps serving the page with all figures until Ctrl-C;
// without one, or with -once, it ends by itself. Whatever happens, it ends what it started. The status is 0 if the
// ledger of farebox and the invoice of the provider are equal to the nano-dollar and every call ended as it should,
// else 1; 2 is wrong use.
//
// README.md in this folder describes the traffic.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	fewestCalls = 50
	mostCalls   = 20_000
)

func main() {
	// SIGPIPE: a reader of the output that goes away must not leave the stack running.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// options are the flags.
type options struct {
	calls int
	seed  uint64
	once  bool
	bin   string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	f := flag.NewFlagSet("customer-service", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.calls, "calls", 3000, "`number` of calls of the customer service; a runaway's come on top")
	f.Uint64Var(&o.seed, "seed", 1, "`number` that the calls are derived from")
	f.BoolVar(&o.once, "once", false, "end after the report, on a terminal as well")
	f.StringVar(&o.bin, "bin", "bin", "`folder` of farebox and provider")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case f.NArg() > 0 || o.calls < fewestCalls || o.calls > mostCalls:
		fmt.Fprintf(stderr, "customer-service: want -calls from %d to %d and no further arguments\n", fewestCalls, mostCalls)
		return 2
	}
	if err := demo(ctx, o, stdout, stderr); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintf(stderr, "customer-service: %v\n", err)
		return 1
	}
	return 0
}

// demo runs the example from start to end.
func demo(ctx context.Context, o options, stdout, stderr io.Writer) error {
	envoy, err := findEnvoy(o.bin)
	if err != nil {
		return err
	}
	s, err := bring(ctx, o.bin, envoy)
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Fprintf(stderr, "Envoy %s, page %s/\n", s.gateway, s.admin)
	if err := measure(ctx, o, s, stdout, stderr); err != nil {
		return errors.Join(err, s.tails())
	}
	if !o.once && isTerminal(stdout) {
		fmt.Fprintf(stdout, "\nPage %s/ and Envoy %s serve until Ctrl-C.\n", s.admin, s.gateway)
		<-ctx.Done()
	}
	return nil
}

// measure sends the traffic and reports.
func measure(ctx context.Context, o options, s *stack, stdout, stderr io.Writer) error {
	calls := traffic(o.seed, o.calls)
	number := 0
	for _, day := range calls {
		number += len(day)
	}
	began := time.Now()
	p := newProgress(stderr, number)
	t, err := drive(ctx, s, calls, p.show)
	p.end()
	if err != nil {
		return err
	}
	if len(t.failures) > 0 {
		return fmt.Errorf("%d of %d calls did not end as they should: %w", len(t.failures), t.calls, errors.Join(t.failures...))
	}
	b, err := readBooks(ctx, s, t)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "customer service: %s calls of two days in %.1f s (seed %d)\n", thousands(t.calls), time.Since(began).Seconds(), o.seed)
	b.print(stdout, t)
	mismatch := b.mismatch(t)
	b.printVerdict(stdout, mismatch)
	fmt.Fprintf(stdout, "page %s/\n", s.admin)
	return mismatch
}

// findEnvoy returns the Envoy to run, after a look at what else is needed.
func findEnvoy(bin string) (string, error) {
	for _, file := range []string{filepath.Join(bin, "farebox"), filepath.Join(bin, "provider"), policyFile} {
		if _, err := os.Stat(file); err != nil {
			return "", fmt.Errorf("%w; run make demo in the root of the repository", err)
		}
	}
	envoy, err := exec.LookPath(cmp.Or(os.Getenv("FAREBOX_ENVOY"), "envoy"))
	if err != nil {
		return "", fmt.Errorf("find Envoy: %w; run make demo, or set FAREBOX_ENVOY", err)
	}
	return envoy, nil
}

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
