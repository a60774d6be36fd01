package ledger

import (
	"sync"
	"time"
)

// overrunEvery is how often at most a call that overran its reservation is logged.
const overrunEvery = 5 * time.Second

// sparse lets one event through per interval and counts those in between. The zero value lets the first one through.
// Its methods are safe for concurrent use.
type sparse struct {
	mu   sync.Mutex // guards what follows
	next time.Time  // when one may pass again
	held int64      // since the last one that did
}

// pass reports whether an event may pass at a moment, and how many have not since the last one that did. A clock that
// is set back lets one pass.
func (s *sparse) pass(now time.Time, every time.Duration) (held int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.next) && !now.Add(every).Before(s.next) {
		s.held++
		return 0, false
	}
	held, s.held, s.next = s.held, 0, now.Add(every)
	return held, true
}
