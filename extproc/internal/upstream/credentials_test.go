package upstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/policies"
)

func policyWith(provider, pool string) *policies.Policy {
	return &policies.Policy{
		Providers: []policies.Provider{
			{Name: "openai", Credential: policies.Credential{Caller: true}},
			{Name: "anthropic", Credential: policies.Credential{File: provider}},
		},
		Pools: []policies.Pool{{Name: "gpu", Credential: policies.Credential{File: pool}}},
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantSecret(t *testing.T, c *Credentials, name policies.RouteName, want string) {
	t.Helper()
	got, ok := c.Get(name)
	if got.Reveal() != want || ok != (want != "") {
		t.Errorf("credential of %q = %q, %t; want %q", name, got.Reveal(), ok, want)
	}
}

func loaded(t *testing.T, p *policies.Policy, logger *slog.Logger) *Credentials {
	t.Helper()
	c, err := LoadCredentials(p, logger)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCredentialsAreTheFirstLine(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "  sk-ant-1\r\nrest\n")
	write(t, b, "token")
	c := loaded(t, policyWith(a, b), quiet)
	wantSecret(t, c, "anthropic", "sk-ant-1")
	wantSecret(t, c, "gpu", "token")
	wantSecret(t, c, "openai", "")
	wantSecret(t, c, "nowhere", "")
}

func TestLoadNamesEveryBadFile(t *testing.T) {
	dir := t.TempDir()
	good, bad, gone := filepath.Join(dir, "good"), filepath.Join(dir, "bad"), filepath.Join(dir, "gone")
	write(t, good, "old")
	for _, text := range []string{"", "\nsecond line", "a b", "a\x00b", "sch\u00fcssel", strings.Repeat("x", maxCredential+1)} {
		write(t, bad, text)
		_, err := LoadCredentials(policyWith(bad, gone), quiet)
		if err == nil {
			t.Errorf("no error for %.20q", text)
			continue
		}
		for _, want := range []string{bad, gone, "anthropic", "gpu"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not name %q", err, want)
			}
		}
	}
	if _, err := LoadCredentials(policyWith(dir, good), quiet); err == nil {
		t.Error("no error for a directory")
	}
}

// A hung mount holds a look at the files up, and no call.
func TestNoCallWaitsForAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, "first")
	c := loaded(t, policyWith(path, path), quiet)
	c.refreshing.Lock()
	wantSecret(t, c, "anthropic", "first")
	c.refreshing.Unlock()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(100, func() { c.Get("anthropic") }); got != 0 {
		t.Errorf("a look at a credential makes %v allocations: does it look at the file?", got)
	}
}

func TestAChangedFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, "first")
	var log bytes.Buffer
	c := loaded(t, policyWith(path, ""), slog.New(slog.NewTextHandler(&log, nil)))
	change := func(text string, at time.Time) {
		t.Helper()
		write(t, path, text)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	change("other", noon) // same length, another time
	wantSecret(t, c, "anthropic", "first")
	c.Refresh(t.Context())
	wantSecret(t, c, "anthropic", "other")

	change("", noon.Add(time.Second))
	for range 3 {
		c.Refresh(t.Context())
		wantSecret(t, c, "anthropic", "other")
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 1 {
		t.Errorf("%d warnings about an empty file, want one:\n%s", got, log.String())
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.Refresh(t.Context())
		wantSecret(t, c, "anthropic", "other")
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 2 {
		t.Errorf("%d warnings after the file went too, want two:\n%s", got, log.String())
	}

	change("third", noon.Add(2*time.Second))
	c.Refresh(t.Context())
	wantSecret(t, c, "anthropic", "third")
	if strings.Contains(log.String(), "other") {
		t.Errorf("the log shows a credential:\n%s", log.String())
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	s := newSecret("sk-hidden")
	inside := struct {
		Public  Secret
		private Secret
	}{s, s}
	marshalled, err := json.Marshal(inside)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "inside", inside)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "inside", inside)
	shown := []string{s.String(), string(marshalled), log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, inside))
	}
	for _, text := range shown {
		if strings.Contains(text, "hidden") || strings.Contains(text, fmt.Sprintf("%x", "hidden")) {
			t.Errorf("a secret shows in %q", text)
		}
	}
	if got := s.Reveal(); got != "sk-hidden" {
		t.Errorf("Reveal = %q", got)
	}
	if got := (Secret{}).Reveal(); got != "" {
		t.Errorf("Reveal of the zero Secret = %q, want nothing", got)
	}
}
