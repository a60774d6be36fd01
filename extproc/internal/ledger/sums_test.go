package ledger

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// absurd is an amount of which two do not fit.
const absurd = 5_000_000_000 * pricing.Dollar

// capOf is a sum as the ledger has it.
func capOf(sum *big.Int) pricing.Money {
	if !sum.IsInt64() {
		return full
	}
	return pricing.Money(sum.Int64())
}

// book has a call observed that its client leaves.
func book(t testing.TB, l *Ledger, amount pricing.Money) {
	t.Helper()
	r := hold(amount)
	_, err := l.Book(r, noon)
	must(t, err)
	must(t, l.Settle(aborted(r.ID, amount)))
}

// checkFull reports whether the budgets count the largest amount, and let nothing pass.
func checkFull(t testing.TB, l *Ledger) {
	t.Helper()
	for _, b := range l.Balances(noon) {
		if b.Spent != full || b.Left != 0 {
			t.Errorf("%s: spent %s USD, left %s, want the largest amount and nothing", b.Budget, b.Spent, b.Left)
		}
	}
	if err := l.Reserve(hold(1), noon); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestAnAmountThatDoesNotFitSpendsTheBudget(t *testing.T) {
	byModel := rolling(pricing.Dollar)
	byModel.Per = []policies.DimensionName{policies.DimModel}
	budgets := []policies.Budget{company(10 * pricing.Dollar), byModel}
	for _, tt := range []struct {
		name    string
		batches [][]pricing.Money
	}{
		{"in one batch", [][]pricing.Money{{absurd, absurd}}},
		{"in two batches", [][]pricing.Money{{absurd}, {absurd}}},
		{"around to nothing", [][]pricing.Money{{full, full, 2}}},
		{"around to nothing in batches", [][]pricing.Money{{full}, {full}, {2}}},
		{"the largest alone", [][]pricing.Money{{full}}},
		{"ten of a thousand million", [][]pricing.Money{{1e18, 1e18, 1e18, 1e18, 1e18}, {1e18, 1e18, 1e18, 1e18, 1e18}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, calls := t.TempDir(), int64(0)
			l := openAt(t, dir, quiet)
			for _, batch := range tt.batches {
				for _, amount := range batch {
					book(t, l, amount)
					calls++
				}
				must(t, l.Flush(t.Context()))
			}
			setBudgets(t, l, budgets...)
			checkFull(t, l)
			for _, until := range []time.Time{noon.Add(time.Second), noon.Add(day)} { // from entries, and from totals
				sum, err := l.Summary(t.Context(), noon.Add(-day), until)
				must(t, err)
				if sum.Calls != calls || sum.Cost != full || sum.Bound != full {
					t.Errorf("summary of %d calls of %s USD, %s as counted, want %d of the largest amount", sum.Calls, sum.Cost, sum.Bound, calls)
				}
			}
			var odd int
			must(t, l.store.reader.QueryRow("SELECT COUNT(*) FROM totals WHERE typeof(cost) || typeof(counted) <> 'integerinteger'").Scan(&odd))
			if odd != 0 {
				t.Errorf("%d totals are no integers", odd)
			}
			must(t, l.Close())
			l = openAt(t, dir, quiet, budgets...)
			checkFull(t, l)
			if entries, err := l.Entries(t.Context(), Filter{}, 100); err != nil || int64(len(entries)) != calls {
				t.Errorf("%d entries, error %v, want %d", len(entries), err, calls)
			}
		})
	}
}

func TestObservedCallsAreBookedWhateverTheyCameTo(t *testing.T) {
	l := openNew(t, company(10*pricing.Dollar), rolling(pricing.Dollar))
	var calls []Reservation
	for _, amount := range []pricing.Money{absurd, absurd, full, cent} {
		r := hold(amount)
		refusal, err := l.Book(r, noon)
		must(t, err)
		if refusal == nil {
			t.Errorf("no refusal of %s USD", amount)
		}
		calls = append(calls, r)
	}
	for _, b := range l.Balances(noon) {
		if b.Reserved != full || b.Left != 0 {
			t.Errorf("%s: reserved %s USD, left %s, want the largest amount and nothing", b.Budget, b.Reserved, b.Left)
		}
	}
	must(t, l.Release(unbilled(calls[0].ID, "test")))
	for _, r := range calls[1:] {
		must(t, l.Settle(aborted(r.ID, r.Charge)))
	}
	checkFull(t, l)
	if entries, err := l.Entries(t.Context(), Filter{}, 100); err != nil || len(entries) != len(calls) {
		t.Errorf("%d entries, error %v, want %d", len(entries), err, len(calls))
	}
}

func TestADatabaseWhoseTotalsWereTooLargeOpens(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet)
	book(t, l, cent)
	must(t, l.Flush(t.Context()))
	_, err := l.store.writer.ExecContext(t.Context(), "UPDATE totals SET cost = 1e19, baseline = 1e19, charge = 1e19, counted = 1e19, "+
		"save_tier = -1e19, input = 1e19")
	must(t, err)
	must(t, l.Close())

	l = openAt(t, dir, quiet, company(10*pricing.Dollar))
	checkFull(t, l)
	book(t, l, cent)
	sum, err := l.Summary(t.Context(), noon.Add(-day), noon.Add(day))
	must(t, err)
	if sum.Calls != 2 || sum.Cost != full || sum.Usage.Input != int64(full) || sum.Savings[pricing.LeverTier] > -full {
		t.Errorf("summary %+v, want the largest numbers", sum)
	}
	var kind string
	must(t, l.store.reader.QueryRowContext(t.Context(), "SELECT typeof(counted) FROM totals").Scan(&kind))
	if kind != "integer" {
		t.Errorf("the total is a %s again", kind)
	}
}

// A total that is full does not get smaller by what is known to be in it.
func TestAFullTotalStaysFullWhateverIsTakenOff(t *testing.T) {
	l := openNew(t)
	for range 4 {
		book(t, l, absurd)
	}
	must(t, l.Flush(t.Context()))
	b := company(pricing.Dollar)
	q := newMeter(&b).query(noon)
	q.last = 1 // the second entry and all later ones are not in it
	sums, err := l.store.spent(t.Context(), q)
	must(t, err)
	if len(sums) != 1 || sums[0].counted != full || sums[0].charged != full {
		t.Errorf("got %+v, want one full sum", sums)
	}
}

// Of random amounts, small ones and ones near the largest, in random batches, budgets count the exact sum or the largest
// amount, whether they are in force as the calls are settled, come later, or the folder is opened again.
func TestBudgetsCountTheExactSumOrTheLargest(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 7))
		budgets := []policies.Budget{company(pricing.Dollar), rolling(pricing.Dollar)}
		dir, exact := t.TempDir(), new(big.Int)
		l := openAt(t, dir, quiet)
		for step := range 12 {
			amount := pricing.Money(r.Int64() >> r.IntN(54))
			exact.Add(exact, big.NewInt(int64(amount)))
			book(t, l, amount)
			switch r.IntN(5) {
			case 0:
				must(t, l.Flush(t.Context()))
			case 1:
				must(t, l.Close())
				l = openAt(t, dir, quiet)
			case 2:
				setBudgets(t, l)
			}
			setBudgets(t, l, budgets...)
			for _, b := range l.Balances(noon) {
				if b.Spent != capOf(exact) {
					t.Fatalf("seed %d, step %d: %s has spent %s USD, want %s", seed, step, b.Budget, b.Spent, capOf(exact))
				}
			}
		}
	}
}

// leases hands out leases and says nothing of them.
type leases struct{}

func (leases) Lease(lease.Account, ...lease.Limit) *lease.Lease  { return new(lease.Lease) }
func (leases) Assert(*lease.Lease, pricing.Money, []lease.Limit) {}
func (leases) Standing(*lease.Lease, bool) (s lease.Standing)    { return s }
func (leases) Forget(*lease.Lease)                               {}

// Whatever the amounts, balances neither wrap around nor count too little, and leases are told of no more than fits.
func TestBalancesOfAbsurdAmountsAddUp(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 8))
		k := newBooks(company(100*cent), rolling(100*cent))
		k.shared = leases{}
		type spent struct {
			at     time.Time
			amount pricing.Money
		}
		var all []spent
		var open [][]held
		told := map[*lease.Lease]*big.Int{}
		now := noon
		for step := range 400 {
			amount := pricing.Money(r.Int64() >> r.IntN(54))
			switch r.IntN(4) {
			case 0:
				h := hold(amount)
				h.At = now
				holds, _ := k.hold(&h, now, false)
				open = append(open, holds)
			case 1:
				if len(open) > 0 {
					i := r.IntN(len(open))
					k.free(open[i])
					open = append(open[:i], open[i+1:]...)
				}
			case 2:
				if r.IntN(5) == 0 {
					amount = -amount
				}
				e := paid(NewID(noon), amount)
				e.At, e.Counted, e.Settled = now, amount, now
				k.spend(&e, 1)
				all = append(all, spent{now, amount})
			case 3:
				now = now.Add(time.Duration(r.IntN(600)) * time.Second)
			}
			for _, m := range k.moves {
				if told[m.lease] == nil {
					told[m.lease] = new(big.Int)
				}
				if sum := told[m.lease].Add(told[m.lease], big.NewInt(int64(m.amount))); sum.Sign() < 0 || !sum.IsInt64() {
					t.Fatalf("seed %d, step %d: a lease is told of %s", seed, step, sum)
				}
			}
			k.moves = k.moves[:0]
			for _, b := range k.rows(now) {
				exact := new(big.Int)
				for _, s := range all {
					if p := k.find(b.Budget); !p.meter.rolling() || p.budget.Start(s.at).UnixNano() > p.meter.cut {
						exact.Add(exact, big.NewInt(int64(s.amount)))
					}
				}
				if exact.Sign() >= 0 && b.Spent < capOf(exact) || b.Spent < 0 || b.Reserved < 0 || b.Left < 0 || len(open) == 0 && b.Reserved != 0 {
					t.Fatalf("seed %d, step %d: %+v with %d calls open, want at least %s spent", seed, step, b, len(open), exact)
				}
			}
		}
	}
}

func TestCallsDoNotWaitForBudgetsThatAreSetWhileTheJournalRotates(t *testing.T) {
	l := openNew(t)
	book(t, l, cent)    // which the database does not have yet
	l.journal.mu.Lock() // as a rotation does while the disk works
	done := make(chan error, 1)
	go func() { done <- l.SetBudgets(t.Context(), []policies.Budget{company(cent)}, noon) }()
	building := false
	for deadline := time.Now().Add(10 * time.Second); !building && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if l.mu.TryLock() {
			building = len(l.books.building) > 0
			l.mu.Unlock()
		}
	}
	l.journal.mu.Unlock()
	must(t, <-done)
	if !building {
		t.Error("calls wait for the journal")
	}
}

func TestSumsInSQLAreExactOrStop(t *testing.T) {
	st, err := openStore(t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	r := rand.New(rand.NewPCG(9, 9))
	for range 300 {
		exact, values := new(big.Int), ""
		for i := range 1 + r.IntN(6) {
			n := (r.Int64() >> r.IntN(54)) * (1 - 2*int64(r.IntN(2)))
			exact.Add(exact, big.NewInt(n))
			if i > 0 {
				values += ", "
			}
			values += fmt.Sprintf("(%d)", n)
		}
		var got int64
		must(t, st.reader.QueryRow("WITH v (n) AS (VALUES "+values+") SELECT "+sumOf("n")+" FROM v").Scan(&got))
		if want := exact.Int64(); exact.IsInt64() && got != want {
			t.Errorf("sum of %s = %d, want %d", values, got, want)
		}
		if !exact.IsInt64() && (exact.Sign() > 0) != (got > 1<<62) {
			t.Errorf("sum of %s = %d, want it to stop", values, got)
		}
	}
}
