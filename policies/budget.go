package policies

import "slices"

// reads reports whether what a budget counts depends on a dimension.
func (b *Budget) reads(name DimensionName) bool {
	return slices.Contains(b.Per, name) ||
		slices.ContainsFunc(b.Only, func(c Condition) bool { return c.Key == string(name) })
}

// Counts reports whether a value of a dimension divides the budget: in a hard one only what is verified, as no label
// that a caller sets may choose who pays. What does not counts as missing.
func (b *Budget) Counts(verified bool) bool { return verified || b.Soft }

// Covers reports whether the budget counts a call. value returns the call's value of a dimension, and whether it is
// verified; see Counts. It does not allocate.
func (b *Budget) Covers(value func(DimensionName) (string, bool)) bool {
	return b.covers(value, "")
}

// covers is Covers for calls that have every value of one dimension.
func (b *Budget) covers(value func(DimensionName) (string, bool), every DimensionName) bool {
	for i := range b.Only {
		c := &b.Only[i]
		if c.Key == string(every) {
			continue
		}
		v, verified := value(DimensionName(c.Key))
		if !b.Counts(verified) {
			v = ""
		}
		if !c.accepts(v) {
			return false
		}
	}
	return true
}

// Limits reports whether a hard budget covers calls of these payers for a model at a provider; an empty model may
// be any.
func (s *Set) Limits(dims []Value, at ModelRef) bool {
	return s.limits(dims, at, func(*Budget) bool { return true })
}

// StopsStreams reports whether such a budget ends streams that have used up their reservation.
func (s *Set) StopsStreams(dims []Value, at ModelRef) bool {
	return s.limits(dims, at, func(b *Budget) bool { return b.StopOnBudget })
}

// limits reports whether a hard budget of a kind covers such calls.
func (s *Set) limits(dims []Value, at ModelRef, kind func(*Budget) bool) bool {
	every := DimensionName("")
	if at.Model == "" {
		every = DimModel
	}
	value := func(name DimensionName) (string, bool) {
		switch name {
		case DimModel:
			return string(at.Model), true
		case DimProvider:
			return string(at.Route), true
		}
		for i := range dims {
			if dims[i].Name == name {
				return dims[i].Value, dims[i].Verified
			}
		}
		return "", false
	}
	for i := range s.policy.Budgets {
		if b := &s.policy.Budgets[i]; !b.Soft && kind(b) && b.covers(value, every) {
			return true
		}
	}
	return false
}
