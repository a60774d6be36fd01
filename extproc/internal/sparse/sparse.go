// Package sparse keeps what many calls have to say alike out of the log for most of them.
package sparse

import (
	"sync"
	"time"
)

// Gate lets one event through per interval and counts those in between. The zero value lets the first one through.
// Its methods are safe for concurrent use.
type Gate struct {
	mu   sync.Mutex // guards what follows
	next time.Time  // when one may pass again
	held int64      // since the last one that did
}

// Pass reports whether an event may pass at a moment, and how many have not since the last one that did. A clock that
// is set back lets one pass.
func (g *Gate) Pass(now time.Time, every time.Duration) (held int64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Before(g.next) && !now.Add(every).Before(g.next) {
		g.held++
		return 0, false
	}
	held, g.held, g.next = g.held, 0, now.Add(every)
	return held, true
}
