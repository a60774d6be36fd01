package ledger

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// childStore tells a child to share its balances in the store of that address, and childBurst how many calls to make
// at once when a line comes on stdin.
const (
	childStore = "FAREBOX_LEDGER_CHILD_STORE"
	childBurst = "FAREBOX_LEDGER_CHILD_BURST"
)

// shareAsChild is what the child processes of these tests do.
func shareAsChild(dir, url string) error {
	limit := 10 * cent
	burst, _ := strconv.Atoi(os.Getenv(childBurst))
	if burst == 0 {
		limit = 2000 * cent
	}
	l, err := openSharing(dir, url, company(limit))
	if err != nil {
		return err
	}
	if burst == 0 {
		return callForever(l, func() (ID, error) { return reserveNow(l, 2*cent) })
	}
	fmt.Fprintln(os.Stdout, "ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	var admitted atomic.Int64
	together(burst, func() {
		if _, err := reserveNow(l, cent); err == nil {
			admitted.Add(1)
		}
	})
	fmt.Fprintln(os.Stdout, "admitted", admitted.Load())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// child is a process that shares balances.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

func startChild(t *testing.T, dir, url string, burst int) *child {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	c := &child{cmd: exec.Command(exe)}
	c.cmd.Env = append(os.Environ(), childDir+"="+dir, childStore+"="+url, childBurst+"="+strconv.Itoa(burst))
	c.cmd.Stderr = os.Stderr
	c.stdin, err = c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	c.lines = bufio.NewScanner(out)
	must(t, c.cmd.Start())
	t.Cleanup(c.kill)
	return c
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// next returns the next line that the child says.
func (c *child) next(t *testing.T) string {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatal("a child ended")
	}
	return c.lines.Text()
}

func TestFiveProcessesWithAThousandCallsOnABudgetForTenAdmitTen(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	var children []*child
	for range 5 {
		children = append(children, startChild(t, t.TempDir(), s.URL(), 200))
	}
	for _, c := range children {
		if got := c.next(t); got != "ready" {
			t.Fatalf("a child says %q", got)
		}
	}
	for _, c := range children {
		_, err := io.WriteString(c.stdin, "go\n")
		must(t, err)
	}
	total := 0
	for _, c := range children {
		n, err := strconv.Atoi(strings.TrimPrefix(c.next(t), "admitted "))
		must(t, err)
		total += n
	}
	if total != 10 {
		t.Errorf("%d calls admitted, want 10", total)
	}
}

func TestKilledProcessesThatShareLoseNothing(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	reserved, settled := map[ID]bool{}, map[ID]bool{}
	for round := range 4 {
		var wait sync.WaitGroup
		var mu sync.Mutex
		for _, dir := range dirs {
			c := startChild(t, dir, s.URL(), 0)
			wait.Go(func() {
				for n := 0; c.lines.Scan(); n++ {
					what, text, _ := strings.Cut(c.lines.Text(), " ")
					if n == 200+50*round {
						_ = c.cmd.Process.Kill()
					}
					id, err := ParseID(text)
					if err != nil {
						continue // refused, or the line that the kill cut
					}
					mu.Lock()
					reserved[id] = true
					settled[id] = settled[id] || what == "settled"
					mu.Unlock()
				}
			})
		}
		if round == 2 {
			time.Sleep(recovery + 200*time.Millisecond)
			s.Kill()
			s.Restart(t)
		}
		wait.Wait()
	}
	checkKilled(t, s.URL(), dirs, reserved, settled)
}

// checkKilled opens what killed processes left and compares it with what they acknowledged.
func checkKilled(t *testing.T, url string, dirs []string, reserved, settled map[ID]bool) {
	t.Helper()
	seen := map[ID]bool{}
	var counted, spent pricing.Money
	var ledgers []*Ledger
	for _, dir := range dirs {
		l := openShared(t, dir, url, company(2000*cent))
		ledgers = append(ledgers, l)
		entries, err := l.Entries(t.Context(), Filter{}, 1<<20)
		must(t, err)
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
		if n := l.Stats().Open; n != 0 {
			t.Errorf("%d reservations are still open", n)
		}
		spent += l.Balances(time.Now())[0].Spent
	}
	for id := range reserved {
		if !seen[id] {
			t.Errorf("%s was reserved and is gone", id)
		}
	}
	if spent != counted || counted > 2000*cent {
		t.Errorf("spent %s, entries count %s, limit 20 USD", spent, counted)
	}
	want := int((2000*cent - counted) / cent)
	if got := admits(t, want, cent, ledgers...); got != want {
		t.Errorf("%d calls of a cent admitted, want the %d that are left", got, want)
	}
}
