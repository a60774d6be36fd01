package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/pricing"
)

const cent = pricing.Dollar / 100

// noon is when tests happen unless they say otherwise.
var noon = time.Date(2026, time.March, 14, 12, 0, 0, 0, time.UTC)

// replica is a ledger that feeds a database.
type replica struct {
	*ledger.Ledger
	t testing.TB
}

// openReplica opens the ledger in a folder. It feeds at short intervals and rotates its journal early.
func openReplica(t testing.TB, dir, url string) *replica {
	t.Helper()
	sink, err := New(url)
	must(t, err)
	l, err := ledger.Open(dir, ledger.Options{
		Now: func() time.Time { return noon }, FlushInterval: time.Millisecond, SegmentBytes: 16 << 10, Sinks: []ledger.Sink{sink},
	})
	must(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return &replica{l, t}
}

// spend books a number of calls of a cent.
func (r *replica) spend(calls int, at time.Time) {
	r.t.Helper()
	for i := range calls {
		must(r.t, r.call(i, at))
	}
}

func (r *replica) call(i int, at time.Time) error {
	id := ledger.NewID(at)
	err := r.Reserve(ledger.Reservation{
		Call: ledger.Call{
			ID: id, Provider: "openai", API: "openai_chat", Route: "openai", Asked: "gpt-6-astra", Model: "gpt-6-luna", Tier: "medium",
			Dims: []ledger.Dim{{Name: "team", Value: fmt.Sprintf("team %d", i%3), Verified: true}},
		},
		Bound: 2 * cent, Charge: 2 * cent,
	}, at)
	if err != nil {
		return err
	}
	e := ledger.Entry{
		Call: ledger.Call{ID: id}, Outcome: ledger.OK, Status: 200, Cost: cent, Charge: cent, Baseline: 4 * cent, Settled: at,
		Usage: pricing.Usage{Input: 100, CacheRead: 10, CacheWriteLong: 3, Output: 20, WebSearches: 2},
	}
	e.Savings[pricing.LeverTier] = 3 * cent
	return r.Settle(e)
}

// caughtUp waits until the database has all of the journal.
func (r *replica) caughtUp() {
	r.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		s := r.Sinks()[1]
		if s.Behind == 0 && s.Err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("sink does not catch up: %+v", s)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// books is what a database says in sums: of its entries, and of its totals.
type books struct {
	Calls, IDs                         int64
	Cost, Baseline, Input, Writes      int64
	TotalCalls, TotalCost, TotalSaved  int64
	TotalInput, TotalWrites, TotalWebs int64
}

// after returns the books of a number of calls of spend.
func after(calls int64) books {
	return books{
		Calls: calls, IDs: calls, Cost: calls * int64(cent), Baseline: 4 * calls * int64(cent), Input: 100 * calls, Writes: 3 * calls,
		TotalCalls: calls, TotalCost: calls * int64(cent), TotalSaved: 3 * calls * int64(cent), TotalInput: 100 * calls,
		TotalWrites: 3 * calls, TotalWebs: 2 * calls,
	}
}

func readBooks(t testing.TB, url string) books {
	t.Helper()
	var b books
	conn := connectTo(t, url)
	must(t, conn.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT id), coalesce(sum(cost), 0), coalesce(sum(baseline), 0),
		coalesce(sum(input), 0), coalesce(sum((more -> 'use' ->> 'CacheWriteLong')::bigint), 0) FROM farebox.entries`).
		Scan(&b.Calls, &b.IDs, &b.Cost, &b.Baseline, &b.Input, &b.Writes))
	must(t, conn.QueryRow(t.Context(), `SELECT coalesce(sum(calls), 0), coalesce(sum(cost), 0), coalesce(sum(save_tier), 0),
		coalesce(sum(input), 0), coalesce(sum(cache_write_long), 0), coalesce(sum(web_searches), 0) FROM farebox.totals`).
		Scan(&b.TotalCalls, &b.TotalCost, &b.TotalSaved, &b.TotalInput, &b.TotalWrites, &b.TotalWebs))
	return b
}

func checkBooks(t testing.TB, url string, calls int64) {
	t.Helper()
	if diff := cmp.Diff(after(calls), readBooks(t, url)); diff != "" {
		t.Errorf("books of %d calls (-want +got):\n%s", calls, diff)
	}
}

func connectTo(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // only read
	return conn
}

func execute(t testing.TB, url, query string, values ...any) {
	t.Helper()
	_, err := connectTo(t, url).Exec(t.Context(), query, values...)
	must(t, err)
}

func segments(t testing.TB, dir string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "journal-*.log"))
	must(t, err)
	return len(found)
}

func copyDir(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

func TestReplicasFeedOneDatabaseTogether(t *testing.T) {
	const replicas, calls = 4, 300
	url := newDatabase(t)
	var open sync.WaitGroup
	for range replicas {
		open.Go(func() {
			r := openReplica(t, t.TempDir(), url)
			for i := range calls {
				if err := r.call(i, noon); err != nil {
					t.Error(err)
				}
			}
			r.caughtUp()
		})
	}
	open.Wait()
	checkBooks(t, url, replicas*calls)
	var teams, labels, fed int
	must(t, connectTo(t, url).QueryRow(t.Context(), `SELECT (SELECT count(*) FROM farebox.scopes), (SELECT count(*) FROM farebox.labels),
		(SELECT count(*) FROM farebox.replicas)`).Scan(&teams, &labels, &fed))
	if teams != 3 || labels != 1 || fed != replicas {
		t.Errorf("got %d scopes, %d labels, %d replicas, want 3, 1 and %d", teams, labels, fed, replicas)
	}
}

func TestPeopleReadCostByTeamAndDay(t *testing.T) {
	url := newDatabase(t)
	r := openReplica(t, t.TempDir(), url)
	r.spend(7, noon)
	r.caughtUp()
	rows, err := connectTo(t, url).Query(t.Context(), `SELECT day::text || ' ' || (dims ->> 'team') || ' ' || model || ' ' ||
		sum(calls) || ' ' || sum(cost_usd)::numeric(12, 2) FROM farebox.daily GROUP BY day, dims ->> 'team', model ORDER BY 1`)
	must(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	want := []string{"2026-03-14 team 0 gpt-6-luna 3 0.03", "2026-03-14 team 1 gpt-6-luna 2 0.02", "2026-03-14 team 2 gpt-6-luna 2 0.02"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("daily costs (-want +got):\n%s", diff)
	}
}

func TestEntriesApplyOnce(t *testing.T) {
	url := newDatabase(t)
	dir := t.TempDir()
	r := openReplica(t, dir, url)
	r.spend(40, noon)
	r.caughtUp()
	must(t, r.Close())
	// What a fail-over does that loses the last commits, but for the entries: they come again.
	execute(t, url, "UPDATE farebox.replicas SET segment = 0, place = 0, seq = 0")
	again := openReplica(t, dir, url)
	again.spend(10, noon)
	again.caughtUp()
	checkBooks(t, url, 50)
}

func TestEntriesThatTheJournalHasNoMoreComeFromSQLite(t *testing.T) {
	dir := t.TempDir()
	l, err := ledger.Open(dir, ledger.Options{Now: func() time.Time { return noon }, FlushInterval: time.Millisecond, SegmentBytes: 4 << 10})
	must(t, err)
	(&replica{l, t}).spend(200, noon)
	must(t, l.Flush(t.Context()))
	if n := segments(t, dir); n > 2 {
		t.Fatalf("got %d segments, want those that SQLite has removed", n)
	}
	must(t, l.Close())
	url := newDatabase(t)
	r := openReplica(t, dir, url)
	r.spend(10, noon)
	r.caughtUp()
	checkBooks(t, url, 210)
}

func TestAFolderThatWasPutBackIsFedAgain(t *testing.T) {
	url := newDatabase(t)
	dir := t.TempDir()
	r := openReplica(t, dir, url)
	r.spend(10, noon)
	r.caughtUp()
	before := copyDir(t, dir)
	r.spend(30, noon)
	r.caughtUp()
	must(t, r.Close())

	back := openReplica(t, before, url)
	back.spend(5, noon)
	back.caughtUp()
	checkBooks(t, url, 45)
}

// A copy of a folder has fed the database meanwhile, and the original has more records than the copy left there.
func TestADivergedCopyHidesNothingOfTheOriginal(t *testing.T) {
	for _, c := range []struct {
		name       string
		copy, more int // calls of the copy, and of the original
	}{{"behind the original", 5, 30}, {"as far as the original", 7, 7}, {"before it", 30, 5}} {
		t.Run(c.name, func(t *testing.T) {
			url, dir := newDatabase(t), t.TempDir()
			r := openReplica(t, dir, url)
			r.spend(10, noon)
			r.caughtUp()
			must(t, r.Close())
			twinDir := copyDir(t, dir)
			twin := openReplica(t, twinDir, url)
			twin.spend(c.copy, noon)
			twin.caughtUp()
			must(t, twin.Close())
			alone, err := ledger.Open(dir, ledger.Options{Now: func() time.Time { return noon }, FlushInterval: time.Millisecond})
			must(t, err)
			(&replica{alone, t}).spend(c.more, noon)
			must(t, alone.Close())

			r = openReplica(t, dir, url)
			r.spend(1, noon)
			r.caughtUp()
			checkBooks(t, url, int64(10+c.copy+c.more+1))
			must(t, os.Remove(filepath.Join(twinDir, "replica")))
			twin = openReplica(t, twinDir, url)
			twin.spend(1, noon)
			twin.caughtUp()
			checkBooks(t, url, int64(10+c.copy+c.more+2))
		})
	}
}

func TestAFolderThatGoesOnIsNotFedAgain(t *testing.T) {
	url, dir := newDatabase(t), t.TempDir()
	r := openReplica(t, dir, url)
	r.spend(10, noon)
	r.caughtUp()
	must(t, r.Close())
	execute(t, url, "DELETE FROM farebox.entries")
	execute(t, url, "DELETE FROM farebox.totals")
	again := openReplica(t, dir, url)
	again.spend(5, noon)
	again.caughtUp()
	checkBooks(t, url, 5)
	must(t, again.Close())
	// What was fed before the last entry was kept is believed.
	execute(t, url, "UPDATE farebox.replicas SET last = DEFAULT")
	again = openReplica(t, dir, url)
	again.spend(2, noon)
	again.caughtUp()
	checkBooks(t, url, 7)
}

func TestAPositionThatThisSinkHasNotLeftIsATwins(t *testing.T) {
	at := func(seq int64, last byte) ledger.Position { return ledger.Position{Seq: seq, Last: ledger.ID{last}} }
	s := &Sink{pos: at(10, 1), tried: at(14, 2)}
	for pos, want := range map[ledger.Position]bool{
		at(10, 1): false, at(14, 2): false, at(3, 9): false, at(14, 9): true, at(10, 9): true, at(15, 2): true,
	} {
		if got := s.moved(pos); got != want {
			t.Errorf("%+v: got %v, want %v", pos, got, want)
		}
	}
}

func TestTwoProcessesWithOneReplicaAreTold(t *testing.T) {
	url := newDatabase(t)
	dir := t.TempDir()
	r := openReplica(t, dir, url)
	r.spend(3, noon)
	r.caughtUp()
	twin := openReplica(t, copyDir(t, dir), url)
	twin.spend(10, noon)
	twin.caughtUp()
	r.spend(2, noon)
	deadline := time.Now().Add(30 * time.Second)
	for !errors.Is(r.Sinks()[1].Err, ErrTwin) {
		if time.Now().After(deadline) {
			t.Fatalf("got %+v, want ErrTwin", r.Sinks()[1])
		}
		time.Sleep(5 * time.Millisecond)
	}
	checkBooks(t, url, 13)
	if err := r.Healthy(); err != nil {
		t.Errorf("health: got %v, want nil: the folder is well", err)
	}
}

func TestADatabaseThatIsDownIsFedWhenItComesBack(t *testing.T) {
	s := newServer(t)
	url := s.newDatabase(t)
	s.signal(syscall.SIGINT)
	dir := t.TempDir()
	r := openReplica(t, dir, url)
	r.spend(300, noon)
	must(t, r.Flush(t.Context()))
	must(t, r.Healthy())
	if got := r.Sinks()[1]; got.Err == nil || got.Behind < 600 {
		t.Errorf("got %+v, want an error and 600 records behind", got)
	}
	kept := segments(t, dir)
	if kept < 5 {
		t.Errorf("got %d segments, want all that the database needs", kept)
	}
	s.start()
	r.caughtUp()
	checkBooks(t, url, 300)
	if left := segments(t, dir); left >= kept {
		t.Errorf("got %d segments of %d, want those gone that no sink needs", left, kept)
	}
	s.signal(syscall.SIGINT)
	r.spend(20, noon)
	s.start()
	r.caughtUp()
	checkBooks(t, url, 320)
}

func TestADatabaseThatIsKilledLosesAndDoublesNothing(t *testing.T) {
	const callers, rounds = 4, 4
	s := newServer(t)
	url := s.newDatabase(t)
	r := openReplica(t, t.TempDir(), url)
	stop := make(chan struct{})
	var busy sync.WaitGroup
	var made [callers]int64
	for c := range callers {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := r.call(int(made[c]), noon); err != nil {
					t.Error(err)
					return
				}
				made[c]++
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	for range rounds {
		r.moves()
		s.signal(syscall.SIGKILL)
		s.start()
	}
	close(stop)
	busy.Wait()
	r.caughtUp()
	var total int64
	for _, n := range made {
		total += n
	}
	checkBooks(t, url, total)
}

// moves waits until the database has taken something more.
func (r *replica) moves() {
	r.t.Helper()
	before, deadline := r.Sinks()[1], time.Now().Add(60*time.Second)
	for {
		s := r.Sinks()[1]
		if s.Err == nil && s.Behind < before.Behind || s.Behind == 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("sink does not move: %+v", s)
		}
		before.Behind = max(before.Behind, s.Behind)
		time.Sleep(time.Millisecond)
	}
}

func TestMonthsHaveTheirOwnPartitions(t *testing.T) {
	url := newDatabase(t)
	r := openReplica(t, t.TempDir(), url)
	april := time.Date(2026, time.April, 1, 0, 0, 0, 0, time.UTC)
	for at, calls := range map[time.Time]int{
		april.Add(-time.Microsecond): 1, april: 2, april.AddDate(1, 0, 0).Add(-time.Microsecond): 4,
		april.In(time.FixedZone("west", -7*3600)): 8, time.Date(2025, time.December, 31, 23, 59, 59, 0, time.UTC): 16,
	} {
		r.spend(calls, at)
	}
	r.caughtUp()
	got := partitions(t, url)
	want := "entries_2025_12:16 entries_2026_01:0 entries_2026_03:1 entries_2026_04:10 entries_2026_05:0 entries_2027_03:4 entries_2027_04:0"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// partitions lists the partitions with how many entries each has.
func partitions(t testing.TB, url string) string {
	t.Helper()
	conn := connectTo(t, url)
	rows, err := conn.Query(t.Context(), "SELECT c.relname::text FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid "+
		"WHERE i.inhparent = 'farebox.entries'::regclass ORDER BY 1")
	must(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	for i, name := range names {
		var n int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM farebox."+name).Scan(&n); err != nil {
			return err.Error() // it was dropped a moment ago
		}
		names[i] = fmt.Sprintf("%s:%d", name, n)
	}
	return strings.Join(names, " ")
}

func TestOldMonthsAreDroppedAndTheirTotalsStay(t *testing.T) {
	url := newDatabase(t)
	r := openReplica(t, t.TempDir(), url)
	r.spend(5, noon.AddDate(0, -5, 0))
	r.spend(3, noon.AddDate(0, -1, 0))
	r.spend(2, noon)
	r.caughtUp()
	r.SetKeep(30 * 24 * time.Hour)
	deadline := time.Now().Add(30 * time.Second)
	for partitions(t, url) != "entries_2026_02:3 entries_2026_03:2 entries_2026_04:0" {
		if time.Now().After(deadline) {
			t.Fatalf("got %s, want all but the last two months gone", partitions(t, url))
		}
		time.Sleep(10 * time.Millisecond)
	}
	got := readBooks(t, url)
	if got.Calls != 5 || got.TotalCalls != 10 || got.TotalCost != 10*int64(cent) {
		t.Errorf("got %+v, want 5 entries and totals of 10", got)
	}
	// An entry that comes late finds its month again.
	r.spend(1, noon.AddDate(0, -5, 0))
	r.caughtUp()
	if got := readBooks(t, url); got.TotalCalls != 11 {
		t.Errorf("got totals of %d calls, want 11", got.TotalCalls)
	}
}

func TestTextThatPostgreSQLCannotHoldIsReplaced(t *testing.T) {
	url := newDatabase(t)
	r := openReplica(t, t.TempDir(), url)
	must(t, r.Record(ledger.Entry{
		Call:    ledger.Call{ID: ledger.NewID(noon), Model: "a\x00b", Dims: []ledger.Dim{{Name: "team", Value: "c\x00d"}}},
		Outcome: ledger.CacheHit, Detail: "e\x00f", Settled: noon,
	}, noon))
	r.caughtUp()
	var got string
	must(t, connectTo(t, url).QueryRow(t.Context(), `SELECT concat_ws(' ', l.model, s.dims ->> 'team', e.more ->> 'detail') FROM farebox.entries AS e
		JOIN farebox.labels AS l ON l.number = e.label JOIN farebox.scopes AS s ON s.number = e.scope`).Scan(&got))
	if want := "a\uFFFDb c\uFFFDd e\uFFFDf"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if s := r.Sinks()[1]; s.Refused != 0 {
		t.Errorf("got %+v, want nothing refused", s)
	}
}

func TestCallsAreReratedOnceInPostgreSQLAndInAStateFolder(t *testing.T) {
	url, dir := newDatabase(t), t.TempDir()
	r := openReplica(t, dir, url)
	r.spend(5, noon)
	r.caughtUp()
	double := func(e *ledger.Entry) (pricing.Money, string, bool) {
		return 2 * pricing.Money(e.Usage.Input) * cent / 100, "list", true
	}
	db, err := Open(t.Context(), url)
	must(t, err)
	defer db.Close()
	run := func() (changed int, corrections []ledger.Entry) {
		t.Helper()
		for c, err := range ledger.Corrections(db.Between(t.Context(), noon.Add(-time.Hour), noon.Add(time.Hour)), double) {
			must(t, err)
			if c.Changed() {
				corrections = append(corrections, c.Entry(noon.Add(time.Minute)))
			}
		}
		return len(corrections), corrections
	}
	n, corrections := run()
	if n != 5 {
		t.Fatalf("got %d corrections, want 5", n)
	}
	must(t, db.Adjust(t.Context(), corrections))
	must(t, db.Adjust(t.Context(), corrections))
	if n, _ := run(); n != 0 {
		t.Errorf("a second run: got %d corrections, want none", n)
	}
	// The same corrections, made in the state folder, are the same entries.
	for c, err := range ledger.Corrections(r.Between(t.Context(), noon.Add(-time.Hour), noon.Add(time.Hour)), double) {
		must(t, err)
		must(t, r.Adjust(c.Entry(noon.Add(time.Hour))))
	}
	r.caughtUp()
	got := readBooks(t, url)
	if got.Calls != 10 || got.Cost != 10*int64(cent) || got.TotalCalls != 5 || got.TotalCost != 10*int64(cent) || got.TotalSaved != 10*int64(cent) {
		t.Errorf("got %+v, want 5 calls and 5 corrections, 10 cents in all, 10 saved", got)
	}
}

func TestTotalsStopAtTheLargestNumber(t *testing.T) {
	const absurd = 5_000_000_000 * pricing.Dollar
	for _, tt := range []struct {
		name    string
		batches [][]pricing.Money
	}{
		{"in one transaction", [][]pricing.Money{{absurd, absurd, math.MaxInt64}}},
		{"in several", [][]pricing.Money{{absurd}, {absurd}, {math.MaxInt64}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url, dir := newDatabase(t), t.TempDir()
			for _, batch := range tt.batches {
				l, err := ledger.Open(dir, ledger.Options{Now: func() time.Time { return noon }, FlushInterval: time.Hour})
				must(t, err)
				for _, amount := range batch {
					must(t, bookAbsurd(l, amount))
				}
				must(t, l.Close())
				r := openReplica(t, dir, url)
				r.caughtUp()
				if s := r.Sinks()[1]; s.Refused != 0 {
					t.Errorf("%d entries refused", s.Refused)
				}
				must(t, r.Close())
			}
			var calls, cost, baseline, counted, lost, input int64
			must(t, connectTo(t, url).QueryRow(t.Context(), "SELECT calls, cost, baseline, counted, save_tier, input FROM farebox.totals").
				Scan(&calls, &cost, &baseline, &counted, &lost, &input))
			if calls != 3 || cost != math.MaxInt64 || baseline != 0 || counted != math.MaxInt64 || lost != -math.MaxInt64 || input != math.MaxInt64 {
				t.Errorf("%d calls, cost %d, baseline %d, counted %d, tier %d, input %d", calls, cost, baseline, counted, lost, input)
			}
		})
	}
}

// bookAbsurd books a call of an amount that nobody asked for.
func bookAbsurd(l *ledger.Ledger, amount pricing.Money) error {
	id := ledger.NewID(noon)
	if _, err := l.Book(ledger.Reservation{Call: ledger.Call{ID: id, Model: "gpt-6-luna"}, Bound: amount, Charge: amount}, noon); err != nil {
		return err
	}
	e := ledger.Entry{
		Call: ledger.Call{ID: id}, Outcome: ledger.OK, Cost: amount, Charge: amount, Settled: noon, Usage: pricing.Usage{Input: int64(amount)},
	}
	e.Savings[pricing.LeverTier] = -amount
	return l.Settle(e)
}
