package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// Options says who a replica is and how it deals with the store. Replica and Incarnation are required.
type Options struct {
	Replica     string           // of one state folder, for ever; without "/"
	Incarnation int64            // rises with every start; below 2^53
	Now         func() time.Time // time.Now by default
	Logger      *slog.Logger     // nothing is logged by default
	Timeout     time.Duration    // of a round trip, and of a call's wait for its turn; 250 ms by default
	Beat        time.Duration    // how often the store is told and asked; a second by default
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = 250 * time.Millisecond
	}
	if o.Beat <= 0 {
		o.Beat = time.Second
	}
	return o
}

// Holder holds the leases of one replica. NewHolder is the only way to get one. Its methods are safe for concurrent
// use.
type Holder struct {
	store   Store
	options Options
	turn    chan struct{}             // holds a token while an operation is under way
	kick    chan struct{}             // asks for a beat before its time
	reached chan struct{}             // closed when the store has answered
	clock   atomic.Pointer[reference] // nil until then
	open    atomic.Bool               // Open was called
	down    atomic.Bool               // the last operation failed; only beats ask the store
	idle    atomic.Bool               // the store has answered last that it recovers
	known   atomic.Int32              // a condition: the one that was logged
	since   atomic.Pointer[time.Time] // when it began that nothing is handed out, by our own clock

	trips, failures, refusals atomic.Int64

	mu   sync.Mutex
	book *book // guarded by mu
}

// condition is how the store serves us.
type condition int32

const (
	unknown condition = iota
	away
	recovering
	granting
)

// reference is what two clocks said at the same moment.
type reference struct{ store, own time.Time }

// Stats counts what is worth watching since the start.
type Stats struct {
	Trips    int64         // operations on the store
	Failures int64         // of them, those without an answer
	Refusals int64         // of them, those that asked for more than was left
	Down     bool          // the store cannot be reached, or hands nothing out
	Since    time.Time     // when that began, by our own clock; zero unless Down, and for the moment before it is known
	Spare    pricing.Money // granted and not used, all leases together
	Leases   int           // accounts that are kept in mind
}

// NewHolder returns the holder of a replica. It asks the store for nothing before Open: windows follow the store's
// clock, and the store must not be told that this replica has spent nothing. So Run it, wait for Reached, Assert what
// was spent in the windows of the time that Now says, and Open it.
func NewHolder(s Store, o Options) *Holder {
	return &Holder{
		store: s, options: o.withDefaults(), book: newBook(o.Replica, o.Incarnation),
		turn: make(chan struct{}, 1), kick: make(chan struct{}, 1), reached: make(chan struct{}),
	}
}

// Reached returns a channel that is closed once the store has answered and Now knows its clock.
func (h *Holder) Reached() <-chan struct{} { return h.reached }

// Open lets Take ask the store. What this replica has spent so far must have been asserted.
func (h *Holder) Open() { h.open.Store(true) }

// Now returns the time by the store's clock, by our own until that is known. A step of our own changes nothing.
func (h *Holder) Now() time.Time { return h.At(h.options.Now()) }

// At returns a moment of our own clock by the store's.
func (h *Holder) At(now time.Time) time.Time {
	if r := h.clock.Load(); r != nil {
		return r.store.Add(now.Sub(r.own))
	}
	return now
}

// Lease returns the lease on an account, an empty one if there is none yet. The limits of a new one are those given
// until something is demanded of it: of what these budgets were topped up by its Standing tells.
func (h *Holder) Lease(a Account, limits ...Limit) *Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.book.lease(a, limits...)
}

// Forget drops a lease that nothing was granted or taken on, and that nobody keeps. Calls that have just found it and
// demand it get another one.
func (h *Holder) Forget(l *Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.book.drop(l)
}

// Assert says what this replica has spent and reserved on an account by its journal. The store learns it with the
// next beat.
func (h *Holder) Assert(l *Lease, used pricing.Money, limits []Limit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.book.assert(l, used, limits)
}

// Change adds to what this replica has spent and reserved on a lease: the cost of a call less what Take reserved for
// it when the call is settled, and less than that when it is released.
func (h *Holder) Change(l *Lease, delta pricing.Money) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.book.change(l, delta)
}

// Standing returns how an account stands. With ask, the next beat asks again.
func (h *Holder) Standing(l *Lease, ask bool) Standing {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ask && !l.touched {
		l.touched = true
		h.book.list(l)
	}
	return Standing{Figure: l.figure, Known: l.known, Free: max(0, l.free())}
}

// Stats returns what is worth watching.
func (h *Holder) Stats() Stats {
	s := Stats{
		Trips: h.trips.Load(), Failures: h.failures.Load(), Refusals: h.refusals.Load(),
		Down: h.down.Load() || h.idle.Load(),
	}
	if since := h.since.Load(); s.Down && since != nil {
		s.Since = *since
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Leases = len(h.book.leases)
	for _, l := range h.book.active {
		s.Spare += max(0, l.free())
	}
	return s
}

// Take reserves amount on every demand or on none, from the leases if they cover it, else with a round trip. It
// returns nil when the amount is held, a *RefusedError, an *UnavailableError, or ErrWindow: the accounts must be
// found again for the time that Now says. Demands on leases that were forgotten are put on new ones, in place.
func (h *Holder) Take(ctx context.Context, demands []Demand, amount pricing.Money) error {
	h.mu.Lock()
	h.book.renew(demands)
	short := h.book.reserve(demands, amount)
	if short < 0 {
		h.mu.Unlock()
		return nil
	}
	if amount > maxNeed {
		defer h.mu.Unlock()
		l := demands[short].Lease
		return &RefusedError{Index: short, Left: max(0, l.left()+l.free())}
	}
	if h.down.Load() || !h.open.Load() {
		defer h.mu.Unlock()
		return h.book.without(demands, amount)
	}
	c := h.book.wait(demands, amount)
	h.mu.Unlock()
	h.await(ctx, c)
	return c.err
}

// await returns when a call is decided. It goes to the store for all that wait if nobody does, or has it decided without
// the store when no operation can take it up in time.
func (h *Holder) await(ctx context.Context, c *call) {
	select {
	case h.turn <- struct{}{}:
		h.ask(ctx, c)
		return
	default:
	}
	timer := time.NewTimer(h.options.Timeout)
	defer timer.Stop()
	select {
	case h.turn <- struct{}{}:
		h.ask(ctx, c)
		return
	case <-c.done:
		return
	case <-ctx.Done():
	case <-timer.C:
	}
	h.mu.Lock()
	h.book.leave(c)
	h.mu.Unlock()
	<-c.done // one trip later at most
}

// ask goes to the store until a call is decided, and gives the turn back, which the caller has. Others that wait are
// decided on the way.
func (h *Holder) ask(ctx context.Context, c *call) {
	defer func() { <-h.turn }()
	for {
		h.mu.Lock()
		h.book.sweep()
		if h.down.Load() {
			h.book.abandon()
		}
		if c.over {
			h.mu.Unlock()
			return
		}
		op := h.book.plan()
		h.mu.Unlock()
		reply, err := h.do(ctx, &op)
		if err != nil {
			return
		}
		h.mu.Lock()
		h.book.answered(&op, &reply)
		h.mu.Unlock()
		if slices.ContainsFunc(reply.Results, func(r Result) bool { return r.Status == Refused }) {
			h.refusals.Add(1)
		}
	}
}

// do carries out one operation. The caller has the turn, and tells the book of the reply; of a failure the book
// learns here.
func (h *Holder) do(ctx context.Context, op *Op) (Reply, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.options.Timeout)
	defer cancel()
	h.trips.Add(1)
	reply, err := h.store.Do(ctx, *op)
	if err == nil && reply.Status == Stale {
		err = errors.New("a newer operation came before")
		if reply.Incarnation > op.Incarnation {
			err = errors.New("another process has the same replica id")
		}
	}
	if err != nil {
		h.failures.Add(1)
		h.mu.Lock()
		h.book.failed(op)
		h.book.abandon()
		h.down.Store(true)
		h.mu.Unlock()
		h.log(away, err)
		return reply, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.idle.Store(reply.Status == Recovering)
	if h.clock.Swap(&reference{reply.Now, h.options.Now()}) == nil {
		close(h.reached)
	}
	if reply.Epoch != h.book.epoch {
		select {
		case h.kick <- struct{}{}:
		default:
		}
	}
	return reply, nil
}

// log says how the store serves us, when that changes.
func (h *Holder) log(now condition, err error) {
	before := condition(h.known.Swap(int32(now)))
	if before == now {
		return
	}
	switch {
	case now == granting:
		h.since.Store(nil)
	case before == granting, before == unknown:
		h.since.Store(new(h.options.Now()))
	}
	ctx, at := context.Background(), slog.Attr{}
	if s, ok := h.store.(fmt.Stringer); ok {
		at = slog.String("store", s.String())
	}
	switch now {
	case away:
		h.options.Logger.LogAttrs(ctx, slog.LevelWarn, "shared balances out of reach", at, slog.Any("err", err))
	case recovering:
		h.options.Logger.LogAttrs(ctx, slog.LevelWarn, "shared balances reached, nothing is handed out while they recover", at)
	case granting:
		h.options.Logger.LogAttrs(ctx, slog.LevelInfo, "shared balances in use", at)
	}
}

// Run beats until ctx ends, then gives back what is not used. It must be called once.
func (h *Holder) Run(ctx context.Context) {
	ticker := time.NewTicker(h.options.Beat)
	defer ticker.Stop()
	for {
		_ = h.Beat(ctx) // logged when it changes anything, and the next one tries again
		select {
		case <-ctx.Done():
			if err := h.beat(context.WithoutCancel(ctx), true); err != nil {
				h.options.Logger.LogAttrs(ctx, slog.LevelWarn, "leases not given back", slog.Any("err", err))
			}
			return
		case <-ticker.C:
		case <-h.kick:
		}
	}
}

// Beat tells the store what this replica holds and gives back what others may need. Run does it every second. An
// error wraps ErrUnavailable.
func (h *Holder) Beat(ctx context.Context) error { return h.beat(ctx, false) }

func (h *Holder) beat(ctx context.Context, last bool) error {
	h.mu.Lock()
	h.book.startBeat(h.Now())
	h.mu.Unlock()
	for {
		more, err := h.beatOnce(ctx, last)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrUnavailable, err)
		}
		if !more {
			h.down.Store(false)
			if h.idle.Load() {
				h.log(recovering, nil)
			} else {
				h.log(granting, nil)
			}
			return nil
		}
	}
}

// beatOnce carries out one operation of a beat. It returns whether there are more.
func (h *Holder) beatOnce(ctx context.Context, last bool) (bool, error) {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-h.turn }()
	h.mu.Lock()
	op := h.book.nextBeat(h.Now(), last)
	h.mu.Unlock()
	reply, err := h.do(ctx, &op)
	if err != nil {
		return false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.book.settled(&op, &reply)
	return len(op.Claims) > 0, nil
}
