package main

import (
	"context"
	"slices"
	"time"

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
	if wrong := onlyFlags(f, "policy"); wrong != "" {
		return misused(f, wrong)
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

// poolsReport has a row for each model of each pool.
type poolsReport struct {
	at       time.Time
	hasState bool
	rows     []poolRow
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
