// Package cache decides which answers may be replayed, and until when.
//
// Cache holds whole answers under a Key that covers everything which shaped them. Prefixes remembers which
// prompt prefixes were seen lately, to know where a provider's prompt cache pays.
//
// Cache keeps entries in bigcache, outside the garbage collector's sight, each as one block of bytes with a
// version and a checksum:
//
//	version   1 byte, 1
//	checksum  4 bytes, CRC-32C of all that follows
//	stored    8 bytes, nanoseconds since 1970
//	expires   8 bytes, likewise
//	usage     6 times 8 bytes: the fields of pricing.Usage in their order
//	type      2 bytes of length, then the content type
//	model     2 bytes of length, then the model that was served
//	body      the rest
//
// All numbers are little-endian. A block that does not decode is a miss.
package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/allegro/bigcache/v3"

	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/pricing"
)

// Entry is one answer.
type Entry struct {
	ContentType string
	Body        []byte            // decoded; for a stream the frames as they came
	Usage       pricing.Usage     // what the answer used when the provider gave it
	Model       pricing.ModelName // that was served
	Stored      time.Time         // between the years 1678 and 2262, as Expires
	Expires     time.Time         // first moment at which it is no longer replayed
}

// Cache is an exact cache of bounded size. When it is full, the oldest entries of a shard make room. New is
// the only way to make one. Its methods may run together, except that none may follow Close.
type Cache struct {
	store    *bigcache.BigCache
	metrics  *metrics.Metrics
	maxEntry int // bytes of an encoded entry
	close    sync.Once
}

const (
	megabyte  = 1 << 20
	maxShards = 64
	// minShard is the size below which shards are not split further, in megabytes: a shard's size bounds its
	// entries, and long streams with their frames take megabytes.
	minShard = 8
	// startingShard is the memory that a shard takes before its first entry, in bytes; it doubles as needed.
	startingShard = 8 << 10
	// overhead is what bigcache adds to an entry: key, header and length.
	overhead = 128
)

// New returns an empty cache that holds at most that many megabytes of entries, not counting some 50 bytes
// of index for each, and takes some kilobytes while it is empty.
func New(megabytes int, m *metrics.Metrics) (*Cache, error) {
	if megabytes <= 0 {
		return nil, fmt.Errorf("cache of %d MB: the size must be positive", megabytes)
	}
	shards := shardsFor(megabytes)
	// bigcache's own clock is not used: the time to live stands in the entry, so no janitor runs, and the
	// life window is as good as endless.
	store, err := bigcache.New(context.Background(), bigcache.Config{
		Shards:             shards,
		LifeWindow:         100 * 365 * 24 * time.Hour,
		MaxEntriesInWindow: 1, // bigcache makes it ten per shard
		MaxEntrySize:       startingShard / 10,
		HardMaxCacheSize:   megabytes,
	})
	if err != nil {
		return nil, fmt.Errorf("cache of %d MB: %w", megabytes, err)
	}
	// A shard of bigcache grows by doubling, but not by less than the entry that it needs room for: only
	// entries of up to half a shard are sure to fit.
	return &Cache{store: store, metrics: m, maxEntry: megabytes*megabyte/shards/2 - overhead}, nil
}

// shardsFor returns the power of two that bigcache wants: as many shards as minShard and maxShards allow.
func shardsFor(megabytes int) int {
	n := 1
	for n < maxShards && megabytes/(2*n) >= minShard {
		n *= 2
	}
	return n
}

// Get returns the answer stored under k if it is fresh at now. The caller owns its body.
func (c *Cache) Get(k Key, now time.Time) (Entry, bool) {
	e, result := c.get(k, now)
	c.metrics.Lookup(result)
	return e, result == metrics.Hit
}

func (c *Cache) get(k Key, now time.Time) (Entry, metrics.CacheLookup) {
	block, err := c.store.Get(string(k[:]))
	if err != nil {
		return Entry{}, metrics.Miss
	}
	e, err := decode(block)
	if err != nil {
		return Entry{}, metrics.Miss
	}
	if !now.Before(e.Expires) {
		return Entry{}, metrics.Expired
	}
	return e, metrics.Hit
}

// Put stores an answer under k and replaces what was there. An answer that is too large to be kept is counted
// and dropped, which is no error; errors come from the store below and leave k without an entry.
func (c *Cache) Put(k Key, e Entry) error {
	block, err := encode(e, c.maxEntry)
	if errors.Is(err, errTooLarge) {
		c.metrics.Store(metrics.TooLarge)
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.store.Set(string(k[:]), block); err != nil {
		return fmt.Errorf("store answer of %d bytes: %w", len(block), err)
	}
	c.metrics.Store(metrics.Stored)
	return nil
}

// Stats says how full a cache is.
type Stats struct {
	Entries int // expired ones included
	Bytes   int // of memory taken for entries
}

// Stats returns how full the cache is.
func (c *Cache) Stats() Stats {
	return Stats{Entries: c.store.Len(), Bytes: c.store.Capacity()}
}

// Close gives the entries up. It may be called more than once and never fails.
func (c *Cache) Close() error {
	var err error
	c.close.Do(func() { err = c.store.Close() })
	return err
}
