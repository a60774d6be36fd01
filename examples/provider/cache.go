package main

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

const (
	shortLife   = 5 * time.Minute  // Anthropic's default marker; Gemini's implicit cache
	longLife    = time.Hour        // Anthropic's ttl 1h
	stepLife    = 10 * time.Minute // OpenAI before gpt-5.6: 5 to 10 minutes idle
	breakLife   = 30 * time.Minute // OpenAI from gpt-5.6
	cacheStep   = 128              // tokens; granularity of automatic hits
	cacheSweep  = 1 << 16          // entries between sweeps of the expired
	lookback    = 20               // content blocks that an Anthropic breakpoint looks back
	latestMarks = 80               // breakpoints that OpenAI considers
	machines    = 64               // that calls without a routing key may land on
)

// An entryKey names a cached prefix of one caller, model and machine.
type entryKey [sha256.Size]byte

type entry struct {
	expires time.Time
	life    time.Duration
}

// A promptCache holds which prefixes the vendor has processed lately. It is safe for concurrent use.
type promptCache struct {
	clock   *clock
	seed    uint64
	mu      sync.Mutex
	entries map[entryKey]entry
	sweepAt int
}

func newPromptCache(c *clock, seed uint64) *promptCache {
	return &promptCache{clock: c, seed: seed, entries: map[entryKey]entry{}, sweepAt: cacheSweep}
}

// A cacheRequest is one call as the cache sees it.
type cacheRequest struct {
	model  *model
	caller string // credential
	prompt *prompt
	key    string        // OpenAI's prompt_cache_key
	number uint64        // of the request, decides the machine when there is no key
	life   time.Duration // of automatic entries; 0: the default of the model's kind
	off    bool          // OpenAI's mode explicit: no breakpoint but the caller's
}

// A cachePlan says how the prompt divides, and publishes what the call writes once its answer begins: calls that
// run at the same time all pay for the write.
type cachePlan struct {
	read, writeShort, writeLong int
	publish                     func()
}

// usage divides total input tokens.
func (p cachePlan) usage(total int) usage {
	return usage{Input: total - p.read - p.writeShort - p.writeLong, CacheRead: p.read, WriteShort: p.writeShort, WriteLong: p.writeLong}
}

func (c *promptCache) plan(r cacheRequest) cachePlan {
	switch r.model.Cache.Kind {
	case cacheMarkers:
		return c.planMarkers(r)
	case cacheSteps:
		return c.planSteps(r)
	case cacheBreakpoints:
		return c.planBreakpoints(r)
	}
	return cachePlan{publish: func() {}}
}

// planMarkers is Anthropic's: each breakpoint looks back over at most 20 blocks for a live entry, the longest is
// read, and what lies between it and the last breakpoint is written: up to the last 1h marker at the long
// lifetime, the rest at the short one. A prefix below the model's minimum is neither.
func (c *promptCache) planMarkers(r cacheRequest) cachePlan {
	blocks, sums := r.prompt.blocks, r.prompt.blockDigests()
	keys := make([]entryKey, len(sums))
	for i, s := range sums {
		keys[i] = r.entryKey("", s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	hit, last, lastLong := -1, 0, 0
	var marks []int
	for i, b := range blocks {
		if b.marker == 0 || b.end < r.model.Cache.Minimum {
			continue
		}
		marks = append(marks, i)
		last = b.end
		if b.marker == longLife {
			lastLong = b.end
		}
		for j := i; j > i-lookback && j > hit; j-- {
			if c.live(keys[j]) {
				hit = j
			}
		}
	}
	plan := cachePlan{}
	touched := map[entryKey]time.Duration{}
	if hit >= 0 {
		plan.read = blocks[hit].end
		touched[keys[hit]] = c.entries[keys[hit]].life
	}
	for _, i := range marks {
		life := blocks[i].marker
		if c.live(keys[i]) {
			life = c.entries[keys[i]].life // a hit refreshes an entry, it does not prolong its kind
		}
		touched[keys[i]] = life
	}
	plan.writeLong = max(0, lastLong-plan.read)
	plan.writeShort = max(0, last-plan.read-plan.writeLong)
	plan.publish = func() { c.put(touched) }
	return plan
}

// planSteps is the automatic cache of OpenAI before gpt-5.6 and of Gemini: from the minimum on, in steps of 128
// tokens, on the machine that the call lands on. The last token of a prompt is always processed anew.
func (c *promptCache) planSteps(r cacheRequest) cachePlan {
	total := len(r.prompt.tokens)
	var ends []int
	for end := (r.model.Cache.Minimum + cacheStep - 1) / cacheStep * cacheStep; end <= total; end += cacheStep {
		ends = append(ends, end)
	}
	life := stepLife
	if r.model.Vendor == google {
		life = shortLife
	}
	if r.life > 0 {
		life = r.life
	}
	machine := c.machine(r)
	bare := prompt{tokens: r.prompt.tokens}
	plan := cachePlan{}
	touched := map[entryKey]time.Duration{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, sum := range bare.at(ends) {
		key := r.entryKey(machine, sum)
		if ends[i] < total && c.live(key) {
			plan.read = ends[i]
		}
		touched[key] = life
	}
	plan.publish = func() { c.put(touched) }
	return plan
}

// planBreakpoints is OpenAI's from gpt-5.6: prefixes match exactly at a message's end or a marked part, among the
// latest 80. A call writes its newest message's end, unless that is switched off, and the latest marks of the
// caller, four in all. Reads never fall back to a shorter prefix that was not a breakpoint.
func (c *promptCache) planBreakpoints(r cacheRequest) cachePlan {
	blocks, sums, machine := r.prompt.blocks, r.prompt.blockDigests(), c.machine(r)
	life := breakLife
	if r.life > 0 {
		life = r.life
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	plan := cachePlan{}
	touched := map[entryKey]time.Duration{}
	seen, writes, last := 0, 4, 0
	for i := len(blocks) - 1; i >= 0 && seen < latestMarks; i-- {
		b := blocks[i]
		newest := i == len(blocks)-1
		if b.end < r.model.Cache.Minimum || b.marker == 0 && !b.endMessage && !newest {
			continue
		}
		seen++
		key := r.entryKey(machine, sums[i])
		if c.live(key) && b.end > plan.read {
			plan.read = b.end
			touched[key] = c.entries[key].life
		}
		if writes > 0 && (b.marker > 0 || newest && !r.off) {
			writes--
			last = max(last, b.end)
			touched[key] = life
		}
	}
	write := max(0, last-plan.read)
	if r.model.Price != nil && r.model.Price.WriteLong != "" && life > breakLife {
		plan.writeLong = write
	} else {
		plan.writeShort = write
	}
	plan.publish = func() { c.put(touched) }
	return plan
}

// machine is where the call lands. A key and the prompt's start always lead to the same one; without a key about
// half of the calls land elsewhere, decided by the request's number. Gemini has one machine.
func (c *promptCache) machine(r cacheRequest) string {
	if r.model.Vendor == google || r.key != "" {
		return "key:" + r.key
	}
	h := sha256.New()
	h.Write(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, c.seed), r.number))
	sum := h.Sum(nil)
	if sum[0]&1 == 0 {
		return "home"
	}
	return "other:" + string(rune('A'+sum[1]%machines))
}

// entryKey names a prefix for the call's caller and model.
func (r cacheRequest) entryKey(machine string, prefix digest) entryKey {
	h := sha256.New()
	for _, part := range []string{r.caller, r.model.ID, machine} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Write(prefix[:])
	return entryKey(h.Sum(nil))
}

// live says whether an entry may be read now. The caller holds the lock.
func (c *promptCache) live(k entryKey) bool {
	e, ok := c.entries[k]
	return ok && c.clock.now().Before(e.expires)
}

// put writes or refreshes entries.
func (c *promptCache) put(touched map[entryKey]time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.now()
	for k, life := range touched {
		c.entries[k] = entry{now.Add(life), life}
	}
	if len(c.entries) < c.sweepAt {
		return
	}
	for k, e := range c.entries {
		if !now.Before(e.expires) {
			delete(c.entries, k)
		}
	}
	c.sweepAt = max(cacheSweep, 2*len(c.entries))
}

func (c *promptCache) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
}
