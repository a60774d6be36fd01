package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farebox-mesh/farebox/pricing"
)

// copyDir returns a copy of a state folder, as a process that died there and then would leave it.
func copyDir(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// lastSegment returns the path of the last segment in a folder.
func lastSegment(t testing.TB, dir string) string {
	t.Helper()
	numbers, err := listSegments(dir)
	must(t, err)
	return filepath.Join(dir, segmentName(numbers[len(numbers)-1]))
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	stat, err := os.Stat(path)
	must(t, err)
	return stat.Size()
}

func appendTo(t testing.TB, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.Write(b)
	must(t, errors.Join(err, f.Close()))
}

func TestOpenReservationsOfADeadProcessCountAtTheirBound(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet, company(100*cent))
	r := hold(30 * cent)
	r.Estimate = 2 * cent
	reserved(t, l, r)
	must(t, l.Settle(paid(reserved(t, l, hold(30*cent)), 10*cent)))

	again := openAt(t, copyDir(t, dir), quiet, company(100*cent))
	checkState(t, again, "company: 40 + 0, 60 left")
	if got := again.Stats().Lost; got != 1 {
		t.Errorf("got %d lost, want 1", got)
	}
	entries, err := again.Entries(t.Context(), Filter{Outcome: Lost}, 10)
	must(t, err)
	want := lost(&r, noon, "farebox ended before the answer did")
	want.At = noon
	if diff := cmp.Diff([]Entry{want}, entries); diff != "" {
		t.Errorf("lost entries (-want +got):\n%s", diff)
	}
}

func TestATornTailIsCutOff(t *testing.T) {
	torn := hold(5 * cent)
	whole, err := encodeRecord(kindReservation, &torn)
	must(t, err)
	for name, tail := range map[string][]byte{
		"half a header":    whole[:5],
		"half a record":    whole[:len(whole)-1],
		"zeros":            make([]byte, 4096),
		"a flipped bit":    slices.Concat(whole[:20], []byte{whole[20] ^ 1}, whole[21:]),
		"an absurd length": {0xff, 0xff, 0xff, 0x7f, 1, 2, 3, 4, 5},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := openAt(t, dir, quiet, company(100*cent))
			must(t, l.Settle(paid(reserved(t, l, hold(30*cent)), 10*cent)))
			copied := copyDir(t, dir)
			path := lastSegment(t, copied)
			size := fileSize(t, path)
			appendTo(t, path, tail)
			for range 2 {
				again, err := Open(copied, quiet)
				must(t, err)
				setBudgets(t, again, company(100*cent))
				checkState(t, again, "company: 10 + 0, 90 left")
				must(t, again.Close())
			}
			if got, err := os.Stat(path); err == nil && got.Size() != size {
				t.Errorf("segment of %d bytes, want %d", got.Size(), size)
			}
		})
	}
}

func TestASegmentWithoutAHeaderIsATornTail(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet, company(100*cent))
	must(t, l.Settle(paid(reserved(t, l, hold(30*cent)), 10*cent)))
	torn := copyDir(t, dir)
	must(t, os.WriteFile(filepath.Join(torn, segmentName(2)), []byte("fbx"), 0o600))
	again := openAt(t, torn, quiet, company(100*cent))
	checkState(t, again, "company: 10 + 0, 90 left")
}

func TestDamageInTheMiddleIsNamed(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet)
	reserved(t, l, hold(30*cent))
	first := fileSize(t, lastSegment(t, dir))
	reserved(t, l, hold(30*cent))
	for name, edit := range map[string]func(path string, content []byte) int64{
		"a flipped bit": func(path string, content []byte) int64 {
			content[first-5] ^= 1
			must(t, os.WriteFile(path, content, 0o600))
			return int64(segmentHeader)
		},
		"a segment cut short that is not the last": func(path string, content []byte) int64 {
			must(t, os.WriteFile(path, content[:len(content)-1], 0o600))
			must(t, os.WriteFile(filepath.Join(filepath.Dir(path), segmentName(2)), encodeHeader(3), 0o600))
			return first
		},
		"another format": func(path string, content []byte) int64 {
			must(t, os.WriteFile(path, []byte("something else altogether"), 0o600))
			return 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			bad := copyDir(t, dir)
			path := lastSegment(t, bad)
			content, err := os.ReadFile(path)
			must(t, err)
			want := &CorruptError{File: path, Offset: edit(path, content)}
			_, err = Open(bad, quiet)
			var got *CorruptError
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a CorruptError", err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(CorruptError{}, "Reason")); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRotationCarriesOpenReservations(t *testing.T) {
	dir := t.TempDir()
	o := quiet
	o.SegmentBytes = 4 << 10
	l := openAt(t, dir, o, company(100*cent))
	early := reserved(t, l, hold(7*cent))
	for range 50 {
		must(t, l.Settle(paid(reserved(t, l, hold(2*cent)), cent)))
	}
	if numbers, err := listSegments(dir); err != nil || len(numbers) < 3 {
		t.Fatalf("got segments %v, %v, want several", numbers, err)
	}
	must(t, l.Flush(t.Context()))
	if numbers, err := listSegments(dir); err != nil || len(numbers) != 1 {
		t.Errorf("got segments %v, %v, want only the last after a flush", numbers, err)
	}
	checkState(t, l, "company: 50 + 7, 43 left")
	again := openAt(t, copyDir(t, dir), o, company(100*cent))
	checkState(t, again, "company: 57 + 0, 43 left")
	must(t, l.Settle(paid(early, cent)))
	checkState(t, l, "company: 51 + 0, 49 left")
}

func TestTheJournalGoesOnAfterADatabaseThatIsAhead(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet, company(100*cent))
	must(t, l.Settle(paid(reserved(t, l, hold(30*cent)), 10*cent)))
	must(t, l.Flush(t.Context()))
	bare := copyDir(t, dir)
	must(t, os.Remove(lastSegment(t, bare)))
	for want := 10; want < 13; want++ {
		again, err := Open(bare, quiet)
		must(t, err)
		setBudgets(t, again, company(100*cent))
		checkState(t, again, fmt.Sprintf("company: %d + 0, %d left", want, 100-want))
		must(t, again.Settle(paid(reserved(t, again, hold(30*cent)), cent)))
		must(t, again.Close())
	}
}

// A power cut may take the end of the journal and leave what the database made of it.
func TestAnEntryWhoseRecordIsGoneStays(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet, company(100*cent))
	id := reserved(t, l, hold(30*cent))
	size := fileSize(t, lastSegment(t, dir))
	must(t, l.Settle(paid(id, 10*cent)))
	must(t, l.Flush(t.Context()))
	cut := copyDir(t, dir)
	must(t, os.Truncate(lastSegment(t, cut), size))
	again := openAt(t, cut, quiet, company(100*cent))
	checkState(t, again, "company: 10 + 0, 90 left")
	must(t, again.Settle(paid(reserved(t, again, hold(30*cent)), cent)))
	entries, err := again.Entries(t.Context(), Filter{}, 10)
	must(t, err)
	if len(entries) != 2 || entries[1].ID != id || entries[1].Outcome != OK {
		t.Errorf("got %+v, want the call as it was settled and one more", entries)
	}
}

// fullDisk is a journal file that takes only part of a record while full says so.
type fullDisk struct {
	journalFile
	full, stuck *bool
}

func (f fullDisk) WriteAt(b []byte, offset int64) (int, error) {
	if !*f.full {
		return f.journalFile.WriteAt(b, offset)
	}
	n, _ := f.journalFile.WriteAt(b[:len(b)/2], offset)
	return n, syscall.ENOSPC
}

func (f fullDisk) Truncate(size int64) error {
	if *f.stuck {
		return syscall.EIO
	}
	return f.journalFile.Truncate(size)
}

func TestAFullDiskRefusesAndForgetsNothing(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		t.Run(fmt.Sprintf("truncation fails %t", stuck), func(t *testing.T) {
			dir := t.TempDir()
			l := openAt(t, dir, quiet, company(100*cent))
			full, broken := true, stuck
			running := reserved(t, l, hold(30*cent))
			l.journal.file = fullDisk{l.journal.file, &full, &broken}

			if err := l.Reserve(hold(cent), noon); !errors.Is(err, ErrJournal) || !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("reserve: got %v, want ErrJournal and ENOSPC", err)
			}
			observed := hold(5 * cent)
			if refusal, err := l.Book(observed, noon); refusal != nil || err != nil {
				t.Errorf("book: got %v, %v, want neither", refusal, err)
			}
			for id, cost := range map[ID]pricing.Money{running: 10 * cent, observed.ID: 3 * cent} {
				if err := l.Settle(paid(id, cost)); !errors.Is(err, ErrJournal) {
					t.Errorf("settle: got %v, want ErrJournal", err)
				}
				must(t, l.Settle(paid(id, cost)))
			}
			checkState(t, l, "company: 0 + 35, 65 left")
			if err := l.Healthy(); !errors.Is(err, ErrJournal) {
				t.Errorf("health: got %v, want ErrJournal", err)
			}
			if got, want := l.Stats(), (Stats{Open: 2, Queued: 2, Duplicates: 2, Behind: 1}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}

			must(t, l.Flush(t.Context()))

			full, broken = false, false
			l.retryQueue()
			must(t, l.Healthy())
			checkState(t, l, "company: 13 + 0, 87 left")
			again := openAt(t, copyDir(t, dir), quiet, company(100*cent))
			checkState(t, again, "company: 13 + 0, 87 left")
		})
	}
}

func TestADatabaseThatCannotBeWrittenCatchesUp(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir, quiet, company(100*cent))
	_, err := l.store.writer.Exec("ALTER TABLE position RENAME TO elsewhere")
	must(t, err)
	must(t, l.Settle(paid(reserved(t, l, hold(30*cent)), 10*cent)))
	if err := l.Flush(t.Context()); err == nil {
		t.Error("flush: got nil, want the database's error")
	}
	if l.Healthy() == nil || l.Stats().Behind != 2 {
		t.Errorf("got health %v and %+v, want a fault and 2 records behind", l.Healthy(), l.Stats())
	}
	_, err = l.store.writer.Exec("ALTER TABLE elsewhere RENAME TO position")
	must(t, err)
	must(t, l.Flush(t.Context()))
	must(t, l.Healthy())
	entries, err := l.Entries(t.Context(), Filter{}, 10)
	must(t, err)
	if len(entries) != 1 {
		t.Errorf("got %d entries, want 1", len(entries))
	}
}

// gate is a journal file whose first write waits, and whose others fail while full says so.
type gate struct {
	journalFile
	first chan struct{} // closed when it may go on
	wrote atomic.Int64
	full  bool
}

func (g *gate) WriteAt(b []byte, offset int64) (int, error) {
	if g.wrote.Add(1) == 1 {
		<-g.first
		return g.journalFile.WriteAt(b, offset)
	}
	if !g.full {
		return g.journalFile.WriteAt(b, offset)
	}
	n, _ := g.journalFile.WriteAt(b[:len(b)-1], offset)
	return n, syscall.ENOSPC
}

// Who comes while somebody writes is written in one go, and told of that one's fault.
func TestRecordsThatWaitAreWrittenTogether(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprintf("full disk %t", full), func(t *testing.T) {
			const callers = 8
			dir := t.TempDir()
			l := openAt(t, dir, quiet, company(1000*cent))
			g := &gate{journalFile: l.journal.file, first: make(chan struct{}), full: full}
			l.journal.file = g
			before := l.journal.end()
			var all sync.WaitGroup
			var failed atomic.Int64
			for i := range callers + 1 {
				all.Go(func() {
					if err := l.Reserve(hold(2*cent), noon); err != nil {
						failed.Add(1)
						if !errors.Is(err, ErrJournal) || !errors.Is(err, syscall.ENOSPC) {
							t.Errorf("got %v, want ErrJournal and ENOSPC", err)
						}
					}
				})
				for i == 0 && g.wrote.Load() == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			waiting := func() int {
				l.journal.mu.Lock()
				defer l.journal.mu.Unlock()
				return len(l.journal.waiting)
			}
			for waiting() < callers {
				time.Sleep(time.Millisecond)
			}
			close(g.first)
			all.Wait()
			want, records := int64(0), int64(callers+1)
			if full {
				want, records = callers, 1
			}
			if g.wrote.Load() != 2 || failed.Load() != want || l.journal.end().Seq != before.Seq+records {
				t.Errorf("got %d writes, %d failed, %d records, want 2, %d and %d", g.wrote.Load(), failed.Load(),
					l.journal.end().Seq-before.Seq, want, records)
			}
			g.full = false
			reserved(t, l, hold(3*cent))
			again := openAt(t, copyDir(t, dir), quiet, company(1000*cent))
			checkState(t, again, fmt.Sprintf("company: %d + 0, %d left", 2*records+3, 1000-2*records-3))
		})
	}
}
