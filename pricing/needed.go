package pricing

// Model names a model of a provider.
type Model struct {
	Provider ProviderName
	Name     ModelName
}

// Needed returns the listings that price the given models, whatever the moment and the class of service, in the order
// of All: a table of them finds for those names what t finds. Answers often name a dated snapshot of the model that
// was asked for, so listings of such snapshots are among them. What only people read, notes and sources, stays in.
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
	var out []Listing
	for l := range t.All() {
		if l.isAnyOf(wanted) {
			out = append(out, *l)
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
