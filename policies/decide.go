package policies

import (
	"math"
	"math/bits"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// defaultCacheMinimum is the smallest prefix in tokens worth a cache marker where a model's is unknown: the
// largest that any vendor documents.
const defaultCacheMinimum = 4096

// feesUnknown are the facts of calls whose rates are not known: another class of service has its own, and so has a
// model that the provider may choose by itself.
const feesUnknown = provider.ServiceTier | provider.Fallbacks

// Decide returns how a call may be served, best first. It does not allocate.
func (s *Set) Decide(r Request, st State, now time.Time) Decision {
	d := Decision{Asked: s.asked(&r, now)}
	openAI := r.Call.API.Vendor() == provider.OpenAI
	d.longWrites = openAI && r.Call.Facts.Has(provider.LongCacheWrites)
	d.feesUnknown = r.Call.Facts.Any(feesUnknown)
	d.API = d.Asked
	preferred, fallback := d.Asked, Option{Kind: Refuse}
	most := int64(0)
	for i := range s.policy.Rules {
		rule := &s.policy.Rules[i]
		if !rule.When.Matches(&r) {
			continue
		}
		d.Rule, d.Tier, most = rule.Name, rule.Tier, rule.MaxOutput
		if tier := s.tiers[rule.Tier]; tier != nil {
			preferred, fallback = s.pick(&r, &d, tier, st, now)
		}
		break
	}
	s.finish(&r, &preferred, most, st)
	if preferred.Listing == nil && preferred.Kind != Pooled && s.policy.Unknown.Refuse {
		d.add(Option{Kind: Refuse, Refusal: RefuseUnknownModel})
		return d
	}
	last := Option{Kind: Refuse, Refusal: RefuseBudget}
	if preferred.Unbounded && preferred.Kind != Pooled && len(s.policy.Budgets) > 0 {
		last.Refusal = RefuseUnpriced
	} else {
		d.add(preferred)
	}
	if fallback.Kind == Pooled && s.free && preferred.Kind != Pooled {
		s.finish(&r, &fallback, most, st)
		d.add(fallback)
	}
	d.add(last)
	return d
}

// Unread is the decision on a call whose body cannot be read, where nothing may be refused: it goes as it came, and
// only its response can be priced. model is what the path says, "" if nothing.
func (s *Set) Unread(route RouteName, vendor pricing.ProviderName, model pricing.ModelName) Decision {
	asked := Option{Kind: Asked, Route: route, Vendor: vendor, Model: model, Rate: s.policy.Unknown.Charge, Unbounded: true}
	return Decision{Asked: asked, API: asked, Kept: "the request cannot be read"}
}

// asked is the call as the caller sent it.
func (s *Set) asked(r *Request, now time.Time) Option {
	o := s.priced(Option{Kind: Asked, Route: r.Route, Vendor: r.Vendor, Model: r.Call.Model}, now)
	o.Edit = provider.Target{Vendor: o.Vendor, Model: o.Model, SameHost: true}
	o.bound(r.Call, r.Call.MaxOutput, 0)
	return o
}

// priced fills in what the option's model costs.
func (s *Set) priced(o Option, now time.Time) Option {
	o.Listing = s.prices.Lookup(o.Vendor, o.Model, now)
	if o.Listing == nil {
		o.Rate = s.policy.Unknown.Charge
	}
	return o
}

// pick walks a tier in order of preference. It returns the first option that can serve the call and is to be used,
// or the call as asked where none is, and besides it the pool that the call is eligible for: the one in use, else the
// first that could serve it.
func (s *Set) pick(r *Request, d *Decision, tier *Tier, st State, now time.Time) (preferred, pool Option) {
	preferred, pool = d.Asked, Option{Kind: Refuse}
	api, used, ownReason := Option{Kind: Refuse}, false, false
	for _, m := range tier.Models {
		o, reason := s.candidate(r, m, now)
		if reason != "" {
			// Why the provider that was addressed cannot serve says more than why others cannot.
			if own := m.Route == r.Route; d.Kept == "" || (own && !ownReason) {
				d.Kept, ownReason = reason, own
			}
			continue
		}
		switch {
		case o.Kind == Pooled && !used:
			used = api.Kind == Refuse && s.usePool(o.Route, st) // behind an API model it is a fallback
			if used || pool.Kind == Refuse {
				pool, d.Pool = o, o.Route
			}
		case o.Kind != Pooled && api.Kind == Refuse:
			api = o
		}
	}
	if api.Kind != Refuse {
		d.API, preferred, d.Kept = api, api, ""
	} else if d.Kept == "" {
		d.Kept = "the tier's pool is not cheaper now"
	}
	if used {
		preferred, d.Kept = pool, ""
	}
	return preferred, pool
}

// usePool reports whether a pool that may be used is to be used now.
func (s *Set) usePool(name RouteName, st State) bool {
	return s.places[name].pool.Use == Always || st.Cheaper(name)
}

// candidate is a tier's model as an option, or the reason why it cannot serve the call.
func (s *Set) candidate(r *Request, m ModelRef, now time.Time) (Option, string) {
	at := s.places[m.Route]
	if at.pool != nil {
		return s.poolCandidate(r, m, at)
	}
	if m.Route == r.Route && m.Model == r.Call.Model {
		o := s.asked(r, now)
		return o, ""
	}
	o := s.priced(Option{Kind: Tiered, Route: m.Route, Vendor: at.provider.Vendor, Model: m.Model}, now)
	o.Edit = provider.Target{Vendor: o.Vendor, Model: m.Model, SameHost: m.Route == r.Route}
	switch {
	case !o.Edit.SameHost && at.provider.Credential.Caller:
		return o, "the caller's credential does not go to another provider"
	case o.Listing == nil:
		return o, "the model has no price"
	case o.Listing.Limits.MaxOutput > 0 && r.Call.MaxOutput > o.Listing.Limits.MaxOutput:
		return o, "the output cap is above the model's maximum"
	case !fits(r.Call, o.Listing.Limits.Context):
		return o, "the prompt is longer than the model's context"
	}
	return o, servable(r.Call, o.Edit)
}

func (s *Set) poolCandidate(r *Request, m ModelRef, at place) (Option, string) {
	o := Option{Kind: Pooled, Route: m.Route, Model: m.Model, Rate: at.rate}
	o.Edit = provider.Target{Model: m.Model}
	switch {
	case at.pool.Use == Never:
		return o, "the tier's pool is not in use"
	case !fits(r.Call, at.pool.Context):
		return o, "the prompt is longer than the pool's context"
	}
	return o, servable(r.Call, o.Edit)
}

// fits reports whether prompt and answer are expected to fit a context window; 0 is unknown.
func fits(call *provider.Request, context int64) bool {
	return context == 0 || pricing.AddCapped(call.InputEstimate(), call.MaxOutput) <= context
}

func servable(call *provider.Request, t provider.Target) string {
	err := call.Servable(t)
	if err == nil {
		return ""
	}
	return err.Error()
}

// finish adds the edits that do not choose the model, and bounds the cost of the result. most is the rule's cap on
// the output, 0 for none.
func (s *Set) finish(r *Request, o *Option, most int64, st State) {
	call := r.Call
	if most > 0 && (call.MaxOutput == 0 || call.MaxOutput > most) {
		o.Edit.MaxOutput = most
	}
	if s.policy.Prompt && o.Kind != Pooled {
		s.mark(call, o, st)
	}
	output := call.MaxOutput
	if o.Edit.MaxOutput > 0 {
		output = call.CapWritten(o.Edit)
	}
	context := int64(0)
	if o.Kind == Pooled {
		context = s.places[o.Route].pool.Context
	}
	o.bound(call, output, context)
}

// mark asks for provider cache markers where they pay: the prefix is long enough for the model's cache, and
// the model saw it within the lifetime of an entry, as a write costs more than a plain read.
func (s *Set) mark(call *provider.Request, o *Option, st State) {
	if call.Facts.Any(provider.OwnCacheMarks|provider.CacheKey) || o.Listing == nil {
		return
	}
	minimum := o.Listing.Limits.CacheMinimum
	if minimum == 0 {
		minimum = defaultCacheMinimum
	}
	if int64(call.Prefix.Bytes) < minimum*provider.BytesPerToken || !st.PrefixSeen(o.Route, o.Model, call.Prefix) {
		return
	}
	switch can := provider.CapabilityOf(o.Vendor, o.Model); {
	case can.CacheMarks && call.API == provider.AnthropicMessages:
		o.Edit.MarkPrefix = true
	case can.CacheKey && (call.API == provider.OpenAIChat || call.API == provider.OpenAIResponses):
		o.Edit.CacheKey = true
	}
}

// bound sets the most that the option can cost, given the output cap in force (0: none) and, for pools, the
// context window. Input that the body does not bound counts as the whole context. Fees that are not known come on
// top: such a call is unbounded, whatever its tokens can cost.
func (o *Option) bound(call *provider.Request, output, context int64) {
	price := pricing.Flat(o.Rate)
	if o.Listing != nil {
		price, context = o.Listing.Price, o.Listing.Limits.Context
		if output == 0 {
			output = o.Listing.Limits.MaxOutput
		}
	}
	input := call.InputBound()
	if input < 0 {
		input = context
	}
	if output == 0 {
		output = context
	}
	all, ok := generated(call, output)
	if input == 0 || output == 0 || !ok {
		o.Bound, o.Unbounded = 0, true
		return
	}
	o.Output = all
	bound, err := price.Bound(pricing.Exposure{Input: input, Output: all, LongWrites: call.Facts.Has(provider.LongCacheWrites)})
	o.Bound, o.Unbounded = bound, err != nil || call.Facts.Any(feesUnknown)
}

// generated is the most that a call generates at so many tokens to an answer. What of a predicted output is rejected
// is billed as output on top of the cap. It returns false if the sum does not fit.
func generated(call *provider.Request, output int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(output), uint64(max(call.Choices, 1)))
	if hi != 0 || lo > math.MaxInt64-uint64(call.PredictedBytes) {
		return 0, false
	}
	return int64(lo) + call.PredictedBytes, true
}
