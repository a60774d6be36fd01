package exchange

import (
	"fmt"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// unpriced says why a call cannot be priced in advance, and who can do what about it.
func (x *Exchange) unpriced(refuse *policies.Option) string {
	const start = "a spend limit covers this call and its cost cannot be bounded in advance"
	model := modelLabel(refuse.Model)
	withCap, without := "; set an output cap, or ask the platform team", "; ask the platform team"
	if x.call.MaxOutput > 0 || x.call.NoOutput || x.call.CapWritten(provider.Target{MaxOutput: 1}) == 0 {
		withCap = without
	}
	switch refuse.Lack {
	case policies.LackSound:
		return start + "; send the recording as a WAV file of plain samples (PCM) without chunking_strategy, or use a model that is billed by tokens"
	case policies.LackModel:
		return start + ": other models than the one that it names may answer; name one, without fallbacks, presets or tools that call others"
	case policies.LackHost:
		return start + `: it chooses which host of the router serves the model, and hosts have prices of their own; leave that out: ` +
			`"provider" (but for "sort": "price") and "providerOptions" in the body, ":nitro" and ":exacto" behind the model, a host in the path`
	case policies.LackPrice:
		return fmt.Sprintf("%s: no price and no limits are known of model %q%s for a price file with both", start, model, withCap)
	case policies.LackOutput:
		if withCap == without {
			return fmt.Sprintf("%s: no limit of the output of model %q is known, and this API has no output cap%s for a price file "+
				"that states the model's max_output", start, model, without)
		}
		return fmt.Sprintf("%s: it has no output cap, and no limit of the output of model %q is known%s for a price file "+
			"that states the model's max_output", start, model, withCap)
	case policies.LackContext:
		return fmt.Sprintf("%s: the body does not bound the prompt, and the context window of model %q is not known%s for a price file "+
			"that states the model's context", start, model, without)
	case policies.LackMeasure:
		return start + ": it asks for more than any call comes to; ask for fewer or shorter answers"
	case policies.LackPieces:
		return start + ": it leaves open how much it uses of what is billed by the piece, such as searches or images; state that, or leave it out"
	}
	return fmt.Sprintf("%s: the price list has no rate of model %q for all that it bills, such as its class of service%s for a price file "+
		"that has it", start, model, without)
}
