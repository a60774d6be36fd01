package policies

import (
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// Lack is what is missing to bound the cost of a call.
type Lack uint8

// The lacks. Several may hold: the first does that whoever calls can mend, or else the one that the price list has to.
const (
	LackNothing Lack = iota
	LackSound        // how long a recording is, at a price by the second
	LackModel        // which model answers: the call lets its provider choose
	LackHost         // which host of a router answers: the call chooses among them
	LackPrice        // a listing of the model
	LackOutput       // an output cap, and a limit of the model's output
	LackContext      // the model's context window, where the body does not bound the prompt
	LackPieces       // how many searches, images or other pieces are billed
	LackRate         // a rate of the model for all that the call bills, as for its class of service
	LackMeasure      // an end to what it asks for: it is more than any call comes to
)

// lack returns why most cannot bound an option.
func (s *Set) lack(call *provider.Request, o *Option) Lack {
	price, _ := s.dearestPrice(call, o)
	used, counted := pieces(call, &price)
	_, _, bounded, _ := s.exposure(call, o, o.cap)
	free := price.FreeTokens()
	input := call.InputBound()
	if input < 0 {
		input = s.context(o)
	}
	switch {
	case call.OpenSeconds && price.Fees.Second != 0:
		return LackSound
	case call.Facts.Has(provider.OtherModels):
		return LackModel
	case s.choosesHost(call, o), o.Listing.ChoosesHost(o.Model):
		return LackHost
	case o.Listing == nil:
		return LackPrice
	case !free && !call.NoOutput && o.cap == 0, call.Facts.Has(provider.Compaction) && s.longest(o) == 0:
		return LackOutput
	case !free && input == 0:
		return LackContext
	case !counted && !call.Boundless && searchesPriced(&used, &price):
		return LackPieces
	case bounded && o.Bound == 0 && !price.Free():
		return LackMeasure
	}
	return LackRate
}
