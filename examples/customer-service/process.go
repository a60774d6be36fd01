package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	startTime = 20 * time.Second // to become ready
	stopTime  = 8 * time.Second  // to end after SIGTERM
	pollTime  = 20 * time.Millisecond
	tailLines = 15
)

// process is a child that runs until it is stopped. Its output goes to a file.
type process struct {
	name string
	log  string // path of its output
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; err is set by then
	err  error
}

// start runs a program in a process group of its own, so that a Ctrl-C on the terminal reaches only this program,
// which stops its children in order.
func start(dir, name, program string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	return p, nil
}

// await looks into a file that the process writes until it holds what is wanted, and returns the first group of it.
func (p *process) await(ctx context.Context, file string, want *regexp.Regexp) (string, error) {
	found := ""
	err := p.until(ctx, func() bool {
		text, err := os.ReadFile(file)
		if m := want.FindSubmatch(text); err == nil && m != nil {
			found = string(m[1])
		}
		return found != ""
	})
	return found, err
}

// until waits for a condition while the process runs.
func (p *process) until(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for !ready() {
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready: %w", p.name, errors.Join(p.err, p.tail()))
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready: %w", p.name, errors.Join(ctx.Err(), p.tail()))
		case <-tick.C:
		}
	}
	return nil
}

// stop ends the process and its group: politely, then not. It returns when the process is gone.
func (p *process) stop() {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-p.done:
			return
		default:
		}
		_ = syscall.Kill(-p.cmd.Process.Pid, signal) // it may end at this very moment
		select {
		case <-p.done:
		case <-time.After(stopTime):
		}
	}
}

// tail is the end of what the process wrote, as an error to join to others; nil if it wrote nothing.
func (p *process) tail() error {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if lines[0] == "" {
		return nil
	}
	lines = lines[max(0, len(lines)-tailLines):]
	return fmt.Errorf("the end of what %s wrote:\n  %s", p.name, strings.Join(lines, "\n  "))
}
