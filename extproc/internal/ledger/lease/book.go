package lease

import (
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

const (
	// exactShare is the part of a limit from which on a call asks for itself alone: a hundredth.
	exactShare = 100
	// lowShare is the part of a limit below which what is spare goes back: a twentieth, as in the script.
	lowShare = 20
	// idleBeats is after how many beats without a call a lease goes back.
	idleBeats = 5
	// maxClaims is how many accounts one beat's operation carries.
	maxClaims = 128
	// maxNeed is the most that the store can be asked for at once: what a float64 counts exactly.
	maxNeed = pricing.Money(1<<53 - 1)
)

// Lease is what a replica holds of an account. It is guarded by its Holder.
type Lease struct {
	account Account
	limits  []Limit       // as last demanded; not changed, replaced
	granted pricing.Money // never more than the store has for us, unless more than it was spent
	used    pricing.Money // spent and reserved by our calls
	figure  Figure        // as last told
	known   bool          // figure was told
	told    bool          // and is of the present epoch of the store

	refusal refusal // the last answer of the store, if that was one
	draft   draft   // of the operation that is being planned

	rate         pricing.Money // taken since the last beat
	dirty        bool          // the store may think otherwise
	touched      bool          // used since the last beat
	listed       bool          // in book.active
	gone         bool          // dropped; what it was is another lease now, or none
	waits        int           // how often calls that wait demand it
	lastUsed     int64         // beat in which it was used last
	lastClaimed  int64         // beat in which it was claimed last
	lastReturned int64         // beat in which the rest was given back last
}

// refusal is an answer of the store that an account has not so much left.
type refusal struct {
	sequence int64 // of the operation; 0 for none
	need     pricing.Money
	limits   []Limit
}

// draft is what an operation says so far of a lease.
type draft struct {
	sequence int64         // of the operation; nothing is said in any other
	claim    int           // index; -1 for none
	free     pricing.Money // what calls that ask have not counted on
}

// free is what calls can take without asking.
func (l *Lease) free() pricing.Money { return l.granted - l.used }

// left is what the store had left when it was asked last.
func (l *Lease) left() pricing.Money { return ceiling(l.limits, l.figure.Raises) - l.figure.All }

// low reports whether others may need what we do not use.
func (l *Lease) low() bool { return l.left() < ceiling(l.limits, l.figure.Raises)/lowShare }

// keep is how much of what is free a beat leaves to the calls of the next one.
func (l *Lease) keep() pricing.Money {
	switch {
	case !l.told:
		return l.free()
	case l.low() || l.figure.Wanted:
		return 0
	}
	return max(l.left()/exactShare, l.rate)
}

// Demand is one account that a call is charged to.
type Demand struct {
	Lease  *Lease
	Limits []Limit // for all replicas; one or more, not to be changed
	Open   bool    // during an outage the call may pass, whether or not the lease covers it
}

// leaseKey is what tells leases apart.
type leaseKey struct {
	key   string
	start int64
}

func keyOf(a *Account) leaseKey { return leaseKey{a.Key, a.Start.UnixMilli()} }

// book is what a replica knows and holds: the lease logic without store, clock and locks. At most one of its
// operations is under way at a time; what it planned goes to settled or failed before the next plan.
type book struct {
	replica     string
	incarnation int64
	sequence    int64
	epoch       string
	beat        int64 // counts beats
	leases      map[leaseKey]*Lease
	all         []*Lease // the same, oldest first
	active      []*Lease // those that a beat has to look at
	dropped     bool     // some of them are gone
	waiting     []*call  // for the store, in the order in which they came
	asked       []*call  // of these, those that the operation under way asks for
}

func newBook(replica string, incarnation int64) *book {
	return &book{replica: replica, incarnation: incarnation, leases: map[leaseKey]*Lease{}}
}

// lease returns the lease on an account, an empty one with such limits if there is none yet.
func (b *book) lease(a Account, limits ...Limit) *Lease {
	key := keyOf(&a)
	l := b.leases[key]
	if l == nil {
		l = &Lease{account: a, limits: limits}
		b.leases[key] = l
		b.all = append(b.all, l)
	}
	return l
}

// drop forgets a lease that nothing was granted or taken on, unless the store may think otherwise or calls wait for it.
func (b *book) drop(l *Lease) {
	if l.gone || l.used != 0 || l.granted != 0 || l.dirty || l.waits > 0 {
		return
	}
	l.gone, b.dropped = true, true
	delete(b.leases, keyOf(&l.account))
}

// renew replaces the leases of demands that were dropped since they were found.
func (b *book) renew(demands []Demand) {
	for i := range demands {
		if d := &demands[i]; d.Lease.gone {
			d.Lease = b.lease(d.Lease.account, d.Lease.limits...)
		}
	}
}

// list has the next beat look at a lease.
func (b *book) list(l *Lease) {
	if !l.listed {
		l.listed = true
		b.active = append(b.active, l)
	}
}

// assert sets what this replica has spent and reserved on an account, as its journal says.
func (b *book) assert(l *Lease, used pricing.Money, limits []Limit) {
	l.used, l.limits, l.dirty = used, limits, true
	l.granted = max(l.granted, used)
	b.list(l)
}

// reserve takes amount from every lease, or from none and returns the index of the first that has too little. It
// returns -1 when it is done.
func (b *book) reserve(demands []Demand, amount pricing.Money) int {
	for i := range demands {
		if demands[i].Lease.free() < amount {
			return i
		}
	}
	for i := range demands {
		l := demands[i].Lease
		l.limits = demands[i].Limits
		l.used += amount
		l.rate += amount
		b.touch(l)
	}
	return -1
}

// change adds to what is used on a lease: less than nothing when a call came to less than it reserved. More than
// the grant is spent only by calls that came to more than they reserved, and by forced ones.
func (b *book) change(l *Lease, delta pricing.Money) {
	l.used += delta
	if l.used > l.granted {
		l.granted, l.dirty = l.used, true
	}
	b.touch(l)
}

func (b *book) touch(l *Lease) {
	l.touched, l.lastUsed = true, b.beat
	b.list(l)
}

// op returns the next operation.
func (b *book) op() Op {
	b.sequence++
	return Op{Replica: b.replica, Incarnation: b.incarnation, Sequence: b.sequence}
}

func (l *Lease) claim() Claim { return Claim{Account: l.account, Limits: l.limits, Have: l.granted} }

// startBeat begins a round over the active leases and forgets those that count no more.
func (b *book) startBeat(now time.Time) {
	b.beat++
	b.active = slices.DeleteFunc(b.active, func(l *Lease) bool {
		l.listed = !l.gone && now.Before(l.account.Expires) && (l.free() > 0 || l.dirty || l.touched)
		return !l.listed
	})
	if b.beat%64 != 1 && !b.dropped {
		return
	}
	b.dropped = false
	b.all = slices.DeleteFunc(b.all, func(l *Lease) bool {
		over := !l.gone && !now.Before(l.account.Expires)
		if over {
			delete(b.leases, keyOf(&l.account))
		}
		return over || l.gone
	})
}

// nextBeat returns the next operation of a beat: it says what this replica holds where the store may think otherwise,
// gives back what is not used, and asks how accounts stand. An operation without claims says that there is nothing
// left to do, and still tells the epoch and the time. With all, everything unused is given back.
func (b *book) nextBeat(now time.Time, all bool) Op {
	op := b.op()
	for _, l := range b.active {
		keep := l.keep()
		if all || !now.Before(l.account.End) || b.beat-l.lastUsed >= idleBeats {
			keep = 0
		}
		spare := l.lastReturned != b.beat && l.free() > keep
		ask := l.lastClaimed != b.beat && (l.dirty || l.touched || l.free() > 0)
		if !spare && !ask {
			continue
		}
		if spare {
			l.granted, l.lastReturned = l.used+keep, b.beat
		}
		if l.lastClaimed != b.beat {
			l.lastClaimed, l.touched, l.rate = b.beat, false, 0
		}
		op.Claims = append(op.Claims, l.claim())
		if len(op.Claims) == maxClaims {
			break
		}
	}
	return op
}

// settled notes what the store answered to an operation.
func (b *book) settled(op *Op, r *Reply) {
	if r.Epoch != b.epoch {
		b.epoch = r.Epoch
		b.assertAll()
	}
	for i := range op.Claims {
		l := b.leases[keyOf(&op.Claims[i].Account)]
		if l == nil {
			continue
		}
		l.refusal = refusal{}
		l.figure, l.known, l.told = r.Figures[i], true, true
		l.granted, l.dirty = l.figure.Own, false
		if l.used > l.granted {
			l.granted, l.dirty = l.used, true
		}
		b.list(l)
	}
	b.noteRefusals(op, r)
}

// noteRefusals remembers of each account the least that it had not left.
func (b *book) noteRefusals(op *Op, r *Reply) {
	for i, a := range r.Results {
		if a.Status != Refused {
			continue
		}
		c := &op.Claims[a.Claim]
		l := b.leases[keyOf(&c.Account)]
		if l == nil {
			continue
		}
		for _, n := range op.Asks[i] {
			if n.Claim == a.Claim && (l.refusal.sequence == 0 || n.Amount < l.refusal.need) {
				l.refusal = refusal{op.Sequence, n.Amount, c.Limits}
			}
		}
	}
}

// failed notes that nobody knows whether an operation was done.
func (b *book) failed(op *Op) {
	for i := range op.Claims {
		if l := b.leases[keyOf(&op.Claims[i].Account)]; l != nil {
			l.dirty = true
			b.list(l)
		}
	}
}

// assertAll has the next beat say all that this replica holds.
func (b *book) assertAll() {
	for _, l := range b.all {
		if l.granted > 0 {
			l.dirty, l.told = true, false
			l.lastClaimed = 0
			b.list(l)
		}
	}
}
