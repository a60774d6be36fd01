package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// listen opens the address that Envoy connects to. A socket file that nobody serves is replaced.
func listen(address string) (net.Listener, error) {
	var l net.Listener
	var err error
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		l, err = listenUnix(path)
	} else {
		l, err = net.Listen("tcp", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for Envoy: %w", err)
	}
	return l, nil
}

func listenUnix(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	// The group is who may talk to the server.
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeSocket makes room for a socket, unless what is there is in use or no socket.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%q is there and is no socket", path)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = conn.Close() // nothing was said
		return fmt.Errorf("another process serves %q; stop it or choose another --listen", path)
	}
	return os.Remove(path)
}
