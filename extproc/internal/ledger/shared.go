package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/extproc/internal/sparse"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

const (
	// reachWithin is how long Open waits for the store of shared balances, so that the first windows are of its clock.
	reachWithin = time.Second
	// retryOutage is what a call refused in an outage is told to wait.
	retryOutage = lease.DefaultRecovery
	// windowTries is how often a call finds its windows anew as they change.
	windowTries = 3
	// maxLooks is about how many balances the store is asked when people look at them: those of a few operations.
	maxLooks = 500
	// pushTopUps is how often other replicas are told of the top-ups of this one again, should the store have lost them.
	pushTopUps = 10 * time.Second
)

// sharing is what books need of a lease.Holder.
type sharing interface {
	Lease(a lease.Account, limits ...lease.Limit) *lease.Lease
	Assert(l *lease.Lease, used pricing.Money, limits []lease.Limit)
	Standing(l *lease.Lease, ask bool) lease.Standing
	Forget(l *lease.Lease)
}

// shared is the ledger's side of balances that replicas share. Hard budgets are held on leases; soft ones, which
// refuse nothing, count what this replica sees.
type shared struct {
	holder *lease.Holder
	stop   context.CancelFunc
	done   chan struct{} // closed when the leases are given back
	taken  sparse.Gate   // warnings of top-ups whose keys have gone to others
}

// move is a change of what is spent and reserved on a lease.
type move struct {
	lease  *lease.Lease
	amount pricing.Money
}

// share starts to share balances, and waits a little for the store's clock.
func (l *Ledger) share(dir string, replica ID) error {
	incarnation, err := lease.NextIncarnation(dir, l.options.Now())
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	l.shared = &shared{stop: stop, done: make(chan struct{}), holder: lease.NewHolder(l.options.Shared, lease.Options{
		Replica: replica.String(), Incarnation: incarnation, Now: l.options.Now, Logger: l.options.Logger,
		Timeout: l.options.sharedTimeout,
	})}
	go func() {
		defer close(l.shared.done)
		l.shared.holder.Run(ctx)
	}()
	select {
	case <-l.shared.holder.Reached():
	case <-time.After(reachWithin): // the holder logs it
	}
	return nil
}

// keepShared counts anew when the store is reached after the budgets were set, and repeats top-ups, until ctx ends.
func (l *Ledger) keepShared(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-l.shared.holder.Reached():
	}
	ticker := time.NewTicker(pushTopUps)
	defer ticker.Stop()
	for {
		if err := l.join(ctx); err != nil {
			l.options.Logger.LogAttrs(ctx, slog.LevelWarn, "balances not shared yet", slog.Any("err", err))
		}
		l.mu.Lock()
		topUps := slices.Clone(l.books.topUps)
		l.mu.Unlock()
		for i := range topUps {
			l.repeatTopUp(ctx, &topUps[i])
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// join counts the budgets anew in the windows of the store's clock, if they were set before that was known.
func (l *Ledger) join(ctx context.Context) error {
	l.setting.Lock()
	defer l.setting.Unlock()
	l.mu.Lock()
	joined := l.books.shared != nil || l.books.budgets == nil
	budgets := make([]policies.Budget, len(l.books.budgets))
	for i := range budgets {
		budgets[i] = l.books.budgets[i].budget
	}
	l.mu.Unlock()
	if joined {
		return nil
	}
	return l.setBudgets(ctx, budgets, l.options.Now())
}

// reached reports whether the clock of the store is known, if there is one.
func (l *Ledger) reached() bool {
	if l.shared == nil {
		return false
	}
	select {
	case <-l.shared.holder.Reached():
		return true
	default:
		return false
	}
}

// at returns a moment of our clock by that of shared balances.
func (l *Ledger) at(now time.Time) time.Time {
	if l.shared == nil {
		return now
	}
	return l.shared.holder.At(now)
}

// unshare gives the leases back.
func (l *Ledger) unshare() {
	if l.shared != nil {
		l.shared.stop()
		<-l.shared.done
	}
}

// Shared returns how the leases on shared balances stand, and whether there are any.
func (l *Ledger) Shared() (lease.Stats, bool) {
	if l.shared == nil {
		return lease.Stats{}, false
	}
	return l.shared.holder.Stats(), true
}

// holdShared reserves on the leases of the hard budgets, then in memory. The round trip, if one is needed, is made
// without the mutex.
func (l *Ledger) holdShared(r Reservation, now time.Time) (*open, *LimitError, error) {
	for try := 1; ; try++ {
		r.At = l.at(now).Round(0).UTC()
		l.mu.Lock()
		err := l.checkNewLocked(&r)
		demands, meters := l.books.demands(&r)
		joined := l.books.shared != nil
		l.mu.Unlock()
		if err != nil {
			return nil, nil, err
		}
		if joined {
			err = l.shared.holder.Take(context.Background(), demands, r.Charge)
		} else {
			err, demands = outage(meters), nil
		}
		switch {
		case err == nil:
			return l.holdTaken(r, demands)
		case !errors.Is(err, lease.ErrWindow):
			return nil, l.limitError(err, demands, meters, &r), nil
		case try == windowTries:
			return nil, l.limitError(&lease.UnavailableError{}, demands, meters, &r), nil
		}
		l.mu.Lock()
		l.books.forgetUnused(demands, meters, &r) // of a window that is over, or has not begun
		l.mu.Unlock()
	}
}

// outage returns an error for the first budgets that must not be passed while the store is away.
func outage(meters []*meter) error {
	for i, m := range meters {
		if !m.openOnOutage() {
			return &lease.UnavailableError{Index: i}
		}
	}
	return nil
}

// holdTaken books in memory what was taken from leases.
func (l *Ledger) holdTaken(r Reservation, demands []lease.Demand) (*open, *LimitError, error) {
	l.mu.Lock()
	for i := range demands {
		l.books.moves = append(l.books.moves, move{demands[i].Lease, -r.Charge}) // the leases have it already
	}
	o, _, err := l.holdLocked(r, false)
	l.moveLocked()
	events := l.books.takeEvents()
	l.mu.Unlock()
	l.tell(events)
	return o, nil, err
}

// limitError says which budget of which meter a lease refused. Of scopes of which nobody has anything it leaves nothing
// behind: whoever calls may name as many as they like. There are no demands before balances are shared.
func (l *Ledger) limitError(err error, demands []lease.Demand, meters []*meter, r *Reservation) *LimitError {
	var refused *lease.RefusedError
	var out *lease.UnavailableError
	index, left := 0, pricing.Money(0)
	switch {
	case errors.As(err, &refused):
		index, left = refused.Index, refused.Left
	case errors.As(err, &out):
		index, left = out.Index, out.Left
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m := meters[index]
	b := l.books.refused(m, index, demands, r)
	l.books.forgetUnused(demands, meters, r)
	tightest := m.tightest(b, r.At)
	e := &LimitError{
		Budget: tightest.Name, Scope: m.scope(&r.Call), Limit: b.limitOf(&tightest.Budget, r.At), Need: r.Charge, Left: left,
		Refills: m.refills(b, r.Charge-left), FreeOnly: tightest.FreeOnly,
	}
	if refused == nil {
		e.Outage, e.Refills = true, r.At.Add(retryOutage)
	}
	return e
}

// moveLocked tells the leases what has changed, all that belongs together at once.
func (l *Ledger) moveLocked() {
	moves := l.books.moves
	for i := range moves {
		on, amount := moves[i].lease, moves[i].amount
		if on == nil {
			continue
		}
		for j := i + 1; j < len(moves); j++ {
			if moves[j].lease == on {
				amount += moves[j].amount
				moves[j].lease = nil
			}
		}
		if amount != 0 {
			l.shared.holder.Change(on, amount)
		}
	}
	l.books.moves = moves[:0]
}

// shareTopUp tells the store of a top-up, which it takes once.
func (l *Ledger) shareTopUp(ctx context.Context, t *TopUp) error {
	l.mu.Lock()
	p := l.books.find(t.Budget)
	if p == nil || p.budget.Soft || !l.at(l.options.Now()).Before(t.Until) {
		l.mu.Unlock()
		return nil
	}
	c := callIn(t.Scope)
	account := p.meter.account(&c, t.From)
	l.mu.Unlock()
	account.Expires = t.Until
	if err := l.options.Shared.TopUp(ctx, lease.TopUp{Account: account, Budget: t.Budget, ID: t.ID.String(), Amount: t.Amount}); err != nil {
		return fmt.Errorf("share top-up: %w", err)
	}
	return nil
}

// demands returns what a call has to take from leases, and the meters of it.
func (k *books) demands(r *Reservation) ([]lease.Demand, []*meter) {
	demands, meters := make([]lease.Demand, 0, len(k.meters)), make([]*meter, 0, len(k.meters))
	for _, m := range k.meters {
		if m.key.soft || !m.covers(&r.Call) {
			continue
		}
		meters = append(meters, m)
		if k.shared == nil {
			continue
		}
		m.enter(r.At)
		b, grain := m.find(&r.Call, r.At, false)
		d := lease.Demand{Limits: m.leases, Open: m.openOnOutage()}
		if b != nil {
			d.Lease = *b.leaseAt(grain)
		}
		if d.Lease == nil {
			d.Lease = k.leaseOn(m, &r.Call, r.At)
		}
		demands = append(demands, d)
	}
	return demands, meters
}

// move notes a change of a balance, or of a grain of it, for its lease.
func (k *books) move(m *meter, b *balance, grain int64, c *Call, at time.Time, amount pricing.Money) {
	if k.shared == nil || m.key.soft {
		return
	}
	on := b.leaseAt(grain)
	if *on == nil {
		*on = k.leaseOn(m, c, at)
	}
	k.moves = append(k.moves, move{*on, amount})
}

// look brings up to date what a balance knows of other replicas. With ask, the store is asked within a beat.
func (k *books) look(m *meter, b *balance, ask bool) {
	if k.shared == nil || m.key.soft || b == nil {
		return
	}
	s := lease.Standing{}
	if b.lease != nil {
		s = k.shared.Standing(b.lease, ask)
	}
	for i := len(b.grains) - 1; i >= 0 && !s.Known; i-- { // each knows of all, the new one of nothing yet
		if on := b.grains[i].lease; on != nil {
			free := s.Free
			s = k.shared.Standing(on, ask)
			s.Free += free
		}
	}
	b.known, b.leased = s.Known, s.Free
	b.others, b.raised = s.All-s.Mine, s.Raises
}

// lookAll brings up to date the balances of the present windows, for people. Of many, the store is asked about some,
// others each time. A budget of everybody has a balance before its first call.
func (k *books) lookAll(now time.Time) {
	if k.shared == nil {
		return
	}
	asks := maxLooks
	for _, m := range k.meters {
		m.enter(now)
		if len(m.per) == 0 && !m.key.soft {
			k.seen(m, &Call{}, now)
		}
		start, _ := m.window(now)
		for _, b := range m.windows[start] {
			k.look(m, b, asks > 0)
			asks--
		}
	}
}

// seen has a balance and a lease for a call that holds nothing yet, and returns the balance.
func (k *books) seen(m *meter, c *Call, at time.Time) *balance {
	b, grain := m.find(c, at, true)
	if on := b.leaseAt(grain); k.shared != nil && *on == nil {
		*on = k.leaseOn(m, c, at)
	}
	return b
}

// lease tells the leases what balances of the present windows add up to that have none yet.
func (k *books) lease(now time.Time) {
	for _, m := range k.meters {
		if k.shared == nil || m.key.soft {
			continue
		}
		start, _ := m.window(now)
		for _, b := range m.windows[start] {
			c := callIn(b.scope)
			if !m.rolling() && b.lease == nil {
				b.lease = k.leaseOn(m, &c, now)
				k.shared.Assert(b.lease, b.taken(), m.leases)
			}
			for i := range b.grains {
				if g := &b.grains[i]; g.lease == nil {
					g.lease = k.leaseOn(m, &c, time.Unix(0, g.start))
					k.shared.Assert(g.lease, g.taken(), m.leases)
				}
			}
		}
	}
}

// refused returns the balance of the meter that refused a call, for people to see who was refused: nil for a scope of which,
// as far as the store has told, nobody has anything.
func (k *books) refused(m *meter, index int, demands []lease.Demand, r *Reservation) *balance {
	b, _ := m.find(&r.Call, r.At, false)
	if b == nil && len(m.per) > 0 {
		if demands == nil {
			return nil
		}
		if s := k.shared.Standing(demands[index].Lease, false); s.All == 0 && !raised(s.Raises) {
			return nil
		}
	}
	b = k.seen(m, &r.Call, r.At)
	k.look(m, b, false)
	return b
}

// raised reports whether anything was topped up.
func raised(raises []lease.Raise) bool {
	return slices.ContainsFunc(raises, func(r lease.Raise) bool { return r.Amount > 0 })
}

// forgetUnused gives up the leases of a refused call that no balance keeps.
func (k *books) forgetUnused(demands []lease.Demand, meters []*meter, r *Reservation) {
	for i := range demands {
		if b, _ := meters[i].find(&r.Call, r.At, false); b == nil {
			k.shared.Forget(demands[i].Lease)
		}
	}
}

// leaseOn returns the lease for calls on a meter at a moment.
func (k *books) leaseOn(m *meter, c *Call, at time.Time) *lease.Lease {
	return k.shared.Lease(m.account(c, at), m.leases...)
}

// leaseLimits is what leases have to know of the budgets of a meter.
func leaseLimits(limits []limit) []lease.Limit {
	out := make([]lease.Limit, len(limits))
	for i := range limits {
		l := &limits[i]
		out[i] = lease.Limit{Budget: l.Name, Amount: l.Limit, Percent: l.RefusesAt()}
	}
	return out
}

// tightest is the budget of the meter that refuses first, with what it was topped up by.
func (m *meter) tightest(b *balance, now time.Time) *limit {
	ceiling := func(l *limit) pricing.Money { return l.Ceiling(b.limitOf(&l.Budget, now)) }
	least := &m.limits[0]
	for i := range m.limits {
		if l := &m.limits[i]; ceiling(l) < ceiling(least) {
			least = l
		}
	}
	return least
}

// openOnOutage reports whether all budgets of the meter let calls pass while the store is away.
func (m *meter) openOnOutage() bool {
	return !slices.ContainsFunc(m.limits, func(l limit) bool { return !l.OpenOnOutage })
}

// account is what replicas with the same budgets share of a scope and a window. Values of dimensions do not leave the
// process: they are hashed.
func (m *meter) account(c *Call, at time.Time) lease.Account {
	key := appendWord(appendWord(nil, m.key.per), m.key.only)
	key = appendWord(appendWord(key, string(m.key.window)), m.key.zone)
	key = binary.AppendVarint(key, int64(m.key.length))
	if m.key.aborted {
		key = append(key, 1)
	}
	sum := sha256.Sum256(m.scopeKey(appendWord(key, ""), c))
	a := lease.Account{Key: base64.RawURLEncoding.EncodeToString(sum[:16]), Start: m.period.Start(at), End: m.period.End(at)}
	a.Expires = a.End
	if m.rolling() {
		a.End = a.Start.Add(m.period.Grain())
	}
	return a
}
