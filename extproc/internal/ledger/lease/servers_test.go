package lease

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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

// startOnPort starts a server that listens on loopback, too, with what more gives for every try.
func startOnPort(tb testing.TB, program string, more func() []string) (s *redistest.Server, port string) {
	tb.Helper()
	s = redistest.StartOnPorts(tb, program, func() []string {
		port = freePort(tb)
		return append([]string{"--bind", "127.0.0.1", "--port", port}, more()...)
	})
	return s, port
}

func nothing() []string { return nil }

// startSentinel starts a sentinel of the server on a port, and returns its own.
func startSentinel(t *testing.T, program, port string) string {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	for range 10 { // another process may take its port first
		own := freePort(t)
		text := fmt.Sprintf("bind 127.0.0.1\nport %s\nsentinel monitor balances 127.0.0.1 %s 1\n", own, port)
		must(t, os.WriteFile(conf, []byte(text), 0o600))
		sentinel, ended := exec.Command(program, conf, "--sentinel"), make(chan struct{})
		must(t, sentinel.Start())
		go func() { _ = sentinel.Wait(); close(ended) }() // the clean-up ends it
		t.Cleanup(func() { _ = sentinel.Process.Kill(); <-ended })
		c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + own, Protocol: 2})
		t.Cleanup(func() { _ = c.Close() })
		us := fmt.Sprintf("process_id:%d\r", sentinel.Process.Pid)
		for over := false; !over; {
			select {
			case <-ended:
				over = true
			case <-time.After(20 * time.Millisecond):
			}
			if info, err := c.Info(t.Context(), "server").Result(); err == nil && strings.Contains(info, us) {
				return own
			}
		}
	}
	t.Fatal("no sentinel answers")
	return ""
}

// eventually tries until it succeeds.
func eventually(tb testing.TB, what string, try func() error) {
	tb.Helper()
	err := try()
	for deadline := time.Now().Add(30 * time.Second); err != nil; err = try() {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: %v", what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestAGrantSurvivesAFailOverThatItWaitedFor(t *testing.T) {
	redistest.Each(t, testAGrantSurvivesAFailOverThatItWaitedFor)
}

func testAGrantSurvivesAFailOverThatItWaitedFor(t *testing.T, program string) {
	master, port := startOnPort(t, program, nothing)
	follower := redistest.Start(t, program, "--replicaof", "127.0.0.1 "+port)
	o := RedisOptions{Replicas: 1, Recovery: 100 * time.Millisecond}
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
		_, port := startOnPort(t, program, func() []string { return []string{"--cluster-enabled", "yes", "--cluster-port", freePort(t)} })
		ports = append(ports, port)
		args = append(args, "127.0.0.1:"+port)
	}
	if out, err := exec.Command("redis-cli", append(args, "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli: %v: %s", err, out)
	}
	url := fmt.Sprintf("redis://127.0.0.1:%s?cluster=true&addr=127.0.0.1:%s", ports[0], ports[1])
	r, err := OpenRedis(url, RedisOptions{Recovery: time.Millisecond, Timeout: slow})
	must(t, err)
	defer r.Close()
	h := NewHolder(r, Options{Replica: "a", Incarnation: 1, Timeout: slow})
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
	_, port := startOnPort(t, program, nothing)
	r, err := OpenRedis("redis://127.0.0.1:"+startSentinel(t, program, port)+"/0?master_name=balances", RedisOptions{Timeout: slow})
	must(t, err)
	defer r.Close()
	h := NewHolder(r, Options{Replica: "a", Incarnation: 1, Timeout: slow})
	eventually(t, "beat", func() error { return h.Beat(t.Context()) })
}
