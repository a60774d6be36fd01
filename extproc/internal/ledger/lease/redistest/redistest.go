// Package redistest starts servers of shared balances for tests: Redis, and Valkey where it is installed.
package redistest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is the program that every test has.
const Redis = "redis-server"

const valkey = "valkey-server"

// Each runs a test with every program that is installed, at the same time. Redis must be.
func Each(t *testing.T, test func(t *testing.T, program string)) {
	t.Helper()
	programs := []string{Redis}
	if _, err := exec.LookPath(valkey); err == nil {
		programs = append(programs, valkey)
	}
	for _, program := range programs {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			test(t, program)
		})
	}
}

// Server is a running server, on a socket in a folder of its own. Its methods are for the goroutine of the test.
type Server struct {
	program string
	dir     string
	args    []string
	cmd     *exec.Cmd // nil while it is killed
}

// Start starts a program with more arguments than those of its socket and folder. It keeps nothing on disk unless they
// say so, and ends with the test.
func Start(tb testing.TB, program string, args ...string) *Server {
	tb.Helper()
	dir, err := os.MkdirTemp("", "farebox") //nolint:usetesting // tb.TempDir is too long for a socket's path
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{program: program, dir: dir, args: args}
	tb.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
	s.Restart(tb)
	return s
}

// URL is the address of the server.
func (s *Server) URL() string { return "unix://" + s.socket() }

func (s *Server) socket() string { return filepath.Join(s.dir, "redis.sock") }

// Client returns a connection that ends with the test.
func (s *Server) Client(tb testing.TB) *redis.Client {
	tb.Helper()
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket()})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Restart starts the server again after Kill, with what it kept on disk, and returns when it answers.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	args := []string{"--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", "", "--daemonize", "no"}
	s.cmd = exec.Command(s.program, append(args, s.args...)...)
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		tb.Fatalf("%s is needed: apt-get install %s: %v", s.program, s.program, err)
	}
	c := s.Client(tb)
	for range 300 {
		if c.Ping(context.Background()).Err() == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	tb.Fatalf("%s does not answer", s.program)
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}
