// Package packed keeps price lists in one string that is searched as it is: nothing is parsed at start, a listing is
// decoded when it is first asked for, and what is decoded shares the string's bytes.
//
// The string begins with a magic number and the numbers of providers, names, rows, records, hosts and layers, as
// little-endian 32-bit integers. Tables of fixed width follow, then the text that they point into:
//
//	providers  by name: offset and length of the name, index of its first model name
//	names      by provider and name: offset and length, index of its first row
//	rows       record numbers, per name in order of precedence
//	records    offset of each, in the order given to Encode
//	hosts      offset and length of a host or pattern, index of its provider
//	layers     index of the first record
//	text       all strings, and records as variable-length integers
//
// Each table but that of hosts has one entry more than it has items, which says where the last one ends.
package packed

import (
	"encoding/binary"
	"fmt"
	"iter"
	"sort"
	"strings"
	"sync/atomic"

	"github.com/farebox-mesh/farebox/pricing"
)

const magic = "farebox prices 2"

// sections are the tables in their order, with the bytes that an entry takes.
const (
	providers = iota
	names
	rows
	records
	hosts
	layers
	sections
)

var widths = [sections]int{providers: 12, names: 12, rows: 4, records: 4, hosts: 12, layers: 4}

// Catalogue is an opened price list. It is safe for concurrent use.
type Catalogue struct {
	data   string
	count  [sections]int // of items
	start  [sections]int // offset of the table
	rows   []atomic.Pointer[[]*pricing.Listing]
	sheets []atomic.Pointer[pricing.Listing] // by record
}

var _ pricing.Base = (*Catalogue)(nil)

// Open takes what Encode made. It reads the header alone: data that Encode did not make is an error there or a panic
// later.
func Open(data string) (*Catalogue, error) {
	c := &Catalogue{data: data}
	at := len(magic)
	if !strings.HasPrefix(data, magic) || len(data) < at+4*sections {
		return nil, fmt.Errorf("packed prices: want a header of %q", magic)
	}
	next := at + 4*sections
	for s := range sections {
		c.count[s], c.start[s] = c.uint32(at+4*s), next
		next += (c.count[s] + 1) * widths[s]
	}
	if next > len(data) {
		return nil, fmt.Errorf("packed prices: %d bytes are not enough for the tables", len(data))
	}
	c.rows = make([]atomic.Pointer[[]*pricing.Listing], c.count[names])
	c.sheets = make([]atomic.Pointer[pricing.Listing], c.count[records])
	return c, nil
}

// uint32 reads an integer of a table.
func (c *Catalogue) uint32(at int) int {
	s := c.data[at : at+4]
	return int(uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24)
}

// entry is the offset of an item of a table.
func (c *Catalogue) entry(section, i int) int { return c.start[section] + i*widths[section] }

// text is the string that an item of a table begins with.
func (c *Catalogue) text(section, i int) string {
	at := c.entry(section, i)
	from := c.uint32(at)
	return c.data[from : from+c.uint32(at+4)]
}

// Rows implements pricing.Base.
func (c *Catalogue) Rows(provider pricing.ProviderName, model pricing.ModelName) []*pricing.Listing {
	p, found := c.search(providers, 0, c.count[providers], string(provider))
	if !found {
		return nil
	}
	n, found := c.search(names, c.uint32(c.entry(providers, p)+8), c.uint32(c.entry(providers, p+1)+8), string(model))
	if !found {
		return nil
	}
	if known := c.rows[n].Load(); known != nil {
		return *known
	}
	var out []*pricing.Listing
	for r := c.uint32(c.entry(names, n) + 8); r < c.uint32(c.entry(names, n+1)+8); r++ {
		out = append(out, c.listing(c.uint32(c.entry(rows, r))))
	}
	c.rows[n].CompareAndSwap(nil, &out)
	return *c.rows[n].Load()
}

// search finds a string among the items of a table from low up to, not including, high.
func (c *Catalogue) search(section, low, high int, want string) (int, bool) {
	i := low + sort.Search(high-low, func(i int) bool { return c.text(section, low+i) >= want })
	return i, i < high && c.text(section, i) == want
}

// All implements pricing.Base: the listings in the order given to Encode.
func (c *Catalogue) All() iter.Seq[*pricing.Listing] {
	return func(yield func(*pricing.Listing) bool) {
		for i := range c.sheets {
			if !yield(c.listing(i)) {
				return
			}
		}
	}
}

// Layer returns the listings of the i-th layer given to Encode.
func (c *Catalogue) Layer(i int) []pricing.Listing {
	var out []pricing.Listing
	for r := c.uint32(c.entry(layers, i)); r < c.uint32(c.entry(layers, i+1)); r++ {
		out = append(out, *c.listing(r))
	}
	return out
}

// listing returns a record, decoded at most a few times and the same for all callers.
func (c *Catalogue) listing(record int) *pricing.Listing {
	if known := c.sheets[record].Load(); known != nil {
		return known
	}
	d := decoder{c: c, at: c.uint32(c.entry(records, record))}
	c.sheets[record].CompareAndSwap(nil, d.listing())
	return c.sheets[record].Load()
}

// Hosts iterates over the hosts and host patterns with their providers.
func (c *Catalogue) Hosts() iter.Seq2[string, pricing.ProviderName] {
	return func(yield func(string, pricing.ProviderName) bool) {
		for i := range c.count[hosts] {
			p := c.uint32(c.entry(hosts, i) + 8)
			if !yield(c.text(hosts, i), pricing.ProviderName(c.text(providers, p))) {
				return
			}
		}
	}
}

// append32 adds integers to a table.
func append32(b []byte, numbers ...int) []byte {
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return b
}
