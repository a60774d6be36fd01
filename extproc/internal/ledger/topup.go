package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// ErrNoBudget says that no budget in force has the name and dimensions that were asked for.
var ErrNoBudget = errors.New("no such budget")

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
// while a budget of that name counts by the same dimensions. Errors wrap ErrNoBudget, ErrInvalid, ErrJournal or
// ErrClosed, and change nothing.
func (l *Ledger) TopUp(t TopUp, now time.Time) (TopUp, error) {
	l.setting.Lock() // so that the budget stays in force
	defer l.setting.Unlock()
	if err := l.completeTopUp(&t, l.at(now)); err != nil {
		return TopUp{}, err
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
	end := p.budget.End(now)
	if t.Until.IsZero() || t.Until.After(end) {
		t.Until = end
	}
	if t.Amount <= 0 || !now.Before(t.Until) {
		return fmt.Errorf("%w: top-up of %s USD until %s", ErrInvalid, t.Amount, t.Until.Format(time.RFC3339))
	}
	t.ID, t.Scope, t.From, t.Until = NewID(now), scope, now.Round(0).UTC(), t.Until.Round(0).UTC()
	return nil
}

// scope returns the values of a budget's dimensions, in order, from those that were given.
func (p *placed) scope(given []Dim) ([]Dim, error) {
	for _, d := range given {
		if !slices.Contains(p.meter.per, d.Name) {
			return nil, fmt.Errorf("%w: budget %q does not count by %q", ErrNoBudget, p.budget.Name, d.Name)
		}
	}
	c := callIn(validDims(given))
	return p.meter.scope(&c), nil
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
