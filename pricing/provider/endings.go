package provider

// endings follows which of a response's choices have ended, and why. The zero value has seen none.
type endings struct {
	seen, ended uint64 // choices by index; those above 62 share the last bit
	worst       Finish // of those that ended
	unknown     bool   // one ended for a reason that no API documents
}

// saw says that the choice at index exists.
func (e *endings) saw(index int64) {
	e.seen |= bit(index)
}

// end says why the choice at index ended.
func (e *endings) end(index int64, why Finish) {
	e.saw(index)
	e.ended |= bit(index)
	if why == FinishUnknown {
		e.unknown = true
	}
	if rank(why) > rank(e.worst) {
		e.worst = why
	}
}

// all reports whether every choice that was seen has ended, and at least one was.
func (e *endings) all() bool {
	return e.ended != 0 && e.seen&^e.ended == 0
}

// finish is the reason of all choices together: of several the one that makes the answer least fit for a replay.
func (e *endings) finish() Finish {
	if !e.all() || e.unknown {
		return FinishUnknown
	}
	return e.worst
}

func bit(index int64) uint64 {
	return 1 << min(max(index, 0), 63)
}

// rank orders reasons by how much they speak against a replay.
func rank(f Finish) int {
	switch f {
	case FinishStop:
		return 1
	case FinishTools:
		return 2
	case FinishLength:
		return 3
	case FinishFiltered:
		return 4
	}
	return 0
}
