package pricing

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// Base is a catalogue that a Table asks where its own listings know no name. Its methods may be called concurrently;
// nobody changes what they return.
type Base interface {
	// Rows returns the listings of exactly that name, in order of precedence; none where it is not listed.
	Rows(ProviderName, ModelName) []*Listing

	// All iterates over every listing, in a fixed order.
	All() iter.Seq[*Listing]
}

// Table finds listings by model. It is immutable after NewTable and safe for concurrent use. The nil Table
// knows no model.
type Table struct {
	listings []Listing
	byName   map[tableKey][]*Listing // in order of precedence
	base     Base                    // nil: none
}

type tableKey struct {
	provider ProviderName
	model    ModelName
}

// NewTable copies and indexes the listings. Where several hold at the same moment for one name, a model of that
// name stands before an alias, then a listing with hours before one without, then the one with the later From.
func NewTable(listings []Listing) *Table { return NewTableOver(listings, nil) }

// NewTableOver is NewTable with a catalogue below it: a listing of base counts where none of the same name in
// listings holds. A nil base is none.
func NewTableOver(listings []Listing, base Base) *Table {
	t := &Table{listings: slices.Clone(listings), byName: make(map[tableKey][]*Listing, len(listings)), base: base}
	for i := range t.listings {
		l := &t.listings[i]
		l.Aliases, l.Windows = slices.Clone(l.Aliases), slices.Clone(l.Windows)
		for _, name := range append([]ModelName{l.Model}, l.Aliases...) {
			key := tableKey{l.Provider, name}
			t.byName[key] = append(t.byName[key], l)
		}
	}
	for key, rows := range t.byName {
		SortRows(key.model, rows)
	}
	return t
}

// SortRows puts the listings of a name in order of precedence, which NewTable states.
func SortRows(name ModelName, rows []*Listing) {
	slices.SortStableFunc(rows, func(a, b *Listing) int {
		return cmp.Or(
			-compareBool(a.Model == name, b.Model == name),
			-compareBool(len(a.Windows) > 0, len(b.Windows) > 0),
			b.From.Compare(a.From),
		)
	})
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Own iterates over the listings that NewTable was given, in their order, without those of the base. Nobody changes them.
func (t *Table) Own() iter.Seq[*Listing] {
	return func(yield func(*Listing) bool) {
		for i := range t.listings {
			if !yield(&t.listings[i]) {
				return
			}
		}
	}
}

// All iterates over every listing: those given to NewTable in their order, then those of the base. Nobody changes
// them.
func (t *Table) All() iter.Seq[*Listing] {
	return func(yield func(*Listing) bool) {
		if t == nil {
			return
		}
		for l := range t.Own() {
			if !yield(l) {
				return
			}
		}
		if t.base == nil {
			return
		}
		for l := range t.base.All() {
			if !yield(l) {
				return
			}
		}
	}
}

// Listings returns every listing in the order of All. The caller must not change what they point to.
func (t *Table) Listings() []Listing {
	var out []Listing
	for l := range t.All() {
		out = append(out, *l)
	}
	return out
}

// Lookup returns the listing in force for a model at a moment, or nil for an unknown one. An exact name or alias comes
// first; then the name without what vendors add to it, such as a trailing release date ("-2025-04-14", "-20250929",
// "@20250929"), as spellings.of says. A name is never matched by prefix: "gpt-5-pro" is not "gpt-5". A name that is
// listed never falls back to another, not even at a moment at which none of its own listings holds. A provider that
// resells another's models without a listing of its own has that other's: the listing says whose it is.
func (t *Table) Lookup(provider ProviderName, model ModelName, at time.Time) *Listing {
	if t == nil {
		return nil
	}
	for _, p := range resellers(provider) {
		if p == "" {
			break
		}
		var names spellings
		for _, name := range names.of(p, model) {
			own, below := t.byName[tableKey{p, name}], t.below(p, name)
			if len(own)+len(below) > 0 {
				return inForce(own, below, at)
			}
		}
	}
	return nil
}

// Rows implements Base: the table's own listings of a name before those of its base. A table is a Base for others.
func (t *Table) Rows(provider ProviderName, model ModelName) []*Listing {
	own, below := t.byName[tableKey{provider, model}], t.below(provider, model)
	switch {
	case len(own) == 0:
		return below
	case len(below) == 0:
		return own
	}
	return slices.Concat(own, below)
}

// below returns the rows of the base.
func (t *Table) below(provider ProviderName, name ModelName) []*Listing {
	if t.base == nil {
		return nil
	}
	return t.base.Rows(provider, name)
}

// inForce returns the first listing with a price that holds, the table's own before those below them.
func inForce(own, below []*Listing, at time.Time) *Listing {
	for _, rows := range [...][]*Listing{own, below} {
		for _, l := range rows {
			if !l.holds(at) {
				continue
			}
			if l.Unpriced {
				return nil
			}
			return l
		}
	}
	return nil
}
