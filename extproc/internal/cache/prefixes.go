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

// writeTime is how long a prefix is taken to be written by the call that marked it first. Others read it once that
// call's answer begins; until then a mark would only pay for another write.
const writeTime = time.Minute

const (
	prefixShards = 64  // each with a lock of its own
	prefixSets   = 256 // per shard
	prefixWays   = 4   // places where one prefix can stand: 65,536 prefixes in all, two megabytes
)

// PrefixKey says whose prompt begins how, and who keeps it: a provider's prompt cache belongs to a model and an
// account.
type PrefixKey struct {
	Route   policies.RouteName
	Model   pricing.ModelName
	Prefix  provider.Prefix
	Account string // tells accounts apart; only a hash of it is kept
}

// Prefixes remembers which prompt prefixes were sent within PrefixLifetime, which of them a provider keeps, and
// which are being written. Memory is fixed: where four other prefixes of the same set were sent later, an older one
// is forgotten, which costs a saving and no money. It holds hashes only, under a seed of its own, so that nobody can
// craft two prefixes that look alike. NewPrefixes is the only way to make one. Its methods may run together and do
// not allocate.
type Prefixes struct {
	seed   maphash.Seed
	shards [prefixShards]prefixShard
}

type prefixShard struct {
	mu   sync.Mutex
	sets [prefixSets][prefixWays]knownPrefix // guarded by mu
}

// knownPrefix is what is known of a prefix; times are in nanoseconds since 1970. The zero value is a free place.
type knownPrefix struct {
	hash    uint64
	sent    int64 // when a call last began with it
	kept    int64 // when an answer last began that left it in the provider's cache
	writing int64 // when a call went out to write it
}

// NewPrefixes returns an empty table.
func NewPrefixes() *Prefixes {
	return &Prefixes{seed: maphash.MakeSeed()}
}

// Claimable reports whether Claim would succeed at that moment, and changes nothing.
func (p *Prefixes) Claimable(k PrefixKey, now time.Time) bool {
	ok := false
	p.change(k, func(e *knownPrefix) { ok = e.keptAt(now) || e.writableAt(now) })
	return ok
}

// Claim reports whether a call may mark the prefix for the provider's cache: the provider keeps it, or it was
// sent before and this call is from now on the one that writes it. The zero Prefix is never claimed.
func (p *Prefixes) Claim(k PrefixKey, now time.Time) bool {
	ok := false
	p.change(k, func(e *knownPrefix) {
		if ok = e.keptAt(now); !ok && e.writableAt(now) {
			e.writing, ok = now.UnixNano(), true
		}
	})
	return ok
}

// Unclaim takes back a Claim of the moment at, as its call wrote nothing: the next one may.
func (p *Prefixes) Unclaim(k PrefixKey, at time.Time) {
	p.change(k, func(e *knownPrefix) {
		if e.writing == at.UnixNano() {
			e.writing = 0
		}
	})
}

// change shows the entry of a prefix to f, if there is one.
func (p *Prefixes) change(k PrefixKey, f func(e *knownPrefix)) {
	if k.Prefix == (provider.Prefix{}) {
		return
	}
	hash := p.hash(k)
	s, set := p.place(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.sets[set] {
		if e := &s.sets[set][i]; e.hash == hash {
			f(e)
			return
		}
	}
}

// Sent notes that a call with the prefix went out.
func (p *Prefixes) Sent(k PrefixKey, now time.Time) {
	p.note(k, now, func(e *knownPrefix, at int64) { e.sent = max(e.sent, at) })
}

// Kept notes that the answer to a call that marked the prefix began: the provider keeps it.
func (p *Prefixes) Kept(k PrefixKey, now time.Time) {
	p.note(k, now, func(e *knownPrefix, at int64) { e.kept, e.writing = max(e.kept, at), 0 })
}

// note changes the entry of a prefix, or a new one in the place of the oldest.
func (p *Prefixes) note(k PrefixKey, now time.Time, change func(e *knownPrefix, at int64)) {
	if k.Prefix == (provider.Prefix{}) {
		return
	}
	hash := p.hash(k)
	s, set := p.place(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	ways := &s.sets[set]
	oldest := 0
	for i := range ways {
		if ways[i].hash == hash {
			change(&ways[i], now.UnixNano())
			return
		}
		if ways[i].latest() < ways[oldest].latest() {
			oldest = i
		}
	}
	ways[oldest] = knownPrefix{hash: hash}
	change(&ways[oldest], now.UnixNano())
}

// keptAt reports whether the provider keeps the prefix.
func (e *knownPrefix) keptAt(now time.Time) bool {
	return now.UnixNano()-e.kept < int64(PrefixLifetime)
}

// writableAt reports whether the prefix was sent before and no call is writing it.
func (e *knownPrefix) writableAt(now time.Time) bool {
	at := now.UnixNano()
	return at-e.sent < int64(PrefixLifetime) && at-e.writing >= int64(writeTime)
}

// latest is when the prefix was last heard of.
func (e *knownPrefix) latest() int64 { return max(e.sent, e.kept) }

// place returns where a hash belongs.
func (p *Prefixes) place(hash uint64) (shard *prefixShard, set int) {
	return &p.shards[hash%prefixShards], int(hash / prefixShards % prefixSets)
}

// hash never returns 0, which marks a free place.
func (p *Prefixes) hash(k PrefixKey) uint64 { return max(maphash.Comparable(p.seed, k), 1) }
