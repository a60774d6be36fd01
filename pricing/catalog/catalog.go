// Package catalog holds published prices: what vendors charge per model, with the source and the day of reading.
//
// One JSON file per provider lists its hosts and its prices:
//
//	{
//	  "provider": "deepseek",             // the file's name without .json
//	  "hosts": ["api.deepseek.com"],      // "*" stands for characters without a dot: "*.openai.azure.com"
//	  "listings": [{
//	    "model": "deepseek-flash",
//	    "aliases": ["deepseek-v4-flash"], // other names that are billed as this model
//	    "input": "0.3",                   // dollars per million tokens, as decimal text
//	    "cache_read": "0.006",
//	    "cache_write_short": "0.3", "cache_write_long": "0.3",
//	    "output": "1.2",
//	    "long": {"above": 200000, ...},   // the same rates for requests of more input than that
//	    "context": 1000000, "max_output": 384000, "cache_minimum": 64, // tokens
//	    "from": "2026-08-16T16:00:00Z", "until": "...", // RFC 3339; until is the first moment after
//	    "windows": [{"days": ["mon"], "start": "01:00", "end": "04:00"}], // UTC, end exclusive, at most "24:00"
//	    "source": "...", "as_of": "2026-10", "note": "..."
//	  }]
//	}
//
// Model, input, output, source and as_of are required, and above, input and output of a long tier. What an absent
// rate or limit means is stated at rates.parse and entry.limits; "0" is a stated zero. Rates are those of standard
// service: batch, priority and regional variants, audio input, cache storage and fees per tool call are not listed.
// Where sources leave a choice, the dearer reading is taken and the note says so.
package catalog

import (
	"embed"
	"io/fs"
	"sync"

	"github.com/farebox-mesh/farebox/pricing"
)

//go:embed *.json
var files embed.FS

var embedded = sync.OnceValue(func() *catalogue { return mustLoad(files) })

// catalogue is what all files together say.
type catalogue struct {
	table *pricing.Table
	hosts hosts
}

// Listings returns every published price, by provider and then as the files have them. The caller must not
// change them.
func Listings() []pricing.Listing { return embedded().table.Listings() }

// Table returns the index of Listings. It is built at the first call and shared by all.
func Table() *pricing.Table { return embedded().table }

// ProviderOf returns the provider that serves a host, such as the value of an :authority or Host header. Case,
// a port and a trailing dot do not count. It knows no host by its parent domain alone.
func ProviderOf(host string) (pricing.ProviderName, bool) { return embedded().hosts.find(host) }

// mustLoad reads the embedded files. A bad one is a bug in this program, not something that a user can mend.
func mustLoad(fsys fs.FS) *catalogue {
	c, err := load(fsys)
	if err != nil {
		panic("internal error: embedded prices: " + err.Error())
	}
	return c
}
