package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A fault is what goes wrong with one call. The zero value is none.
type fault struct {
	status   int           // answer with this status; 0: do not
	cut      bool          // close the connection at cutAt
	cutAt    int           // events of a stream, or bytes of JSON
	hang     time.Duration // wait before the first byte
	garbage  bool          // answer 200 with what is not JSON
	stall    time.Duration // wait at stallAt
	stallAt  int           // events of a stream, or bytes of JSON
	noUsage  bool          // leave usage out
	compress bool          // gzip
}

// parseFault reads one of status=N, cut=K, hang=DUR, garbage, stall-after=K,DUR; empty is none.
func parseFault(text string) (fault, error) {
	var f fault
	name, value, _ := strings.Cut(strings.TrimSpace(text), "=")
	var err error
	switch name {
	case "":
	case "garbage":
		f.garbage = true
	case "status":
		if f.status, err = strconv.Atoi(value); err == nil && (f.status < 400 || f.status > 599) {
			err = fmt.Errorf("status %d is not in 400..599", f.status)
		}
	case "cut":
		f.cut = true
		f.cutAt, err = strconv.Atoi(value)
	case "hang":
		f.hang, err = time.ParseDuration(value)
	case "stall-after":
		at, dur, _ := strings.Cut(value, ",")
		if f.stallAt, err = strconv.Atoi(at); err == nil {
			f.stall, err = time.ParseDuration(dur)
		}
	default:
		err = fmt.Errorf("unknown fault: use status, cut, hang, garbage or stall-after")
	}
	if err != nil {
		return fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	return f, nil
}

// A faultScript hands faults to the calls to come, in order. The zero value is empty; it is safe for concurrent use.
type faultScript struct {
	mu   sync.Mutex
	next []fault
}

func (s *faultScript) push(f fault, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range times {
		s.next = append(s.next, f)
	}
}

// pop returns the fault of the next call, none when the script is at its end.
func (s *faultScript) pop() fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.next) == 0 {
		return fault{}
	}
	f := s.next[0]
	s.next = s.next[1:]
	return f
}

func (s *faultScript) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = nil
}
