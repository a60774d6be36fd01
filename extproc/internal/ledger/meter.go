package ledger

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// meterKey is what tells meters apart.
type meterKey struct {
	per, only string
	window    policies.Period
	length    time.Duration
	zone      string
	aborted   bool
	soft      bool
}

// keyOf returns the key of the meter that a budget reads.
func keyOf(b *policies.Budget) meterKey {
	var per, only []byte
	for _, name := range sortedNames(b.Per) {
		per = appendWord(per, string(name))
	}
	for _, c := range b.Only {
		only = binary.AppendUvarint(appendWord(only, c.Key), uint64(len(c.Values)))
		for _, v := range c.Values {
			only = appendWord(only, v)
		}
	}
	k := meterKey{per: string(per), only: string(only), window: b.Window, aborted: b.AbortedEstimate, soft: b.Soft}
	if b.Window == policies.Rolling {
		k.length = b.Length
	} else {
		k.zone = b.Zone.String()
	}
	return k
}

// appendWord appends a string so that no two lists of strings look alike.
func appendWord(key []byte, s string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(s))+1), s...)
}

// sortedNames returns the names in order, each once.
func sortedNames(names []policies.DimensionName) []policies.DimensionName {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// meter keeps the balances of all budgets that differ only in name, limit and steps.
type meter struct {
	key    meterKey
	per    []policies.DimensionName
	period policies.Budget // of which only the window and Only are looked at
	limits []limit         // never empty
	leases []lease.Limit   // the same, for leases; replaced, not changed
	base   int64           // journal records up to this one are in what was read from the database

	start, end time.Time // the window that was used last; of a rolling one its grain, and when that counts no more
	windows    map[int64]map[string]*balance

	cut   int64     // of a rolling window: grains that begin here or before count no more
	sweep time.Time // when scopes of a rolling window are looked through next
}

func newMeter(b *policies.Budget) *meter {
	return &meter{key: keyOf(b), per: sortedNames(b.Per), period: *b, windows: map[int64]map[string]*balance{}, cut: noGrain}
}

func (m *meter) rolling() bool { return m.period.Window == policies.Rolling }

// enter makes now the time of the meter and forgets what is too old to matter: of calendar windows those older than
// the one before the present, which is kept for clocks that are set back.
func (m *meter) enter(now time.Time) {
	if m.rolling() {
		m.cut = now.Add(-m.period.Length - m.period.Grain()).UnixNano()
		if !now.Before(m.sweep) {
			m.forgetIdle(now)
		}
	}
	if !now.Before(m.start) && now.Before(m.end) && !m.rolling() {
		return
	}
	m.start, m.end = m.period.Start(now), m.period.End(now)
	if m.rolling() {
		return
	}
	before := m.period.Start(m.start.Add(-time.Nanosecond)).UnixNano()
	for start := range m.windows {
		if start < before {
			delete(m.windows, start)
		}
	}
}

// forgetIdle drops the scopes of a rolling window in which nothing counts any more, once a length.
func (m *meter) forgetIdle(now time.Time) {
	m.sweep = now.Add(m.period.Length)
	for key, b := range m.windows[0] {
		b.expire(m.cut)
		b.topUps = slices.DeleteFunc(b.topUps, func(t TopUp) bool { return !now.Before(t.Until) })
		if len(b.grains) == 0 && len(b.topUps) == 0 {
			delete(m.windows[0], key)
		}
	}
}

// window returns the key of windows and the grain for calls that were reserved at a moment.
func (m *meter) window(at time.Time) (key, grain int64) {
	if m.rolling() {
		return 0, m.period.Start(at).UnixNano()
	}
	if at.Before(m.start) || !at.Before(m.end) {
		return m.period.Start(at).UnixNano(), noGrain
	}
	return m.start.UnixNano(), noGrain
}

// find returns the balance for a call that was reserved at a moment, and its grain. Without create it may be nil.
func (m *meter) find(c *Call, at time.Time, create bool) (*balance, int64) {
	window, grain := m.window(at)
	var buf [128]byte
	key := m.scopeKey(buf[:0], c)
	balances := m.windows[window]
	b := balances[string(key)]
	if b == nil && create {
		if balances == nil {
			balances = map[string]*balance{}
			m.windows[window] = balances
		}
		b = &balance{scope: m.scope(c)}
		balances[string(key)] = b
	}
	if b != nil && grain != noGrain {
		b.expire(m.cut)
	}
	return b, grain
}

// spend adds to what a call's scope has spent, and returns what changed. What counts in no window any more is left out.
func (m *meter) spend(c *Call, at time.Time, amount pricing.Money) (b *balance, grain int64, change pricing.Money) {
	if m.rolling() && m.period.Start(at).UnixNano() <= m.cut {
		return nil, noGrain, 0
	}
	b, grain = m.find(c, at, true)
	return b, grain, b.spend(grain, amount)
}

// scopeKey appends the call's values of the meter's dimensions, so that no two combinations look alike.
func (m *meter) scopeKey(key []byte, c *Call) []byte {
	for _, name := range m.per {
		if value, ok := m.value(c, name); ok {
			key = appendWord(key, value)
		} else {
			key = append(key, 0)
		}
	}
	return key
}

// scope returns the values that a call counts under.
func (m *meter) scope(c *Call) []Dim {
	scope := make([]Dim, len(m.per))
	for i, name := range m.per {
		value, ok := m.value(c, name)
		if !ok {
			value = None
		}
		scope[i] = Dim{Name: name, Value: value, Verified: ok}
	}
	return scope
}

// need is what a reservation holds on the balances of the meter: soft budgets count what it is expected to cost.
func (m *meter) need(r *Reservation) pricing.Money {
	if m.key.soft && r.Estimate > 0 {
		return min(r.Charge, r.Estimate)
	}
	return r.Charge
}

// refusal returns why a budget of the meter refuses a call, nil if none does.
func (m *meter) refusal(b *balance, need pricing.Money, c *Call, now time.Time) *LimitError {
	var refusal *LimitError
	for i := range m.limits {
		l := &m.limits[i]
		left := l.room(b, now)
		if l.Soft || Covers(&l.Budget, left, need) {
			continue
		}
		if refusal == nil || left < refusal.Left {
			refusal = &LimitError{
				Budget: l.Name, Scope: m.scope(c), Limit: b.limitOf(&l.Budget, now), Need: need, Left: left,
				Refills: m.refills(b, need-left), FreeOnly: l.FreeOnly,
			}
		}
	}
	return refusal
}

// refills is when so much comes back: at the end of the window, of a rolling one with the grain that makes it enough.
func (m *meter) refills(b *balance, missing pricing.Money) time.Time {
	if !m.rolling() || b == nil || len(b.grains) == 0 {
		return m.end
	}
	var back pricing.Money
	for i := range b.grains {
		g := &b.grains[i]
		if back = pricing.AddCapped(back, g.taken()); back >= max(missing, 1) {
			return m.period.End(time.Unix(0, g.start))
		}
	}
	return m.end
}

// rows returns the state of one budget of the meter in the present window, in no order.
func (m *meter) rows(budget *policies.Budget, now time.Time) []Balance {
	m.enter(now)
	start, _ := m.window(now)
	balances := m.windows[start]
	rows := make([]Balance, 0, max(1, len(balances)))
	for _, b := range balances {
		if m.rolling() {
			b.expire(m.cut)
		}
		rows = append(rows, m.row(budget, b, now))
	}
	if len(rows) == 0 && len(m.per) == 0 {
		rows = append(rows, m.row(budget, &balance{}, now))
	}
	return rows
}

// fullest returns the scope that has taken most, an untouched balance if there is none.
func (m *meter) fullest(now time.Time) *balance {
	m.enter(now)
	start, _ := m.window(now)
	most := &balance{}
	for _, b := range m.windows[start] {
		if m.rolling() {
			b.expire(m.cut)
		}
		if b.taken() > most.taken() {
			most = b
		}
	}
	return most
}

// row returns the state of a budget for one scope.
func (m *meter) row(budget *policies.Budget, b *balance, now time.Time) Balance {
	limit := b.limitOf(budget, now)
	row := Balance{
		Budget: budget.Name, Scope: b.scope, Limit: limit, Spent: b.spent, Reserved: b.reserved,
		Left: max(0, limit-b.claimed()), Start: m.start, Refills: m.refills(b, 0), FreeOnly: budget.FreeOnly,
		Soft: budget.Soft, Steps: budget.Steps,
		Known: b.known, Leased: b.leased, Granted: pricing.AddCapped(b.claimed(), b.leased),
		Elsewhere: limit - budget.Limit,
	}
	if m.rolling() {
		row.Start = time.Unix(0, m.cut).Add(m.period.Grain()).In(m.period.Zone)
	}
	for _, t := range b.topUps {
		if t.Budget == budget.Name && now.Before(t.Until) {
			row.TopUps = append(row.TopUps, t)
			row.Elsewhere = max(0, row.Elsewhere-t.Amount)
		}
	}
	return row
}

// Balance is the state of a budget for one scope in its current window.
type Balance struct {
	Budget   policies.BudgetName
	Scope    []Dim           // in the order of names; empty for a budget of everybody
	Limit    pricing.Money   // the whole budget, with TopUps
	Spent    pricing.Money   // settled in this window
	Reserved pricing.Money   // held by calls under way
	Left     pricing.Money   // Limit less Spent and Reserved, and less what other replicas hold, never negative
	Start    time.Time       // of the window; of a rolling one, since when calls count
	Refills  time.Time       // its end; of a rolling one, when its oldest calls count no more
	FreeOnly bool            // cache hits and own pools stay usable
	Soft     bool            // nothing is refused
	Steps    []policies.Step // of the budget; not to be changed
	TopUps   []TopUp         // in force

	// Where replicas share the balance, Spent and Reserved are of this one, and Left is what calls through it can still
	// take: Left = Limit - Granted + Leased, as last known from the store.
	Shared  bool
	Known   bool          // the store has told; otherwise nobody knows what is left
	Leased  pricing.Money // granted to this replica, and neither spent nor reserved
	Granted pricing.Money // to all replicas, with what they have spent
	// Elsewhere is the part of Limit that the budget was topped up by at other replicas, or before this one lost its state.
	Elsewhere pricing.Money
}

// compareBalances orders the rows of a budget by scope.
func compareBalances(a, b Balance) int { return slices.CompareFunc(a.Scope, b.Scope, compareDims) }

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
	calendar := []policies.Period{policies.Hour, policies.Day, policies.Week, policies.Month}
	known := slices.Contains(calendar, b.Window) || (b.Window == policies.Rolling && b.Length > 0)
	if b.Zone == nil || b.Limit < 0 || !known {
		return fmt.Errorf("%w: budget %q was not compiled", ErrInvalid, b.Name)
	}
	return nil
}
