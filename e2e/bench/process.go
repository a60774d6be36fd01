package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTime = 20 * time.Second // to become ready
	stopTime  = 5 * time.Second  // to end after SIGTERM
	pollTime  = 2 * time.Millisecond
)

// clockTick is the unit of times in /proc: USER_HZ is 100 on every Linux. Source: proc_pid_stat(5), time(7).
const clockTick = 10 * time.Millisecond

// process is a program that runs until it is stopped. What it writes goes to a file.
type process struct {
	name string
	log  string // path
	cmd  *exec.Cmd
	done chan struct{} // closed at its end; err is set by then
	err  error
}

// start runs a program in a process group of its own: a Ctrl-C reaches only the benchmark, which then stops it.
func start(dir, name, program string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), cmd: exec.Command(program, args...), done: make(chan struct{})}
	file, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer file.Close()
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	// Ends with the program, which stop sees to.
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	return p, nil
}

// stop ends the program and waits for it.
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

// until polls a condition while the program runs.
func (p *process) until(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for !ready() {
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %v\n%s", p.name, p.err, p.said())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.name, ctx.Err(), p.said())
		case <-tick.C:
		}
	}
	return nil
}

func (p *process) said() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// find returns the first group of a pattern in what the program wrote so far, "" if it is not there.
func (p *process) find(pattern *regexp.Regexp) string {
	if m := pattern.FindStringSubmatch(p.said()); m != nil {
		return m[1]
	}
	return ""
}

// cpu is the processor time that the program took since it started, in user and kernel mode.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parseCPU(string(text))
}

// parseCPU adds utime and stime of /proc/PID/stat. The name of the program comes before them and may hold
// blanks and parentheses.
func parseCPU(stat string) (time.Duration, error) {
	const utime, stime = 11, 12 // counted from the field after the name. Source: proc_pid_stat(5)
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= stime {
		return 0, fmt.Errorf("process statistics %q: too few fields", stat)
	}
	var ticks int64
	for _, f := range fields[utime : stime+1] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("process statistics %q: %w", stat, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

var residentSize = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)

// resident is the memory of the program that is in RAM, in bytes.
func (p *process) resident() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	m := residentSize.FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("process status of %s: no VmRSS", p.name)
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10, err
}
