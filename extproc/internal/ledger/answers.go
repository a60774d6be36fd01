package ledger

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/extproc/internal/sparse"
)

const (
	// putEvery is how often other replicas are told of the answers that were fetched through this one.
	putEvery = time.Second
	// answersKept is how long they can learn of one: a parked call waits for a day, and so may its replica be down.
	answersKept = 48 * time.Hour
	// maxAnswers bounds the answers that wait for the store, of some hundred bytes each. The calls of those beyond count at
	// their bound.
	maxAnswers = 1 << 12
	// droppedEvery is how often at most an answer is logged that there was no room for.
	droppedEvery = 5 * time.Second
	// findAtOnce is how many answers the store is asked for in a round trip, and maxFind in a row.
	findAtOnce, maxFind = 500, 5000
	// askFirst is how long a parked call stays open when its time is over, so that the store is asked once more.
	askFirst = time.Minute
)

// answers are what other replicas are to learn.
type answers struct {
	mu      sync.Mutex
	waiting map[string][]byte // answers by key, guarded by mu
	failing bool              // the last round trip; guarded by mu
	dropped sparse.Gate       // logs of answers that there was no room for
}

// SharesAnswers reports whether replicas tell each other of the answers that are fetched through them.
func (l *Ledger) SharesAnswers() bool { return l.options.Answers != nil }

// ShareAnswer says what came of an answer that was fetched here under the key of a call that is not parked here. The
// replica where it is finds it with SharedAnswers, soon or when it is back. The first answer under a key holds: all are
// final. The text must not change any more.
func (l *Ledger) ShareAnswer(key string, answer []byte) {
	l.answers.mu.Lock()
	defer l.answers.mu.Unlock()
	if l.answers.waiting == nil {
		l.answers.waiting = map[string][]byte{}
	}
	_, again := l.answers.waiting[key]
	switch {
	case again:
	case len(l.answers.waiting) < maxAnswers:
		l.answers.waiting[key] = answer
	default:
		if held, ok := l.answers.dropped.Pass(l.options.Now(), droppedEvery); ok {
			l.options.Logger.LogAttrs(context.Background(), slog.LevelWarn,
				"fetched answer not shared with other replicas: its call counts at its bound there", slog.Int64("not_logged", held))
		}
	}
}

// SharedAnswers returns what other replicas told of the answers of calls that are parked here, by call. Of very many
// calls it looks at others each time. When the store is away it finds nothing.
func (l *Ledger) SharedAnswers(ctx context.Context) map[ID][]byte {
	var found map[ID][]byte
	keys, ids := l.waitingCalls()
	for len(keys) > 0 {
		n := min(len(keys), findAtOnce)
		texts, err := l.options.Answers.Get(ctx, keys[:n])
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

// keepPuttingAnswers tells other replicas what there is to tell, until ctx is done.
func (l *Ledger) keepPuttingAnswers(ctx context.Context) {
	ticker := time.NewTicker(putEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.putAnswers(ctx)
		}
	}
}

// putAnswers tells what waits. What cannot be told now waits on.
func (l *Ledger) putAnswers(ctx context.Context) {
	l.answers.mu.Lock()
	var answers []lease.Answer
	for key, text := range l.answers.waiting {
		answers = append(answers, lease.Answer{Key: key, Text: text})
	}
	l.answers.mu.Unlock()
	if len(answers) == 0 {
		return
	}
	err := l.options.Answers.Put(ctx, answers, answersKept)
	if l.reach(ctx, err); err != nil {
		return
	}
	l.answers.mu.Lock()
	defer l.answers.mu.Unlock()
	for i := range answers {
		delete(l.answers.waiting, answers[i].Key)
	}
}

// putLastAnswers tells what waits when the ledger is closed.
func (l *Ledger) putLastAnswers() {
	ctx, stop := context.WithTimeout(context.Background(), putEvery)
	defer stop()
	l.putAnswers(ctx)
}

// reach notes how a round trip went, and logs it when that changes.
func (l *Ledger) reach(ctx context.Context, err error) {
	l.answers.mu.Lock()
	news := (err != nil) != l.answers.failing
	l.answers.failing = err != nil
	l.answers.mu.Unlock()
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
