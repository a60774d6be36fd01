package lease

import (
	"maps"
	"time"

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
	topUps map[string]modelGrant
	wanted time.Time // until then
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
		a = &modelAccount{grants: map[modelField]modelGrant{}, topUps: map[string]modelGrant{}}
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

// sums adds up what counts at a moment.
func (a *modelAccount) sums(now time.Time) (all, topUps pricing.Money) {
	for _, g := range a.grants {
		if g.expires.After(now) {
			all += g.amount
		}
	}
	for _, g := range a.topUps {
		if g.expires.After(now) {
			topUps += g.amount
		}
	}
	return all, topUps
}

func (m *model) topUp(t *TopUp) {
	a := m.account(t.Key)
	if _, ok := a.topUps[t.ID]; !ok {
		a.topUps[t.ID] = modelGrant{amount: t.Amount, expires: t.Expires}
	}
}

// do carries out an operation at a moment of the server's clock.
func (m *model) do(op *Op, now time.Time) Reply {
	if m.lastRun != m.run {
		m.lastRun, m.until = m.run, now.Add(m.recovery)
	}
	r := Reply{Status: Done, Now: now, Epoch: m.run, Index: -1}
	for i := range op.Claims {
		c := &op.Claims[i]
		g, ok := m.account(c.Key).grants[modelField{c.Start.UnixMilli(), op.Replica}]
		if ok && (g.incarnation > op.Incarnation || g.incarnation == op.Incarnation && g.sequence >= op.Sequence) {
			return Reply{Status: Stale, Now: now, Epoch: m.run, Incarnation: g.incarnation}
		}
		if c.Need > 0 {
			if now.Before(c.Start) || !now.Before(c.End) {
				return Reply{Status: WrongWindow, Now: now, Epoch: m.run}
			}
		}
	}
	for i := range op.Claims {
		m.note(op, &op.Claims[i], op.Claims[i].Have, now)
	}
	left := make([]pricing.Money, len(op.Claims))
	for i := range op.Claims {
		c := &op.Claims[i]
		all, topUps := m.account(c.Key).sums(now)
		r.Figures = append(r.Figures, Figure{c.Have, m.account(c.Key).of(op.Replica, now), all, topUps, m.account(c.Key).wanted.After(now)})
		left[i] = c.Limit + topUps - all
		if c.Need > 0 && c.Need > left[i] && r.Status == Done {
			r.Status, r.Index = Refused, i
		}
	}
	if now.Before(m.until) {
		r.Status, r.Index = Recovering, -1
	}
	if r.Status == Refused {
		m.account(op.Claims[r.Index].Key).wanted = now.Add(3 * time.Second)
	}
	for i := range op.Claims {
		if c := &op.Claims[i]; r.Status == Done && c.Need > 0 {
			grant := c.Need
			if !c.Exact && !r.Figures[i].Wanted && left[i] > (c.Limit+r.Figures[i].TopUps)/20 {
				grant = max(grant, min(left[i]/100, 1e15))
			}
			m.note(op, c, c.Have+grant, now)
			r.Figures[i].Own += grant
			r.Figures[i].Mine += grant
			r.Figures[i].All += grant
		}
	}
	return r
}

func (m *model) note(op *Op, c *Claim, amount pricing.Money, now time.Time) {
	if c.Expires.After(now) {
		m.account(c.Key).grants[modelField{c.Start.UnixMilli(), op.Replica}] =
			modelGrant{amount, c.Expires, op.Incarnation, op.Sequence}
	}
}
