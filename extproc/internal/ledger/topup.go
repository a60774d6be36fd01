package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

var (
	// ErrNoBudget says that no budget in force has the name that was asked for.
	ErrNoBudget = errors.New("no such budget")
	// ErrBadOrder says what is wrong with a top-up that somebody asks for.
	ErrBadOrder = errors.New("top-up refused")
	// ErrTaken says that the key of a top-up belongs to another one.
	ErrTaken = errors.New("top-up key is taken")
)

// TopUp raises the limit of one scope of a budget until the window ends, or before.
type TopUp struct {
	ID     ID                  `json:"id"`
	Budget policies.BudgetName `json:"budget"`
	Scope  []Dim               `json:"scope,omitempty"` // one for each dimension of the budget, in the order of names
	Amount pricing.Money       `json:"amount"`          // above 0
	From   time.Time           `json:"from"`            // when it was granted; set by the ledger
	Until  time.Time           `json:"until"`           // zero: the end of the window
	Who    string              `json:"who"`             // who granted it
	Reason string              `json:"reason"`

	// Key is chosen by who asks, so that an order that is repeated counts once; "" for none. The ID follows from it.
	Key   string    `json:"key,omitempty"`
	Asked time.Time `json:"asked,omitzero"` // Until as it was asked for with a key; set by the ledger
}

// repeats reports whether two top-ups are the same order. Both must be complete.
func (t *TopUp) repeats(other *TopUp) bool {
	return t.Key == other.Key && t.Budget == other.Budget && slices.Equal(t.Scope, other.Scope) && t.Amount == other.Amount &&
		t.Asked.Equal(other.Asked) && t.Who == other.Who && t.Reason == other.Reason
}

// keyID returns the ID of whatever has a key, on all replicas the same: a UUID of version 8 (RFC 9562, section 5.8).
func keyID(key string) ID {
	sum := sha256.Sum256([]byte("farebox top-up " + key))
	id := ID(sum[:16])
	id[6] = 0x80 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// appendJSON implements payload.
func (t *TopUp) appendJSON(b []byte) ([]byte, error) {
	text, err := json.Marshal(t)
	return append(b, text...), err
}

// entry is the top-up in the ledger, for people to read.
func (t *TopUp) entry() Entry {
	detail := fmt.Sprintf("%s topped up by %s USD until %s by %s: %s",
		t.Budget, t.Amount, t.Until.UTC().Format(time.RFC3339), t.Who, t.Reason)
	if len(t.Scope) > 0 {
		detail = ScopeText(t.Scope) + " of " + detail
	}
	return Entry{Call: Call{ID: t.ID, At: t.From}, Settled: t.From, Outcome: ToppedUp, Detail: detail}
}

// TopUp raises the limit of a scope for the present window and returns the top-up as it is in force when that is in
// the journal. Dimensions that t.Scope leaves out stand for calls without a value. It survives restarts and reloads
// while a budget of that name counts by the same dimensions. A top-up whose key has been used changes nothing: the one
// that has it is returned, if it is in force and the same. Replicas with shared balances know the keys of each other.
// Errors wrap ErrNoBudget, ErrBadOrder, ErrTaken, ErrAway, ErrJournal or ErrClosed, and change nothing.
func (l *Ledger) TopUp(t TopUp, now time.Time) (TopUp, error) {
	l.setting.Lock() // so that the budget stays in force
	defer l.setting.Unlock()
	if err := l.completeTopUp(&t, l.at(now)); err != nil {
		return TopUp{}, err
	}
	if t.Key != "" {
		first, err := l.keyed(&t)
		if err != nil {
			return TopUp{}, err
		}
		if first != nil {
			return *first, nil
		}
		if l.shared != nil {
			if err := l.takeKey(context.Background(), &t, t.From); err != nil {
				return TopUp{}, err
			}
		}
	}
	frame, err := encodeRecord(kindTopUp, &t)
	if err != nil {
		return TopUp{}, err
	}
	if err := l.journal.reserve(t.ID, frame); err != nil {
		return TopUp{}, err
	}
	l.mu.Lock()
	l.books.topUps = append(l.books.topUps, t)
	l.books.attach(t)
	l.mu.Unlock()
	if l.shared != nil {
		_ = l.shareTopUp(context.Background(), &t) // if that fails, keepShared does it again
	}
	if err := l.write(kindEntry, t.entry()); err != nil && !errors.Is(err, ErrJournal) {
		return TopUp{}, err
	}
	return t, nil
}

// keyed returns the top-up of this replica that has the key of t, nil if there is none.
func (l *Ledger) keyed(t *TopUp) (*TopUp, error) {
	l.mu.Lock()
	i := slices.IndexFunc(l.books.topUps, func(other TopUp) bool { return other.ID == t.ID })
	if i >= 0 {
		first := l.books.topUps[i]
		l.mu.Unlock()
		if !t.repeats(&first) {
			return nil, fmt.Errorf("%w: %q is of another top-up: %s", ErrTaken, t.Key, first.entry().Detail)
		}
		return &first, nil
	}
	l.mu.Unlock()
	entries, err := l.entryOf(context.Background(), t.ID)
	if err != nil {
		return nil, err
	}
	if entries > 0 {
		return nil, errOver(t.Key)
	}
	return nil, nil
}

// entryOf returns how many entries of an ID there are, after bringing the database up to date.
func (l *Ledger) entryOf(ctx context.Context, id ID) (n int, err error) {
	if err := l.Flush(ctx); err != nil {
		return 0, fmt.Errorf("look for top-up: %w", err)
	}
	err = l.store.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM entries WHERE id = ?", id[:]).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("look for top-up: %w", err)
	}
	return n, nil
}

// completeTopUp checks a top-up against the budget and fills in what follows from it.
func (l *Ledger) completeTopUp(t *TopUp, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	p := l.books.find(t.Budget)
	if p == nil {
		return fmt.Errorf("%w: %q", ErrNoBudget, t.Budget)
	}
	scope, err := p.scope(t.Scope)
	if err != nil {
		return err
	}
	if t.Amount <= 0 {
		return fmt.Errorf("%w: amount must be above 0", ErrBadOrder)
	}
	t.ID = NewID(now)
	if t.Key != "" {
		t.ID, t.Asked = keyID(t.Key), t.Until.Round(0).UTC()
	}
	end := p.budget.End(now)
	if t.Until.IsZero() || t.Until.After(end) {
		t.Until = end
	}
	if !now.Before(t.Until) {
		return fmt.Errorf("%w: until %s is past", ErrBadOrder, t.Until.Format(time.RFC3339))
	}
	t.Scope, t.From, t.Until = scope, now.Round(0).UTC(), t.Until.Round(0).UTC()
	return nil
}

// scope returns the values of a budget's dimensions, in order, from those that were given.
func (p *placed) scope(given []Dim) ([]Dim, error) {
	for _, d := range given {
		if !slices.Contains(p.meter.per, d.Name) {
			return nil, fmt.Errorf("%w: budget %q does not count by %q", ErrBadOrder, p.budget.Name, d.Name)
		}
		if err := CheckValue(d.Value); err != nil {
			return nil, fmt.Errorf("%w: scope %s: %w", ErrBadOrder, d.Name, err)
		}
	}
	c := callIn(given)
	return p.meter.scope(&c), nil
}

// CheckValue returns why no call has a value of a dimension, nil if one may.
func CheckValue(value string) error {
	switch {
	case value == "":
		return fmt.Errorf("the value is empty: calls without one count under %q", None)
	case len(value) > policies.MaxValue:
		return fmt.Errorf("the value has %d bytes, and no call has one of more than %d", len(value), policies.MaxValue)
	case !utf8.ValidString(value):
		return fmt.Errorf("the value %q is no valid UTF-8", value)
	case strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("the value %q has a control character", value)
	}
	return nil
}

// dropTopUps forgets the top-ups that are over and returns their ids.
func (k *books) dropTopUps(now time.Time) []ID {
	var over []ID
	k.topUps = slices.DeleteFunc(k.topUps, func(t TopUp) bool {
		if now.Before(t.Until) {
			return false
		}
		over = append(over, t.ID)
		return true
	})
	return over
}
