package e2e

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program under test, in a process group of its own.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *output // of standard output
	log  *output // of standard error
	done chan struct{}
	err  error // of the program's end; to be read after done
}

// output collects what a program writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail returns the last lines.
func (o *output) tail() string {
	const most = 60
	lines := strings.SplitAfter(o.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "")
}

// start runs a program until the end of the test, and prints its log if the test failed.
func start(t *testing.T, name, path string, args ...string) *process {
	t.Helper()
	return startAs(t, nil, name, path, args...)
}

// startAs is start as another user, who may be nil for the own.
func startAs(t *testing.T, user *syscall.Credential, name, path string, args ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(path, args...), out: &output{}, log: &output{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: user}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	// Ends with the program, which the clean-up sees to.
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		_ = p.stop(t) // how it ends now says nothing
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.log.tail())
		}
	})
	return p
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal %v to %s: %v", s, p.name, err)
	}
}

// pause stops the program until resume, and returns once all of its threads stand still: kill(2) only asks for it.
func (p *process) pause(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGSTOP)
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || !status.Stopped() {
			t.Fatalf("%s did not stop: %v, status %#x", p.name, err, status)
		}
		return
	}
}

func (p *process) resume(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGCONT)
}

// kill ends the program at once.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if p.ended() {
		return
	}
	p.signal(t, syscall.SIGKILL)
	<-p.done
}

// stop asks the program to end, and kills it after a while. It returns how the program ended.
func (p *process) stop(t *testing.T) error {
	t.Helper()
	if p.ended() {
		return p.err
	}
	p.signal(t, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		p.kill(t)
	}
	return p.err
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// eventually waits until ok holds, and fails the test if it never does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
