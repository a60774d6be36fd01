package lease

import (
	"maps"
	"math/big"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// model is what claim.lua does, in Go: a server with its data, without clock and network.
type model struct {
	run      string
	lastRun  string // whose data these are
	until    time.Time
	recovery time.Duration
	accounts map[string]*modelAccount
}

type modelAccount struct {
	grants map[modelField]modelGrant
	topUps map[string]modelTopUp
	wanted time.Time // until then
}

type modelTopUp struct {
	budget  policies.BudgetName
	amount  pricing.Money
	expires time.Time
}

type modelField struct {
	start   int64
	replica string
}

type modelGrant struct {
	amount                pricing.Money
	expires               time.Time
	incarnation, sequence int64
}

func newModel(run string, recovery time.Duration) *model {
	return &model{run: run, recovery: recovery, accounts: map[string]*modelAccount{}}
}

// copied returns a server that has a copy of the data.
func (m *model) copied(run string) *model {
	c := &model{run: run, lastRun: m.lastRun, until: m.until, recovery: m.recovery, accounts: map[string]*modelAccount{}}
	for key, a := range m.accounts {
		c.accounts[key] = &modelAccount{maps.Clone(a.grants), maps.Clone(a.topUps), a.wanted}
	}
	return c
}

func (m *model) account(key string) *modelAccount {
	a := m.accounts[key]
	if a == nil {
		a = &modelAccount{grants: map[modelField]modelGrant{}, topUps: map[string]modelTopUp{}}
		m.accounts[key] = a
	}
	return a
}

// of adds up what one replica has of it.
func (a *modelAccount) of(replica string, now time.Time) (mine pricing.Money) {
	for f, g := range a.grants {
		if f.replica == replica && g.expires.After(now) {
			mine += g.amount
		}
	}
	return mine
}

// granted adds up what counts of all replicas at a moment.
func (a *modelAccount) granted(now time.Time) (all pricing.Money) {
	for _, g := range a.grants {
		if g.expires.After(now) {
			all += g.amount
		}
	}
	return all
}

// raises adds up the top-ups of each limit at a moment.
func (a *modelAccount) raises(limits []Limit, now time.Time) []Raise {
	var out []Raise
	for _, l := range limits {
		r := Raise{Budget: l.Budget}
		for _, t := range a.topUps {
			if t.budget == l.Budget && t.expires.After(now) {
				r.Amount += t.amount
			}
		}
		out = append(out, r)
	}
	return out
}

// ceiling is the most that may be granted at a moment: of the limit that allows least. It counts as the script does not,
// by whole percentages.
func (a *modelAccount) ceiling(limits []Limit, now time.Time) pricing.Money {
	var least *big.Int
	for i, r := range a.raises(limits, now) {
		whole := big.NewInt(int64(limits[i].Amount))
		whole.Add(whole, big.NewInt(int64(r.Amount)))
		whole.Mul(whole, big.NewInt(limits[i].Percent))
		whole.Div(whole, big.NewInt(100))
		if least == nil || whole.Cmp(least) < 0 {
			least = whole
		}
	}
	return pricing.Money(least.Int64())
}

// left is what a replica can be granted with a claim at a moment.
func (m *model) left(replica string, c *Claim, now time.Time) pricing.Money {
	a := m.account(c.Key)
	own := a.grants[modelField{c.Start.UnixMilli(), replica}]
	left := a.ceiling(c.Limits, now) - a.granted(now)
	if c.Expires.After(now) {
		left -= c.Have
	}
	if own.expires.After(now) {
		left += own.amount
	}
	return left
}

func (m *model) topUp(t *TopUp) {
	a := m.account(t.Key)
	if _, ok := a.topUps[t.ID]; !ok {
		a.topUps[t.ID] = modelTopUp{t.Budget, t.Amount, t.Expires}
	}
}

// do carries out an operation at a moment of the server's clock.
func (m *model) do(op *Op, now time.Time) Reply {
	if m.lastRun != m.run {
		m.lastRun, m.until = m.run, now.Add(m.recovery)
	}
	r := Reply{Status: Done, Now: now, Epoch: m.run}
	for i := range op.Claims {
		c := &op.Claims[i]
		g, ok := m.account(c.Key).grants[modelField{c.Start.UnixMilli(), op.Replica}]
		if ok && (g.incarnation > op.Incarnation || g.incarnation == op.Incarnation && g.sequence >= op.Sequence) {
			return Reply{Status: Stale, Now: now, Epoch: m.run, Incarnation: g.incarnation}
		}
	}
	for i := range op.Claims {
		m.note(op, &op.Claims[i], op.Claims[i].Have, now)
	}
	claims := make([]modelClaim, len(op.Claims))
	for i := range op.Claims {
		c, a := &op.Claims[i], m.account(op.Claims[i].Key)
		all := a.granted(now)
		r.Figures = append(r.Figures, Figure{c.Have, a.of(op.Replica, now), all, a.raises(c.Limits, now), a.wanted.After(now)})
		if len(c.Limits) > 0 {
			claims[i].ceiling = a.ceiling(c.Limits, now)
		}
		claims[i].before = claims[i].ceiling - all
		claims[i].left = claims[i].before
	}
	if now.Before(m.until) {
		r.Status = Recovering
		return r
	}
	for _, ask := range op.Asks {
		r.Results = append(r.Results, m.serve(op, claims, ask, now))
	}
	for i := range op.Claims {
		m.grant(op, i, &claims[i], &r.Figures[i], now)
	}
	return r
}

// modelClaim is a claim of the operation under way.
type modelClaim struct {
	ceiling, before, left pricing.Money // left of the ceiling before the asks, and by now
	refused               bool
}

// serve answers one ask.
func (m *model) serve(op *Op, claims []modelClaim, ask Ask, now time.Time) Result {
	for _, n := range ask {
		if c := &op.Claims[n.Claim]; now.Before(c.Start) || !now.Before(c.End) {
			return Result{Status: WrongWindow}
		}
	}
	for _, n := range ask {
		if n.Amount > claims[n.Claim].left {
			claims[n.Claim].refused = true
			m.account(op.Claims[n.Claim].Key).wanted = now.Add(3 * time.Second)
			return Result{Refused, n.Claim}
		}
	}
	for _, n := range ask {
		claims[n.Claim].left -= n.Amount
	}
	return Result{Status: Done}
}

// grant notes what the asks got of a claim, and more where there is plenty.
func (m *model) grant(op *Op, i int, c *modelClaim, f *Figure, now time.Time) {
	got := c.before - c.left
	if got == 0 {
		return
	}
	if !op.Claims[i].Exact && !f.Wanted && !c.refused && c.before > c.ceiling/20 {
		got = max(got, min(c.before/100, 1e15))
	}
	m.note(op, &op.Claims[i], op.Claims[i].Have+got, now)
	f.Own += got
	f.Mine += got
	f.All += got
}

func (m *model) note(op *Op, c *Claim, amount pricing.Money, now time.Time) {
	if c.Expires.After(now) {
		m.account(c.Key).grants[modelField{c.Start.UnixMilli(), op.Replica}] =
			modelGrant{amount, c.Expires, op.Incarnation, op.Sequence}
	}
}
