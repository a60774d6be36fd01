package ledger

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// meterKey is what tells meters apart.
type meterKey struct {
	per     string
	window  policies.Period
	zone    string
	aborted bool
}

// keyOf returns the key of the meter that a budget reads.
func keyOf(b *policies.Budget) meterKey {
	per := make([]string, len(b.Per))
	for i, name := range b.Per {
		per[i] = string(name)
	}
	slices.Sort(per)
	return meterKey{per: strings.Join(per, "\x00"), window: b.Window, zone: b.Zone.String(), aborted: b.AbortedEstimate}
}

// meter keeps the balances of all budgets that differ only in name and limit. All of it is guarded by Ledger.mu.
type meter struct {
	key     meterKey
	per     []policies.DimensionName
	budgets []policies.Budget // never empty
	base    int64             // journal records up to this one are in what was read from the database

	start, end time.Time // the window that was used last
	windows    map[int64]map[string]*balance
}

// balance is the state of one scope in one window.
type balance struct {
	scope    []Dim
	spent    pricing.Money
	reserved pricing.Money
}

func newMeter(b *policies.Budget) *meter {
	per := slices.Clone(b.Per)
	slices.Sort(per)
	return &meter{key: keyOf(b), per: per, windows: map[int64]map[string]*balance{}}
}

// enter moves to the window that contains at. It forgets windows older than the one before it, which is kept
// for clocks that are set back.
func (m *meter) enter(b *policies.Budget, at time.Time) {
	if !at.Before(m.start) && at.Before(m.end) {
		return
	}
	m.start, m.end = b.Start(at), b.End(at)
	before := b.Start(m.start.Add(-time.Nanosecond)).UnixNano()
	for start := range m.windows {
		if start < before {
			delete(m.windows, start)
		}
	}
}

// find returns the balance for a call at a moment. Without create it may be nil.
func (m *meter) find(dims []Dim, at time.Time, create bool) *balance {
	m.enter(&m.budgets[0], at)
	var buf [128]byte
	key := m.scopeKey(buf[:0], dims)
	balances := m.windows[m.start.UnixNano()]
	b := balances[string(key)]
	if b != nil || !create {
		return b
	}
	if balances == nil {
		balances = map[string]*balance{}
		m.windows[m.start.UnixNano()] = balances
	}
	b = &balance{scope: m.scope(dims)}
	balances[string(key)] = b
	return b
}

// scopeKey appends the call's values of the meter's dimensions, so that no two combinations look alike.
func (m *meter) scopeKey(key []byte, dims []Dim) []byte {
	for _, name := range m.per {
		value, ok := verified(dims, name)
		if !ok {
			key = append(key, 0)
			continue
		}
		key = binary.AppendUvarint(key, uint64(len(value))+1)
		key = append(key, value...)
	}
	return key
}

// scope returns the values that a call counts under.
func (m *meter) scope(dims []Dim) []Dim {
	scope := make([]Dim, len(m.per))
	for i, name := range m.per {
		value, ok := verified(dims, name)
		if !ok {
			value = None
		}
		scope[i] = Dim{Name: name, Value: value, Verified: ok}
	}
	return scope
}

// refusal returns why a budget of the meter refuses a call, nil if none does.
func (m *meter) refusal(b *balance, need pricing.Money, dims []Dim) *LimitError {
	var refusal *LimitError
	for i := range m.budgets {
		budget := &m.budgets[i]
		left := b.left(budget.Limit)
		if Covers(budget, left, need) {
			continue
		}
		if refusal == nil || left < refusal.Left {
			refusal = &LimitError{
				Budget: budget.Name, Scope: m.scope(dims), Limit: budget.Limit, Need: need, Left: left,
				Refills: m.end, FreeOnly: budget.FreeOnly,
			}
		}
	}
	return refusal
}

// left is what the balance leaves of a limit, never negative. A nil balance is untouched.
func (b *balance) left(limit pricing.Money) pricing.Money {
	if b == nil {
		return limit
	}
	return max(0, limit-b.spent-b.reserved)
}

// fits reports whether the balance can hold that much more without overflow.
func (b *balance) fits(more pricing.Money) bool {
	return b.spent+b.reserved <= math.MaxInt64-more
}

// spend adds to what was spent, up to the largest amount.
func (b *balance) spend(m pricing.Money) {
	b.spent += min(m, math.MaxInt64-b.spent-b.reserved)
}

// Balance is the state of a budget for one scope in its current window.
type Balance struct {
	Budget   policies.BudgetName
	Scope    []Dim         // in the order of names; empty for a budget of everybody
	Limit    pricing.Money // the whole budget
	Spent    pricing.Money // settled in this window
	Reserved pricing.Money // held by calls under way
	Left     pricing.Money // Limit less Spent and Reserved, never negative
	Start    time.Time     // of the window
	Refills  time.Time     // its end
	FreeOnly bool
}

// rows returns the state of one budget of the meter, by scope.
func (m *meter) rows(budget *policies.Budget, now time.Time) []Balance {
	m.enter(budget, now)
	balances := m.windows[m.start.UnixNano()]
	var rows []Balance
	for _, b := range balances {
		rows = append(rows, Balance{
			Budget: budget.Name, Scope: b.scope, Limit: budget.Limit, Spent: b.spent, Reserved: b.reserved,
			Left: b.left(budget.Limit), Start: m.start, Refills: m.end, FreeOnly: budget.FreeOnly,
		})
	}
	if len(rows) == 0 && len(m.per) == 0 {
		rows = []Balance{{
			Budget: budget.Name, Limit: budget.Limit, Left: budget.Limit, Start: m.start, Refills: m.end,
			FreeOnly: budget.FreeOnly,
		}}
	}
	slices.SortFunc(rows, func(a, b Balance) int { return slices.CompareFunc(a.Scope, b.Scope, compareDims) })
	return rows
}

func compareDims(a, b Dim) int {
	if c := cmp.Compare(a.Value, b.Value); c != 0 || a.Verified == b.Verified {
		return c
	}
	if a.Verified {
		return 1
	}
	return -1
}

// checkBudget returns an error for a budget that policies.Compile would not have let through.
func checkBudget(b *policies.Budget) error {
	if b.Zone == nil || b.Limit < 0 || (b.Window != policies.Day && b.Window != policies.Month) {
		return fmt.Errorf("%w: budget %q was not compiled", ErrInvalid, b.Name)
	}
	return nil
}
