package lease

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// ErrUnavailable says that the store did not answer, or hands nothing out for the moment.
var ErrUnavailable = errors.New("shared balances unavailable")

// ErrExhausted says that an account has not enough left.
var ErrExhausted = errors.New("shared balance exhausted")

// ErrWindow says that an account's window is not the present one by the store's clock, which [Holder.Now] has
// learned meanwhile.
var ErrWindow = errors.New("window of another time")

// Account is what one limit is counted over: a budget, a scope of it and a window, or a grain of a rolling window.
// Grants in all grains with the same Key count together until they expire.
type Account struct {
	Key        string    // the same for all windows; opaque
	Start, End time.Time // calls are charged to it from Start until before End
	Expires    time.Time // when what was spent in it counts no more
}

// Limit is a budget that an account counts for. Of several, the one that leaves least decides.
type Limit struct {
	Budget  policies.BudgetName // whose top-ups raise it
	Amount  pricing.Money       // top-ups not included
	Percent int64               // how much of it, and of its top-ups, calls may take: 1 to 100
}

// Raise is what a budget was topped up by.
type Raise struct {
	Budget policies.BudgetName
	Amount pricing.Money
}

// ceiling is the most that all replicas together may be granted.
func ceiling(limits []Limit, raises []Raise) pricing.Money {
	least := pricing.Money(math.MaxInt64)
	for i := range limits {
		l := &limits[i]
		least = min(least, policies.Portion(pricing.AddCapped(l.Amount, Raised(raises, l.Budget)), l.Percent))
	}
	return least
}

// Raised returns what a budget was topped up by.
func Raised(raises []Raise, budget policies.BudgetName) pricing.Money {
	for i := range raises {
		if raises[i].Budget == budget {
			return raises[i].Amount
		}
	}
	return 0
}

// Claim is what a replica says of one account, and what its asks refer to.
type Claim struct {
	Account
	Limits []Limit       // for the sum of all replicas' grants
	Have   pricing.Money // what the replica holds already
	Exact  bool          // no more than the asks need, however much is left
}

// Ask is what one call lacks. All of it is granted, or nothing.
type Ask []Need

// Need is how much more a call must get of the account of a claim.
type Need struct {
	Claim  int           // index in the operation
	Amount pricing.Money // above 0
}

// Op is one atomic operation of a replica on the store. No two claims have the same Key and Start, and the windows of
// those with the same Key do not overlap. Asks are served one after the other.
type Op struct {
	Replica     string // without "/"
	Incarnation int64  // rises with every start of the replica; below 2^53
	Sequence    int64  // rises with every operation of an incarnation; below 2^53
	Claims      []Claim
	Asks        []Ask
}

// Status says how an operation or an ask of it went.
type Status string

// The statuses. Every Have was noted unless the operation was Stale.
const (
	Done        Status = "done"       // of an operation, whatever its asks came to; of an ask: it is granted
	Recovering  Status = "recovering" // of an operation: the store may have lost its memory and grants nothing to anybody
	Stale       Status = "stale"      // of an operation: a newer one of the same replica came before
	Refused     Status = "refused"    // of an ask: a claim has not enough left
	WrongWindow Status = "window"     // of an ask: a claim is not of the present window
)

// Reply is the store's answer.
type Reply struct {
	Status      Status
	Incarnation int64     // for Stale: whose operation came before
	Now         time.Time // by the store's clock
	Epoch       string    // changes whenever grants may have been lost
	Figures     []Figure  // one per claim, unless Stale
	Results     []Result  // one per ask, if Done
}

// Result is what came of an ask.
type Result struct {
	Status Status
	Claim  int // the first that has not enough left, if Refused
}

// Figure is how an account stands after an operation.
type Figure struct {
	Own    pricing.Money // granted to this replica in this window or grain
	Mine   pricing.Money // granted to this replica in all grains that count
	All    pricing.Money // granted to all replicas in all grains that count
	Raises []Raise       // one per limit of the claim
	Wanted bool          // somebody was refused in the last seconds
}

// Standing is how an account stands, as far as a replica knows.
type Standing struct {
	Figure               // when the store told last
	Known  bool          // it told ever
	Free   pricing.Money // what calls of this replica can take without asking
}

// TopUp raises a limit of an account until the account expires.
type TopUp struct {
	Account
	Budget policies.BudgetName // whose limit
	ID     string              // applied once; without "/"
	Amount pricing.Money
}

// Store is the shared memory of grants. Its methods are safe for concurrent use. An error says that the outcome is
// not known: the operation may have been done, or may still be.
type Store interface {
	Do(ctx context.Context, op Op) (Reply, error)
	// TopUp adds t unless its ID was applied before.
	TopUp(ctx context.Context, t TopUp) error
	// Order keeps o for a while unless there is one under its key, and returns the one that is there.
	Order(ctx context.Context, o Order, keep time.Duration) (Order, error)
	Close() error
}

// A RefusedError says which demand of a call could not be met. It wraps ErrExhausted.
type RefusedError struct {
	Index int           // of the demand
	Left  pricing.Money // what is free for this replica; never negative
}

// Error says what is left.
func (e *RefusedError) Error() string { return fmt.Sprintf("%v: %s USD left", ErrExhausted, e.Left) }

// Unwrap returns ErrExhausted.
func (e *RefusedError) Unwrap() error { return ErrExhausted }

// An UnavailableError says which demand the leases do not cover while the store cannot be asked. It wraps
// ErrUnavailable.
type UnavailableError struct {
	Index int           // of the demand
	Left  pricing.Money // what the lease still holds; never negative
}

// Error says what the lease holds.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("%v: the lease has %s USD left", ErrUnavailable, e.Left)
}

// Unwrap returns ErrUnavailable.
func (e *UnavailableError) Unwrap() error { return ErrUnavailable }
