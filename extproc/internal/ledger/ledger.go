package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/extproc/internal/sparse"
)

// ErrClosed says that the ledger was closed.
var ErrClosed = errors.New("ledger closed")

// Options says how a ledger works. The zero value takes the defaults.
type Options struct {
	Now           func() time.Time // clock of what the ledger does on its own; time.Now by default
	Logger        *slog.Logger     // nothing is logged by default
	FlushInterval time.Duration    // how often the database is fed; 500 ms by default
	SyncInterval  time.Duration    // what a power cut may cost; 100 ms by default
	SegmentBytes  int64            // size at which a journal segment is rotated; 64 MiB by default
	RenewWithin   time.Duration    // how long a reservation stays open without being renewed; 30 minutes by default
	OnStep        func(StepEvent)  // told when a budget passes a step, by whoever reserves: it must not wait. nil: nobody is
	// OnSettle is told of every call once when it is settled or released, whoever does it, and of what a late settlement
	// changes about a call that was lost: an entry with Outcome Adjusted. Open calls it for what a process that died left.
	// It must neither wait nor keep the entry. nil: nobody is told.
	OnSettle func(*Entry)
	Shared   lease.Store   // where replicas share the balances of hard budgets; nil: they do not. Closed with the ledger
	Answers  lease.Answers // where replicas tell each other of fetched answers; nil: they do not. Not closed
	Sinks    []Sink        // what the journal feeds beside the folder's own database; closed with the ledger

	sharedTimeout time.Duration // lease.Options.Timeout, for tests on a busy machine
}

// withDefaults returns the options with what was left out.
func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.FlushInterval <= 0 {
		o.FlushInterval = 500 * time.Millisecond
	}
	if o.SyncInterval <= 0 {
		o.SyncInterval = 100 * time.Millisecond
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.RenewWithin <= 0 {
		o.RenewWithin = 30 * time.Minute // the shipped proxy ends what is silent for 20 minutes
	}
	return o
}

// Ledger records what calls reserved and spent, and holds them to budgets. Open is the only way to get one. Its
// methods are safe for concurrent use.
type Ledger struct {
	options Options
	lock    *os.File
	journal *journal
	store   *store
	sink    *feed   // of store
	others  []*feed // of Options.Sinks
	shared  *shared // nil without Options.Shared
	answers answers

	overruns sparse.Gate // those that are logged

	stop context.CancelFunc
	wait sync.WaitGroup // the goroutines that Open starts

	setting sync.Mutex // held by SetBudgets; taken before mu

	mu      sync.Mutex // guards what follows
	books   books
	open    map[ID]*open
	parked  map[string]ID  // by key
	expired map[ID]expired // settled by expire, until their owners settle them
	learned learned
	queue   []unwritten // entries that the journal did not take yet
	stats   Stats
	syncErr error         // of the last sync
	keep    time.Duration // how long entries are kept, 0 for ever
	closed  bool
}

// open is a reservation under way.
type open struct {
	Reservation
	held     []held        // one for each meter in force that covers it
	until    time.Time     // when it is settled as lost
	key      string        // that it is parked under, "" if it is not
	settling bool          // a record of it is on its way to the journal
	expired  chan struct{} // of its expired, nil for one that is not
}

// Stats counts what is worth watching. Counters start at zero with the process.
type Stats struct {
	Open       int   // reservations under way
	Parked     int   // of those, how many wait for an answer that is fetched
	Queued     int   // entries that wait for the journal to work again
	Dropped    int64 // entries given up because too many waited
	Duplicates int64 // second settlements and releases, and those of unknown calls: ignored
	Overruns   int64 // calls that came to more than was reserved
	Lost       int64 // reservations of an earlier process that were settled at Open
	Expired    int64 // reservations that nobody renewed, settled as lost
	Adjusted   int64 // of those, how many were settled by their owners later
	Behind     int64 // journal records that the database does not have yet

	Bounds    Ratios // cost of settled calls as a part of what was reserved
	Estimates Ratios // and of what was expected
}

// Open opens the ledger in a folder, which it makes if needed, and takes it for this process. It settles what an
// earlier process left open, but for what is parked, and returns when the database has everything. Until SetBudgets
// there are no budgets. Errors wrap ErrInUse or are a *CorruptError where that is the cause.
func Open(dir string, o Options) (*Ledger, error) {
	l := &Ledger{options: o.withDefaults(), open: map[ID]*open{}, parked: map[string]ID{}, expired: map[ID]expired{}}
	if err := l.openFiles(dir); err != nil {
		_ = l.closeFiles() // the first cause is the one to tell
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.wait.Go(func() { l.keepSynced(ctx) })
	l.wait.Go(func() { l.keepRenewed(ctx) })
	if l.shared != nil {
		l.wait.Go(func() { l.keepShared(ctx) })
	}
	if l.SharesAnswers() {
		l.wait.Go(func() { l.keepPuttingAnswers(ctx) })
	}
	for _, f := range l.feeds() {
		l.wait.Go(func() { f.run(ctx, l.options.FlushInterval, l.keepFrom, l.options.Now) })
	}
	return l, nil
}

// openFiles takes the folder and brings journal and database in line.
func (l *Ledger) openFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var err error
	if l.lock, err = lockDir(dir, l.options.Now()); err != nil {
		return err
	}
	if l.store, err = openStore(dir); err != nil {
		return err
	}
	rec, err := replay(dir, l.options.Logger)
	if err != nil {
		return err
	}
	replica, err := openReplica(dir, l.options.Now())
	if err != nil {
		return err
	}
	applied, err := l.store.Resume(context.Background(), replica)
	if err != nil {
		return err
	}
	if l.journal, err = rec.start(dir, applied, l.options.SegmentBytes); err != nil {
		return err
	}
	l.sink = newFeed(l.store, replica, l.journal, l.options.Logger)
	for _, s := range l.options.Sinks {
		f := newFeed(s, replica, l.journal, l.options.Logger)
		f.backfill, f.lastUpTo = l.store.older, l.store.lastUpTo
		l.others = append(l.others, f)
	}
	if err := l.restore(); err != nil {
		return err
	}
	if err := l.sink.drain(context.Background()); err != nil {
		return err
	}
	if err := l.store.learn(context.Background(), &l.learned); err != nil || l.options.Shared == nil {
		return err
	}
	return l.share(dir, replica)
}

// feeds returns those of all sinks that were opened.
func (l *Ledger) feeds() []*feed {
	if l.sink == nil {
		return nil
	}
	return append([]*feed{l.sink}, l.others...)
}

// keepSynced syncs the journal and retries what it did not take, until ctx is done.
func (l *Ledger) keepSynced(ctx context.Context) {
	ticker := time.NewTicker(l.options.SyncInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := l.journal.sync()
		l.mu.Lock()
		l.syncErr = err
		l.mu.Unlock()
		l.retryQueue()
	}
}

// Healthy returns why promises of the ledger do not hold at the moment: the journal cannot be written or synced,
// entries wait or were given up, the folder's own database is not fed. It returns nil when all is well. Other sinks may
// be down for long without harm; Sinks says how they are.
func (l *Ledger) Healthy() error {
	l.mu.Lock()
	errs := []error{l.syncErr}
	if n := len(l.queue); n > 0 {
		errs = append(errs, fmt.Errorf("%d entries wait for the journal", n))
	}
	if n := l.stats.Dropped; n > 0 {
		errs = append(errs, fmt.Errorf("%d entries given up", n))
	}
	l.mu.Unlock()
	return errors.Join(append(errs, l.journal.lastFault(), l.sink.lastFault())...)
}

// Stats returns what is worth watching.
func (l *Ledger) Stats() Stats {
	behind := l.sink.state().Behind
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Open, s.Parked, s.Queued, s.Behind = len(l.open), len(l.parked), len(l.queue), behind
	return s
}

// Sinks returns how every sink stands, the folder's own database first.
func (l *Ledger) Sinks() []SinkState {
	var states []SinkState
	for _, f := range l.feeds() {
		states = append(states, f.state())
	}
	return states
}

// Flush returns when the database has all that was acknowledged before, or with the reason why it cannot.
func (l *Ledger) Flush(ctx context.Context) error {
	return l.sink.waitFor(ctx, l.journal.end().Seq)
}

// Close writes what is pending and gives the folder back. Reservations still open are settled as lost by the next
// Open, unless they are parked. Calls that come later return ErrClosed.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.stop()
	l.wait.Wait()
	l.retryQueue()
	l.putLastAnswers()
	l.unshare()
	err := l.sink.drain(context.Background())
	l.drainOthers()
	l.mu.Lock()
	if n := len(l.queue); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d entries lost: %w", n, l.journal.lastFault()))
	}
	l.mu.Unlock()
	if err = errors.Join(err, l.closeFiles()); err != nil {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}

// closeWithin is how long Close waits for sinks beyond the folder, which get the rest when they are fed again.
const closeWithin = 3 * time.Second

func (l *Ledger) drainOthers() {
	ctx, stop := context.WithTimeout(context.Background(), closeWithin)
	defer stop()
	for _, f := range l.others {
		if err := f.drain(ctx); err != nil {
			attrs := []slog.Attr{slog.String("sink", f.sink.Name()), slog.Any("err", err)}
			if s := f.state(); s.Known {
				attrs = append(attrs, slog.Int64("records_behind", s.Behind))
			}
			l.options.Logger.LogAttrs(ctx, slog.LevelWarn, "ledger database not up to date", attrs...)
		}
	}
}

// closeFiles closes what openFiles opened. The lock goes last.
func (l *Ledger) closeFiles() error {
	var errs []error
	for _, f := range l.feeds() {
		f.close()
	}
	if l.options.Shared != nil {
		errs = append(errs, l.options.Shared.Close())
	}
	for _, s := range l.options.Sinks {
		errs = append(errs, s.Close())
	}
	if l.journal != nil {
		errs = append(errs, l.journal.close())
	}
	if l.store != nil {
		errs = append(errs, l.store.Close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}
