package lease

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease/redistest"
)

// freePort returns a port of loopback that nobody listens on.
func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// startOnPort starts a server that listens on loopback, too.
func startOnPort(tb testing.TB, program string, args ...string) (s *redistest.Server, port string) {
	tb.Helper()
	port = freePort(tb)
	return redistest.Start(tb, program, append([]string{"--bind", "127.0.0.1", "--port", port}, args...)...), port
}

// eventually tries until it succeeds.
func eventually(tb testing.TB, what string, try func() error) {
	tb.Helper()
	var err error
	for range 500 {
		if err = try(); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	tb.Fatalf("%s: %v", what, err)
}

func TestAGrantSurvivesAFailOverThatItWaitedFor(t *testing.T) {
	redistest.Each(t, testAGrantSurvivesAFailOverThatItWaitedFor)
}

func testAGrantSurvivesAFailOverThatItWaitedFor(t *testing.T, program string) {
	master, port := startOnPort(t, program)
	follower := redistest.Start(t, program, "--replicaof", "127.0.0.1 "+port)
	o := RedisOptions{Replicas: 1, Recovery: 100 * time.Millisecond, Timeout: 2 * time.Second}
	op := Op{Replica: "a", Incarnation: 1, Claims: []Claim{{Account: hourOf("x"), Limits: upTo(100), Exact: true}}, Asks: []Ask{{{0, 30}}}}
	before := openRedis(t, master, o)
	eventually(t, "grant with a copy", func() error {
		op.Sequence++
		reply, err := before.Do(t.Context(), op)
		if err == nil && reply.Status != Done {
			err = errors.New(string(reply.Status))
		}
		return err
	})
	master.Kill()
	c := follower.Client(t)
	must(t, c.Do(t.Context(), "replicaof", "no", "one").Err())
	o.Replicas = 0
	after := openRedis(t, follower, o)
	reply, err := after.Do(t.Context(), Op{Replica: "b", Incarnation: 1, Sequence: 1, Claims: []Claim{{Account: hourOf("x"), Limits: upTo(100)}}, Asks: []Ask{{{0, 1}}}})
	must(t, err)
	if reply.Status != Recovering || reply.Figures[0].All != 30 {
		t.Errorf("after the fail-over: got %+v, want it to recover and to know of 30", reply)
	}
}

func TestACluster(t *testing.T) { redistest.Each(t, testACluster) }

func testACluster(t *testing.T, program string) {
	args := []string{"--cluster", "create"}
	var ports []string
	for range 3 {
		_, port := startOnPort(t, program, "--cluster-enabled", "yes", "--cluster-port", freePort(t))
		ports = append(ports, port)
		args = append(args, "127.0.0.1:"+port)
	}
	if out, err := exec.Command("redis-cli", append(args, "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli: %v: %s", err, out)
	}
	url := fmt.Sprintf("redis://127.0.0.1:%s?cluster=true&addr=127.0.0.1:%s", ports[0], ports[1])
	r, err := OpenRedis(url, RedisOptions{Recovery: time.Millisecond, Timeout: 2 * time.Second})
	must(t, err)
	defer r.Close()
	h := NewHolder(r, Options{Replica: "a", Incarnation: 1})
	eventually(t, "beat", func() error { return h.Beat(t.Context()) })
	h.Open()
	demands := []Demand{{Lease: h.Lease(hourOf("x")), Limits: upTo(1000)}, {Lease: h.Lease(hourOf("another account")), Limits: upTo(20)}}
	eventually(t, "take", func() error { return h.Take(t.Context(), demands, 20) })
	if err := h.Take(t.Context(), demands, 1); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want a refusal on the second account", err)
	}
	waits, err := OpenRedis(url, RedisOptions{Replicas: 1, Timeout: 2 * time.Second})
	must(t, err)
	defer waits.Close()
	_, err = waits.Do(t.Context(), Op{Replica: "b", Incarnation: 1, Sequence: 1, Claims: []Claim{{Account: hourOf("x"), Limits: upTo(100)}}, Asks: []Ask{{{0, 1}}}})
	if err == nil {
		t.Error("a cluster without copies had one")
	}
}

func TestThroughASentinel(t *testing.T) { redistest.Each(t, testThroughASentinel) }

func testThroughASentinel(t *testing.T, program string) {
	_, port := startOnPort(t, program)
	sentinelPort := freePort(t)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("bind 127.0.0.1\nport %s\nsentinel monitor balances 127.0.0.1 %s 1\n", sentinelPort, port)
	must(t, os.WriteFile(conf, []byte(text), 0o600))
	sentinel := exec.Command(program, conf, "--sentinel")
	must(t, sentinel.Start())
	t.Cleanup(func() {
		_ = sentinel.Process.Kill()
		_ = sentinel.Wait()
	})
	r, err := OpenRedis("redis://127.0.0.1:"+sentinelPort+"/0?master_name=balances", RedisOptions{Timeout: 2 * time.Second})
	must(t, err)
	defer r.Close()
	h := NewHolder(r, Options{Replica: "a", Incarnation: 1})
	eventually(t, "beat", func() error { return h.Beat(t.Context()) })
}
