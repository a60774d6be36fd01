package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// listed returns some model of OpenAI's that has a price of tokens at a moment.
func listed(t *testing.T, at time.Time) *pricing.Listing {
	t.Helper()
	all := catalog.Table().Listings()
	for i := range all {
		l := catalog.Table().Lookup("openai", all[i].Model, at)
		if l != nil && l.Price.Input > 0 && len(l.Windows) == 0 {
			return l
		}
	}
	t.Fatal("the catalogue has no model of openai")
	return nil
}

// spendTwice leaves a state folder with calls that were charged at twice the list, and returns what they should have cost.
func spendTwice(t *testing.T, dir string, calls int) pricing.Money {
	t.Helper()
	now := scriptClock()
	l, err := ledger.Open(dir, ledger.Options{Now: scriptClock})
	check(t, err)
	listing := listed(t, now)
	usage := pricing.Usage{Input: 1000, Output: 500}
	cost, err := listing.Price.Cost(usage)
	check(t, err)
	for range calls {
		id := ledger.NewID(now)
		check(t, l.Reserve(ledger.Reservation{
			Call:  ledger.Call{ID: id, Provider: "openai", Route: "openai", Asked: listing.Model, Model: listing.Model},
			Bound: 9 * cost, Charge: 9 * cost,
		}, now.Add(-time.Minute)))
		check(t, l.Settle(ledger.Entry{
			Call: ledger.Call{ID: id}, Outcome: ledger.OK, Cost: 2 * cost, Charge: 2 * cost, Baseline: 2 * cost, Usage: usage, Settled: now,
		}))
	}
	check(t, l.Close())
	return pricing.Money(calls) * cost
}

// rerateJSON runs farebox prices rerate --json and returns its total.
func rerateJSON(t *testing.T, args ...string) (total struct {
	Calls, Changed int64
	Before         string `json:"before_usd"`
	After          string `json:"after_usd"`
}) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), append([]string{"prices", "rerate", "--json"}, args...), env{nil, &stdout, &stderr, scriptClock}); status != statusOK {
		t.Fatalf("status %d: %s", status, stderr.String())
	}
	report := struct{ Total any }{&total}
	check(t, json.Unmarshal(stdout.Bytes(), &report))
	return total
}

func TestRerateCorrectsAStateFolderOnce(t *testing.T) {
	dir := t.TempDir()
	policy := filepath.Join(dir, "p.yaml")
	check(t, os.WriteFile(policy, []byte("version: 1\n"), 0o600))
	state := filepath.Join(dir, "state")
	right := spendTwice(t, state, 3)
	args := []string{"--policy", policy, "--state", state}

	for _, tt := range []struct {
		name    string
		more    []string
		calls   int64
		changed int64
		before  pricing.Money
	}{
		{"it shows", nil, 3, 3, 2 * right},
		{"and changes nothing", []string{"--from", "2026-11-24", "--to", "2026-11-25"}, 3, 3, 2 * right},
		{"of another day", []string{"--to", "2026-11-24"}, 0, 0, 0},
		{"of another model", []string{"--model", "no-*"}, 0, 0, 0},
		{"it applies", []string{"--apply"}, 3, 3, 2 * right},
		{"once", []string{"--apply"}, 3, 0, right},
	} {
		got := rerateJSON(t, append(args[:len(args):len(args)], tt.more...)...)
		after := right
		if tt.calls == 0 {
			after = 0
		}
		if got.Calls != tt.calls || got.Changed != tt.changed || got.Before != tt.before.String() || got.After != after.String() {
			t.Errorf("%s: got %+v, want %d calls, %d changed, from %s to %s", tt.name, got, tt.calls, tt.changed, tt.before, after)
		}
	}
	l, err := ledger.Open(state, ledger.Options{Now: scriptClock})
	check(t, err)
	defer l.Close()
	check(t, l.SetBudgets(t.Context(), []policies.Budget{{Name: "all", Limit: 10 * right, Window: policies.Month, Zone: time.UTC}}, scriptClock()))
	if b := l.Balances(scriptClock()); b[0].Spent != right {
		t.Errorf("spent %s, want %s", b[0].Spent, right)
	}

	var stdout, stderr bytes.Buffer
	status := run(t.Context(), append([]string{"prices", "rerate", "--apply"}, args...), env{nil, &stdout, &stderr, scriptClock})
	if status != statusFailed || !strings.Contains(stderr.String(), "state folder in use") {
		t.Errorf("while the folder is in use: status %d, %s", status, stderr.String())
	}
}

func TestAConnectionIsNotShown(t *testing.T) {
	for c, want := range map[connection]string{"": "", "file:/run/pg": "file:/run/pg", "postgres://a:hush@b/c": "[redacted]"} {
		if got := c.String(); got != want || c.LogValue().String() != want {
			t.Errorf("%q: got %q and %q, want %q", string(c), got, c.LogValue(), want)
		}
	}
}
