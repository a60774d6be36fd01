package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
)

// operated is the ledger as operators may change it.
type operated struct {
	*ledger.Ledger
	policy func() *policyState
}

// TopUp raises a limit. The order must say whom of a budget with dimensions it is for: what it leaves out would
// raise the limit of calls without a value alone.
func (o operated) TopUp(t ledger.TopUp, now time.Time) (ledger.TopUp, error) {
	budgets := o.policy().set.Policy().Budgets
	i := slices.IndexFunc(budgets, func(x policies.Budget) bool { return x.Name == t.Budget })
	if i < 0 {
		return t, noBudget(string(t.Budget), budgetNames(budgets))
	}
	if err := checkScope(&budgets[i], t.Scope); err != nil {
		return t, err
	}
	done, err := o.Ledger.TopUp(t, now)
	done.Until = done.Until.In(budgets[i].End(now).Location())
	return done, err
}

// checkScope reports the dimensions of a budget that a scope says nothing of. Those that it does not have are the
// ledger's to refuse.
func checkScope(b *policies.Budget, scope []ledger.Dim) error {
	var per, missing []string
	for _, name := range b.Per {
		per = append(per, string(name))
		if !slices.ContainsFunc(scope, func(d ledger.Dim) bool { return d.Name == name }) {
			missing = append(missing, string(name))
		}
	}
	other := func(d ledger.Dim) bool { return !slices.Contains(b.Per, d.Name) }
	if len(missing) == 0 || slices.ContainsFunc(scope, other) {
		return nil
	}
	return &scopeError{b.Name, per, missing}
}

// A scopeError says what an order leaves out of a budget's dimensions. It is a ledger.ErrBadOrder.
type scopeError struct {
	budget       policies.BudgetName
	per, missing []string
}

func (e *scopeError) Error() string {
	name := e.missing[0]
	return fmt.Sprintf("budget %q counts per %s: add --scope %s=VALUE, or --scope '%s=%s' for calls without one",
		e.budget, strings.Join(e.per, ", "), name, name, ledger.None)
}

func (e *scopeError) Unwrap() error { return ledger.ErrBadOrder }

func budgetNames(budgets []policies.Budget) []string {
	names := make([]string, len(budgets))
	for i := range budgets {
		names[i] = string(budgets[i].Name)
	}
	return names
}

// known returns nil if a name is among those of the budgets.
func known(name string, budgets []string) error {
	if slices.Contains(budgets, name) {
		return nil
	}
	return noBudget(name, budgets)
}

// noBudget says which budgets there are instead of the one that was asked for.
func noBudget(name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("%w: %q; there are none", ledger.ErrNoBudget, name)
	}
	return fmt.Errorf("%w: %q; known: %s", ledger.ErrNoBudget, name, quotedNames(known))
}

// quotedNames lists names.
func quotedNames(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(all, ", ")
}
