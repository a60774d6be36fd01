package ledger

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// full is where sums stop. One that is full stays so, as nobody knows by how much it would have gone beyond.
const full pricing.Money = math.MaxInt64

// tally is what was spent and reserved, each up to full.
type tally struct{ spent, reserved pricing.Money }

// taken is both together.
func (t *tally) taken() pricing.Money { return pricing.AddCapped(t.spent, t.reserved) }

// reserve adds to what is reserved, where it fits, or takes back what was, and returns by how much taken changed.
func (t *tally) reserve(amount pricing.Money) pricing.Money {
	before := t.taken()
	t.reserved += amount
	return t.taken() - before
}

// spend adds to what was spent, or takes away, down to nothing, and returns by how much spent and taken changed.
func (t *tally) spend(amount pricing.Money) (spent, taken pricing.Money) {
	if t.spent == full {
		return 0, 0
	}
	was, before := t.spent, t.taken()
	t.spent = max(0, pricing.AddCapped(t.spent, amount))
	return t.spent - was, t.taken() - before
}

// balance is the state of one scope in one window.
type balance struct {
	scope   []Dim
	tally                 // of a rolling window: in the grains that count
	grains  []grain       // of a rolling window, by rising start
	topUps  []TopUp       // of any budget of the meter; nil for most
	lease   *lease.Lease  // where the balance is shared, unless the window rolls; nil until it is used
	known   bool          // where it is shared: the store has told how it stands
	others  pricing.Money // likewise: granted to other replicas, as last told
	raised  []lease.Raise // likewise: by top-ups of all replicas
	leased  pricing.Money // likewise: what calls here can take without asking, when it was looked at
	crossed map[stepKey]time.Time
}

// grain is what was reserved and spent by the calls of one step of a rolling window.
type grain struct {
	start int64 // Unix nanoseconds
	tally
	lease *lease.Lease // as in balance
}

// held is what a reservation holds on one balance.
type held struct {
	balance *balance
	grain   int64 // start of the grain in a rolling window, noGrain elsewhere
	amount  pricing.Money
}

// noGrain stands for the whole of a window that does not roll.
const noGrain = math.MinInt64

// taken is what is spent or reserved. A nil balance is untouched.
func (b *balance) taken() pricing.Money {
	if b == nil {
		return 0
	}
	return b.tally.taken()
}

// claimed is what of a limit nobody else can have: with what other replicas hold. A nil balance is untouched.
func (b *balance) claimed() pricing.Money {
	if b == nil {
		return 0
	}
	return pricing.AddCapped(b.taken(), b.others)
}

// hold reserves an amount, or as much of it as there is a number for, and returns what a lease is told of it.
func (b *balance) hold(start int64, amount pricing.Money) (h held, change pricing.Money) {
	amount = min(amount, full-b.reserved)
	change = b.reserve(amount)
	if start != noGrain {
		change = b.grain(start).reserve(amount)
	}
	return held{b, start, amount}, change
}

// free gives back what a reservation holds, and returns the lease that it was held on, nil for none, with what that is
// told. What was held in a grain that counts no more is free already.
func (h held) free() (on *lease.Lease, change pricing.Money) {
	b := h.balance
	if h.grain == noGrain {
		return b.lease, b.reserve(-h.amount)
	}
	i, ok := b.search(h.grain)
	if !ok {
		return nil, 0
	}
	b.reserve(-h.amount)
	return b.grains[i].lease, b.grains[i].reserve(-h.amount)
}

// spend adds to what was spent, and returns what a lease is told of it. A correction takes away, down to nothing.
func (b *balance) spend(start int64, amount pricing.Money) (change pricing.Money) {
	if start == noGrain {
		_, change = b.tally.spend(amount)
		return change
	}
	spent, change := b.grain(start).spend(amount)
	if b.spent == full {
		b.addUp()
	} else {
		b.tally.spend(spent)
	}
	return change
}

// addUp makes the sums of a rolling window anew, of which grains may have gone.
func (b *balance) addUp() {
	b.tally = tally{}
	for i := range b.grains {
		b.spent = pricing.AddCapped(b.spent, b.grains[i].spent)
		b.reserved += b.grains[i].reserved
	}
}

// leaseAt returns where the lease of the balance, or of a grain of it, is kept.
func (b *balance) leaseAt(start int64) **lease.Lease {
	if start == noGrain {
		return &b.lease
	}
	return &b.grain(start).lease
}

// grain returns the grain that begins at start, which it makes if needed.
func (b *balance) grain(start int64) *grain {
	i, ok := b.search(start)
	if !ok {
		b.grains = slices.Insert(b.grains, i, grain{start: start})
	}
	return &b.grains[i]
}

func (b *balance) search(start int64) (int, bool) {
	if last := len(b.grains) - 1; last >= 0 && b.grains[last].start == start {
		return last, true // nearly always
	}
	return slices.BinarySearchFunc(b.grains, start, func(g grain, start int64) int { return cmp.Compare(g.start, start) })
}

// expire forgets the grains that begin at or before cut.
func (b *balance) expire(cut int64) {
	n := 0
	for n < len(b.grains) && b.grains[n].start <= cut {
		n++
	}
	if n > 0 {
		b.grains = slices.Delete(b.grains, 0, n)
		b.addUp()
	}
}

// unreserve takes back all reservations, so that they can be counted anew.
func (b *balance) unreserve() {
	b.reserved = 0
	for i := range b.grains {
		b.grains[i].reserved = 0
	}
}

// limitOf is a budget's limit for this scope: with what it was topped up by. A nil balance was not.
func (b *balance) limitOf(budget *policies.Budget, now time.Time) pricing.Money {
	limit := budget.Limit
	if b == nil {
		return limit
	}
	for i := range b.topUps {
		if t := &b.topUps[i]; t.Budget == budget.Name && now.Before(t.Until) {
			limit = pricing.AddCapped(limit, t.Amount)
		}
	}
	return max(limit, pricing.AddCapped(budget.Limit, lease.Raised(b.raised, budget.Name)))
}
