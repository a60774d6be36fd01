package upstream

import (
	"errors"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

const (
	// rateWindow is the stretch of time that rates are of.
	rateWindow = 5 * time.Minute
	// leastWindow is the shortest stretch that says anything.
	leastWindow = time.Minute
	// tooManyStarts are more than one server restarts within the window: several answer in turn, whose counts do not
	// go together.
	tooManyStarts = 2
)

var (
	errYoung   = errors.New("measured for less than a minute")
	errSeveral = errors.New("several servers answer on one address, or it keeps restarting; name each in endpoints")
)

// server is what is known of one address. The zero value knows nothing. It is for one goroutine.
type server struct {
	samples []sample    // of the window, oldest first, of one process
	starts  []time.Time // when another process was first heard, within the window
	err     error       // of the last scrape
}

// add notes what a scrape said; nothing is kept of one that failed but the error.
func (s *server) add(x sample, err error) {
	s.err = err
	if err != nil {
		return
	}
	if n := len(s.samples); n > 0 && x.isOfAnother(&s.samples[n-1]) {
		s.samples, s.starts = nil, append(s.starts, x.at)
	}
	s.samples = append(s.samples, x)
	from := x.at.Add(-rateWindow)
	s.samples = slices.DeleteFunc(s.samples, func(y sample) bool { return y.at.Before(from) })
	s.starts = slices.DeleteFunc(s.starts, func(at time.Time) bool { return at.Before(from) })
}

// isOfAnother reports whether a sample is not of the process that the one before it is of: it says so, or a count went
// back.
func (s *sample) isOfAnother(before *sample) bool {
	if s.started != before.started {
		return true
	}
	for name, n := range s.tokens {
		if n < before.tokens[name] {
			return true
		}
	}
	return false
}

// last returns the newest sample, and false if the last scrape failed.
func (s *server) last() (*sample, bool) {
	if s.err != nil || len(s.samples) == 0 {
		return nil, false
	}
	return &s.samples[len(s.samples)-1], true
}

// rates returns the tokens per second of each model over the window, or why they are not known.
func (s *server) rates() (map[pricing.ModelName]float64, error) {
	newest, ok := s.last()
	switch {
	case s.err != nil:
		return nil, s.err
	case len(s.starts) >= tooManyStarts:
		return nil, errSeveral
	case !ok:
		return nil, errYoung
	}
	oldest := &s.samples[0]
	span := newest.at.Sub(oldest.at)
	if span < leastWindow {
		return nil, errYoung
	}
	rates := make(map[pricing.ModelName]float64, len(newest.tokens))
	for name, n := range newest.tokens {
		rates[name] = (n - oldest.tokens[name]) / span.Seconds()
	}
	return rates, nil
}
