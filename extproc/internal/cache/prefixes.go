package cache

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// PrefixLifetime is how long a provider keeps a prompt prefix after its last use: five minutes at Anthropic,
// as stated on https://platform.claude.com/docs/en/build-with-claude/prompt-caching; others keep it longer.
const PrefixLifetime = 5 * time.Minute

const (
	prefixShards = 64  // each with a lock of its own
	prefixSets   = 256 // per shard
	prefixWays   = 4   // places where one prefix can stand: 65,536 prefixes in all, one megabyte
)

// Prefixes remembers which prompt prefixes were sent within PrefixLifetime. Memory is fixed: where four other
// prefixes of the same set were sent later, an older one is forgotten, which costs a saving and no money. It
// keeps hashes only, under a seed of its own, so that nobody can craft two prefixes that look alike.
// NewPrefixes is the only way to make one. Its methods may run together and do not allocate.
type Prefixes struct {
	seed   maphash.Seed
	shards [prefixShards]prefixShard
}

type prefixShard struct {
	mu   sync.Mutex
	sets [prefixSets][prefixWays]seenPrefix // guarded by mu
}

// seenPrefix is a hash and when it was last sent, in nanoseconds since 1970. The zero value is a free place.
type seenPrefix struct {
	hash uint64
	at   int64
}

// NewPrefixes returns an empty table.
func NewPrefixes() *Prefixes {
	return &Prefixes{seed: maphash.MakeSeed()}
}

// Seen reports whether the prefix went to the model within PrefixLifetime before now. Partition separates
// whoever does not share a provider's prompt cache, such as holders of different credentials. The zero
// Prefix is never seen.
func (p *Prefixes) Seen(
	route policies.RouteName, model pricing.ModelName, prefix provider.Prefix, partition string, now time.Time,
) bool {
	if prefix == (provider.Prefix{}) {
		return false
	}
	hash := p.hash(route, model, prefix, partition)
	s, set := p.place(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.sets[set] {
		if e.hash == hash {
			return time.Duration(now.UnixNano()-e.at) < PrefixLifetime
		}
	}
	return false
}

// Touch notes that the prefix was sent at now.
func (p *Prefixes) Touch(
	route policies.RouteName, model pricing.ModelName, prefix provider.Prefix, partition string, now time.Time,
) {
	if prefix == (provider.Prefix{}) {
		return
	}
	hash, at := p.hash(route, model, prefix, partition), now.UnixNano()
	s, set := p.place(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	ways := &s.sets[set]
	oldest := 0
	for i, e := range ways {
		if e.hash == hash {
			ways[i].at = max(e.at, at)
			return
		}
		if e.at < ways[oldest].at {
			oldest = i
		}
	}
	ways[oldest] = seenPrefix{hash, at}
}

// place returns where a hash belongs.
func (p *Prefixes) place(hash uint64) (shard *prefixShard, set int) {
	return &p.shards[hash%prefixShards], int(hash / prefixShards % prefixSets)
}

// hash never returns 0, which marks a free place.
func (p *Prefixes) hash(
	route policies.RouteName, model pricing.ModelName, prefix provider.Prefix, partition string,
) uint64 {
	sum := maphash.Comparable(p.seed, prefixKey{route, model, prefix, partition})
	return max(sum, 1)
}

type prefixKey struct {
	route     policies.RouteName
	model     pricing.ModelName
	prefix    provider.Prefix
	partition string
}
