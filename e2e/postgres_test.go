package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// postgresServer is a PostgreSQL in a folder of its own, which only a socket reaches.
type postgresServer struct {
	*process
	bin, dir string
	user     *syscall.Credential // it refuses to run as root
}

func newPostgres(t *testing.T) *postgresServer {
	t.Helper()
	beside(t)
	p := &postgresServer{dir: tempDir(t)}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		t.Fatal("postgres is missing: apt-get install postgresql")
	}
	p.bin = filepath.Dir(found[len(found)-1])
	if os.Geteuid() == 0 {
		p.user = postgresUser(t)
		if err := os.Chown(p.dir, int(p.user.Uid), int(p.user.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(p.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(p.bin, "initdb"), "-D", p.data(), "-A", "trust", "-U", "farebox", "--no-sync", "-E", "UTF8", "--locale", "C")
	cmd.Dir, cmd.SysProcAttr = p.dir, &syscall.SysProcAttr{Credential: p.user}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.serve(t)
	return p
}

// postgresUser is the one that Debian's package makes.
func postgresUser(t *testing.T) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (p *postgresServer) data() string { return filepath.Join(p.dir, "data") }

// url is the connection string for a client.
func (p *postgresServer) url() string { return "postgres:///postgres?user=farebox&host=" + p.dir }

// serve starts it, again where it was killed, and waits until it answers.
func (p *postgresServer) serve(t *testing.T) {
	t.Helper()
	p.process = startAs(t, p.user, "postgres", filepath.Join(p.bin, "postgres"), "-D", p.data(), "-k", p.dir,
		"-c", "listen_addresses=", "-c", "fsync=on", "-c", "shared_buffers=16MB", "-c", "max_connections=20")
	eventually(t, "PostgreSQL answers", func() bool {
		if p.ended() {
			t.Fatalf("PostgreSQL ended: %v\n%s", p.err, p.log)
		}
		_, err := p.query("SELECT 1")
		return err == nil
	})
}

// query returns the rows of an answer, columns separated by |.
func (p *postgresServer) query(sql string) (string, error) {
	out, err := exec.Command(filepath.Join(p.bin, "psql"), "-At", "-v", "ON_ERROR_STOP=1", "-c", sql, p.url()).Output()
	return strings.TrimSpace(string(out)), err
}

// booked is what the database has: calls, different ones, and what they cost.
func (p *postgresServer) booked(t *testing.T) (calls, different int64, cost nanos) {
	t.Helper()
	row, err := p.query("SELECT count(*), count(DISTINCT id), coalesce(sum(cost), 0) FROM farebox.entries")
	if err != nil {
		return 0, 0, 0 // it is on its way
	}
	if _, err := fmt.Sscanf(row, "%d|%d|%d", &calls, &different, &cost); err != nil {
		t.Fatalf("%v in %q", err, row)
	}
	return calls, different, cost
}

// flags are those of a farebox that feeds the database.
func (p *postgresServer) flags() []string { return []string{"--postgres", p.url()} }

// TestPostgreSQLReceivesEveryEntryOnce: while calls go on, farebox is killed, and PostgreSQL is.
func TestPostgreSQLReceivesEveryEntryOnce(t *testing.T) {
	p := newPostgres(t)
	s := newStack(t, setup{policy: limitedTo(100_000_000_000), serve: p.flags(), provider: []string{"-delay", "2ms"}})
	load := s.traffic(t)
	for range 3 {
		time.Sleep(400 * time.Millisecond) // of traffic
		s.farebox.kill(t)
		s.restart(t)
		time.Sleep(400 * time.Millisecond)
		p.kill(t)
		time.Sleep(400 * time.Millisecond) // without it
		p.serve(t)
	}
	time.Sleep(400 * time.Millisecond)
	answered, _ := load()
	eventually(t, "nothing is reserved any more", func() bool { return s.summary(t).budget(t).Reserved == 0 })
	sum, total := s.summary(t), s.provider.total(t)
	if answered == 0 || sum.Calls-sum.outcome("released") < total.Calls {
		t.Errorf("%d calls were answered, the ledger has %d, the invoice %d", answered, sum.Calls, total.Calls)
	}
	var calls, different int64
	var cost nanos
	eventually(t, "the database has every entry", func() bool {
		calls, different, cost = p.booked(t)
		return calls >= sum.Calls
	})
	if calls != sum.Calls || different != calls || cost != sum.Cost {
		t.Errorf("the database has %d calls, %d different ones, for %s USD; the ledger %d for %s", calls, different, cost, sum.Calls, sum.Cost)
	}
}

// TestSeveralFareboxesFeedOneDatabase: each its own entries, and the sum is the invoice.
func TestSeveralFareboxesFeedOneDatabase(t *testing.T) {
	p := newPostgres(t)
	list := newReplicas(t, 2, newRedis(t), setup{policy: limitedTo(10_000_000_000), serve: p.flags()})
	const calls = 40
	for i := range calls {
		list[0].ok(t, chat(ask("gpt-4o", fmt.Sprint("Question ", i))))
	}
	total := list[0].provider.total(t)
	eventually(t, "the database has every entry", func() bool { n, _, _ := p.booked(t); return n >= calls })
	if n, different, cost := p.booked(t); n != calls || different != calls || cost != total.CostNanos {
		t.Errorf("the database has %d calls, %d different ones, for %s USD; invoice %d for %s", n, different, cost, total.Calls, total.CostNanos)
	}
}
