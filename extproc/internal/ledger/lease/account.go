package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// Claim is what a replica says and asks of one account.
type Claim struct {
	Account
	Limit pricing.Money // for the sum of all replicas' grants, top-ups not included
	Have  pricing.Money // what the replica holds already
	Need  pricing.Money // how much more it must get; 0 asks for nothing
	Exact bool          // no more than Need, however much is left
}

// Op is one atomic operation of a replica on the store. No two claims have the same Key and Start, and those with
// a Need no Key in common.
type Op struct {
	Replica     string // without "/"
	Incarnation int64  // rises with every start of the replica; below 2^53
	Sequence    int64  // rises with every operation of an incarnation; below 2^53
	Claims      []Claim
}

// Status says how an operation went.
type Status string

// The statuses. Every Have was noted unless the operation was Stale or of a WrongWindow.
const (
	Done        Status = "done"       // every Need is granted
	Refused     Status = "refused"    // the claim at Index has not enough left; nothing is granted
	Recovering  Status = "recovering" // the store lost its memory or may have; nothing is granted to anybody
	WrongWindow Status = "window"     // a Need is not of the present window
	Stale       Status = "stale"      // a newer operation of the same replica came before
)

// Reply is the store's answer.
type Reply struct {
	Status      Status
	Index       int       // of the claim that is Refused
	Incarnation int64     // for Stale: whose operation came before
	Now         time.Time // by the store's clock
	Epoch       string    // changes whenever grants may have been lost
	Figures     []Figure  // one per claim, unless Stale or of a WrongWindow
}

// Figure is how an account stands after an operation.
type Figure struct {
	Own    pricing.Money // granted to this replica in this window or grain
	Mine   pricing.Money // granted to this replica in all grains that count
	All    pricing.Money // granted to all replicas in all grains that count
	TopUps pricing.Money // to be added to the limit
	Wanted bool          // somebody was refused in the last seconds
}

// Standing is how an account stands, as far as a replica knows.
type Standing struct {
	Figure               // when the store told last
	Known  bool          // it told ever
	Free   pricing.Money // what calls of this replica can take without asking
}

// TopUp raises the limit of an account until the account expires.
type TopUp struct {
	Account
	ID     string // applied once
	Amount pricing.Money
}

// Store is the shared memory of grants. Its methods are safe for concurrent use. An error says that the outcome is
// not known: the operation may have been done, or may still be.
type Store interface {
	Do(ctx context.Context, op Op) (Reply, error)
	// TopUp adds t unless its ID was applied before.
	TopUp(ctx context.Context, t TopUp) error
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
