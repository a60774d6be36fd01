package cache

import (
	"sync"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing/provider"
)

var system = PrefixKey{Route: "anthropic", Model: "m", Prefix: provider.Prefix{Hash: 7, Bytes: 5000}, Account: "t"}

func numbered(n int) PrefixKey {
	return PrefixKey{Route: "r", Model: "m", Prefix: provider.Prefix{Hash: uint64(n), Bytes: 1}}
}

func TestAPrefixIsMarkedWhenItRepeats(t *testing.T) {
	p := NewPrefixes()
	if p.Claim(system, noon) {
		t.Error("claimed before it was sent")
	}
	p.Sent(system, noon)
	p.Sent(system, noon.Add(-time.Minute)) // late; must not shorten
	if p.Claim(system, noon.Add(PrefixLifetime)) {
		t.Error("claimed after the lifetime")
	}
	if !p.Claim(system, noon.Add(PrefixLifetime-1)) {
		t.Error("not claimed within the lifetime")
	}
}

func TestOneCallAtATimeWritesAPrefix(t *testing.T) {
	p := NewPrefixes()
	p.Sent(system, noon)
	if !p.Claim(system, noon) {
		t.Fatal("the first one cannot write it")
	}
	if p.Claim(system, noon.Add(time.Second)) {
		t.Error("a second call would write it while the first one does")
	}
	p.Kept(system, noon.Add(2*time.Second))
	for range 2 {
		if !p.Claim(system, noon.Add(2*time.Second)) {
			t.Error("not marked although the provider keeps it")
		}
	}
	if !p.Claim(system, noon.Add(2*time.Second+PrefixLifetime-1)) || p.Claim(system, noon.Add(2*time.Second+PrefixLifetime)) {
		t.Error("what the provider keeps does not last as long as its lifetime")
	}
}

func TestAWriteThatNeverEndedIsTriedAgain(t *testing.T) {
	p := NewPrefixes()
	p.Sent(system, noon)
	p.Claim(system, noon)
	if p.Claim(system, noon.Add(writeTime-1)) || !p.Claim(system, noon.Add(writeTime)) {
		t.Error("want another write after writeTime, and none before")
	}
}

func TestToAskDoesNotClaim(t *testing.T) {
	p := NewPrefixes()
	p.Sent(system, noon)
	for range 2 {
		if !p.Claimable(system, noon) {
			t.Fatal("not claimable")
		}
	}
	if !p.Claim(system, noon) || p.Claimable(system, noon) {
		t.Error("want one claim, and none while it lasts")
	}
	p.Kept(system, noon)
	if !p.Claimable(system, noon) {
		t.Error("not claimable although the provider keeps it")
	}
}

func TestAClaimCanBeTakenBack(t *testing.T) {
	p := NewPrefixes()
	p.Unclaim(system, noon) // of a prefix that nobody knows
	p.Sent(system, noon)
	p.Claim(system, noon)
	p.Unclaim(system, noon.Add(-time.Second))
	if p.Claim(system, noon.Add(1)) {
		t.Error("somebody else's claim was taken back")
	}
	p.Unclaim(system, noon)
	if !p.Claim(system, noon.Add(2)) {
		t.Error("not claimable after the claim was taken back")
	}
}

func TestPrefixesAreToldApart(t *testing.T) {
	p := NewPrefixes()
	p.Sent(system, noon)
	for name, change := range map[string]func(*PrefixKey){
		"route":   func(k *PrefixKey) { k.Route = "openai" },
		"model":   func(k *PrefixKey) { k.Model = "n" },
		"hash":    func(k *PrefixKey) { k.Prefix.Hash++ },
		"length":  func(k *PrefixKey) { k.Prefix.Bytes++ },
		"account": func(k *PrefixKey) { k.Account = "u" },
	} {
		k := system
		change(&k)
		if p.Claim(k, noon) {
			t.Errorf("another %s passes for the same prefix", name)
		}
	}
}

func TestThePromptWithoutPrefixIsNeverClaimed(t *testing.T) {
	p := NewPrefixes()
	none := PrefixKey{Route: "anthropic", Model: "m"}
	p.Sent(none, noon)
	p.Kept(none, noon)
	if p.Claim(none, noon) {
		t.Error("a prompt without prefix was claimed")
	}
}

// A flood of one-off prefixes pushes out what is older, and the newest stay.
func TestAFloodForgetsTheOldest(t *testing.T) {
	p := NewPrefixes()
	const flood = 4 * prefixShards * prefixSets * prefixWays
	for n := range flood {
		p.Sent(numbered(n), noon.Add(time.Duration(n)))
	}
	known := 0
	for n := flood - 100; n < flood; n++ {
		if p.Claim(numbered(n), noon.Add(time.Second)) {
			known++
		}
	}
	if known != 100 {
		t.Errorf("%d of the newest 100 prefixes are known, want all", known)
	}
}

func TestPrefixesDoNotAllocate(t *testing.T) {
	p := NewPrefixes()
	if got := testing.AllocsPerRun(100, func() {
		p.Sent(system, noon)
		p.Claimable(system, noon)
		p.Claim(system, noon)
		p.Unclaim(system, noon)
		p.Kept(system, noon)
	}); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

func TestOfManyCallsAtOnceOneWrites(t *testing.T) {
	p := NewPrefixes()
	const prefixes, callers = 1000, 4
	for n := range prefixes {
		p.Sent(numbered(n), noon)
	}
	var mu sync.Mutex
	claims := map[int]int{}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for n := range prefixes {
				if p.Claim(numbered(n), noon) {
					mu.Lock()
					claims[n]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for n := range prefixes {
		if claims[n] != 1 {
			t.Errorf("prefix %d is written by %d calls, want 1", n, claims[n])
		}
	}
}
