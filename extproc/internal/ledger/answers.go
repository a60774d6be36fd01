package ledger

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
)

const (
	// tellEvery is how often other replicas are told of the answers that were fetched through this one.
	tellEvery = time.Second
	// answersKept is how long they can learn of one: a parked call waits for a day, and so may its replica be down.
	answersKept = 48 * time.Hour
	// maxTold bounds the answers that wait for the store, of some hundred bytes each. The calls of those beyond count at
	// their bound.
	maxTold = 1 << 12
	// findAtOnce is how many answers the store is asked for in a round trip, and maxFind in a row.
	findAtOnce, maxFind = 500, 5000
	// askFirst is how long a parked call stays open when its time is over, so that the store is asked once more.
	askFirst = time.Minute
)

// told is what other replicas are to learn.
type told struct {
	mu      sync.Mutex
	waiting map[string][]byte // answers by key, guarded by mu
	failing bool              // the last round trip; guarded by mu
}

// Tells reports whether replicas tell each other of the answers that are fetched through them.
func (l *Ledger) Tells() bool { return l.options.Answers != nil }

// Tell says what came of an answer that was fetched here under the key of a call that is not parked here. Another
// replica where it is finds it with Find, soon or when it is back. The text must not change any more.
func (l *Ledger) Tell(key string, answer []byte) {
	l.told.mu.Lock()
	defer l.told.mu.Unlock()
	if l.told.waiting == nil {
		l.told.waiting = map[string][]byte{}
	}
	if _, again := l.told.waiting[key]; again || len(l.told.waiting) < maxTold {
		l.told.waiting[key] = answer
	}
}

// Find returns what other replicas told of the answers of calls that are parked here, by call. Of very many calls it
// looks at others each time. When the store is away it finds nothing.
func (l *Ledger) Find(ctx context.Context) map[ID][]byte {
	var found map[ID][]byte
	keys, ids := l.waitingCalls()
	for len(keys) > 0 {
		n := min(len(keys), findAtOnce)
		texts, err := l.options.Answers.Find(ctx, keys[:n])
		if l.reach(ctx, err); err != nil {
			return found
		}
		for i, text := range texts {
			if text == nil {
				continue
			}
			if found == nil {
				found = map[ID][]byte{}
			}
			found[ids[i]] = text
		}
		keys, ids = keys[n:], ids[n:]
	}
	return found
}

// waitingCalls returns parked calls and their keys.
func (l *Ledger) waitingCalls() (keys []string, ids []ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.options.Answers == nil {
		return nil, nil
	}
	for key, id := range l.parked { // in no order
		if len(keys) == maxFind {
			break
		}
		keys, ids = append(keys, key), append(ids, id)
	}
	return keys, ids
}

// keepTelling tells other replicas what there is to tell, until ctx is done.
func (l *Ledger) keepTelling(ctx context.Context) {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.tellAll(ctx)
		}
	}
}

// tellAll tells what waits. What cannot be told now waits on.
func (l *Ledger) tellAll(ctx context.Context) {
	l.told.mu.Lock()
	var answers []lease.Answer
	for key, text := range l.told.waiting {
		answers = append(answers, lease.Answer{Key: key, Text: text})
	}
	l.told.mu.Unlock()
	if len(answers) == 0 {
		return
	}
	err := l.options.Answers.Leave(ctx, answers, answersKept)
	if l.reach(ctx, err); err != nil {
		return
	}
	l.told.mu.Lock()
	defer l.told.mu.Unlock()
	for i := range answers {
		delete(l.told.waiting, answers[i].Key)
	}
}

// tellLast tells what waits when the ledger is closed.
func (l *Ledger) tellLast() {
	ctx, stop := context.WithTimeout(context.Background(), tellEvery)
	defer stop()
	l.tellAll(ctx)
}

// reach notes how a round trip went, and logs it when that changes.
func (l *Ledger) reach(ctx context.Context, err error) {
	l.told.mu.Lock()
	news := (err != nil) != l.told.failing
	l.told.failing = err != nil
	l.told.mu.Unlock()
	switch {
	case !news || ctx.Err() != nil:
	case err != nil:
		l.options.Logger.LogAttrs(ctx, slog.LevelWarn, "fetched answers not shared with other replicas", slog.Any("err", err))
	default:
		l.options.Logger.LogAttrs(ctx, slog.LevelInfo, "fetched answers shared with other replicas again")
	}
}

// parkedUntil is when a call is given up whose answer may be fetched until a moment.
func (l *Ledger) parkedUntil(until, now time.Time) time.Time {
	if l.options.Answers == nil {
		return until
	}
	if until.Before(now) {
		until = now
	}
	return until.Add(askFirst)
}
