package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// ErrExhausted says that a budget cannot cover a call.
var ErrExhausted = errors.New("budget exhausted")

// A LimitError says which budget refused a reservation: of several, the one that refills last. It wraps
// ErrExhausted.
type LimitError struct {
	Budget   policies.BudgetName
	Scope    []Dim         // the values that the balance belongs to; empty for a budget of everybody
	Limit    pricing.Money // the whole budget
	Need     pricing.Money // the most that the call could have cost
	Left     pricing.Money // what was free when it was refused; never negative
	Refills  time.Time     // start of the budget's next window
	FreeOnly bool          // cache hits and own pools are still served
	Outage   bool          // nobody knows what is left: shared balances cannot be reached, and the lease is used up
}

// Error names the budget, what was needed and what is left.
func (e *LimitError) Error() string {
	if e.Outage {
		return fmt.Sprintf("budget %q: need %s USD, shared balances cannot be reached", e.Budget, e.Need)
	}
	return fmt.Sprintf("budget %q: need %s USD, %s USD left until %s",
		e.Budget, e.Need, e.Left, e.Refills.Format(time.RFC3339))
}

// Unwrap returns ErrExhausted.
func (e *LimitError) Unwrap() error { return ErrExhausted }

// Covers reports whether a budget that has so much left lets a call through that could cost need. One that charges
// nothing passes while a budget has anything left, or is FreeOnly.
func Covers(b *policies.Budget, left, need pricing.Money) bool {
	return left >= need && (need > 0 || left > 0 || b.FreeOnly)
}
