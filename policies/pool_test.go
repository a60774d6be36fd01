package policies

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
)

func TestTokenRate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pool  Pool
		model pricing.ModelName
		want  pricing.Rate
	}{
		// $4.20 an hour over 9 million tokens an hour.
		{"two GPUs at 2500 tokens per second", Pool{GPUHour: 2_100_000_000, GPUs: 2, Throughput: 2500}, "", 466_666_667},
		{"exact", Pool{GPUHour: 3_600_000_000, GPUs: 1, Throughput: 1000}, "", 1_000_000_000},
		{"half rounds up", Pool{GPUHour: 9, GPUs: 1, Throughput: 5000}, "", 1}, // 0.5
		{"less than half rounds down", Pool{GPUHour: 8, GPUs: 1, Throughput: 5000}, "", 0},
		{"free GPUs", Pool{GPUs: 1, Throughput: 1}, "", 0},
		{"no throughput", Pool{GPUHour: 1, GPUs: 1}, "", math.MaxInt64},
		{"negative price", Pool{GPUHour: -1, GPUs: 1, Throughput: 1}, "", math.MaxInt64},
		{"too large", Pool{GPUHour: math.MaxInt64, GPUs: math.MaxInt64, Throughput: 1}, "", math.MaxInt64},
		// Of 4 GPUs at $2 three are spot ones at $1: $5 an hour over 3.6 million tokens an hour.
		{"spot GPUs", Pool{GPUHour: 2 * pricing.Dollar, SpotHour: pricing.Dollar, SpotShare: 75, GPUs: 4, Throughput: 1000}, "", 1_388_888_889},
		{"a share without a price", Pool{GPUHour: 3_600_000_000, SpotShare: 75, GPUs: 1, Throughput: 1000}, "", 1_000_000_000},
		{"a model that is faster", Pool{GPUHour: 3_600_000_000, GPUs: 1, Throughput: 1000, Models: []PoolModel{{"m", "fp8", 2000}}}, "m", 500_000_000},
		{"another model", Pool{GPUHour: 3_600_000_000, GPUs: 1, Throughput: 1000, Models: []PoolModel{{"m", "fp8", 2000}}}, "n", 1_000_000_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := TokenRate(tt.pool, tt.model); got != tt.want {
				t.Errorf("TokenRate(%+v) = %d, want %d", tt.pool, got, tt.want)
			}
		})
	}
}

func TestTokenRateAgreesWithBigArithmetic(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		p := Pool{
			GPUHour:    pricing.Money(rnd.Int64() >> (7 + rnd.IntN(56))), // a hundred hours fit
			GPUs:       rnd.Int64() >> (30 + rnd.IntN(33)),
			Throughput: 1 + rnd.Int64()>>rnd.IntN(63),
		}
		hour := new(big.Int).Mul(big.NewInt(int64(p.GPUHour)), big.NewInt(p.GPUs))
		tokens := new(big.Int).Mul(big.NewInt(p.Throughput), big.NewInt(3600))
		if !hour.IsUint64() || !tokens.IsUint64() {
			continue
		}
		if !new(big.Int).Mul(hour, big.NewInt(100)).IsUint64() || !new(big.Int).Mul(tokens, big.NewInt(100)).IsUint64() {
			continue
		}
		want := new(big.Int).Mul(hour, big.NewInt(1_000_000))
		want.Add(want, new(big.Int).Rsh(tokens, 1))
		want.Div(want, tokens)
		if !want.IsInt64() {
			want.SetInt64(math.MaxInt64)
		}
		if got := TokenRate(p, ""); int64(got) != want.Int64() {
			t.Fatalf("TokenRate(%+v) = %d, want %d", p, got, want)
		}
	}
}

func TestDayCost(t *testing.T) {
	for _, tt := range []struct {
		name string
		pool Pool
		want pricing.Money
	}{
		{"two GPUs", Pool{GPUHour: 2_100_000_000, GPUs: 2}, 100_800_000_000},
		{"none", Pool{}, 0},
		{"a part of them spot", Pool{GPUHour: 2 * pricing.Dollar, SpotHour: pricing.Dollar, SpotShare: 60, GPUs: 5}, 168_000_000_000},
		{"up to a nano-dollar", Pool{GPUHour: 1, SpotHour: 1, SpotShare: 1, GPUs: 1}, 24},
		{"too large", Pool{GPUHour: math.MaxInt64, GPUs: 2}, math.MaxInt64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := DayCost(tt.pool); got != tt.want {
				t.Errorf("DayCost(%+v) = %s, want %s", tt.pool, got, tt.want)
			}
		})
	}
}
