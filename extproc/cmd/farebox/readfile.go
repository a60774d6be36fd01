package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/farebox-mesh/farebox/pricing/catalog/pricefile"
)

// The longest files that are read, in bytes: a policy has to be shorter, which its parser says, and a price file may
// have as much as its parser takes.
const (
	maxPolicy = 8 << 20
	maxPrices = pricefile.MaxSize
)

// readFile reads a regular file, or what a link leads to, of at most limit bytes. What a pipe or a device holds may never
// come, or never end. The descriptors that a shell hands over, as /dev/stdin or /dev/fd/63, are what they are.
func readFile(path string, limit int64) ([]byte, error) {
	mode := os.O_RDONLY
	if !handedOver(path) {
		mode |= syscall.O_NONBLOCK // opening a named pipe would wait for its writer
	}
	file, err := os.OpenFile(path, mode, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !handedOver(path) {
		why := "is " + kindOf(info.Mode()) + ", not a regular file"
		if info.IsDir() {
			why += "; name a file in it"
		}
		return nil, unusable(path, why)
	}
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, unusable(path, fmt.Sprintf("is longer than %d MiB", limit>>20))
	}
	return text, nil
}

// handedOver reports whether a path names a descriptor of this process.
func handedOver(path string) bool {
	return path == "/dev/stdin" || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/fd/")
}

// kindOf says what a file is that is no regular one.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

// unusable says why a file is not read, in the form of the errors of package os.
func unusable(path, why string) error {
	return &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it %s", why)}
}

// await runs what may hang, as the read of a file on a network mount does, and waits for it until ctx ends. Nobody waits
// for it after that: it must change nothing that others use.
func await[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
