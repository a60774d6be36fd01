package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// childDir tells the test binary to be the process that is killed, and where.
const childDir = "FAREBOX_LEDGER_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if store := os.Getenv(childStore); store != "" {
			if err := shareAsChild(dir, store); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
		if err := spendForever(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// spendForever is what the child process of these tests does.
func spendForever(dir string) error {
	l, err := Open(dir, Options{FlushInterval: time.Millisecond, SegmentBytes: 64 << 10})
	if err != nil {
		return err
	}
	return callForever(l, func() (ID, error) {
		r := hold(2 * cent)
		return r.ID, l.Reserve(r, noon)
	})
}

// callForever reserves and settles a cent at a time, several calls together, and says on stdout what was acknowledged
// and what was refused.
func callForever(l *Ledger, reserve func() (ID, error)) error {
	var mu sync.Mutex // of stdout
	say := func(words ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(os.Stdout, words...)
	}
	failed := make(chan error)
	for range 4 {
		go func() {
			for {
				id, err := reserve()
				if errors.Is(err, ErrExhausted) {
					say("refused")
					time.Sleep(time.Millisecond)
					continue
				}
				if err != nil {
					failed <- err
					return
				}
				say("reserved", id)
				if err := l.Settle(paid(id, cent)); err != nil {
					failed <- err
					return
				}
				say("settled", id)
			}
		}()
	}
	return <-failed
}

// killAfter runs a child until it has said that many lines, kills it and returns them.
func killAfter(t *testing.T, dir string, lines int) []string {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	child := exec.Command(exe)
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	var said []string
	// What is in the pipe when the child dies was acknowledged too.
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		if said = append(said, scanner.Text()); len(said) == lines {
			must(t, child.Process.Kill())
		}
	}
	_ = child.Wait() // killed
	if len(said) < lines {
		t.Fatalf("the child ended after %d of %d lines", len(said), lines)
	}
	return said
}

func TestAKilledProcessLosesNothingThatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	reserved, settled := map[ID]bool{}, map[ID]bool{}
	for round := range 3 {
		for _, line := range killAfter(t, dir, 700+500*round) {
			what, text, _ := strings.Cut(line, " ")
			id, err := ParseID(text)
			if err != nil {
				continue // the line that the kill cut
			}
			reserved[id] = true
			if what == "settled" {
				settled[id] = true
			}
		}
	}
	l := openAt(t, dir, quiet, company(pricing.Dollar<<20))
	entries, err := l.Entries(t.Context(), Filter{}, 1<<20)
	must(t, err)
	seen := map[ID]bool{}
	var counted pricing.Money
	for _, e := range entries {
		if seen[e.ID] {
			t.Errorf("%s is there twice", e.ID)
		}
		seen[e.ID] = true
		counted += e.Counted
		if settled[e.ID] && (e.Outcome != OK || e.Cost != cent) {
			t.Errorf("%s was settled at a cent: got %s at %s", e.ID, e.Outcome, e.Cost)
		}
	}
	for id := range reserved {
		if !seen[id] {
			t.Errorf("%s was reserved and is gone", id)
		}
	}
	// Four goroutines may each have had a call in flight that they did not speak of, per round.
	if extra := len(entries) - len(reserved); extra > 3*4 {
		t.Errorf("%d entries that nobody made", extra)
	}
	if got := l.Balances(noon)[0].Spent; got != counted {
		t.Errorf("spent %s, entries count %s", got, counted)
	}
}
