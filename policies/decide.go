package policies

import (
	"math"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// defaultCacheMinimum is the smallest prefix in tokens worth a cache marker where a model's is unknown: the
// largest that any vendor documents.
const defaultCacheMinimum = 4096

// Decide returns how a call may be served, best first. It does not allocate, but for calls of a class of service or in
// a region whose price must be computed.
func (s *Set) Decide(r Request, st State, now time.Time) Decision {
	d := Decision{Asked: s.asked(&r, st, now)}
	d.Facts = factsOf(r.Call)
	d.Facts.OpenHost = s.choosesHost(r.Call, &d.Asked)
	c := choice{preferred: d.Asked, pool: Option{Kind: Refuse}, api: d.Asked}
	at, most := -1, int64(0)
	for i := range s.policy.Rules {
		if rule := &s.policy.Rules[i]; rule.When.Matches(&r) {
			d.Rule, d.Tier, most = rule.Name, rule.Tier, rule.MaxOutput
			at = s.tierIndex(rule.Tier)
			break
		}
	}
	if at >= 0 {
		c = s.pick(&r, &d.Asked, &s.policy.Tiers[at], st, now)
	}
	p := s.pressure(st)
	if p.alert.acts() {
		d.act(&p.alert)
	}
	s.yield(&r, &d, &c, at, &p, st, now)
	d.API, d.Kept, d.Pool = c.api, c.kept, c.eligible()
	s.conclude(&r, &d, &c, most, &p, st)
	return d
}

// conclude lists the options of a decision.
func (s *Set) conclude(r *Request, d *Decision, c *choice, most int64, p *pressure, st State) {
	o := &c.preferred
	s.finish(r, o, most, st)
	if p.fitBy.acts() && s.fit(r.Call, o, p.room, p.floor, st) {
		d.act(&p.fitBy)
	}
	if o.Listing == nil && o.Kind != Pooled && s.policy.Unknown.Refuse {
		d.add(Option{Kind: Refuse, Refusal: RefuseUnknownModel})
		return
	}
	last := Option{Kind: Refuse, Refusal: RefuseBudget}
	switch {
	case o.Kind != Pooled && o.Unbounded && s.Limits(r.Dims, ModelRef{o.Route, o.Model}):
		last.Refusal, last.Model, last.Lack = RefuseUnpriced, o.Model, s.lack(r.Call, o)
	case o.Charge() > 0 && p.refuseBy.acts():
		d.act(&p.refuseBy)
		last.Refusal = RefuseStep
	default:
		d.add(*o)
	}
	if c.pool.Kind == Pooled && s.free && o.Kind != Pooled {
		s.finish(r, &c.pool, most, st)
		d.add(c.pool)
	}
	d.add(last)
}

// yield does what the budgets' steps ask, in the order of what changes a call least to most: a lower tier, then an own
// pool.
func (s *Set) yield(r *Request, d *Decision, c *choice, at int, p *pressure, st State, now time.Time) {
	if !p.tierBy.acts() && !p.poolsBy.acts() {
		return
	}
	of := at
	if of < 0 {
		of = s.tierOf(r)
	}
	if p.tierBy.acts() && of < p.tier && c.preferred.Kind != Pooled {
		lower := s.pick(r, &d.Asked, &s.policy.Tiers[p.tier], st, now)
		if lower.kept == "" && !dearer(r.Call, &lower.preferred, &c.preferred) {
			*c, of, d.Tier = lower, p.tier, p.tierBy.step.Tier
			d.act(&p.tierBy)
		}
	}
	if !p.poolsBy.acts() || c.preferred.Kind == Pooled {
		return
	}
	if at < 0 && of >= 0 && c.pool.Kind == Refuse {
		c.pool = s.pick(r, &d.Asked, &s.policy.Tiers[of], st, now).pool
	}
	if c.pool.Kind == Pooled {
		c.preferred, c.kept = c.pool, ""
		if of >= 0 {
			d.Tier = s.policy.Tiers[of].Name
		}
		d.act(&p.poolsBy)
	}
}

// tierIndex finds a tier by its name, -1 for none.
func (s *Set) tierIndex(name TierName) int {
	for i := range s.policy.Tiers {
		if s.policy.Tiers[i].Name == name {
			return i
		}
	}
	return -1
}

// tierOf finds the first tier that lists the model that was asked for, -1 for none.
func (s *Set) tierOf(r *Request) int {
	asked := ModelRef{r.Route, r.Call.Model}
	for i := range s.policy.Tiers {
		for _, m := range s.policy.Tiers[i].Models {
			if m == asked {
				return i
			}
		}
	}
	return -1
}

// dearer reports whether a costs more than b for the same answer.
func dearer(call *provider.Request, a, b *Option) bool {
	u := pricing.Usage{Input: call.InputEstimate(), Output: usualOutput}
	if call.MaxOutput > 0 || call.NoOutput {
		u.Output = min(u.Output, call.MaxOutput)
	}
	return a.freeOr(u) > b.freeOr(u)
}

// freeOr is what budgets would be charged for a usage.
func (o *Option) freeOr(u pricing.Usage) pricing.Money {
	if o.Kind == Pooled {
		return 0
	}
	m, err := o.Cost(u)
	if err != nil {
		return math.MaxInt64
	}
	return m
}

// Unread is the decision on a call whose body cannot be read, where nothing may be refused: it goes as it came, and
// only its response can be priced. model is what the path says, "" if nothing.
func (s *Set) Unread(route RouteName, vendor pricing.ProviderName, model pricing.ModelName) Decision {
	asked := s.quarantined(Option{Kind: Asked, Route: route, Vendor: vendor, Model: model, Unbounded: true})
	return Decision{Asked: asked, API: asked, Kept: "the request cannot be read"}
}

// asked is the call as the caller sent it.
func (s *Set) asked(r *Request, st State, now time.Time) Option {
	o := s.priced(r, Option{Kind: Asked, Route: r.Route, Vendor: r.Vendor, Model: r.Call.Model}, now)
	o.Edit = provider.Target{Vendor: o.Vendor, Model: o.Model, SameHost: true}
	s.bound(r.Call, &o, st)
	return o
}

// priced fills in what the option's model costs.
func (s *Set) priced(r *Request, o Option, now time.Time) Option {
	o.Listing = s.Lookup(o.Vendor, o.Model, now)
	o.Terms = s.terms(pricing.Terms{Service: r.Call.Service, Region: r.Call.Region}, o.Route, o.Listing)
	if o.Listing == nil {
		return s.quarantined(o)
	}
	return o
}

// quarantined charges what the policy says of unknown models.
func (s *Set) quarantined(o Option) Option {
	if o.Rate = s.policy.Unknown.Charge; o.Rate == 0 {
		o.dearest = &s.dearest
	}
	return o
}

// choice is what a tier has for a call.
type choice struct {
	preferred Option // the first that can serve the call and is to be used, or the call as asked
	pool      Option // the pool in use, else the first that could serve the call; Refuse for none
	api       Option // the first of a provider that can, or the call as asked
	kept      string // why the call stays as asked, "" if it does not
}

// eligible is the pool that could serve the call, "" for none.
func (c *choice) eligible() RouteName {
	if c.pool.Kind != Pooled {
		return ""
	}
	return c.pool.Route
}

// pick walks a tier in order of preference.
func (s *Set) pick(r *Request, asked *Option, tier *Tier, st State, now time.Time) choice {
	c := choice{preferred: *asked, pool: Option{Kind: Refuse}, api: Option{Kind: Refuse}}
	used, ownReason := false, false
	for _, m := range tier.Models {
		o, reason := s.candidate(r, asked, m, now)
		if reason != "" {
			// Why the provider that was addressed cannot serve says more than why others cannot.
			if own := m.Route == r.Route; c.kept == "" || (own && !ownReason) {
				c.kept, ownReason = reason, own
			}
			continue
		}
		switch {
		case o.Kind == Pooled && !used:
			used = c.api.Kind == Refuse && s.usePool(o.Route, st) // behind an API model it is a fallback
			if used || c.pool.Kind == Refuse {
				c.pool = o
			}
		case o.Kind != Pooled && c.api.Kind == Refuse:
			c.api = o
		}
	}
	switch {
	case used:
		c.preferred, c.kept = c.pool, ""
	case c.api.Kind != Refuse:
		c.preferred, c.kept = c.api, ""
	case c.kept == "":
		c.kept = "the tier's pool is not cheaper now"
	}
	if c.api.Kind == Refuse {
		c.api = *asked
	}
	return c
}

// usePool reports whether a pool that may be used is to be used now.
func (s *Set) usePool(name RouteName, st State) bool {
	return s.places[name].pool.Use == Always || st.Cheaper(name)
}

// candidate is a tier's model as an option, or the reason why it cannot serve the call.
func (s *Set) candidate(r *Request, asked *Option, m ModelRef, now time.Time) (Option, string) {
	at := s.places[m.Route]
	if at.pool != nil {
		return s.poolCandidate(r, m, at)
	}
	if m.Route == r.Route && m.Model == r.Call.Model {
		return *asked, ""
	}
	o := s.priced(r, Option{Kind: Tiered, Route: m.Route, Vendor: at.provider.Vendor, Model: m.Model}, now)
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
	o := Option{Kind: Pooled, Route: m.Route, Model: m.Model, Rate: TokenRate(*at.pool, m.Model)}
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
