package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

const poolPolicy = `version: 1
mode: enforce
tiers:
  routine: [gpu/llama, openai/ours]
rules:
  - {name: routine, tier: routine}
pools:
  gpu: {endpoints: ["http://10.0.0.5:8000"], cost: $2.10 per gpu-hour, gpus: 2, throughput: 2500 tokens per second}
prices: {files: [prices.json]}
`

const ourPrices = `{"provider": "openai", "listings": [{"model": "ours", "input": "1", "output": "2", "source": "contract", "as_of": "2026-11"}]}`

// saveLoad leaves the state of a server that measured a pool.
func saveLoad(t *testing.T, dir string, l *upstream.Load) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"version": 1, "pools": map[string]any{"gpu": map[string]any{
		"cheaper": true, "load": l,
		"buckets": []any{map[string]any{"number": scriptClock().Unix() / 600, "cost_nanodollars": 101 * pricing.Dollar, "tokens": 5_000_000}},
	}}})
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "pools.json"), fmt.Appendf(nil, "%08x\n%s\n", crc32.ChecksumIEEE(body), body), 0o600))
}

// pooled leaves the calls of a pool in the ledger of a state folder.
func pooled(t *testing.T, dir string, calls ...ledger.Entry) {
	t.Helper()
	l, err := ledger.Open(dir, ledger.Options{Now: scriptClock})
	check(t, err)
	for _, e := range calls {
		e.ID, e.Outcome, e.Settled = ledger.NewID(e.At), ledger.OK, e.At
		check(t, l.Reserve(ledger.Reservation{Call: e.Call, Bound: pricing.Dollar}, e.At))
		check(t, l.Settle(e))
	}
	check(t, l.Close())
}

func TestPricesPoolsOfAServer(t *testing.T) {
	dir := t.TempDir()
	policy, state := filepath.Join(dir, "p.yaml"), filepath.Join(dir, "state")
	check(t, os.WriteFile(policy, []byte(poolPolicy), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "prices.json"), []byte(ourPrices), 0o600))
	call := func(ago time.Duration, pool policies.RouteName, input, cached, output int64) ledger.Entry {
		return ledger.Entry{
			Call:  ledger.Call{At: scriptClock().Add(-ago), Route: "openai", Pool: pool, Model: "ours"},
			Usage: pricing.Usage{Input: input, CacheRead: cached, Output: output},
		}
	}
	pooled(t, state, call(25*time.Hour, "gpu", 1, 0, 1_000_000), call(2*time.Hour, "gpu", 500, 300, 100),
		call(time.Hour, "gpu", 100, 0, 0), call(time.Hour, "", 7, 0, 7))
	saved := upstream.Load{
		At: scriptClock().Add(-20 * time.Second), Servers: 1, Measured: 1, Known: true, TokensPerSecond: 1000, Utilisation: 0.4,
		Running: 12, Waiting: 3, Cache: 0.25,
	}
	show := func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		args = append([]string{"prices", "pools", "--policy", policy, "--state", state}, args...)
		if status := run(t.Context(), args, env{nil, &stdout, &stderr, scriptClock}); status != statusOK {
			t.Fatalf("status %d: %s", status, &stderr)
		}
		return stdout.String()
	}
	for _, tt := range []struct {
		name         string
		change       func(l *upstream.Load)
		used, rate   string
		inUse, why   string
		line         string
		unknownSince bool
	}{
		{
			"measured", func(*upstream.Load) {}, "40.0%", "1.166666667", "yes", "cheaper than the API",
			"gpu: utilisation 40.0%; at 11:59:40 UTC, on 1 of 1 server, 12 requests running, 3 waiting, key-value cache 25.0% full", false,
		},
		{
			"full", func(l *upstream.Load) { l.Full, l.Waiting = true, 20 }, "40.0%", "1.166666667", "no",
			"measured as full, utilisation 40.0%; at 11:59:40 UTC, on 1 of 1 server, 12 requests running, 20 waiting, key-value cache 25.0% full",
			", 20 waiting", false,
		},
		{
			"long ago", func(l *upstream.Load) { l.Full, l.At = true, l.At.Add(-time.Hour) }, "unknown", "-", "yes", "cheaper than the API",
			"gpu: utilisation unknown: not measured since 2026-11-24 10:59 UTC", true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := saved
			tt.change(&l)
			saveLoad(t, state, &l)
			// 900 tokens of input to 100 of output, at $1 and $2: $1.10; $100.80 buys 91.6 million of them.
			want := []string{
				"gpu", "llama", "2", "4.20", "100.80", "2,500", "0.466666667", tt.used, tt.rate,
				"gpu", "llama", "216,000,000", "5,000,000", "91,636,364", "(42.4%)", "openai/ours", "1.1", tt.inUse,
			}
			text := show()
			lines := strings.Split(text, "\n")
			if diff := cmp.Diff(want, strings.Fields(lines[1]+" "+lines[4])); diff != "" {
				t.Errorf("row (-want +got):\n%s", diff)
			}
			says := "gpu/llama: in use: " + tt.inUse + ", " + tt.why + "; input to output 900:100 tokens, as in the last 24 hours\n"
			if !strings.Contains(text, says) || !strings.Contains(text, tt.line) {
				t.Errorf("want %q and %q in:\n%s", says, tt.line, text)
			}
			var got struct{ Pools []poolJSON }
			check(t, json.Unmarshal([]byte(show("--json")), &got))
			p := got.Pools[0]
			if p.BreakEven != 91_636_364 || math.Abs(p.EvenShare-0.42424) > 1e-4 || p.API != "1.1" || !p.MixMeasured || *p.Eligible != 5_000_000 ||
				p.InUse != tt.inUse || (p.Used == "") != tt.unknownSince {
				t.Errorf("JSON %+v", p)
			}
		})
	}
}

func TestAPoolIsInUse(t *testing.T) {
	tier := &policies.Tier{Name: "t", Models: []policies.ModelRef{{Route: "gpu", Model: "m"}, {Route: "openai", Model: "o"}}}
	for _, tt := range []struct {
		name string
		row  poolRow
		cold bool // without a state folder
		want string
	}{
		{"never", poolRow{def: &policies.Pool{Use: policies.Never}, tier: tier, enforced: true}, false, "no"},
		{"in no tier", poolRow{def: &policies.Pool{Use: policies.Always}, enforced: true}, false, "no"},
		{"observed", poolRow{def: &policies.Pool{Use: policies.Always}, tier: tier}, false, "no"},
		{"always", poolRow{def: &policies.Pool{Use: policies.Always}, tier: tier, enforced: true}, true, "yes"},
		{"behind an API model", poolRow{def: &policies.Pool{Use: policies.Always}, tier: tier, behind: tier.Models[1], enforced: true}, false, "no"},
		{"who knows", poolRow{def: &policies.Pool{Use: policies.WhenCheaper}, tier: tier, enforced: true}, true, "unknown"},
		{"dearer", poolRow{def: &policies.Pool{Use: policies.WhenCheaper}, tier: tier, enforced: true}, false, "no"},
		{"cheaper", poolRow{def: &policies.Pool{Use: policies.WhenCheaper}, tier: tier, enforced: true, status: upstream.PoolStatus{Cheaper: true}}, false, "yes"},
		{"out of room", poolRow{def: &policies.Pool{Use: policies.WhenCheaper}, tier: tier, enforced: true, status: upstream.PoolStatus{Cheaper: true, Full: true}}, false, "no"},
	} {
		if got, why := tt.row.inUse(!tt.cold); got != tt.want || why == "" {
			t.Errorf("%s: %s because %q, want %s", tt.name, got, why, tt.want)
		}
	}
}

func TestAModelIsPreferredOnlyIfEveryTierDoes(t *testing.T) {
	gpu, other, api := policies.ModelRef{Route: "gpu", Model: "m"}, policies.ModelRef{Route: "gpu", Model: "n"}, policies.ModelRef{Route: "openai", Model: "o"}
	p := &policies.Policy{
		Pools: []policies.Pool{{Name: "gpu"}},
		Tiers: []policies.Tier{{Models: []policies.ModelRef{other, api, gpu}}, {Models: []policies.ModelRef{api, gpu}}},
	}
	if got := preferred(p, gpu); got != api {
		t.Errorf("%v before %v, want %v", got, gpu, api)
	}
	if got := preferred(p, other); got != (policies.ModelRef{}) {
		t.Errorf("%v before %v", got, other)
	}
	p.Tiers = append(p.Tiers, policies.Tier{Models: []policies.ModelRef{gpu, api}})
	if got := preferred(p, gpu); got != (policies.ModelRef{}) {
		t.Errorf("%v before %v, though a tier has that first", got, gpu)
	}
}
