package main

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shortDir is a folder whose path leaves room for the name of a socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fb") //nolint:usetesting // the name of a test would make the path too long
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestListenOnASocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "sub", "s.sock")
	first, err := listen("unix:" + path)
	check(t, err)
	info, err := os.Stat(path)
	check(t, err)
	if got := info.Mode(); got.Type() != fs.ModeSocket || got.Perm() != 0o660 {
		t.Errorf("mode %s, want a socket of user and group", got)
	}
	if _, err := listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "another process serves") {
		t.Errorf("got %v, want to hear of the one that serves it", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false) // as if it was killed
	check(t, first.Close())
	second, err := listen("unix:" + path)
	check(t, err)
	check(t, second.Close())
}

func TestListenLeavesFilesAlone(t *testing.T) {
	path := filepath.Join(shortDir(t), "file")
	check(t, os.WriteFile(path, []byte("precious"), 0o600))
	if _, err := listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("got %v, want a refusal", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}
