package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// poolsFlags are the flags of farebox prices pools.
type poolsFlags struct {
	policy, state, instead string
	json                   bool
}

// runPricesPools says what own pools cost and where they break even.
func runPricesPools(ctx context.Context, args []string, e env) int {
	var p poolsFlags
	f := flags("prices pools", "prices pools --policy FILE [flags]", e)
	f.StringVar(&p.policy, "policy", "", "policy `FILE` with the pools")
	f.StringVar(&p.state, "state", "", "state `DIR` of a server: what it measured, and the calls of the last 24 hours")
	f.StringVar(&p.instead, "vendor-model", "", "`PROVIDER/MODEL` to compare with, instead of the first API model of a pool's tier")
	f.BoolVar(&p.json, "json", false, "print JSON")
	if status, ok := parse(f, args); !ok {
		return status
	}
	if p.policy == "" || f.NArg() > 0 {
		f.Usage()
		return statusUsage
	}
	report, err := p.report(ctx, e)
	if err != nil {
		return e.fail(err)
	}
	show := report.table
	if p.json {
		show = report.json
	}
	if err := show(e.stdout); err != nil {
		return e.fail(err)
	}
	return statusOK
}

// mix is how many tokens of input come with how many of output.
type mix struct {
	Input, Output int64
	Measured      bool // of the pool's calls of the last 24 hours
}

// usualMix stands for what was not measured: three tokens of input for each of output, as comparisons of prices usually
// blend them.
var usualMix = mix{Input: 3, Output: 1}

// blend returns the price of a million tokens in the mix, rounded half up. Cache reads are taken as input.
func (m mix) blend(r pricing.Rates) pricing.Rate {
	in := new(big.Int).Mul(big.NewInt(int64(r.Input)), big.NewInt(m.Input))
	out := new(big.Int).Mul(big.NewInt(int64(r.Output)), big.NewInt(m.Output))
	whole := new(big.Int).Add(big.NewInt(m.Input), big.NewInt(m.Output))
	return pricing.Rate(quotient(in.Add(in, out), whole))
}

// quotient divides and rounds half up; it stops at the largest int64. Neither number is negative, and by is not zero.
func quotient(n, by *big.Int) int64 {
	half := new(big.Int).Rsh(by, 1)
	q := half.Div(half.Add(half, n), by)
	if !q.IsInt64() {
		return 1<<63 - 1
	}
	return q.Int64()
}

// millions returns amount * 1,000,000 / by: a rate of an amount and tokens, or tokens of an amount and a rate.
func millions(amount, by int64) int64 {
	return quotient(new(big.Int).Mul(big.NewInt(amount), big.NewInt(1_000_000)), big.NewInt(by))
}

// poolsReport has a row for each model of each pool.
type poolsReport struct {
	at       time.Time
	hasState bool
	rows     []poolRow
}

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

// report gathers what is known of every pool.
func (p *poolsFlags) report(ctx context.Context, e env) (*poolsReport, error) {
	set, err := load(p.policy, e.stderr)
	if err != nil {
		return nil, err
	}
	now := e.now()
	pools, err := upstream.Read(p.state, now)
	if err != nil {
		return nil, err
	}
	policy := set.Policy()
	pools.SetPools(policy.Pools)
	standing := map[policies.RouteName]upstream.PoolStatus{}
	for _, s := range pools.Status(now) {
		standing[s.Name] = s
	}
	mixes, err := p.mixes(ctx, now)
	if err != nil {
		return nil, err
	}
	report := &poolsReport{at: now, hasState: p.state != ""}
	for i := range policy.Pools {
		def := &policy.Pools[i]
		for _, model := range modelsOf(policy, def) {
			row := newPoolRow(policy, def, model)
			row.status, row.enforced, row.mix = standing[def.Name], set.Enforcing(), usualMix
			if m, ok := mixes[def.Name]; ok {
				row.mix = m
			}
			if err := row.compare(set, p.instead, now); err != nil {
				return nil, err
			}
			report.rows = append(report.rows, row)
		}
	}
	return report, nil
}

// modelsOf lists the models of a pool: those that tiers name, in their order, and those with a throughput of their own;
// "" for a pool without any.
func modelsOf(p *policies.Policy, def *policies.Pool) []pricing.ModelName {
	var models []pricing.ModelName
	add := func(m pricing.ModelName) {
		if !slices.Contains(models, m) {
			models = append(models, m)
		}
	}
	for i := range p.Tiers {
		for _, ref := range p.Tiers[i].Models {
			if ref.Route == def.Name {
				add(ref.Model)
			}
		}
	}
	for i := range def.Models {
		add(def.Models[i].Model)
	}
	if len(models) == 0 {
		add("")
	}
	return models
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

// mixes returns the mix of each pool's calls of the last 24 hours, by the ledger of a state folder if it has one.
func (p *poolsFlags) mixes(ctx context.Context, now time.Time) (_ map[policies.RouteName]mix, err error) {
	if p.state == "" {
		return nil, nil
	}
	if _, err := os.Stat(filepath.Join(p.state, "ledger.db")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	entries, err := ledger.ReadEntries(p.state)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, entries.Close()) }()
	mixes := map[policies.RouteName]mix{}
	for e, err := range entries.Between(ctx, now.Add(-24*time.Hour), now) {
		if err != nil {
			return nil, err
		}
		if in, out := e.Usage.TotalInput(), e.Usage.Output; e.Pool != "" && e.IsCall() && in+out > 0 {
			m := mixes[e.Pool]
			mixes[e.Pool] = mix{pricing.AddCapped(m.Input, in), pricing.AddCapped(m.Output, out), true}
		}
	}
	return mixes, nil
}
