package lease

import (
	"slices"

	"github.com/farebox-mesh/farebox/pricing"
)

const (
	// maxAsks is how many calls one operation asks for.
	maxAsks = 256
	// maxTrips is how many operations ask for a call before it is treated as in an outage: one is the rule, more when
	// other calls of the same replica took what it counted on.
	maxTrips = 8
)

// call is one that the leases did not cover when it came. It waits until it is decided: held, refused, or given up.
// Those that wait share operations: one asks for as many as it can hold.
type call struct {
	demands []Demand
	amount  pricing.Money
	since   int64         // the last operation that was planned before it came
	trips   int           // operations that have asked for it
	asked   bool          // the one under way does
	late    bool          // it waits for that one, and no longer
	over    bool          // it is decided
	err     error         // why it holds nothing; nil when it holds its amount
	done    chan struct{} // closed when it is decided
}

// wait lines up a call.
func (b *book) wait(demands []Demand, amount pricing.Money) *call {
	c := &call{demands: demands, amount: amount, since: b.sequence, done: make(chan struct{})}
	b.waiting = append(b.waiting, c)
	for i := range demands {
		demands[i].Lease.waits++
	}
	return c
}

func (c *call) decide(err error) {
	c.over, c.err = true, err
	for i := range c.demands {
		c.demands[i].Lease.waits--
	}
	close(c.done)
}

// leave ends the wait of a call: at once, or with the answer that is under way.
func (b *book) leave(c *call) {
	switch {
	case c.over:
	case c.asked:
		c.late = true
	default:
		c.decide(b.without(c.demands, c.amount))
		b.sweep()
	}
}

// sweep decides what can be decided without another operation. Calls that one under way asks for are left alone.
func (b *book) sweep() {
	b.waiting = slices.DeleteFunc(b.waiting, func(c *call) bool {
		if !c.over && !c.asked {
			b.tryHere(c)
		}
		return c.over
	})
}

// tryHere decides a call if that takes no answer of the store, or it has had enough of them.
func (b *book) tryHere(c *call) {
	if b.reserve(c.demands, c.amount) < 0 { // another call brought enough
		c.decide(nil)
	} else if i := b.refused(c.demands, c.amount, c.since); i >= 0 {
		l := c.demands[i].Lease
		c.decide(&RefusedError{Index: i, Left: max(0, l.left()+l.free())})
	} else if c.late || c.trips >= maxTrips {
		c.decide(b.without(c.demands, c.amount))
	}
}

// abandon decides all calls that wait without the store.
func (b *book) abandon() {
	for _, c := range b.waiting {
		if !c.over {
			c.decide(b.without(c.demands, c.amount))
		}
	}
	b.waiting, b.asked = nil, nil
}

// plan returns the operation that asks for what the leases lack to cover the calls that wait. There must be one, and
// those that can be decided must have been.
func (b *book) plan() Op {
	op := b.op()
	for _, c := range b.waiting {
		if len(op.Asks) == maxAsks || !b.ask(&op, c) {
			break
		}
		c.asked = true
		c.trips++
		b.asked = append(b.asked, c)
	}
	return op
}

// ask adds a call to an operation, unless that is full or asks for the same account under other limits. What is free
// on a lease counts for the first call that needs it.
func (b *book) ask(op *Op, c *call) bool {
	if len(op.Asks) > 0 && len(op.Claims)+len(c.demands) > maxClaims {
		return false
	}
	for i := range c.demands {
		l := c.demands[i].Lease
		if l.draft.sequence != op.Sequence {
			l.draft = draft{sequence: op.Sequence, claim: -1, free: l.free()}
		}
		if l.draft.claim >= 0 && !slices.Equal(op.Claims[l.draft.claim].Limits, c.demands[i].Limits) {
			return false
		}
	}
	var ask Ask
	for i := range c.demands {
		if need := op.need(&c.demands[i], c.amount); need.Amount > 0 {
			ask = append(ask, need)
		}
	}
	op.Asks = append(op.Asks, ask)
	return true
}

// need is what a call lacks on one lease, which the operation claims if it lacks anything.
func (op *Op) need(d *Demand, amount pricing.Money) Need {
	l := d.Lease
	free := min(l.draft.free, amount)
	l.draft.free -= free
	if free == amount {
		return Need{}
	}
	exact := amount >= ceiling(d.Limits, nil)/exactShare
	if l.draft.claim < 0 {
		l.limits, l.draft.claim = d.Limits, len(op.Claims)
		op.Claims = append(op.Claims, l.claim())
		op.Claims[l.draft.claim].Exact = exact
	}
	c := &op.Claims[l.draft.claim]
	c.Exact = c.Exact && exact
	return Need{Claim: l.draft.claim, Amount: amount - free}
}

// answered notes what the store answered to an operation of calls, and decides those that it can.
func (b *book) answered(op *Op, r *Reply) {
	b.settled(op, r)
	asked := b.asked
	b.asked = nil
	if r.Status != Done {
		b.abandon()
		return
	}
	for i, c := range asked {
		c.asked = false
		switch r.Results[i].Status {
		case Done: // before others take what it was granted
			if b.reserve(c.demands, c.amount) < 0 {
				c.decide(nil)
			}
		case WrongWindow:
			c.decide(ErrWindow)
		}
	}
	b.sweep()
}

// refused returns the index of the first demand of which the store has said that it has less left than amount needs,
// in answer to an operation after since, else -1.
func (b *book) refused(demands []Demand, amount pricing.Money, since int64) int {
	return slices.IndexFunc(demands, func(d Demand) bool {
		r := &d.Lease.refusal
		return r.sequence > since && amount-d.Lease.free() >= r.need && slices.Equal(d.Limits, r.limits)
	})
}

// force takes amount from every lease, covered or not. It returns the index of the first that has too little and
// is not open, and takes nothing then, else -1.
func (b *book) force(demands []Demand, amount pricing.Money) int {
	for i := range demands {
		if !demands[i].Open && demands[i].Lease.free() < amount {
			return i
		}
	}
	for i := range demands {
		b.change(demands[i].Lease, amount)
	}
	return -1
}

// without decides a call without the store.
func (b *book) without(demands []Demand, amount pricing.Money) error {
	if i := b.force(demands, amount); i >= 0 {
		return &UnavailableError{Index: i, Left: max(0, demands[i].Lease.free())}
	}
	return nil
}
