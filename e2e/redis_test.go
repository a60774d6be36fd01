package e2e

import (
	"net"
	"os/exec"
	"path/filepath"
	"testing"
)

// redisServer is a redis-server that keeps nothing on disk.
type redisServer struct {
	*process
	dir string
}

func newRedis(t *testing.T) *redisServer {
	t.Helper()
	beside(t)
	r := &redisServer{dir: tempDir(t)}
	r.serve(t)
	return r
}

// serve starts it, again where it was killed, and waits until it listens.
func (r *redisServer) serve(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("%v: apt-get install redis-server", err)
	}
	r.process = start(t, "redis", path, "--port", "0", "--unixsocket", r.socket(), "--save", "", "--appendonly", "no", "--dir", r.dir)
	eventually(t, "Redis listens", func() bool {
		if r.ended() {
			t.Fatalf("Redis ended: %v\n%s%s", r.err, r.out, r.log)
		}
		c, err := net.Dial("unix", r.socket())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (r *redisServer) socket() string { return filepath.Join(r.dir, "redis.sock") }

// flags are those of a farebox that shares its balances there.
func (r *redisServer) flags() []string { return []string{"--redis", "unix://" + r.socket()} }
