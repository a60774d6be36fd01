package policies

import (
	"fmt"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// DecodeJSON reads what AppendJSON wrote, with members in any order and any white space. It returns an error for
// a key or version that it does not know, so that a filter never runs a policy that it understands in part, and
// leaves it to Compile to check what refers to what.
//
// Budgets come back with zones that have the right name and the offset of UTC, as the rules of zones are in files.
// Whoever enforces budgets reads the policy file instead.
func DecodeJSON(b []byte) (*Policy, []pricing.Listing, error) {
	d := decoder{s: jsonscan.New(b)}
	var p Policy
	var prices []pricing.Listing
	version := int64(0)
	d.object(d.s.Next(), func(key string, v jsonscan.Token) bool {
		switch key {
		case "version":
			version = d.int(v)
		case "prices":
			prices = list(&d, v, d.listing)
			for i := range prices {
				fillMedia(&prices[i])
			}
		default:
			return d.policy(&p, key, v)
		}
		return true
	})
	if err := d.s.Finish(); err != nil {
		return nil, nil, fmt.Errorf("decode policy: %w", err)
	}
	switch {
	case d.err != nil:
		return nil, nil, fmt.Errorf("decode policy: %w", d.err)
	case version != codecVersion:
		return nil, nil, fmt.Errorf("decode policy: version %d, want %d: compile it with the farebox of the filter's release", version, codecVersion)
	case p.Mode != Observe && p.Mode != Enforce:
		return nil, nil, fmt.Errorf("decode policy: unknown mode %q", p.Mode)
	}
	return &p, prices, nil
}

// decoder keeps the first error and goes on without effect.
type decoder struct {
	s   jsonscan.Scanner
	err error
}

// policy reads a member of the top object and reports whether it knows the key, as do the methods below.
func (d *decoder) policy(p *Policy, key string, v jsonscan.Token) bool {
	switch key {
	case "mode":
		p.Mode = Mode(d.text(v))
	case "passive":
		p.Passive = d.flag(v)
	case "providers":
		p.Providers = list(d, v, d.provider)
	case "dimensions":
		p.Dimensions = list(d, v, d.dimension)
	case "tiers":
		p.Tiers = list(d, v, d.tier)
	case "rules":
		p.Rules = list(d, v, d.rule)
	case "exact":
		p.Exact = &ExactCache{}
		d.object(v, func(k string, v jsonscan.Token) bool { return d.exact(p.Exact, k, v) })
	case "prompt":
		p.Prompt = d.flag(v)
	case "pools":
		p.Pools = list(d, v, d.pool)
	case "budgets":
		p.Budgets = list(d, v, d.budget)
	case "unknown":
		d.object(v, func(k string, v jsonscan.Token) bool { return d.unknown(&p.Unknown, k, v) })
	case "overlays":
		p.Overlays = readTexts[string](d, v)
	case "discounts":
		p.Discounts = list(d, v, d.discount)
	case "keep_ns":
		p.Keep = time.Duration(d.int(v))
	case "refusal":
		p.Refusal = int(d.int(v))
	default:
		return false
	}
	return true
}

func (d *decoder) provider(p *Provider, key string, v jsonscan.Token) bool {
	switch key {
	case "name":
		p.Name = RouteName(d.text(v))
	case "vendor":
		p.Vendor = pricing.ProviderName(d.text(v))
	case "hosts":
		p.Hosts = readTexts[string](d, v)
	case "prefix":
		p.Prefix = d.text(v)
	case "region":
		p.Region = d.text(v)
	case "priority":
		p.Priority = d.flag(v)
	case "credential":
		p.Credential = d.credential(v)
	default:
		return false
	}
	return true
}

func (d *decoder) credential(v jsonscan.Token) Credential {
	text := d.text(v)
	if file, ok := strings.CutPrefix(text, "file:"); ok {
		return Credential{File: file}
	}
	if text != "caller" {
		d.fail(v, "expected caller or file:")
	}
	return Credential{Caller: true}
}

func (d *decoder) dimension(m *Dimension, key string, v jsonscan.Token) bool {
	switch key {
	case "name":
		m.Name = DimensionName(d.text(v))
	case "sources":
		for _, s := range readTexts[string](d, v) {
			kind, name, _ := strings.Cut(s, ":")
			m.Sources = append(m.Sources, Source{Kind: SourceKind(kind), Key: name})
		}
	case "trusted":
		m.Trusted = d.flag(v)
	default:
		return false
	}
	return true
}

func (d *decoder) tier(t *Tier, key string, v jsonscan.Token) bool {
	switch key {
	case "name":
		t.Name = TierName(d.text(v))
	case "models":
		for _, m := range readTexts[string](d, v) {
			route, model, _ := strings.Cut(m, "/")
			t.Models = append(t.Models, ModelRef{Route: RouteName(route), Model: pricing.ModelName(model)})
		}
	default:
		return false
	}
	return true
}

func (d *decoder) rule(r *Rule, key string, v jsonscan.Token) bool {
	switch key {
	case "name":
		r.Name = RuleName(d.text(v))
	case "when":
		d.object(v, func(k string, v jsonscan.Token) bool { return d.match(&r.When, k, v) })
	case "tier":
		r.Tier = TierName(d.text(v))
	case "max_output":
		r.MaxOutput = d.int(v)
	default:
		return false
	}
	return true
}

func (d *decoder) match(m *Match, key string, v jsonscan.Token) bool {
	switch key {
	case "dimensions":
		m.Dimensions = list(d, v, d.condition)
	case "headers":
		m.Headers = list(d, v, d.condition)
	case "models":
		m.Models = readTexts[string](d, v)
	case "providers":
		m.Providers = readTexts[RouteName](d, v)
	case "paths":
		m.Paths = readTexts[string](d, v)
	case "apis":
		m.APIs = readTexts[string](d, v)
	case "tools":
		m.Tools = d.option(v)
	case "images":
		m.Images = d.option(v)
	case "stream":
		m.Stream = d.option(v)
	case "input":
		m.Input = d.span(v)
	case "output":
		m.MaxOutput = d.span(v)
	default:
		return false
	}
	return true
}

func (d *decoder) condition(c *Condition, key string, v jsonscan.Token) bool {
	switch key {
	case "key":
		c.Key = d.text(v)
	case "values":
		c.Values = readTexts[string](d, v)
	default:
		return false
	}
	return true
}

func (d *decoder) span(v jsonscan.Token) (r Range) {
	d.object(v, func(key string, v jsonscan.Token) bool {
		switch key {
		case "min":
			r.Min = d.int(v)
		case "max":
			r.Max = d.int(v)
		default:
			return false
		}
		return true
	})
	return r
}

func (d *decoder) exact(c *ExactCache, key string, v jsonscan.Token) bool {
	switch key {
	case "ttl_ns":
		c.TTL = time.Duration(d.int(v))
	case "per":
		c.Per = DimensionName(d.text(v))
	case "all":
		c.All = d.flag(v)
	case "temperature":
		f, ok := d.s.Float(v)
		if !ok {
			d.fail(v, "expected a number")
		}
		c.MaxTemperature = f
	case "tool_calls":
		c.ToolCalls = d.flag(v)
	case "megabytes":
		c.MaxMegabytes = int(d.int(v))
	default:
		return false
	}
	return true
}

func (d *decoder) pool(p *Pool, key string, v jsonscan.Token) bool {
	switch key {
	case "name":
		p.Name = RouteName(d.text(v))
	case "endpoints":
		p.Endpoints = readTexts[string](d, v)
	case "gpu_hour":
		p.GPUHour = pricing.Money(d.int(v))
	case "spot_hour":
		p.SpotHour = pricing.Money(d.int(v))
	case "spot_share":
		p.SpotShare = d.int(v)
	case "gpus":
		p.GPUs = d.int(v)
	case "throughput":
		p.Throughput = d.int(v)
	case "models":
		p.Models = list(d, v, d.poolModel)
	case "context":
		p.Context = d.int(v)
	case "use":
		p.Use = PoolUse(d.text(v))
	case "above":
		p.Above = d.int(v)
	case "credential":
		p.Credential = d.credential(v)
	default:
		return false
	}
	return true
}

func (d *decoder) poolModel(m *PoolModel, key string, v jsonscan.Token) bool {
	switch key {
	case "model":
		m.Model = pricing.ModelName(d.text(v))
	case "quantisation":
		m.Quantisation = d.text(v)
	case "throughput":
		m.Throughput = d.int(v)
	default:
		return false
	}
	return true
}

func (d *decoder) budget(b *Budget, key string, v jsonscan.Token) bool {
	switch key {
	case "name":
		b.Name = BudgetName(d.text(v))
	case "limit":
		b.Limit = pricing.Money(d.int(v))
	case "per":
		b.Per = readTexts[DimensionName](d, v)
	case "only":
		b.Only = list(d, v, d.condition)
	case "window":
		b.Window = Period(d.text(v))
	case "length_ns":
		b.Length = time.Duration(d.int(v))
	case "zone":
		b.Zone = time.UTC
		if name := d.text(v); name != "UTC" {
			b.Zone = time.FixedZone(name, 0)
		}
	default:
		return d.budgetRules(b, key, v)
	}
	return true
}

// budgetRules reads what a budget does on the way up and when it is spent.
func (d *decoder) budgetRules(b *Budget, key string, v jsonscan.Token) bool {
	switch key {
	case "soft":
		b.Soft = d.flag(v)
	case "steps":
		b.Steps = list(d, v, d.step)
	case "free_only":
		b.FreeOnly = d.flag(v)
	case "fit_output":
		b.FitOutput = d.int(v)
	case "stop_on_budget":
		b.StopOnBudget = d.flag(v)
	case "aborted_estimate":
		b.AbortedEstimate = d.flag(v)
	case "open_on_outage":
		b.OpenOnOutage = d.flag(v)
	default:
		return false
	}
	return true
}

func (d *decoder) step(s *Step, key string, v jsonscan.Token) bool {
	switch key {
	case "percent":
		s.Percent = d.int(v)
	case "do":
		s.Do = StepAction(d.text(v))
	case "tier":
		s.Tier = TierName(d.text(v))
	default:
		return false
	}
	return true
}

func (d *decoder) discount(t *Discount, key string, v jsonscan.Token) bool {
	switch key {
	case "vendor":
		t.Vendor = pricing.ProviderName(d.text(v))
	case "models":
		t.Models = readTexts[string](d, v)
	case "ppm":
		t.PPM = d.int(v)
	default:
		return false
	}
	return true
}

func (d *decoder) unknown(u *UnknownModel, key string, v jsonscan.Token) bool {
	switch key {
	case "refuse":
		u.Refuse = d.flag(v)
	case "charge":
		u.Charge = d.rate(v)
	case "alert":
		u.Alert = d.flag(v)
	case "dearest":
		d.object(v, func(k string, v jsonscan.Token) bool { return d.rates(&u.Dearest, k, v) })
		u.Dearest = u.Dearest.WithText()
	default:
		return false
	}
	return true
}

// object hands each member to read, and fails if read does not know a key.
func (d *decoder) object(o jsonscan.Token, read func(key string, v jsonscan.Token) bool) {
	if o.Kind != jsonscan.Object {
		d.fail(o, "expected an object")
		return
	}
	for k, ok := d.s.Member(o); ok; k, ok = d.s.Member(o) {
		key := d.s.String(k)
		if !read(key, d.s.Next()) {
			d.fail(k, fmt.Sprintf("unknown key %q", key))
			return
		}
	}
}

// list reads an array of objects, each member of one by a call of member.
func list[T any](d *decoder, a jsonscan.Token, member func(*T, string, jsonscan.Token) bool) []T {
	if a.Kind != jsonscan.Array {
		d.fail(a, "expected an array")
		return nil
	}
	var items []T
	for o, ok := d.s.Element(a); ok; o, ok = d.s.Element(a) {
		var item T
		d.object(o, func(key string, v jsonscan.Token) bool { return member(&item, key, v) })
		items = append(items, item)
	}
	return items
}

// readTexts reads an array of strings.
func readTexts[S ~string](d *decoder, a jsonscan.Token) []S {
	if a.Kind != jsonscan.Array {
		d.fail(a, "expected an array")
		return nil
	}
	var items []S
	for v, ok := d.s.Element(a); ok; v, ok = d.s.Element(a) {
		items = append(items, S(d.text(v)))
	}
	return items
}

func (d *decoder) text(v jsonscan.Token) string {
	if v.Kind != jsonscan.String {
		d.fail(v, "expected a string")
	}
	return d.s.String(v)
}

// int reads a whole number that is not negative: nothing in a policy is.
func (d *decoder) int(v jsonscan.Token) int64 {
	n, ok := d.s.Int(v)
	if !ok || n < 0 {
		d.fail(v, "expected a whole number")
	}
	return n
}

func (d *decoder) rate(v jsonscan.Token) pricing.Rate { return pricing.Rate(d.int(v)) }

func (d *decoder) flag(v jsonscan.Token) bool {
	b, ok := v.Bool()
	if !ok {
		d.fail(v, "expected true or false")
	}
	return b
}

func (d *decoder) option(v jsonscan.Token) *bool {
	b := d.flag(v)
	return &b
}

func (d *decoder) fail(v jsonscan.Token, problem string) {
	if d.err == nil {
		d.err = fmt.Errorf("%s at byte %d", problem, v.Start)
	}
}
