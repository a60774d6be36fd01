package upstream

import (
	"io"
	"log/slog"
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

var (
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	quiet = slog.New(slog.NewTextHandler(io.Discard, nil))
)

// gpu costs $100 in 24 hours.
var gpu = policies.Pool{
	Name: "gpu", GPUHour: 2_083_333_333, GPUs: 2, Throughput: 2500, Use: policies.WhenCheaper,
}

// unmeasured is the load of a pool whose servers were never asked.
var unmeasured = Load{Why: "not measured"}

const gpuDay pricing.Money = 2_083_333_333 * 2 * 24

func newPools(t testing.TB, dir string, pools ...policies.Pool) *Pools {
	t.Helper()
	p := Open(dir, noon, quiet)
	p.SetPools(pools)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestCheaperFollowsTheBreakEvenWithHysteresis(t *testing.T) {
	p := newPools(t, "", gpu)
	for _, step := range []struct {
		name string
		at   time.Duration
		api  pricing.Money // of a call at that moment
		want bool
	}{
		{"nothing yet", 0, 0, false},
		{"exactly the GPU cost is not cheaper", time.Hour, gpuDay, false},
		{"one nano-dollar more is", 2 * time.Hour, 1, true},
		{"still within 24 hours", 24*time.Hour + 49*time.Minute, 0, true},
		{"the first call is forgotten", 25 * time.Hour, 0, false},
		{"95% does not switch on", 26 * time.Hour, percent(gpuDay, 95), false},
		{"100% and a bit does", 27 * time.Hour, percent(gpuDay, 6), true},
		{"92% stays on", 48 * time.Hour, percent(gpuDay, 92), true},
		{"what is left is 92%", 51*time.Hour + 10*time.Minute, 0, true},
		{"all forgotten", 80 * time.Hour, 0, false},
	} {
		now := noon.Add(step.at)
		p.Observe("gpu", step.api, 1000, now)
		if got := p.Cheaper("gpu", now); got != step.want {
			t.Errorf("%s: cheaper = %t, want %t; %+v", step.name, got, step.want, p.Status(now))
		}
	}
}

func TestCheaperSwitchesOffBelowNinetyPercent(t *testing.T) {
	for _, tt := range []struct {
		name string
		left pricing.Money
		want bool
	}{
		{"at 90%", percent(gpuDay, 90), true},
		{"below 90%", percent(gpuDay, 90) - 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPools(t, "", gpu)
			p.Observe("gpu", gpuDay+1, 1, noon)
			if !p.Cheaper("gpu", noon) {
				t.Fatal("not switched on")
			}
			p.Observe("gpu", tt.left, 1, noon.Add(12*time.Hour))
			if got := p.Cheaper("gpu", noon.Add(25*time.Hour)); got != tt.want {
				t.Errorf("cheaper = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	p := newPools(t, "", gpu, policies.Pool{Name: "batch", GPUHour: pricing.Dollar, GPUs: 1, Throughput: 1, Use: policies.Never})
	p.Observe("gpu", 2*gpuDay, 700, noon)
	p.Observe("gpu", -5, -5, noon)
	p.Observe("nowhere", gpuDay, 1, noon)
	want := []PoolStatus{
		{Name: "batch", Use: policies.Never, GPUCost24h: 24 * pricing.Dollar, Capacity: 86_400, Load: unmeasured},
		{Name: "gpu", Use: policies.WhenCheaper, APICost24h: 2 * gpuDay, GPUCost24h: gpuDay, Tokens24h: 700, Capacity: 216_000_000, Cheaper: true, Load: unmeasured},
	}
	if diff := cmp.Diff(want, p.Status(noon)); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if p.Cheaper("nowhere", noon) {
		t.Error("a pool that the policy does not name is cheaper")
	}
}

func TestSetPoolsKeepsTheHistoryOfANameThatStays(t *testing.T) {
	p := newPools(t, "", gpu)
	p.Observe("gpu", 2*gpuDay, 1, noon)
	dearer := gpu
	dearer.GPUs = 20
	p.SetPools([]policies.Pool{dearer})
	want := []PoolStatus{{Name: "gpu", Use: gpu.Use, APICost24h: 2 * gpuDay, GPUCost24h: 10 * gpuDay, Tokens24h: 1, Capacity: 216_000_000, Load: unmeasured}}
	if diff := cmp.Diff(want, p.Status(noon)); diff != "" {
		t.Errorf("status at ten times the GPUs (-want +got):\n%s", diff)
	}
	p.SetPools(nil)
	p.SetPools([]policies.Pool{gpu})
	if got := p.Status(noon)[0].APICost24h; got != 0 {
		t.Errorf("a pool that was gone still has %s of history", got)
	}
}

// The ring agrees with a list of all calls, late ones included.
func TestHistoryAgreesWithASlowModel(t *testing.T) {
	type call struct {
		number int64
		cost   pricing.Money
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	var h history
	var calls []call
	now := noon
	for range 3000 {
		now = now.Add(time.Duration(rnd.Int64N(int64(time.Hour))))
		at := now.Add(-time.Duration(rnd.Int64N(int64(2 * time.Hour))))
		if rnd.IntN(50) == 0 {
			at = now.Add(-30 * time.Hour)
		}
		h.advance(now)
		cost := pricing.Money(rnd.Int64N(1000))
		h.add(at, cost, 2*int64(cost))
		calls = append(calls, call{bucketOf(at), cost})
		var want pricing.Money
		for _, c := range calls {
			if c.number > bucketOf(now)-int64(buckets) {
				want += c.cost
			}
		}
		if h.cost != want || h.tokens != 2*int64(want) {
			t.Fatalf("at %s: cost %d and tokens %d, want %d and %d", now, h.cost, h.tokens, want, 2*want)
		}
	}
}

func TestSumsSaturate(t *testing.T) {
	p := newPools(t, "", gpu)
	for range 3 {
		p.Observe("gpu", math.MaxInt64, math.MaxInt64, noon)
	}
	s := p.Status(noon.Add(time.Hour))[0]
	if s.APICost24h != math.MaxInt64 || s.Tokens24h != math.MaxInt64 {
		t.Errorf("sums = %d and %d, want the largest numbers", s.APICost24h, s.Tokens24h)
	}
}

func TestPercentAgreesWithBigArithmetic(t *testing.T) {
	for _, m := range []pricing.Money{0, 1, 99, 100, 101, gpuDay, math.MaxInt64} {
		want := new(big.Int).Mul(big.NewInt(int64(m)), big.NewInt(keepAbove))
		want.Div(want, big.NewInt(100))
		if got := percent(m, keepAbove); int64(got) != want.Int64() {
			t.Errorf("percent(%d, %d) = %d, want %d", m, keepAbove, got, want)
		}
	}
}

func TestPoolsConcurrently(t *testing.T) {
	p := newPools(t, t.TempDir(), gpu)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range 500 {
				now := noon.Add(time.Duration(n) * time.Second)
				p.Observe("gpu", 1, 1, now)
				p.Cheaper("gpu", now)
				p.Status(now)
				if n%100 == 0 {
					p.SetPools([]policies.Pool{gpu})
				}
			}
		})
	}
	wg.Go(func() {
		for range 10 {
			if err := p.save(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if got := p.Status(noon.Add(time.Hour))[0].Tokens24h; got != 2000 {
		t.Errorf("tokens = %d, want 2000", got)
	}
}

func TestAVolumeSwitchesAPoolOn(t *testing.T) {
	large := gpu
	large.Use, large.Above = policies.AboveVolume, 1000
	p := newPools(t, "", large)
	for _, step := range []struct {
		name   string
		at     time.Duration
		tokens int64
		want   bool
	}{
		{"nothing yet", 0, 0, false},
		{"exactly the volume", time.Hour, 1000, false},
		{"a token more", 2 * time.Hour, 1, true},
		{"the volume is gone", 30 * time.Hour, 899, false},
		{"most of it does not switch on", 31 * time.Hour, 50, false},
		{"more of it does", 32 * time.Hour, 52, true},
	} {
		now := noon.Add(step.at)
		p.Observe("gpu", 1, step.tokens, now)
		if got := p.Cheaper("gpu", now); got != step.want {
			t.Errorf("%s: %t, want %t; %+v", step.name, got, step.want, p.Status(now))
		}
	}
}

func TestAFullPoolTakesNoMore(t *testing.T) {
	dir := t.TempDir()
	p := newPools(t, dir, gpu)
	p.Observe("gpu", 2*gpuDay, 1, noon)
	const full = 2500 * 86_400 * busy / 100
	p.Took("gpu", full-1, noon)
	if !p.Cheaper("gpu", noon) {
		t.Error("a pool with room takes nothing")
	}
	p.Took("gpu", 1, noon)
	if s := p.Status(noon)[0]; p.Cheaper("gpu", noon) || !s.Full || !s.Cheaper || s.Taken24h != full {
		t.Errorf("a full pool takes more: %+v", s)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if s := newPools(t, dir, gpu).Status(noon)[0]; !s.Full {
		t.Errorf("after a restart the pool is not full: %+v", s)
	}
	later := noon.Add(25 * time.Hour)
	p.Observe("gpu", 2*gpuDay, 1, later)
	if !p.Cheaper("gpu", later) {
		t.Error("a day later the pool is still full")
	}
}
