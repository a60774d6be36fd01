package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// poolRow is a model in a pool.
type poolRow struct {
	def      *policies.Pool
	model    pricing.ModelName // "" where nothing names one
	quant    string
	speed    int64             // tokens per second
	tier     *policies.Tier    // the first that names it; nil: none
	behind   policies.ModelRef // API model that every tier with it prefers; the zero ModelRef: none
	status   upstream.PoolStatus
	mix      mix
	instead  policies.ModelRef // API model that it replaces; the zero ModelRef: none
	api      pricing.Rate      // of that model, in the mix; 0: not known, or free
	enforced bool
}

func newPoolRow(p *policies.Policy, def *policies.Pool, model pricing.ModelName) poolRow {
	row := poolRow{def: def, model: model, speed: def.Throughput}
	for i := range def.Models {
		if m := &def.Models[i]; m.Model == model {
			row.quant, row.speed = m.Quantisation, m.Throughput
		}
	}
	if i := slices.IndexFunc(p.Tiers, func(t policies.Tier) bool {
		return slices.Contains(t.Models, policies.ModelRef{Route: def.Name, Model: model})
	}); i >= 0 {
		row.tier = &p.Tiers[i]
	}
	row.behind = preferred(p, policies.ModelRef{Route: def.Name, Model: model})
	return row
}

// preferred returns an API model that tiers name before a pool's model, the zero ModelRef if some tier names none.
func preferred(p *policies.Policy, ref policies.ModelRef) (first policies.ModelRef) {
	for i := range p.Tiers {
		models := p.Tiers[i].Models
		at := slices.Index(models, ref)
		if at < 0 {
			continue
		}
		api := slices.IndexFunc(models[:at], isAPI(p))
		if api < 0 {
			return policies.ModelRef{}
		}
		first = models[api]
	}
	return first
}

// compare prices the API model that the row's model replaces.
func (r *poolRow) compare(set *policies.Set, stated string, now time.Time) error {
	policy := set.Policy()
	switch {
	case stated != "":
		route, model, ok := strings.Cut(stated, "/")
		if !ok || route == "" || model == "" {
			return fmt.Errorf("vendor-model %q: want PROVIDER/MODEL", stated)
		}
		r.instead = policies.ModelRef{Route: policies.RouteName(route), Model: pricing.ModelName(model)}
	case r.tier != nil:
		if i := slices.IndexFunc(r.tier.Models, isAPI(policy)); i >= 0 {
			r.instead = r.tier.Models[i]
		}
	}
	if r.instead.Model == "" {
		return nil
	}
	vendor := pricing.ProviderName(r.instead.Route)
	for i := range policy.Providers {
		if policy.Providers[i].Name == r.instead.Route {
			vendor = policy.Providers[i].Vendor
		}
	}
	listing := set.Lookup(vendor, r.instead.Model, now)
	if listing == nil && stated != "" {
		return fmt.Errorf("vendor-model %q: no price; farebox prices list --provider %s lists those that have one", stated, vendor)
	}
	if listing != nil {
		r.api = r.mix.blend(listing.Price.Rates)
	}
	return nil
}

// isAPI says of a tier's model whether a provider serves it.
func isAPI(p *policies.Policy) func(policies.ModelRef) bool {
	return func(ref policies.ModelRef) bool {
		return !slices.ContainsFunc(p.Pools, func(q policies.Pool) bool { return q.Name == ref.Route })
	}
}

// busy is what a million tokens of the model cost when the pool is busy, as the ledger's entries have it.
func (r *poolRow) busy() pricing.Rate { return policies.TokenRate(*r.def, r.model) }

// used is what a million tokens cost at the measured utilisation, whatever the model; 0 if that is unknown, or no token
// was made.
func (r *poolRow) used() pricing.Rate {
	if n := r.status.Load.TokensPerDay(); n > 0 {
		return pricing.Rate(millions(int64(r.status.GPUCost24h), n))
	}
	return 0
}

// breakEven is how many tokens a day cost at the API what the pool's GPUs cost a day; 0 if the API's price is not known.
func (r *poolRow) breakEven() int64 {
	if r.api <= 0 {
		return 0
	}
	return millions(int64(r.status.GPUCost24h), int64(r.api))
}

// breakEvenShare is the break-even as a share of what the pool makes of the model in a day: above 1 it is never reached.
func (r *poolRow) breakEvenShare() float64 {
	const secondsPerDay = 24 * 60 * 60
	return float64(r.breakEven()) / (float64(r.speed) * secondsPerDay)
}

// inUse says whether calls go to the pool at the moment, "yes", "no" or "unknown", and why.
func (r *poolRow) inUse(hasState bool) (word, why string) {
	switch s := &r.status; {
	case r.tier == nil:
		return "no", "no tier names it"
	case r.def.Use == policies.Never:
		return "no", "use: never"
	case !r.enforced:
		return "no", "the policy only observes"
	case r.behind.Model != "":
		return "no", fmt.Sprintf("only where %s/%s, which its tier has before it, cannot serve a call", r.behind.Route, r.behind.Model)
	case r.def.Use == policies.Always:
		return "yes", "use: always"
	case !hasState:
		return "unknown", "--state DIR reads what a server has seen"
	case s.Cheaper && !s.Full && !s.Load.Full:
		return "yes", poolVerdict(s)
	default:
		return "no", poolVerdict(s)
	}
}
