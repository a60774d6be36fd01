package lease

import (
	"errors"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// simCall is a call in a replica's journal.
type simCall struct {
	id       int
	accounts []Account
	reserved pricing.Money
	spent    pricing.Money
	settled  bool
}

// counts is what limits count of the call.
func (c *simCall) counts() pricing.Money {
	if c.settled {
		return c.spent
	}
	return c.reserved
}

// simReplica is a process with a journal that survives it. It does with its book what a Holder does.
type simReplica struct {
	*sim
	name        string
	skew        time.Duration // of its clock
	incarnation int64
	journal     []*simCall

	up, cut bool // running; cut off from the server
	book    *book
	ready   bool          // has asserted its journal
	offset  time.Duration // of the server's clock to its own
	down    bool
	waiting []simWait  // calls that wait for the server
	flight  *simFlight // the operation under way
	beating bool       // the round is not over
	nextAt  time.Time  // of the next beat
}

// simWait is a call that waits.
type simWait struct {
	call *simCall
	wait *call
}

// simFlight is an operation that waits for its answer.
type simFlight struct {
	op     Op
	beats  bool // asks for no calls
	giveUp time.Time
}

// now is the server's time as the replica knows it.
func (r *simReplica) now() time.Time { return r.sim.now.Add(r.skew).Add(r.offset) }

func (r *simReplica) start() {
	r.incarnation++
	r.up, r.ready, r.down, r.offset = true, false, false, 0
	r.book = newBook(r.name, r.incarnation)
	r.nextAt = r.sim.now
	for _, c := range r.journal {
		if !c.settled { // lost: counted as reserved
			c.settled, c.spent = true, c.reserved
		}
	}
}

func (r *simReplica) crash() {
	r.up, r.book, r.waiting, r.flight, r.beating = false, nil, nil, nil, false
}

// assertJournal tells the book what was spent in windows that still count.
func (r *simReplica) assertJournal() {
	used := map[Account]pricing.Money{}
	var accounts []Account
	for _, c := range r.journal {
		for _, a := range c.accounts {
			if _, ok := used[a]; !ok {
				accounts = append(accounts, a)
			}
			used[a] += c.counts()
		}
	}
	for _, a := range accounts {
		if r.now().Before(a.Expires) {
			r.book.assert(r.book.lease(a), used[a], r.limits[a.Key])
		}
	}
	r.ready = true
}

// demands finds the leases of a call at the present time.
func (r *simReplica) demands(c *simCall) []Demand {
	var out []Demand
	for i := range c.accounts {
		c.accounts[i] = r.accountAt(c.accounts[i].Key, r.now())
		out = append(out, Demand{Lease: r.book.lease(c.accounts[i]), Limits: r.limits[c.accounts[i].Key]})
	}
	return out
}

// call begins a call: it is admitted, refused, or waits.
func (r *simReplica) call(c *simCall) {
	demands := r.demands(c)
	switch {
	case r.book.reserve(demands, c.reserved) < 0:
		r.admit(c)
	case r.down || !r.ready:
		r.refused++
	default:
		r.waiting = append(r.waiting, simWait{c, r.book.wait(demands, c.reserved)})
		r.proceed()
	}
}

// harvest takes up the calls that are decided.
func (r *simReplica) harvest() {
	waiting := r.waiting
	r.waiting = nil
	for _, w := range waiting {
		switch {
		case !w.wait.over:
			r.waiting = append(r.waiting, w)
		case w.wait.err == nil:
			r.admit(w.call)
		case errors.Is(w.wait.err, ErrWindow):
			r.call(w.call)
		default:
			r.refused++
			for _, d := range w.wait.demands {
				r.book.drop(d.Lease) // which does nothing to those in use
			}
		}
	}
}

func (r *simReplica) admit(c *simCall) {
	r.journal = append(r.journal, c)
	r.account(c, c.reserved)
	r.admitted++
}

// settle books the cost of an open call.
func (r *simReplica) settle(c *simCall, cost pricing.Money) {
	c.settled, c.spent = true, cost
	r.account(c, cost-c.reserved)
	for _, a := range c.accounts {
		r.book.change(r.book.lease(a), cost-c.reserved)
	}
}

// proceed takes up the next thing to ask the server.
func (r *simReplica) proceed() {
	if r.flight != nil {
		return
	}
	r.book.sweep()
	if r.down {
		r.book.abandon()
	}
	r.harvest()
	switch {
	case r.flight != nil: // a call of another window
	case len(r.book.waiting) > 0:
		op := r.book.plan()
		r.trips++
		if len(op.Asks) > 1 {
			r.shared++
		}
		r.fly(&simFlight{op: op})
	case r.beating:
		r.fly(&simFlight{op: r.book.nextBeat(r.now(), false), beats: true})
	case !r.sim.now.Before(r.nextAt):
		r.nextAt = r.sim.now.Add(time.Second)
		r.book.startBeat(r.now())
		r.beating = true
		r.fly(&simFlight{op: r.book.nextBeat(r.now(), false), beats: true})
	}
}

func (r *simReplica) fly(f *simFlight) {
	f.giveUp = r.sim.now.Add(250 * time.Millisecond)
	r.flight = f
	r.send(r, f.op)
}

// tick does what is due: gives up on an answer, begins a beat.
func (r *simReplica) tick() {
	if !r.up {
		return
	}
	if f := r.flight; f != nil && !r.sim.now.Before(f.giveUp) {
		r.fail(f)
	}
	r.proceed()
}

// fail takes the store to be away.
func (r *simReplica) fail(f *simFlight) {
	r.flight, r.down, r.beating = nil, true, false
	r.book.failed(&f.op)
	r.book.abandon()
	r.harvest()
}

// hear takes an answer of the server.
func (r *simReplica) hear(m *simMessage) {
	f := r.flight
	if !r.up || f == nil || f.op.Incarnation != m.op.Incarnation || f.op.Sequence != m.op.Sequence {
		return
	}
	r.offset = m.reply.Now.Sub(r.sim.now.Add(r.skew))
	if m.reply.Status == Stale {
		r.fail(f)
		return
	}
	r.flight = nil
	known := r.book.epoch
	if f.beats {
		r.book.settled(&f.op, m.reply)
		r.down = false
		r.beating = len(f.op.Claims) > 0
		if !r.ready {
			r.assertJournal()
		}
	} else {
		r.book.answered(&f.op, m.reply)
	}
	if known != r.book.epoch {
		r.nextAt = r.sim.now
	}
	r.proceed()
}
