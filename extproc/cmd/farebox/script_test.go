package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

var update = flag.Bool("update", false, "rewrite the outputs in testdata/script and COMMANDS.md; review them")

// scriptClock is the moment at which all scripts run: a Tuesday.
func scriptClock() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// TestMain lets scripts run farebox as a command of its own process, at a moment that stands still.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"farebox": func() {
			os.Exit(run(context.Background(), os.Args[1:], env{os.Stdin, os.Stdout, os.Stderr, scriptClock}))
		},
	})
}

// TestScripts pins standard output, standard error and exit status of the commands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "served": served, "spend": spend},
		Setup: func(e *testscript.Env) error {
			e.Setenv("TZ", "UTC")
			return nil
		},
	})
}

// status runs a command that must end with the given exit status: status 2 farebox check
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND [ARGUMENT...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got, exit := 0, (*exec.ExitError)(nil)
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// served leaves the state of a server whose pool could have taken calls of so many dollars: served DIR POOL 100
func served(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: served DIR POOL DOLLARS")
	}
	cost, err := pricing.ParseMoney(args[2])
	ts.Check(err)
	dir, pool := ts.MkAbs(args[0]), policies.RouteName(args[1])
	ts.Check(os.MkdirAll(dir, 0o755))
	pools := upstream.Open(dir, scriptClock(), slog.New(slog.DiscardHandler))
	pools.SetPools([]policies.Pool{{Name: pool}})
	pools.Observe(pool, cost, 1_000_000, scriptClock())
	ts.Check(pools.Close())
}
