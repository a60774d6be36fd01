package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/pricing/catalog/internal/packed"
)

const (
	curated = `{"provider": "acme", "hosts": ["api.acme.example"], "listings": [{"model": "m", "input": "2", "output": "8", "source": "page", "as_of": "2026-11"}]}`
	litellm = `{"acme/n": {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06}}`
	genai   = `[{"id": "acme", "models": [{"id": "m", "match": {}, "prices": {"input_mtok": 9, "output_mtok": 9}}]}]`
)

// folder writes the files of a run and returns their folder.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "curated"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"curated/acme.json": curated, "litellm.json": litellm, "genai.json": genai} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestGenerate(t *testing.T) {
	dir := folder(t)
	out := filepath.Join(dir, "out.bin")
	args := []string{"-curated", filepath.Join(dir, "curated"), "-o", out}
	lists := []string{"-litellm", filepath.Join(dir, "litellm.json"), "-litellm-day", "2026-08-01", "-genai", filepath.Join(dir, "genai.json"), "-genai-day", "2026-08-21"}
	var stderr strings.Builder
	if status := run(append(lists, args...), &stderr); status != 0 || !strings.HasPrefix(stderr.String(), "1 curated listings, 1 of the community, ") {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	first, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	c, err := packed.Open(string(first))
	if err != nil {
		t.Fatal(err)
	}
	if m, n := c.Rows("acme", "m"), c.Rows("acme", "n"); len(m) != 1 || m[0].Price.Input != 2e9 || len(n) != 1 || n[0].Source != "litellm@2026-08-01" {
		t.Errorf("packed %+v and %+v, want the curated m and the community's n", m, n)
	}
	if status := run(args, &stderr); status != 0 {
		t.Fatalf("without the lists: status %d: %s", status, &stderr)
	}
	if second, err := os.ReadFile(out); err != nil || !bytes.Equal(first, second) {
		t.Errorf("without the lists the result is another, %v", err)
	}
}

func TestRefuses(t *testing.T) {
	dir := folder(t)
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"help", []string{"-h"}, 0, "Usage of gen"},
		{"unknown flag", []string{"-x"}, 2, "flag provided but not defined"},
		{"half of the lists", []string{"-litellm", "x"}, 2, "gen: want both lists with their days, or neither"},
		{"no packed catalogue to keep", []string{"-curated", filepath.Join(dir, "curated"), "-o", filepath.Join(dir, "none")}, 1, "no such file"},
		{"a catalogue that is none", []string{"-curated", filepath.Join(dir, "curated"), "-o", filepath.Join(dir, "genai.json")}, 1, "want a header"},
		{"a list that is none", []string{"-curated", filepath.Join(dir, "curated"), "-litellm", filepath.Join(dir, "genai.json"), "-litellm-day", "2026-08-01",
			"-genai", filepath.Join(dir, "genai.json"), "-genai-day", "2026-08-01"}, 1, "gen: LiteLLM: want an object of models"},
		{"a bad curated file", []string{"-curated", dir}, 1, `gen: read genai.json: `},
	} {
		var stderr strings.Builder
		if status := run(tt.args, &stderr); status != tt.status || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("%s: status %d, %s, want %d and %q", tt.name, status, &stderr, tt.status, tt.want)
		}
	}
}
