// Package redistest starts servers of shared balances for tests: Redis, and Valkey where it is installed.
package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// tries is how often a server is started on other ports when others have taken those that it was given.
const tries = 10

// Server is a running server, on a socket in a folder of its own. Its methods are for the goroutine of the test.
type Server struct {
	program string
	dir     string
	args    []string
	cmd     *exec.Cmd     // nil while it is killed
	ended   chan struct{} // closed when cmd has ended
	said    *bytes.Buffer // what it wrote, to be read when it has ended
}

// Start starts a program with more arguments than those of its socket and folder. It keeps nothing on disk unless they
// say so, and ends with the test.
func Start(tb testing.TB, program string, args ...string) *Server {
	tb.Helper()
	s := newServer(tb, program)
	s.args = args
	s.Restart(tb)
	return s
}

// StartOnPorts is Start with arguments that name free ports. As another process may take one before the server does, they
// are asked for again when it ends instead of answering.
func StartOnPorts(tb testing.TB, program string, args func() []string) *Server {
	tb.Helper()
	s := newServer(tb, program)
	var err error
	for range tries {
		s.args = args()
		if err = s.start(tb); err == nil {
			return s
		}
	}
	tb.Fatal(err)
	return nil
}

func newServer(tb testing.TB, program string) *Server {
	tb.Helper()
	dir, err := os.MkdirTemp("", "farebox") //nolint:usetesting // tb.TempDir is too long for a socket's path
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{program: program, dir: dir}
	tb.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
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
	if err := s.start(tb); err != nil {
		tb.Fatal(err)
	}
}

// start returns when the server answers, or an error when it ends or takes longer than the busiest machine needs.
func (s *Server) start(tb testing.TB) error {
	tb.Helper()
	args := []string{"--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", "", "--daemonize", "no"}
	s.cmd, s.ended, s.said = exec.Command(s.program, append(args, s.args...)...), make(chan struct{}), &bytes.Buffer{}
	s.cmd.Stdout = s.said
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return fmt.Errorf("%s is needed: apt-get install %s: %w", s.program, s.program, err)
	}
	go func(cmd *exec.Cmd, ended chan struct{}) { // ends with the server, which the clean-up sees to
		_ = cmd.Wait()
		close(ended)
	}(s.cmd, s.ended)
	c := s.Client(tb)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if c.Ping(context.Background()).Err() == nil {
			return nil
		}
		select {
		case <-s.ended:
			s.cmd = nil
			return fmt.Errorf("%s ended: %s", s.program, s.said)
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.Kill()
	return errors.New(s.program + " does not answer")
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
		s.cmd = nil
	}
}
