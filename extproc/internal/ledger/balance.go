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

// balance is the state of one scope in one window.
type balance struct {
	scope    []Dim
	spent    pricing.Money // of a rolling window: in the grains that count
	reserved pricing.Money // likewise
	grains   []grain       // of a rolling window, by rising start
	topUps   []TopUp       // of any budget of the meter; nil for most
	lease    *lease.Lease  // where the balance is shared, unless the window rolls; nil until it is used
	known    bool          // where it is shared: the store has told how it stands
	others   pricing.Money // likewise: granted to other replicas, as last told
	raised   []lease.Raise // likewise: by top-ups of all replicas
	leased   pricing.Money // likewise: what calls here can take without asking, when it was looked at
	crossed  map[stepKey]time.Time
}

// grain is what was reserved and spent by the calls of one step of a rolling window.
type grain struct {
	start           int64 // Unix nanoseconds
	spent, reserved pricing.Money
	lease           *lease.Lease // as in balance
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
	return b.spent + b.reserved
}

// claimed is what of a limit nobody else can have: with what other replicas hold. A nil balance is untouched.
func (b *balance) claimed() pricing.Money {
	if b == nil {
		return 0
	}
	return pricing.AddCapped(b.taken(), b.others)
}

// fits reports whether the balance can hold that much more without overflow.
func (b *balance) fits(more pricing.Money) bool { return b.taken() <= math.MaxInt64-more }

// hold reserves an amount that fits.
func (b *balance) hold(start int64, amount pricing.Money) held {
	b.reserved += amount
	if start != noGrain {
		b.grain(start).reserved += amount
	}
	return held{b, start, amount}
}

// free gives back what a reservation holds, and returns the lease that it was held on, nil for none. What was held in
// a grain that counts no more is free already.
func (h held) free() *lease.Lease {
	on := h.balance.lease
	if h.grain != noGrain {
		i, ok := h.balance.search(h.grain)
		if !ok {
			return nil
		}
		h.balance.grains[i].reserved -= h.amount
		on = h.balance.grains[i].lease
	}
	h.balance.reserved -= h.amount
	return on
}

// spend adds to what was spent, up to the largest amount, and returns by how much it changed. A correction takes
// away, down to nothing.
func (b *balance) spend(start int64, amount pricing.Money) pricing.Money {
	amount = min(amount, math.MaxInt64-b.taken())
	if start == noGrain {
		amount = max(amount, -b.spent)
		b.spent += amount
		return amount
	}
	g := b.grain(start)
	amount = max(amount, -g.spent)
	g.spent += amount
	b.spent += amount
	return amount
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
	for ; n < len(b.grains) && b.grains[n].start <= cut; n++ {
		b.spent -= b.grains[n].spent
		b.reserved -= b.grains[n].reserved
	}
	if n > 0 {
		b.grains = slices.Delete(b.grains, 0, n)
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
