package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
)

func TestReadyMeansThatCallsPass(t *testing.T) {
	const nobody = "redis://127.0.0.1:1"
	for _, tt := range []struct {
		name, budgets string
		ready         bool
	}{
		{"no budget", "", true},
		{"soft budgets", "budgets: [{name: a, limit: $1 per day, soft: true}]\n", true},
		{"budgets that let pass", "budgets: [{name: a, limit: $1 per day, on_outage: allow}, {name: b, limit: $1 per day, soft: true}]\n", true},
		{"one that refuses", "budgets: [{name: a, limit: $1 per day, on_outage: allow}, {name: b, limit: $1 per day}]\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortDir(t)
			file := filepath.Join(dir, "p.yaml")
			check(t, os.WriteFile(file, []byte("version: 1\nmode: enforce\n"+tt.budgets), 0o600))
			registry := prometheus.NewRegistry()
			s := serveFlags{policy: file, state: filepath.Join(dir, "state")}
			check(t, s.redis.Set(nobody))
			p, err := open(t.Context(), s, metrics.New(registry), registry, slog.New(slog.DiscardHandler),
				env{stdout: io.Discard, stderr: io.Discard, now: time.Now})
			check(t, err)
			defer func() { check(t, p.close()) }()
			if err := p.readiness(); (err == nil) != tt.ready || (err != nil && !strings.Contains(err.Error(), "Redis cannot be reached")) {
				t.Errorf("readiness %v, want ready %t", err, tt.ready)
			}
		})
	}
}
