package packed

import (
	"maps"
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// Host is a host or host pattern and its provider.
type Host struct {
	Name     string
	Provider pricing.ProviderName
}

// Encode packs a stack of layers of listings, the first before the others: a listing counts where none of the same name in a
// layer before its own holds. Times are kept to the second. The same listings always give the same bytes.
func Encode(known []Host, stack ...[]pricing.Listing) []byte {
	e := encoder{offsets: make(map[string]int), numbers: make(map[*pricing.Listing]int), names: make(map[pricing.Model][]*pricing.Listing)}
	for _, layer := range stack {
		e.add(layer)
	}
	return e.bytes(known)
}

// encoder collects what the tables say.
type encoder struct {
	listings []*pricing.Listing
	numbers  map[*pricing.Listing]int
	names    map[pricing.Model][]*pricing.Listing // rows in order of precedence
	first    []int                                // record of each layer

	text    []byte
	base    int // offset of text in the result
	offsets map[string]int
}

// add indexes a layer below those that are there.
func (e *encoder) add(layer []pricing.Listing) {
	named := make(map[pricing.Model][]*pricing.Listing)
	e.first = append(e.first, len(e.listings))
	for i := range layer {
		l := &layer[i]
		e.numbers[l] = len(e.listings)
		e.listings = append(e.listings, l)
		for _, name := range append([]pricing.ModelName{l.Model}, l.Aliases...) {
			key := pricing.Model{Provider: l.Provider, Name: name}
			named[key] = append(named[key], l)
		}
	}
	for key, found := range named {
		pricing.SortRows(key.Name, found)
		e.names[key] = append(e.names[key], found...)
	}
}

// sorted returns the models by provider and name.
func (e *encoder) sorted() []pricing.Model {
	return slices.SortedFunc(maps.Keys(e.names), func(a, b pricing.Model) int {
		if c := strings.Compare(string(a.Provider), string(b.Provider)); c != 0 {
			return c
		}
		return strings.Compare(string(a.Name), string(b.Name))
	})
}

// intern returns the offset of a string in the result.
func (e *encoder) intern(s string) int {
	at, known := e.offsets[s]
	if !known {
		at = e.base + len(e.text)
		e.text = append(e.text, s...)
		e.offsets[s] = at
	}
	return at
}

func (e *encoder) bytes(known []Host) []byte {
	models, vendors := e.sorted(), e.providers(known)
	var rowCount int
	for _, m := range models {
		rowCount += len(e.names[m])
	}
	counts := [sections]int{providers: len(vendors), names: len(models), rows: rowCount, records: len(e.listings), hosts: len(known), layers: len(e.first)}
	out := append32([]byte(magic), counts[:]...)
	e.base = len(out)
	for s := range sections {
		e.base += (counts[s] + 1) * widths[s]
	}
	out = e.providerTable(out, vendors, models)
	out = e.nameTables(out, models)
	out = e.recordTable(out)
	for _, h := range known {
		out = append32(out, e.intern(h.Name), len(h.Name), slices.Index(vendors, h.Provider))
	}
	out = append32(out, 0, 0, 0)
	out = append32(append32(out, e.first...), len(e.listings))
	return append(out, e.text...)
}

// providers lists all providers by name.
func (e *encoder) providers(known []Host) []pricing.ProviderName {
	all := make(map[pricing.ProviderName]bool)
	for m := range e.names {
		all[m.Provider] = true
	}
	for _, h := range known {
		all[h.Provider] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func (e *encoder) providerTable(out []byte, vendors []pricing.ProviderName, models []pricing.Model) []byte {
	for _, p := range vendors {
		first, _ := slices.BinarySearchFunc(models, p, func(m pricing.Model, p pricing.ProviderName) int {
			return strings.Compare(string(m.Provider), string(p))
		})
		out = append32(out, e.intern(string(p)), len(p), first)
	}
	return append32(out, 0, 0, len(models))
}

func (e *encoder) nameTables(out []byte, models []pricing.Model) []byte {
	var numbers []int
	for _, m := range models {
		out = append32(out, e.intern(string(m.Name)), len(m.Name), len(numbers))
		for _, l := range e.names[m] {
			numbers = append(numbers, e.numbers[l])
		}
	}
	out = append32(out, 0, 0, len(numbers))
	return append32(append32(out, numbers...), 0)
}

func (e *encoder) recordTable(out []byte) []byte {
	for _, l := range e.listings {
		w := writer{text: e.intern}
		w.listing(l)
		out = append32(out, e.base+len(e.text))
		e.text = append(e.text, w.b...)
	}
	return append32(out, e.base+len(e.text))
}
