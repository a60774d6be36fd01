package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
)

// ordersKept is how long replicas tell each other of the key of a top-up that is over.
const ordersKept = 7 * 24 * time.Hour

// takenEvery is how often at most it is logged that the key of a top-up in force has gone to another one.
const takenEvery = 10 * time.Minute

// ErrAway says that the store of shared balances, without which a key cannot be known to be new, is out of reach.
var ErrAway = errors.New("shared balances are out of reach, and without them a top-up with a key could count twice: " +
	"try again when they are back, or without a key")

// takeKey has all replicas know a top-up by its key. The top-up ends no later than at the replica that was told first.
// Errors wrap ErrTaken or ErrAway.
func (l *Ledger) takeKey(ctx context.Context, t *TopUp, now time.Time) error {
	first, err := l.firstOf(ctx, t, now)
	switch {
	case err != nil:
		return err
	case !now.Before(first.Until):
		return errOver(t.Key)
	case first.Until.Before(t.Until):
		t.Until = first.Until
	}
	return nil
}

// firstOf returns the order that replicas know by the key of a top-up, from now on this one. It asks for the same.
func (l *Ledger) firstOf(ctx context.Context, t *TopUp, now time.Time) (lease.Order, error) {
	order := lease.Order{Key: t.Key, Digest: t.digest(), Until: t.Until}
	first, err := l.options.Shared.Order(ctx, order, t.Until.Sub(now)+ordersKept)
	switch {
	case err != nil:
		return lease.Order{}, fmt.Errorf("%w: %w", ErrAway, err)
	case first.Digest != order.Digest:
		return lease.Order{}, fmt.Errorf("%w: %q is of another top-up, at another replica", ErrTaken, t.Key)
	}
	return first, nil
}

// repeatTopUp tells the store of a top-up once more, should it have forgotten it, and with it of its key: a store that
// has neither takes other top-ups under that key until then.
func (l *Ledger) repeatTopUp(ctx context.Context, t *TopUp) {
	now := l.at(l.options.Now())
	if t.Key != "" && now.Before(t.Until) {
		if _, err := l.firstOf(ctx, t, now); errors.Is(err, ErrTaken) {
			if _, ok := l.shared.taken.Pass(now, takenEvery); ok {
				l.options.Logger.LogAttrs(ctx, slog.LevelWarn, "top-up counts at this replica alone", slog.Any("err", err))
			}
			return
		}
	}
	_ = l.shareTopUp(ctx, t)
}

// digest is of what an order asks for, all that repeats compares. It must be complete.
func (t *TopUp) digest() string {
	b := appendWord(appendWord(nil, t.Key), string(t.Budget))
	b = binary.AppendVarint(b, int64(t.Amount))
	b = appendWord(b, t.Asked.UTC().Format(time.RFC3339Nano))
	b = appendWord(appendWord(b, t.Who), t.Reason)
	for _, d := range t.Scope {
		b = appendWord(appendWord(b, string(d.Name)), d.Value)
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func errOver(key string) error {
	return fmt.Errorf("%w: %q is of a top-up that is over", ErrTaken, key)
}
