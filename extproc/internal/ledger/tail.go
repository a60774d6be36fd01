package ledger

// maxTail is how many entries wait in memory for a sink, about a kilobyte each.
const maxTail = 1 << 13

// tail is the entries at the end of the journal, for one sink that keeps up: it need not read and decode what this
// process has written a moment ago. Of more entries than limit it keeps the latest; the others are in the files.
type tail struct {
	limit    int
	from     Position // all entries after this one are kept
	entries  []Numbered
	released int64 // the sink needs no segment before this one
}

// add keeps an entry, which must not change any more, whose record goes from one position to another.
func (t *tail) add(e *Entry, before, after Position) {
	if len(t.entries) >= t.limit {
		// The sink may be using the old ones.
		t.from, t.entries = before, nil
	}
	t.entries = append(t.entries, Numbered{e, after})
}

// after forgets the entries up to a position and returns up to limit of those that follow; see journal.recent.
func (t *tail) after(at Position, limit int, end Position) ([]Numbered, Position, bool) {
	if at.Seq < t.from.Seq {
		return nil, t.from, false
	}
	known := 0
	for known < len(t.entries) && t.entries[known].After.Seq <= at.Seq {
		known++
	}
	if at.Seq > t.from.Seq {
		t.from = at
	}
	rest := copy(t.entries, t.entries[known:])
	clear(t.entries[rest:])
	t.entries = t.entries[:rest]
	if rest <= limit {
		return t.entries, end, true
	}
	return t.entries[:limit], t.entries[limit-1].After, true
}
