package policies

import (
	"strconv"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

// codecVersion is the form that AppendJSON writes and DecodeJSON reads. It changes with every key.
const codecVersion = 1

// AppendJSON appends the canonical form of a policy and of the prices that it needs, see Set.Needed, to dst: the one
// line that "farebox policy compile" prints and the proxy-wasm filter takes as its configuration. Source, day and note
// of the listings are left out. The same policy and listings always give the same bytes; amounts are integers of
// nano-dollars, times Unix seconds, and what is zero is left out.
//
// A credential is the path of its file, never what the file holds. Temperatures must be finite.
func AppendJSON(dst []byte, p *Policy, listings []pricing.Listing) []byte {
	w := encoder{dst}
	w.open('{')
	w.int("version", codecVersion)
	w.text("mode", string(p.Mode))
	w.flag("passive", p.Passive)
	objects(&w, "providers", p.Providers, w.provider)
	objects(&w, "dimensions", p.Dimensions, w.dimension)
	objects(&w, "tiers", p.Tiers, w.tier)
	objects(&w, "rules", p.Rules, w.rule)
	if p.Exact != nil {
		w.key("exact")
		w.exact(p.Exact)
	}
	w.flag("prompt", p.Prompt)
	objects(&w, "pools", p.Pools, w.pool)
	objects(&w, "budgets", p.Budgets, w.budget)
	w.key("unknown")
	w.unknown(&p.Unknown)
	writeTexts(&w, "overlays", p.Overlays)
	objects(&w, "discounts", p.Discounts, w.discount)
	w.int("keep_ns", int64(p.Keep))
	w.int("refusal", int64(p.Refusal))
	objects(&w, "prices", listings, w.listing)
	w.close('}')
	return w.b
}

// encoder appends JSON. Methods with a key write a member, and nothing for a zero value.
type encoder struct{ b []byte }

func (w *encoder) provider(p *Provider) {
	w.text("name", string(p.Name))
	w.text("vendor", string(p.Vendor))
	writeTexts(w, "hosts", p.Hosts)
	w.text("prefix", p.Prefix)
	w.text("region", p.Region)
	w.flag("priority", p.Priority)
	w.credential(p.Credential)
}

func (w *encoder) credential(c Credential) {
	if c.Caller {
		w.text("credential", "caller")
	} else if c.File != "" {
		w.text("credential", "file:"+c.File)
	}
}

func (w *encoder) dimension(d *Dimension) {
	w.text("name", string(d.Name))
	sources := make([]string, len(d.Sources))
	for i, s := range d.Sources {
		sources[i] = string(s.Kind) + ":" + s.Key
	}
	writeTexts(w, "sources", sources)
	w.flag("trusted", d.Trusted)
}

func (w *encoder) tier(t *Tier) {
	w.text("name", string(t.Name))
	models := make([]string, len(t.Models))
	for i, m := range t.Models {
		models[i] = string(m.Route) + "/" + string(m.Model)
	}
	writeTexts(w, "models", models)
}

func (w *encoder) rule(r *Rule) {
	w.text("name", string(r.Name))
	w.key("when")
	w.match(&r.When)
	w.text("tier", string(r.Tier))
	w.int("max_output", r.MaxOutput)
}

func (w *encoder) match(m *Match) {
	w.open('{')
	objects(w, "dimensions", m.Dimensions, w.condition)
	objects(w, "headers", m.Headers, w.condition)
	writeTexts(w, "models", m.Models)
	writeTexts(w, "providers", m.Providers)
	writeTexts(w, "paths", m.Paths)
	writeTexts(w, "apis", m.APIs)
	w.option("tools", m.Tools)
	w.option("images", m.Images)
	w.option("stream", m.Stream)
	w.span("input", m.Input)
	w.span("output", m.MaxOutput)
	w.close('}')
}

func (w *encoder) condition(c *Condition) {
	w.text("key", c.Key)
	writeTexts(w, "values", c.Values)
}

func (w *encoder) span(key string, r Range) {
	if r == (Range{}) {
		return
	}
	w.key(key)
	w.open('{')
	w.int("min", r.Min)
	w.int("max", r.Max)
	w.close('}')
}

func (w *encoder) exact(c *ExactCache) {
	w.open('{')
	w.int("ttl_ns", int64(c.TTL))
	w.text("per", string(c.Per))
	w.flag("all", c.All)
	if c.MaxTemperature != 0 {
		w.key("temperature")
		w.b = strconv.AppendFloat(w.b, c.MaxTemperature, 'g', -1, 64)
	}
	w.flag("tool_calls", c.ToolCalls)
	w.int("megabytes", int64(c.MaxMegabytes))
	w.close('}')
}

func (w *encoder) pool(p *Pool) {
	w.text("name", string(p.Name))
	writeTexts(w, "endpoints", p.Endpoints)
	w.int("gpu_hour", int64(p.GPUHour))
	w.int("spot_hour", int64(p.SpotHour))
	w.int("spot_share", p.SpotShare)
	w.int("gpus", p.GPUs)
	w.int("throughput", p.Throughput)
	objects(w, "models", p.Models, w.poolModel)
	w.int("context", p.Context)
	w.text("use", string(p.Use))
	w.int("above", p.Above)
	w.credential(p.Credential)
}

func (w *encoder) poolModel(m *PoolModel) {
	w.text("model", string(m.Model))
	w.text("quantisation", m.Quantisation)
	w.int("throughput", m.Throughput)
}

func (w *encoder) budget(b *Budget) {
	w.text("name", string(b.Name))
	w.int("limit", int64(b.Limit))
	writeTexts(w, "per", b.Per)
	objects(w, "only", b.Only, w.condition)
	w.text("window", string(b.Window))
	w.int("length_ns", int64(b.Length))
	if b.Zone != nil {
		w.text("zone", b.Zone.String())
	}
	w.flag("soft", b.Soft)
	objects(w, "steps", b.Steps, w.step)
	w.flag("free_only", b.FreeOnly)
	w.int("fit_output", b.FitOutput)
	w.flag("stop_on_budget", b.StopOnBudget)
	w.flag("aborted_estimate", b.AbortedEstimate)
	w.flag("open_on_outage", b.OpenOnOutage)
}

func (w *encoder) step(s *Step) {
	w.int("percent", s.Percent)
	w.text("do", string(s.Do))
	w.text("tier", string(s.Tier))
}

func (w *encoder) discount(d *Discount) {
	w.text("vendor", string(d.Vendor))
	writeTexts(w, "models", d.Models)
	w.int("ppm", d.PPM)
}

func (w *encoder) unknown(u *UnknownModel) {
	w.open('{')
	w.flag("refuse", u.Refuse)
	w.int("charge", int64(u.Charge))
	w.flag("alert", u.Alert)
	if u.Dearest != (pricing.Rates{}) {
		w.key("dearest")
		w.open('{')
		w.rates(u.Dearest)
		w.close('}')
	}
	w.close('}')
}

// moment writes a time, and the first second of 1970 too, as only the zero Time means none.
func (w *encoder) moment(key string, t time.Time) {
	if !t.IsZero() {
		w.key(key)
		w.b = strconv.AppendInt(w.b, t.Unix(), 10)
	}
}

func (w *encoder) open(bracket byte)  { w.b = append(w.b, bracket) }
func (w *encoder) close(bracket byte) { w.b = append(w.b, bracket) }

// next writes the comma between two entries.
func (w *encoder) next() {
	if last := w.b[len(w.b)-1]; last != '{' && last != '[' {
		w.b = append(w.b, ',')
	}
}

func (w *encoder) key(k string) {
	w.next()
	w.b = append(jsonscan.AppendString(w.b, k), ':')
}

func (w *encoder) text(key, v string) {
	if v != "" {
		w.key(key)
		w.b = jsonscan.AppendString(w.b, v)
	}
}

func (w *encoder) int(key string, v int64) {
	if v != 0 {
		w.key(key)
		w.b = strconv.AppendInt(w.b, v, 10)
	}
}

func (w *encoder) flag(key string, v bool) {
	if v {
		w.key(key)
		w.b = append(w.b, "true"...)
	}
}

// option writes a condition that holds for true, for false or, if nil, for both.
func (w *encoder) option(key string, v *bool) {
	if v != nil {
		w.key(key)
		w.b = strconv.AppendBool(w.b, *v)
	}
}

// writeTexts writes a list of strings.
func writeTexts[S ~string](w *encoder, key string, list []S) {
	if len(list) == 0 {
		return
	}
	w.key(key)
	w.open('[')
	for _, v := range list {
		w.next()
		w.b = jsonscan.AppendString(w.b, string(v))
	}
	w.close(']')
}

// objects writes a list of objects.
func objects[T any](w *encoder, key string, list []T, members func(*T)) {
	if len(list) == 0 {
		return
	}
	w.key(key)
	w.open('[')
	for i := range list {
		w.next()
		w.open('{')
		members(&list[i])
		w.close('}')
	}
	w.close(']')
}
