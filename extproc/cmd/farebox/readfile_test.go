package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOnlyRegularFilesOfSomeLengthAreRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	check(t, os.WriteFile(at("good"), []byte("12345678"), 0o600))
	check(t, os.WriteFile(at("long"), make([]byte, 1<<20+1), 0o600))
	check(t, os.Symlink("good", at("link")))
	check(t, os.Symlink("link", at("link to a link")))
	check(t, syscall.Mkfifo(at("pipe"), 0o600))
	check(t, os.Symlink("pipe", at("link to a pipe")))
	for path, want := range map[string]string{
		at("good"): "", at("link"): "", at("link to a link"): "",
		at("long"):           "is longer than 1 MiB",
		at("pipe"):           "is a named pipe, not a regular file",
		at("link to a pipe"): "is a named pipe",
		dir:                  "is a directory",
		"/dev/zero":          "is a device",
		at("none"):           "no such file",
	} {
		text, err := readFile(path, 1<<20)
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %d bytes and %v, want %q", path, len(text), err, want)
		}
	}
}

func TestAPolicyMayComeThroughAPipeOfTheShell(t *testing.T) {
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	_, err = w.WriteString("version: 1\n")
	check(t, errors.Join(err, w.Close()))
	if status, out := farebox(t, "check", fmt.Sprintf("/dev/fd/%d", r.Fd())); status != statusOK {
		t.Errorf("exit status %d: %s", status, out)
	}
}

func TestServeGoesOnWhereAPipeTakesAFilesPlace(t *testing.T) {
	dir := shortDir(t)
	prices := filepath.Join(dir, "prices.json")
	replaceFile(t, prices, `{"listings": []}`)
	replaceFile(t, filepath.Join(dir, "p.yaml"), "version: 1\nprices: {files: [prices.json]}\n")
	s := startServiceIn(t, dir)
	check(t, os.Remove(prices))
	check(t, syscall.Mkfifo(prices, 0o600))
	soon(t, "the pipe is reported", func() bool { return strings.Contains(s.get(t, "/"), "named pipe, not a regular file") })
	soon(t, "the log has its code", func() bool { return strings.Contains(s.stderr.String(), "(unreadable-prices)") })
	replaceFile(t, prices, `{"listings": [] }`)
	soon(t, "a file heals", func() bool { return !strings.Contains(s.get(t, "/"), "was refused") })
	check(t, os.Remove(s.policy))
	check(t, syscall.Mkfifo(s.policy, 0o600))
	soon(t, "the pipe is reported", func() bool { return strings.Contains(s.get(t, "/"), "named pipe, not a regular file") })
	if status, out := farebox(t, "check", s.policy); status != statusFailed || !strings.Contains(out, "read policy: read "+s.policy+": it is a named pipe") {
		t.Errorf("check of a pipe: exit status %d, %s", status, out)
	}
}

// An open pipe that says nothing hangs as a network mount does whose server is gone.
func TestServeEndsWhileAReadHangs(t *testing.T) {
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	defer w.Close()
	s := startService(t, "version: 1\n")
	check(t, os.WriteFile(s.policy+".new", fmt.Appendf(nil, "version: 1\nprices: {files: [/dev/fd/%d]}\n", r.Fd()), 0o600))
	check(t, os.Rename(s.policy+".new", s.policy))
	check(t, w.SetWriteDeadline(time.Now().Add(patience)))
	_, err = w.Write(make([]byte, 1<<20)) // more than a pipe holds: somebody reads it, and waits for more
	check(t, err)
	s.stop()
	if status := s.wait(t); status != statusOK {
		t.Errorf("exit status %d: %s", status, s.stderr)
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	hung := make(chan struct{})
	defer close(hung)
	stop()
	if _, err := await(ctx, func() (int, error) { <-hung; return 1, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if v, err := await(t.Context(), func() (int, error) { return 1, os.ErrExist }); v != 1 || !errors.Is(err, os.ErrExist) {
		t.Errorf("got %d, %v", v, err)
	}
}
