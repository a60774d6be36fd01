package ledger

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// memory is a sink that fails and refuses as it is told to.
type memory struct {
	mu      sync.Mutex
	pos     Position
	entries map[ID]int
	down    error
	refuses map[ID]bool
}

func (m *memory) Name() string { return "memory" }

func (m *memory) Resume(context.Context, ID) (Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pos, m.down
}

func (m *memory) Apply(_ context.Context, entries []Numbered, next Position) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return m.down
	}
	for _, e := range entries {
		if m.refuses[e.ID] {
			return fmt.Errorf("%w: number %d", ErrRefused, e.After.Seq)
		}
	}
	for _, e := range entries {
		m.entries[e.ID]++
	}
	m.pos = next
	return nil
}

func (m *memory) Durable(context.Context) (bool, error)           { return true, nil }
func (m *memory) Forget(context.Context, time.Time) (bool, error) { return false, nil }
func (m *memory) Close() error                                    { return nil }
func (m *memory) set(change func())                               { m.mu.Lock(); defer m.mu.Unlock(); change() }
func newMemory() *memory                                          { return &memory{entries: map[ID]int{}, refuses: map[ID]bool{}} }
func (m *memory) drained(t *testing.T, l *Ledger) (once, more int) {
	t.Helper()
	must(t, l.others[0].drain(t.Context()))
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.entries {
		if n == 1 {
			once++
		} else {
			more++
		}
	}
	return once, more
}

func withSink(m *memory) Options {
	o := quiet
	o.SegmentBytes, o.Sinks = 4<<10, []Sink{m}
	return o
}

func spend(t *testing.T, l *Ledger, calls int) (last ID) {
	t.Helper()
	for range calls {
		last = reserved(t, l, hold(2*cent))
		must(t, l.Settle(paid(last, cent)))
	}
	return last
}

func TestASinkThatIsDownKeepsItsSegmentsAndNobodyElseFromTheirs(t *testing.T) {
	m, dir := newMemory(), t.TempDir()
	l := openAt(t, dir, withSink(m), company(1000*cent))
	m.set(func() { m.down = errors.New("down") })
	spend(t, l, 60)
	must(t, l.Flush(t.Context()))
	if err := l.others[0].drain(t.Context()); err == nil {
		t.Error("drain: got nil, want the sink's error")
	}
	must(t, l.Healthy())
	if s := l.Sinks()[1]; s.Err == nil || s.Behind < 120 || s.Name != "memory" {
		t.Errorf("got %+v, want an error and 120 records behind", s)
	}
	if n, err := listSegments(dir); err != nil || len(n) < 4 {
		t.Errorf("got segments %v, %v, want all that the sink needs", n, err)
	}
	// It survives a restart in that state, and a sink that comes back gets everything once.
	again := openAt(t, copyDir(t, dir), withSink(m), company(1000*cent))
	m.set(func() { m.down = nil })
	if once, more := m.drained(t, again); once != 60 || more != 0 {
		t.Errorf("got %d entries once and %d more often, want 60 once", once, more)
	}
	if n, err := listSegments(again.journal.dir); err != nil || len(n) != 1 {
		t.Errorf("got segments %v, %v, want only the last", n, err)
	}
	checkState(t, again, "company: 60 + 0, 940 left")
}

func TestHowFarASinkIsBehindIsKnownOnceItWasReached(t *testing.T) {
	m, dir := newMemory(), t.TempDir()
	m.down = errors.New("down")
	l := openAt(t, dir, withSink(m), company(1000*cent))
	spend(t, l, 3)
	if err := l.others[0].drain(t.Context()); err == nil || l.Sinks()[1].Known || !l.Sinks()[0].Known {
		t.Errorf("got %v and %+v, want only the folder's own known", err, l.Sinks())
	}
	m.set(func() { m.down = nil })
	m.drained(t, l)
	m.set(func() { m.down = errors.New("down") })
	spend(t, l, 4)
	if err := l.others[0].drain(t.Context()); err == nil {
		t.Error("drain: got nil, want the sink's error")
	}
	if s := l.Sinks()[1]; !s.Known || s.Behind != 8 {
		t.Errorf("got %+v, want 8 records behind", s)
	}
}

func TestAnEntryThatASinkRefusesBlocksNoOther(t *testing.T) {
	m, dir := newMemory(), t.TempDir()
	l := openAt(t, dir, withSink(m), company(1000*cent))
	spend(t, l, 5)
	bad := spend(t, l, 1)
	spend(t, l, 5)
	m.set(func() { m.refuses[bad] = true })
	if once, more := m.drained(t, l); once != 10 || more != 0 {
		t.Errorf("got %d entries once and %d more often, want 10 once", once, more)
	}
	if s := l.Sinks()[1]; s.Refused != 1 || s.Behind != 0 || s.Err != nil {
		t.Errorf("got %+v, want one refused", s)
	}
	f, err := os.Open(filepath.Join(dir, Refusals))
	must(t, err)
	defer f.Close()
	var kept []refusal
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r refusal
		must(t, json.Unmarshal(lines.Bytes(), &r))
		kept = append(kept, r)
	}
	var e Entry
	if len(kept) != 1 || json.Unmarshal([]byte(kept[0].Text), &e) != nil || e.ID != bad || e.Cost != cent || kept[0].Sink != "memory" {
		t.Errorf("got %+v, want the entry %s", kept, bad)
	}
}

func TestARecordThatMakesNoSenseBlocksNoOther(t *testing.T) {
	m, dir := newMemory(), t.TempDir()
	l := openAt(t, dir, withSink(m), company(1000*cent))
	l.others[0].tail.limit = 0 // it reads the files
	spend(t, l, 1)
	frame := []byte("........E{\"id\":12}")
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-frameHeader))
	binary.LittleEndian.PutUint32(frame[4:], frameChecksum(frame))
	_, err := l.journal.append(frame, ID{}, nil, false)
	must(t, err)
	spend(t, l, 1)
	if once, _ := m.drained(t, l); once != 2 || l.Sinks()[1].Refused != 1 {
		t.Errorf("got %d entries and %+v, want 2 and one refused", once, l.Sinks()[1])
	}
}

func TestAFeedSurvivesTheProcessBetweenJournalAndSink(t *testing.T) {
	m, dir := newMemory(), t.TempDir()
	l := openAt(t, dir, withSink(m), company(1000*cent))
	spend(t, l, 3)
	m.drained(t, l)
	id := reserved(t, l, hold(9*cent))
	spend(t, l, 4)
	// The process dies here: neither sink has the last four, and one call is open.
	again := openAt(t, copyDir(t, dir), withSink(m), company(1000*cent))
	if once, more := m.drained(t, again); once != 8 || more != 0 || m.entries[id] != 1 {
		t.Errorf("got %d entries once and %d more often, want 8 once with the one that was open", once, more)
	}
	checkState(t, again, "company: 16 + 0, 984 left")
}

func TestReplicaIDsStayAndDiffer(t *testing.T) {
	dir := t.TempDir()
	first, err := openReplica(dir, noon)
	must(t, err)
	again, err := openReplica(dir, noon.Add(time.Hour))
	must(t, err)
	other, err := openReplica(t.TempDir(), noon)
	must(t, err)
	if first != again || first == other || first == (ID{}) {
		t.Errorf("got %s, then %s, and %s elsewhere", first, again, other)
	}
	must(t, os.WriteFile(filepath.Join(dir, replicaFile), []byte("nonsense\n"), 0o600))
	if _, err := openReplica(dir, noon); err == nil {
		t.Error("got nil, want an error for a file that holds no id")
	}
}
