package exchange

import (
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// intent is what an enforcing policy would have done with a call that is only observed. The zero intent is none.
type intent struct {
	kind   string            // of the option, or replayed
	model  pricing.ModelName // that would have answered; "" for a refusal
	option *policies.Option  // that would have been paid for; nil where nothing would have been
}

// replayed is the decision to answer from the cache, in metadata and ledger. Other decisions are the names of
// policies.OptionKind.
const replayed = "replay"

// reserve takes the first option that the budgets can bear: served stays nil if there is none, and the error says
// why the best one was not taken.
func (x *Exchange) reserve() error {
	x.id = ledger.NewID(x.at)
	o, err := x.decision.Choose(func(o *policies.Option) error {
		return x.c.ledger.Reserve(x.reservation(o), x.at)
	})
	if o == nil || o.Kind == policies.Refuse {
		return err
	}
	x.served, x.reserved = o, true
	// Another call would look for the answer under the preferred option.
	x.keep = x.keep && o == x.decision.First()
	return nil
}

// intend notes what would have become of the call if the policy were in force.
func (x *Exchange) intend(hit bool) {
	if hit {
		x.would = intent{kind: replayed, model: x.decision.First().Model}
		return
	}
	o, _ := x.decision.Choose(func(o *policies.Option) error {
		call := x.ledgerCall(o)
		return x.c.ledger.Admit(&call, o.Charge(), x.at)
	})
	x.would = intent{kind: policies.Refuse.String()}
	if o != nil && o.Kind != policies.Refuse {
		x.would = intent{kind: o.Kind.String(), model: o.Model, option: o}
	}
}

// observe books the call as asked, whatever the budgets say. A journal that cannot be written does not stop it:
// the ledger reports itself unhealthy, and the call's settlement is whole without its reservation.
func (x *Exchange) observe() {
	x.id = ledger.NewID(x.at)
	x.served = &x.decision.Asked
	if _, err := x.c.ledger.Book(x.reservation(x.served), x.at); err != nil {
		x.logUnwritten("call not booked", err)
		return
	}
	x.reserved = true
}

// reservation holds the most that an option can cost.
func (x *Exchange) reservation(o *policies.Option) ledger.Reservation {
	x.expected = o.Expected
	if o.Bound > 0 {
		x.expected = min(x.expected, o.Bound)
	}
	return ledger.Reservation{Call: x.ledgerCall(o), Bound: o.Bound, Charge: o.Charge(), Estimate: x.expected}
}
