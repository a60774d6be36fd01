package filter

import (
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// settle prices the call by what the response said, and returns the final record.
func (x *Exchange) settle() []byte {
	r := x.meter.Close()
	if !r.HasUsage && policies.Unbilled(x.host.ResponseStatus(), x.host.ResponseDetails()) != "" {
		return x.priced(pricing.Usage{}, policies.Bill{}, false)
	}
	usage, estimated := x.decision.Usage(x.served, &r, x.input)
	bill, err := x.decision.Bill(x.served, usage, x.f.set.Charged(x.served, &r, x.start))
	if err != nil {
		// Only a sum beyond Money comes here: a response that states absurd counts.
		x.host.Log("cost not computed: " + err.Error())
		return x.record()
	}
	return x.priced(usage, bill, estimated || bill.Estimated)
}
