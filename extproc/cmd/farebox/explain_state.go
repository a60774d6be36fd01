package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// balances is what the scopes of one call have spent of each budget.
type balances map[policies.BudgetName]pricing.Money

// amounts reads the --spent flags.
func (x *explainFlags) amounts(set *policies.Set) (balances, error) {
	spent := balances{}
	for _, s := range x.spent {
		name, amount, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("spent %q: want BUDGET=$AMOUNT", s)
		}
		m, err := pricing.ParseMoney(strings.ReplaceAll(strings.TrimPrefix(amount, "$"), ",", ""))
		if err != nil {
			return nil, fmt.Errorf("spent %q: %w", s, err)
		}
		if err := known(name, budgetNames(set.Policy().Budgets)); err != nil {
			return nil, fmt.Errorf("spent %q: %w", s, err)
		}
		spent[policies.BudgetName(name)] = m
	}
	return spent, nil
}

// left is what a budget has left for the scope of the call.
func (b balances) left(budget *policies.Budget) pricing.Money {
	return max(0, budget.Limit-b[budget.Name])
}

// A shortError says which budget cannot bear an option: of several, the one that refills last.
type shortError struct {
	budget     *policies.Budget
	need, left pricing.Money
	refills    time.Time
}

func (e *shortError) Error() string {
	return fmt.Sprintf("budget %q has %s left until %s, the call could cost %s",
		e.budget.Name, usd(e.left), moment(e.refills), usd(e.need))
}

// bear returns nil if the hard budgets that count a call could reserve an option.
func (b balances) bear(budgets []policies.Budget, r *policies.Request, o *policies.Option, now time.Time) *shortError {
	var short *shortError
	value := valuesOf(r, policies.ModelRef{Route: o.Route, Model: o.Model})
	for i := range budgets {
		budget := &budgets[i]
		if budget.Soft || !budget.Covers(value) {
			continue
		}
		left, need := b.left(budget), o.Charge()
		if ledger.Covers(budget, left, need) {
			continue
		}
		if refills := budget.End(now); short == nil || refills.After(short.refills) {
			short = &shortError{budget, need, left, refills}
		}
	}
	return short
}

// valuesOf returns what the dimensions of a call are where it is served at a place.
func valuesOf(r *policies.Request, at policies.ModelRef) func(policies.DimensionName) (string, bool) {
	return func(name policies.DimensionName) (string, bool) {
		for _, v := range r.Dims {
			if v.Name == name {
				return v.Value, v.Verified
			}
		}
		switch name {
		case policies.DimModel:
			return string(at.Model), true
		case policies.DimProvider:
			return string(at.Route), true
		}
		return "", false
	}
}

// poolState is what decisions depend on: what is spent, and the break-even of a server's pools; without a state folder
// no pool is cheaper yet.
type poolState struct {
	policies.NoState
	pools *upstream.Pools
	spent balances
	value func(policies.DimensionName) (string, bool) // of the call as it was asked; set before a decision
	now   time.Time
	seen  bool // the model has seen the prompt before
}

// Left implements policies.State.
func (s *poolState) Left(b *policies.Budget) (left, limit pricing.Money, covered bool) {
	if !b.Covers(s.value) {
		return b.Limit, b.Limit, false
	}
	return s.spent.left(b), b.Limit, true
}

// pools reads what a server saved in the --state folder.
func (x *explainFlags) pools(set *policies.Set, e env) (*poolState, error) {
	s := &poolState{now: e.now()}
	if x.state == "" || len(set.Policy().Pools) == 0 {
		return s, nil
	}
	pools, err := upstream.Read(x.state, s.now)
	if err != nil {
		return nil, err
	}
	pools.SetPools(set.Policy().Pools)
	s.pools = pools
	return s, nil
}

// Cheaper implements policies.State.
func (s *poolState) Cheaper(pool policies.RouteName) bool {
	return s.pools != nil && s.pools.Cheaper(pool, s.now)
}

// PrefixSeen implements policies.State.
func (s *poolState) PrefixSeen(policies.RouteName, pricing.ModelName, provider.Prefix) bool {
	return s.seen
}

// status lists the pools' break-even, empty without a state folder.
func (s *poolState) status() []upstream.PoolStatus {
	if s.pools == nil {
		return nil
	}
	return s.pools.Status(s.now)
}
