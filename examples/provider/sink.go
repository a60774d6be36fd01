package main

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

var (
	errGone = errors.New("client has gone")
	errCut  = errors.New("connection cut by a fault")
)

// A sink writes one answer, slowly and brokenly if so ordered, and counts the output tokens that went into it.
type sink struct {
	ctx    context.Context
	flush  func() error
	out    io.Writer
	zip    *gzip.Writer
	delay  time.Duration
	fault  fault
	events int
	tokens int // generated so far, written or about to be
}

func newSink(ctx context.Context, w http.ResponseWriter, delay time.Duration, f fault) *sink {
	s := &sink{ctx: ctx, out: w, delay: delay, fault: f, flush: http.NewResponseController(w).Flush}
	if f.compress {
		w.Header().Set("content-encoding", "gzip")
		s.zip = gzip.NewWriter(w)
		s.out = s.zip
	}
	return s
}

// wait sleeps for d, or until the client has gone.
func (s *sink) wait(d time.Duration) error {
	if d <= 0 {
		if s.ctx.Err() != nil {
			return errGone
		}
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-s.ctx.Done():
		return errGone
	}
}

// generated counts tokens that no event carries: hidden reasoning.
func (s *sink) generated(tokens int) { s.tokens += tokens }

// event writes and flushes one event that carries so many output tokens. It returns errGone or errCut when the
// answer ends here.
func (s *sink) event(b []byte, tokens int) error {
	if err := s.prepare(); err != nil {
		return err
	}
	s.tokens += tokens
	return s.write(b)
}

// prepare does all that comes before an event is written.
func (s *sink) prepare() error {
	if s.fault.stall > 0 && s.events == s.fault.stallAt {
		if err := s.wait(s.fault.stall); err != nil {
			return err
		}
	}
	if s.fault.cut && s.events >= s.fault.cutAt {
		return errCut
	}
	s.events++
	return s.wait(s.delay)
}

// head writes what comes before a stall or a cut of a body that is not a stream, and returns the rest of it.
func (s *sink) head(b []byte) ([]byte, error) {
	switch f := s.fault; {
	case f.stall > 0:
		at := min(f.stallAt, len(b))
		if err := s.write(b[:at]); err != nil {
			return nil, err
		}
		return b[at:], s.wait(f.stall)
	case f.cut && f.cutAt < len(b):
		if err := s.write(b[:f.cutAt]); err != nil {
			return nil, err
		}
		return nil, errCut
	}
	return b, s.wait(0)
}

func (s *sink) write(b []byte) error {
	if _, err := s.out.Write(b); err != nil {
		return errGone
	}
	if s.zip != nil {
		if err := s.zip.Flush(); err != nil {
			return errGone
		}
	}
	return goneIf(s.flush())
}

// end writes the last of an answer.
func (s *sink) end(b []byte) error {
	if _, err := s.out.Write(b); err != nil {
		return errGone
	}
	if s.zip == nil {
		return nil
	}
	return goneIf(s.zip.Close())
}

func goneIf(err error) error {
	if err != nil {
		return errGone
	}
	return nil
}

// sse frames data as one server-sent event; an empty name writes none.
func sse(name string, data []byte) []byte {
	b := make([]byte, 0, len(name)+len(data)+20)
	if name != "" {
		b = append(append(append(b, "event: "...), name...), '\n')
	}
	b = append(append(b, "data: "...), data...)
	return append(b, "\n\n"...)
}
