package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// ErrInvalid says that an entry or reservation contradicts itself: a bug of the caller.
var ErrInvalid = errors.New("invalid ledger record")

// Lever is a way of saving money. Levers are applied in the order of the constants, each to what the ones
// before it left.
type Lever uint8

// The levers.
const (
	LeverTier          Lever = iota // a cheaper model
	LeverExactCache                 // an identical request was answered before
	LeverSemanticCache              // a paraphrase was
	LeverPromptCache                // the provider's own cache
	LeverTrimming                   // a shorter prompt
	LeverOutputCap                  // a shorter answer
	LeverServiceTier                // flex and batch prices
	LeverSelfHosting                // an own pool
	NumLevers          = 8
)

var leverNames = [NumLevers]string{
	"tier", "exact_cache", "semantic_cache", "prompt_cache", "trimming", "output_cap", "service_tier", "self_hosting",
}

// String returns the lever's name in metrics, JSON and the database.
func (l Lever) String() string {
	if l >= NumLevers {
		return fmt.Sprintf("lever(%d)", uint8(l))
	}
	return leverNames[l]
}

// Savings says what each lever saved. A loss is negative.
type Savings [NumLevers]pricing.Money

// Total is the sum over the levers.
func (s Savings) Total() pricing.Money {
	var sum pricing.Money
	for _, m := range s {
		sum += m
	}
	return sum
}

// Outcome says how a call ended.
type Outcome string

// The outcomes.
const (
	OK        Outcome = "ok"        // answered in full
	Failed    Outcome = "error"     // an error of the provider that is billed
	Cancelled Outcome = "cancelled" // the client went away
	Cut       Outcome = "cut"       // the provider stopped before the end
	Lost      Outcome = "lost"      // farebox died before the end
	CacheHit  Outcome = "cache_hit" // answered without a call
	Released  Outcome = "released"  // proven unbilled
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
	Usage     pricing.Usage     `json:"use"`

	Cost     pricing.Money `json:"cost"`           // what the call came to, or the estimate of it
	Baseline pricing.Money `json:"base"`           // what the caller asked for would have cost
	Savings  Savings       `json:"save"`           // adds up to Baseline - Cost
	Eligible pricing.Money `json:"elig,omitempty"` // what the API model that Pool replaces would have charged
	// PriceSource is where the price was read, or "stated" for a charge that the response states.
	PriceSource string `json:"price,omitempty"`
	Estimated   bool   `json:"est,omitempty"` // Cost is not what the provider reported

	Charge  pricing.Money `json:"charge,omitempty"` // of Cost, what budgets count: nothing for own pools
	Bound   pricing.Money `json:"bound,omitempty"`  // the reservation's; set by Settle
	Counted pricing.Money `json:"count,omitempty"`  // Charge, or for an estimated entry at least what was reserved; set by Settle
	Overrun bool          `json:"over,omitempty"`   // came to more than was reserved; set by Settle
}

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
	unknown := r.Observed && r.Bound == 0
	e.Overrun = !unknown && (e.Cost > r.Bound || e.Charge > r.Charge)
}

// unbilled is the entry of a reservation that is released.
func unbilled(r *Reservation, reason string) Entry {
	return Entry{Call: r.Call, Outcome: Released, Detail: reason, Bound: r.Bound}
}

// lost is the entry of a reservation whose process died.
func lost(r *Reservation, now time.Time) Entry {
	e := Entry{Outcome: Lost, Estimated: true, Settled: now, Detail: "farebox ended before the answer did"}
	e.Cost = r.Estimate
	if e.Cost == 0 {
		e.Cost = r.Bound
	}
	e.Charge = min(e.Cost, r.Charge)
	e.Baseline = e.Cost
	e.bookOn(r)
	return e
}
