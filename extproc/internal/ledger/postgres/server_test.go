package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a PostgreSQL that a test started, reachable through a socket in its folder.
type server struct {
	t       testing.TB
	dir     string
	process *exec.Cmd
}

// shared is the server of all tests that do not hurt it.
var shared struct {
	sync.Once
	*server
}

// databases counts those that tests have made.
var databases atomic.Int64

func TestMain(m *testing.M) {
	status := m.Run()
	if shared.server != nil {
		shared.signal(syscall.SIGKILL)
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(status)
}

// newDatabase returns the connection string of an empty database.
func newDatabase(t testing.TB) string {
	t.Helper()
	shared.Do(func() {
		dir, err := os.MkdirTemp("", "farebox-pg") //nolint:usetesting // it outlives the test that makes it
		must(t, err)
		shared.server = initServer(t, dir)
		shared.start()
	})
	if shared.server == nil {
		t.Fatal("no PostgreSQL: see the first test that failed")
	}
	return shared.newDatabase(t)
}

func (s *server) newDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", databases.Add(1))
	conn, err := pgx.Connect(t.Context(), s.url("postgres"))
	must(t, err)
	_, err = conn.Exec(t.Context(), "CREATE DATABASE "+name)
	must(t, errors.Join(err, conn.Close(t.Context())))
	return s.url(name)
}

// newServer starts a server for one test.
func newServer(t testing.TB) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "farebox-pg") //nolint:usetesting // a socket's path is short
	must(t, err)
	s := initServer(t, dir)
	t.Cleanup(func() {
		s.signal(syscall.SIGKILL)
		_ = os.RemoveAll(dir)
	})
	s.start()
	return s
}

// binary returns the path of one of PostgreSQL's programs.
func binary(t testing.TB, name string) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	must(t, err)
	if len(found) == 0 {
		t.Fatalf("no %s in /usr/lib/postgresql/*/bin: install PostgreSQL (Debian: postgresql)", name)
	}
	return slices.Max(found)
}

// initServer makes a cluster. PostgreSQL does not run as root.
func initServer(t testing.TB, dir string) *server {
	t.Helper()
	s := &server{t: t, dir: dir}
	if os.Getuid() == 0 {
		who := unprivileged(t)
		must(t, os.Chown(dir, int(who.Uid), int(who.Gid)))
	}
	init := s.command("initdb", "-D", filepath.Join(dir, "data"), "-U", "farebox", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	return s
}

// unprivileged is the user that the package of PostgreSQL has made.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("postgres")
	must(t, err)
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	must(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	must(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary(s.t, name), args...)
	cmd.Dir = s.dir
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged(s.t)}
	}
	return cmd
}

// start starts the server and waits until it answers.
func (s *server) start() {
	s.t.Helper()
	s.process = s.command("postgres", "-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-h", "", "-c", "max_connections=40",
		"-c", "shared_buffers=32MB", "-c", "log_min_messages=fatal")
	var log bytes.Buffer
	s.process.Stderr = &log
	must(s.t, s.process.Start())
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, err := pgx.Connect(context.Background(), s.url("postgres"))
		if err == nil {
			must(s.t, conn.Close(context.Background()))
			return
		}
		if time.Now().After(deadline) {
			s.signal(syscall.SIGKILL)
			s.t.Fatalf("PostgreSQL does not answer: %v\n%s", err, log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// signal ends the server: SIGKILL to all its processes is a crash, SIGINT a shutdown.
func (s *server) signal(how syscall.Signal) {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(how) // it may have ended
	_ = s.process.Wait()              // it was killed
	s.process = nil
}

func (s *server) url(database string) string {
	return fmt.Sprintf("host=%s user=farebox dbname=%s", s.dir, database)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
