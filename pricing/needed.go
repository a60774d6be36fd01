package pricing

import "time"

// Model names a model of a provider.
type Model struct {
	Provider ProviderName
	Name     ModelName
}

// Needed returns the listings that price the given models, whatever the moment and the class of service: NewTable of
// them finds for those names what t finds. Answers often name a dated snapshot of the model that was asked for, so
// listings of such snapshots are among them. Of listings of the base it leaves out what the table's own hide.
func (t *Table) Needed(models []Model) []Listing {
	wanted := make(map[Model]bool)
	for _, m := range models {
		for _, p := range resellers(m.Provider) {
			var names spellings
			for _, name := range names.of(p, m.Name) {
				wanted[Model{p, name}] = p != ""
			}
		}
	}
	return t.flat(func(l *Listing) bool { return l.isAnyOf(wanted) })
}

// flat returns the listings that keep takes, such that none of them hides another of a layer below its own.
func (t *Table) flat(keep func(*Listing) bool) []Listing {
	if t == nil {
		return nil
	}
	var out, below []Listing
	for i := range t.listings {
		if keep(&t.listings[i]) {
			out = append(out, t.listings[i])
		}
	}
	switch b := t.base.(type) {
	case nil:
	case *Table:
		below = b.flat(keep)
	default:
		for l := range b.All() {
			if keep(l) {
				below = append(below, *l)
			}
		}
	}
	return append(out, t.uncover(below)...)
}

// uncover returns what the listings of the base come to below the table's own. Names that are the table's own too have
// listings that do not overlap, as which of them stands first is then told by the layers, not by the listings.
func (t *Table) uncover(below []Listing) []Listing {
	var out []Listing
	var names []tableKey
	rows := make(map[tableKey][]*Listing)
	for i := range below {
		l := &below[i]
		var left []ModelName
		for _, name := range append([]ModelName{l.Model}, l.Aliases...) {
			key := tableKey{l.Provider, name}
			if len(t.byName[key]) == 0 {
				left = append(left, name)
				continue
			}
			if rows[key] == nil {
				names = append(names, key)
			}
			rows[key] = append(rows[key], l)
		}
		switch {
		case len(left) == 1+len(l.Aliases):
			out = append(out, *l)
		case len(left) > 0:
			rest := *l
			rest.Model, rest.Aliases = left[0], left[1:]
			out = append(out, rest)
		}
	}
	for _, key := range names {
		SortRows(key.model, rows[key])
		out = append(out, uncovered(key.model, t.byName[key], rows[key])...)
	}
	return out
}

// uncovered returns, in order of precedence, what is left of a name's rows of the base where its rows above them, and
// those before it, do not hold. Hours stand before no hours, so they hide nothing of a listing that has none.
func uncovered(name ModelName, above, below []*Listing) []Listing {
	var out []Listing
	for i, l := range below {
		left := []Listing{*l}
		left[0].Model, left[0].Aliases = name, nil
		for _, own := range above {
			if len(own.Windows) == 0 || len(l.Windows) > 0 {
				left = without(left, own.From, own.Until)
			}
		}
		for _, before := range below[:i] {
			if len(before.Windows) == 0 {
				left = without(left, before.From, before.Until)
			}
		}
		out = append(out, left...)
	}
	return out
}

// without cuts a stretch of time out of listings. A zero start or end is open.
func without(listings []Listing, from, until time.Time) []Listing {
	var out []Listing
	for _, l := range listings {
		if before := l; !from.IsZero() && before.From.Before(from) {
			if before.Until.IsZero() || from.Before(before.Until) {
				before.Until = from
			}
			out = append(out, before)
		}
		if after := l; !until.IsZero() && (after.Until.IsZero() || until.Before(after.Until)) {
			if after.From.Before(until) {
				after.From = until
			}
			out = append(out, after)
		}
	}
	return out
}

// isAnyOf reports whether a name of the listing, or what is left of one without its date, is in the set.
func (l *Listing) isAnyOf(wanted map[Model]bool) bool {
	if wanted[Model{l.Provider, l.Model}] || l.snapshotOf(l.Model, wanted) {
		return true
	}
	for _, name := range l.Aliases {
		if wanted[Model{l.Provider, name}] || l.snapshotOf(name, wanted) {
			return true
		}
	}
	return false
}

func (l *Listing) snapshotOf(name ModelName, wanted map[Model]bool) bool {
	base, dated := name.CutDate()
	return dated && wanted[Model{l.Provider, base}]
}
