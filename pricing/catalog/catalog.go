// Package catalog holds published prices: what vendors charge per model, with the source and the day of reading.
//
// A curated layer, one JSON file per provider in this folder in the syntax of package pricefile, lies over what two
// community lists say of further models: LiteLLM's and that of genai-prices, whose licence is in NOTICE. Where these
// two disagree the price is disputed: the dearer rate of every kind counts, and the listing shows both. Where sources
// leave a curated price a choice, the dearer reading is taken and the note says so.
//
// Both layers are packed into one embedded string that is searched as it is. Nothing is parsed at start; a listing is
// decoded when it is first asked for. After a change to a curated file run go generate in this folder.
package catalog

import (
	_ "embed" // of the packed catalogue
	"io"
	"sync"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog/internal/packed"
	"github.com/farebox-mesh/farebox/pricing/catalog/pricefile"
)

//go:generate go run ./gen -o catalog.bin

//go:embed catalog.bin
var data string

// catalogue is what is embedded.
type catalogue struct {
	packed *packed.Catalogue
	table  *pricing.Table
}

var embedded = sync.OnceValue(func() catalogue {
	c := mustOpen(data)
	return catalogue{c, pricing.NewTableOver(nil, c)}
})

// knownHosts are the hosts of providers, read when one is first asked for.
var knownHosts = sync.OnceValue(func() *hosts {
	var h hosts
	for host, provider := range embedded().packed.Hosts() {
		if err := h.add(host, provider); err != nil {
			panic("internal error: embedded prices: " + err.Error())
		}
	}
	return &h
})

// mustOpen opens the embedded catalogue. A bad one is a bug in this program, not something that a user can mend.
func mustOpen(data string) *packed.Catalogue {
	c, err := packed.Open(data)
	if err != nil {
		panic("internal error: embedded prices: " + err.Error())
	}
	return c
}

// Listings returns every published price: the curated ones by provider, then the others by provider, model and time.
// It decodes all of them. The caller must not change what they point to.
func Listings() []pricing.Listing { return embedded().table.Listings() }

// Curated returns the listings of the curated layer, by provider and then as its files have them. The caller must not
// change what they point to.
func Curated() []pricing.Listing { return embedded().packed.Layer(0) }

// Table returns the index of all published prices, shared by all callers.
func Table() *pricing.Table { return embedded().table }

// With returns a table in which the listings of overlays, the later before the earlier, stand before the published
// ones of the same provider and model, as long as they hold. Without any it is Table.
func With(overlays ...[]pricing.Listing) *pricing.Table {
	t, _ := WithOrigins(overlays...)
	return t
}

// Origins says which overlay a listing of a table is from, by its place among them. Those of the catalogue are not in it.
type Origins map[*pricing.Listing]int

// WithOrigins is With, and the origins of the listings.
func WithOrigins(overlays ...[]pricing.Listing) (*pricing.Table, Origins) {
	t, origins := Table(), Origins{}
	for i, overlay := range overlays {
		t = pricing.NewTableOver(overlay, t)
		for l := range t.Own() {
			origins[l] = i
		}
	}
	return t, origins
}

// LoadOverlay reads listings in the syntax of package pricefile, for With. What is wrong with them is told as
// pricefile.Mistakes, with the places.
func LoadOverlay(r io.Reader) ([]pricing.Listing, error) { return pricefile.Overlay(r) }

// WriteOverlay prints listings so that LoadOverlay reads the same ones. The same listings always give the same bytes.
func WriteOverlay(w io.Writer, listings []pricing.Listing) error { return pricefile.Write(w, listings) }

// Needed returns the published listings that price the given models and their snapshots, whatever the moment: what a
// compiled policy has to carry. It is Needed of Table.
func Needed(models ...pricing.Model) []pricing.Listing { return Table().Needed(models) }

// ProviderOf returns the provider that serves a host, such as the value of an :authority or Host header. Case,
// a port and a trailing dot do not count. It knows no host by its parent domain alone.
func ProviderOf(host string) (pricing.ProviderName, bool) { return knownHosts().find(host) }
