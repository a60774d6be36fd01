package cache

import (
	"sync"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing/provider"
)

func TestSeenWithinTheLifetime(t *testing.T) {
	p := NewPrefixes()
	prefix := provider.Prefix{Hash: 7, Bytes: 5000}
	if p.Seen("anthropic", "m", prefix, "t", noon) {
		t.Error("seen before it was sent")
	}
	p.Touch("anthropic", "m", prefix, "t", noon)
	p.Touch("anthropic", "m", prefix, "t", noon.Add(time.Minute))
	p.Touch("anthropic", "m", prefix, "t", noon) // late; must not shorten
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true},
		{time.Minute + PrefixLifetime - 1, true},
		{time.Minute + PrefixLifetime, false},
	} {
		if got := p.Seen("anthropic", "m", prefix, "t", noon.Add(tt.after)); got != tt.want {
			t.Errorf("seen after %s = %t, want %t", tt.after, got, tt.want)
		}
	}
}

func TestPrefixesAreToldApart(t *testing.T) {
	p := NewPrefixes()
	prefix := provider.Prefix{Hash: 7, Bytes: 5000}
	p.Touch("anthropic", "m", prefix, "t", noon)
	for name, got := range map[string]bool{
		"route":     p.Seen("openai", "m", prefix, "t", noon),
		"model":     p.Seen("anthropic", "n", prefix, "t", noon),
		"hash":      p.Seen("anthropic", "m", provider.Prefix{Hash: 8, Bytes: 5000}, "t", noon),
		"length":    p.Seen("anthropic", "m", provider.Prefix{Hash: 7, Bytes: 5001}, "t", noon),
		"partition": p.Seen("anthropic", "m", prefix, "u", noon),
	} {
		if got {
			t.Errorf("another %s passes for the same prefix", name)
		}
	}
}

func TestThePromptWithoutPrefixIsNeverSeen(t *testing.T) {
	p := NewPrefixes()
	p.Touch("anthropic", "m", provider.Prefix{}, "t", noon)
	if p.Seen("anthropic", "m", provider.Prefix{}, "t", noon) {
		t.Error("a prompt without prefix was seen")
	}
}

// A flood of one-off prefixes pushes out what is older, and the newest stay.
func TestAFloodForgetsTheOldest(t *testing.T) {
	p := NewPrefixes()
	const flood = 4 * prefixShards * prefixSets * prefixWays
	for n := range flood {
		p.Touch("r", "m", provider.Prefix{Hash: uint64(n), Bytes: 1}, "", noon.Add(time.Duration(n)))
	}
	seen := 0
	for n := flood - 100; n < flood; n++ {
		if p.Seen("r", "m", provider.Prefix{Hash: uint64(n), Bytes: 1}, "", noon.Add(time.Second)) {
			seen++
		}
	}
	if seen != 100 {
		t.Errorf("%d of the newest 100 prefixes are known, want all", seen)
	}
}

func TestPrefixesDoNotAllocate(t *testing.T) {
	p := NewPrefixes()
	prefix := provider.Prefix{Hash: 7, Bytes: 5000}
	if got := testing.AllocsPerRun(100, func() {
		p.Touch("anthropic", "m", prefix, "t", noon)
		p.Seen("anthropic", "m", prefix, "t", noon)
	}); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

func TestPrefixesConcurrently(t *testing.T) {
	p := NewPrefixes()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range 1000 {
				prefix := provider.Prefix{Hash: uint64(n), Bytes: 1}
				p.Touch("r", "m", prefix, "", noon)
				if !p.Seen("r", "m", prefix, "", noon) {
					t.Errorf("prefix %d is not known right after it was sent", n)
				}
			}
		})
	}
	wg.Wait()
}
