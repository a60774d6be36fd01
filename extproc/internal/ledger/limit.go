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
}

// Error names the budget, what was needed and what is left.
func (e *LimitError) Error() string {
	return fmt.Sprintf("budget %q: need %s USD, %s USD left until %s",
		e.Budget, e.Need, e.Left, e.Refills.Format(time.RFC3339))
}

// Unwrap returns ErrExhausted.
func (e *LimitError) Unwrap() error { return ErrExhausted }
