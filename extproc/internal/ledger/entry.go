package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// ErrInvalid says that an entry or reservation contradicts itself: a bug of the caller.
var ErrInvalid = errors.New("invalid ledger record")

// Outcome says how a call ended.
type Outcome string

// The outcomes.
const (
	OK        Outcome = "ok"        // answered in full
	Failed    Outcome = "error"     // an error of the provider that is billed
	Cancelled Outcome = "cancelled" // the client went away
	Cut       Outcome = "cut"       // the provider stopped before the end
	Lost      Outcome = "lost"      // farebox died before the end, or its owner forgot it
	CacheHit  Outcome = "cache_hit" // answered without a call
	Released  Outcome = "released"  // proven unbilled
	Adjusted  Outcome = "adjusted"  // no call: what is corrected about the entry that Adjusts names
	ToppedUp  Outcome = "top_up"    // no call: a budget was raised for a while
)

// Entry is one call in the ledger.
type Entry struct {
	Call
	Settled   time.Time         `json:"end"`              // when it was booked
	Responded pricing.ModelName `json:"resp,omitempty"`   // the model that the response names
	Status    int               `json:"status,omitempty"` // of the HTTP response; 0 if there was none
	Outcome   Outcome           `json:"out"`
	Detail    string            `json:"detail,omitempty"` // a few words for people: why it was released, what cut it
	Attempts  int               `json:"tries,omitempty"`  // upstream attempts
	// Adjusts is the entry that this one corrects: its amounts are differences, which may be negative, and count in
	// the window of that entry. The zero ID everywhere else.
	Adjusts ID              `json:"adj,omitzero"`
	Usage   pricing.Usage   `json:"use"`
	Service pricing.Service `json:"svc,omitempty"` // class of service that was billed
	Region  string          `json:"reg,omitempty"` // that the price depends on, as the response names it

	Cost     pricing.Money   `json:"cost"`            // what the call came to, or the estimate of it
	Extra    pricing.Money   `json:"extra,omitempty"` // of Cost, an estimate of what attempts before the last one came to
	Baseline pricing.Money   `json:"base"`            // what the caller asked for would have cost
	Savings  pricing.Savings `json:"save"`            // adds up to Baseline - Cost
	Eligible pricing.Money   `json:"elig,omitempty"`  // what the API model that Pool replaces would have charged
	// PriceSource is where the price was read, or "stated" for a charge that the response states.
	PriceSource string `json:"price,omitempty"`
	Stated      bool   `json:"stated,omitempty"` // Cost is the charge that the response states
	// ListCost is what the price list makes of Usage where Stated; 0 elsewhere, and for a model without a price.
	ListCost  pricing.Money `json:"list,omitempty"`
	Estimated bool          `json:"est,omitempty"` // Cost is not what the provider reported

	// Would is what an enforcing policy would have done with a call that was only observed: the name of a
	// policies.OptionKind, or "replay"; "" where the policy was in force.
	Would      string            `json:"would,omitempty"`
	WouldModel pricing.ModelName `json:"wmodel,omitempty"` // that would have answered; "" for a refusal
	WouldCost  pricing.Money     `json:"wcost,omitempty"`  // Usage at that model's price; 0 for a replay or a refusal

	Charge  pricing.Money `json:"charge,omitempty"` // of Cost, what budgets count: nothing for own pools
	Bound   pricing.Money `json:"bound,omitempty"`  // the reservation's; set by Settle
	Counted pricing.Money `json:"count,omitempty"`  // Charge, or for an estimated entry at least what was reserved; set by Settle
	Overrun bool          `json:"over,omitempty"`   // came to more than was reserved; set by Settle

	Took time.Duration `json:"-"` // from the request to the end of the answer, for OnSettle; not kept
}

// normalize replaces what JSON cannot carry, so that an entry is the same whether or not it is read back.
func (e *Entry) normalize() {
	e.Call.normalize()
	e.Settled = e.Settled.Round(0).UTC()
	e.Took = 0
	for _, s := range []*string{(*string)(&e.Responded), (*string)(&e.WouldModel), (*string)(&e.Service), &e.Region, &e.Detail, &e.PriceSource} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
}

// MaxAttempts bounds the attempts of a call that are charged: no proxy is configured for more.
const MaxAttempts = 100

// IsCall reports whether the entry is about a call of its own.
func (e *Entry) IsCall() bool { return e.Outcome != Adjusted && e.Outcome != ToppedUp }

// counts returns what a budget counts of the entry.
func (e *Entry) counts(abortedEstimate bool) pricing.Money {
	if abortedEstimate {
		return e.Charge
	}
	return e.Counted
}

// check returns an error that wraps ErrInvalid if the entry contradicts itself.
func (e *Entry) check() error {
	switch {
	case e.ID == ID{}:
		return fmt.Errorf("%w: entry without id", ErrInvalid)
	case e.Outcome == "":
		return fmt.Errorf("%w: entry %s without outcome", ErrInvalid, e.ID)
	case e.WouldCost < 0:
		return fmt.Errorf("%w: entry %s: would have cost %s USD", ErrInvalid, e.ID, e.WouldCost)
	case e.Extra < 0 || e.Extra > e.Cost || e.ListCost < 0:
		return fmt.Errorf("%w: entry %s: cost %s USD, of it for further attempts %s USD, listed %s USD", ErrInvalid, e.ID, e.Cost, e.Extra, e.ListCost)
	case e.Cost < 0 || e.Charge < 0 || e.Charge > e.Cost:
		return fmt.Errorf("%w: entry %s: cost %s USD, of it charged %s USD", ErrInvalid, e.ID, e.Cost, e.Charge)
	case e.Savings.Total() != e.Baseline-e.Cost:
		return fmt.Errorf("%w: entry %s: savings of %s USD, but baseline %s USD less cost %s USD",
			ErrInvalid, e.ID, e.Savings.Total(), e.Baseline, e.Cost)
	}
	return nil
}

// bookOn completes the entry from the reservation that it settles.
func (e *Entry) bookOn(r *Reservation) {
	e.Call = r.Call
	e.Bound = r.Bound
	e.Counted = e.Charge
	if e.Estimated {
		e.Counted = max(e.Charge, r.Charge)
	}
	e.Overrun = r.Bound > 0 && (e.Cost > r.Bound || e.Charge > r.Charge)
}

// lost is the entry of a reservation that nobody can settle any more. Attempts before the last one come to as much again.
func lost(r *Reservation, now time.Time, why string) Entry {
	e := Entry{Outcome: Lost, Estimated: true, Settled: now, Detail: why, Attempts: r.Attempts}
	e.Cost = r.Estimate
	if e.Cost == 0 {
		e.Cost = r.Bound
	}
	e.Charge = min(e.Cost, r.Charge)
	for range min(r.Attempts, MaxAttempts) - 1 {
		e.Extra = pricing.AddCapped(e.Extra, e.Cost)
	}
	e.Cost = pricing.AddCapped(e.Cost, e.Extra)
	if r.Charge > 0 {
		e.Charge = pricing.AddCapped(e.Charge, e.Extra)
	}
	e.Baseline = e.Cost
	e.bookOn(r)
	return e
}
