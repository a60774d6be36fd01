package main

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/farebox-mesh/farebox/envoy"
)

// release is an Envoy version: major, minor, patch.
type release [3]int

var (
	dotted = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)$`)
	// As in "envoy  version: 9e55809/1.40.0/Clean/RELEASE/BoringSSL".
	banner = regexp.MustCompile(`version: [0-9a-f]*/(\d+\.\d+\.\d+)`)
)

func (r release) String() string { return fmt.Sprintf("%d.%d.%d", r[0], r[1], r[2]) }

// supported says whether farebox runs behind r: at least the oldest supported
// release, and of its major version.
func (r release) supported() bool {
	oldest, err := parseRelease(envoy.Oldest())
	if err != nil {
		panic("internal error: envoy/OLDEST: " + err.Error())
	}
	return r[0] == oldest[0] && !r.less(oldest)
}

func (r release) less(o release) bool {
	for i := range r {
		if r[i] != o[i] {
			return r[i] < o[i]
		}
	}
	return false
}

func parseRelease(s string) (release, error) {
	m := dotted.FindStringSubmatch(s)
	if m == nil {
		return release{}, fmt.Errorf("version %q: want three numbers with dots", s)
	}
	var r release
	for i := range r {
		n, err := strconv.Atoi(m[i+1])
		if err != nil {
			return release{}, fmt.Errorf("version %q: %w", s, err)
		}
		r[i] = n
	}
	return r, nil
}

// parseBanner reads what envoy --version prints.
func parseBanner(s string) (release, error) {
	m := banner.FindStringSubmatch(s)
	if m == nil {
		return release{}, fmt.Errorf("no version in %q", s)
	}
	return parseRelease(m[1])
}
