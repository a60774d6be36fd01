package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// explanation writes what a policy does with a call, a line for each thing that had a say:
//
//	path      if it was guessed
//	call      what was read        payer   who pays, and whether that scopes money
//	rule      why it matched       tier    whether it changed the model
//	pool      its break-even       budget  what it has left for this call, and when it refills
//	option    in order of preference, with the most that it can cost
//	at most   the tokens and rates that this is made of
//	price     what an option's tokens cost, where that is from, and what made it so
//	decision  what happens         edit    the bytes that change: before -> after
type explanation struct {
	file  string // of the policy
	view  priceView
	set   *policies.Set // of the view
	pools *poolState
	now   time.Time
	w     *tabwriter.Writer
}

func newExplanation(file string, view priceView, pools *poolState, e env) *explanation {
	return &explanation{file: file, view: view, set: view.set, pools: pools, now: pools.now, w: tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)}
}

func (t *explanation) line(head, name, format string, args ...any) {
	fmt.Fprintf(t.w, "%s\t%s\t%s\n", head, name, fmt.Sprintf(format, args...))
}

// uncovered explains a path of no API.
func (t *explanation) uncovered(path string) {
	switch covered := t.set.Limits(nil, policies.ModelRef{}) && !provider.FreeProbe("POST", path); {
	case covered && t.set.Enforcing():
		t.line("decision", "refuse", "a budget covers %q, and its calls cannot be priced in advance", path)
	case covered:
		t.line("decision", "pass", "farebox does not read %q; in enforce mode it would be refused, as a budget covers it", path)
	default:
		t.line("decision", "pass", "farebox does not read %q: such calls pass untouched", path)
	}
}

// unreadable explains a body that cannot be read.
func (t *explanation) unreadable(err *provider.RequestError) {
	if t.set.Enforcing() {
		t.line("decision", "refuse", "%s", err.Message)
		return
	}
	t.line("decision", "pass", "the call cannot be read and passes untouched; in enforce mode it would be refused: %s", err.Message)
}

// call explains a call that can be read.
func (t *explanation) call(r *policies.Request, body []byte) {
	c := r.Call
	t.pools.value = valuesOf(r, policies.ModelRef{Route: r.Route, Model: c.Model})
	d := t.set.Decide(*r, t.pools, t.now)
	t.line("call", string(c.API), "%s at %s, about %d input tokens, %s, %s",
		c.Model, r.Route, c.InputEstimate(), capText(c.MaxOutput), streamText(c.Stream))
	t.payers(r)
	t.rules(r, &d)
	t.poolLines()
	t.budgets(r)
	t.line("as asked", "", "%s", costText(&d.Asked))
	t.bound(r, &d.Asked)
	t.price(r, &d.Asked)
	if d.Budget != "" {
		t.line("step", string(d.Budget), "%s", stepText(&d.Step))
	}
	chosen, short := t.options(r, &d)
	if chosen.Kind == policies.Refuse {
		t.line("decision", "refuse", "%s%s", refusalText(chosen.Refusal, &d, short), t.would())
		return
	}
	t.outcome(r, body, chosen)
}

func (t *explanation) payers(r *policies.Request) {
	for _, v := range r.Dims {
		switch {
		case v.Value == "":
			t.line("payer", string(v.Name), "not set")
		case v.Verified:
			t.line("payer", string(v.Name), "%q, trusted", v.Value)
		default:
			t.line("payer", string(v.Name), "%q, a label: rules may match it, it scopes no budget and no cache", v.Value)
		}
	}
}

func (t *explanation) rules(r *policies.Request, d *policies.Decision) {
	matched := false
	for _, rule := range t.set.Trace(*r) {
		if matched = rule.Matched; matched {
			t.line("rule", string(rule.Name), "matches")
			continue
		}
		t.line("rule", string(rule.Name), "no: %s", rule.Why)
	}
	if !matched {
		t.line("rule", "", "none matches: what the caller asked for")
	}
	switch {
	case d.Kept != "":
		t.line("tier", string(d.Tier), "not used: %s", d.Kept)
	case d.Tier != "":
		t.line("tier", string(d.Tier), "used")
	}
}

// poolLines say whether the pools are cheaper than the API, as far as a server's state tells.
func (t *explanation) poolLines() {
	for _, s := range t.pools.status() {
		t.line("pool", string(s.Name), "use %s: its calls of the last 24 h, %d tokens, cost %s at the API, its GPUs %s: %s",
			useText(s.Use, s.Above), s.Tokens24h, usd(s.APICost24h), usd(s.GPUCost24h), poolVerdict(&s))
	}
	if t.pools.pools != nil {
		return
	}
	for i := range t.set.Policy().Pools {
		p := &t.set.Policy().Pools[i]
		text := "use " + useText(p.Use, p.Above)
		if p.Use == policies.WhenCheaper || p.Use == policies.AboveVolume {
			text += ": taken not to be; --state DIR reads what a server has seen"
		}
		t.line("pool", string(p.Name), "%s", text)
	}
}

// useText is a pool's use as a policy says it.
func useText(u policies.PoolUse, above int64) string {
	if u == policies.AboveVolume {
		return fmt.Sprintf("above %d tokens per day", above)
	}
	return string(u)
}

// poolVerdict says whether the pool is in use, as far as that depends on its calls.
func poolVerdict(s *upstream.PoolStatus) string {
	switch {
	case s.Full:
		return fmt.Sprintf("full, with %d tokens of the %d that its GPUs can make", s.Taken24h, s.Capacity)
	case s.Load.Full:
		return "measured as full, " + loadText(&s.Load)
	case s.Use == policies.AboveVolume && s.Cheaper:
		return "above the volume"
	case s.Use == policies.AboveVolume:
		return "below the volume"
	case s.Cheaper:
		return "cheaper than the API"
	}
	return "dearer than the API"
}

func (t *explanation) budgets(r *policies.Request) {
	for i := range t.set.Policy().Budgets {
		b := &t.set.Policy().Budgets[i]
		if !b.Covers(t.pools.value) {
			t.line("budget", string(b.Name), "%s: does not count this call", limitText(b))
			continue
		}
		t.line("budget", string(b.Name), "%s for %s: %s spent, %s left, refills %s",
			limitText(b), scopeOf(b, r.Dims), usd(t.pools.spent[b.Name]), usd(t.pools.spent.left(b)), moment(b.End(t.now)))
	}
}

// limitText is a limit as a policy says it.
func limitText(b *policies.Budget) string {
	text := fmt.Sprintf("%s per %s", usd(b.Limit), b.Window)
	if b.Window == policies.Rolling {
		text += " " + strings.TrimSuffix(strings.TrimSuffix(b.Length.String(), "0s"), "0m")
	}
	if b.Soft {
		text += ", soft,"
	}
	return text
}

// stepText says what a step did to the call.
func stepText(s *policies.Step) string {
	text := string(s.Do)
	if s.Do == policies.StepCapTier {
		text = "cap at " + string(s.Tier)
	}
	if s.Percent == 0 {
		return text + ": the caller's cap does not fit what is left"
	}
	return fmt.Sprintf("%s, from %d%% of the limit on", text, s.Percent)
}

// scopeOf says for whom a budget counts the call. Only verified values scope hard budgets.
func scopeOf(b *policies.Budget, dims []policies.Value) string {
	scope := make([]ledger.Dim, len(b.Per))
	for i, name := range b.Per {
		scope[i] = ledger.Dim{Name: name, Value: ledger.None}
		if name == policies.DimModel || name == policies.DimProvider {
			scope[i].Value = "(each)"
		}
		for _, v := range dims {
			if v.Name == name && b.Counts(v.Verified) && v.Value != "" {
				scope[i].Value = v.Value
			}
		}
	}
	return cmp.Or(visible(ledger.ScopeText(scope)), "everybody")
}

// options lists them with the budgets' verdicts. It returns the one that is taken, and for a refusal the verdict on
// the best one, if there was any.
func (t *explanation) options(r *policies.Request, d *policies.Decision) (*policies.Option, error) {
	short := map[*policies.Option]*shortError{}
	chosen, first := d.Choose(func(o *policies.Option) error {
		if short[o] = t.pools.spent.bear(t.set.Policy().Budgets, r, o, t.now); short[o] != nil {
			return short[o]
		}
		return nil
	})
	for i := range d.Options() {
		switch o := &d.Options()[i]; {
		case o.Kind == policies.Refuse:
			t.line("option", o.Kind.String(), "%s", refusalText(o.Refusal, d, nil))
		case short[o] != nil:
			t.line("option", o.Kind.String(), "%s: not with what budget %q has left", costText(o), short[o].budget.Name)
		default:
			t.line("option", o.Kind.String(), "%s", costText(o))
		}
		if o := &d.Options()[i]; o.Kind == policies.Tiered || o.Kind == policies.Pooled {
			t.bound(r, o)
			t.price(r, o)
		}
	}
	return chosen, first
}

// would is added to decisions that are not acted on.
func (t *explanation) would() string {
	if t.set.Enforcing() {
		return ""
	}
	return "; this policy observes: the call leaves as it came"
}

// outcome says what the provider would receive.
func (t *explanation) outcome(r *policies.Request, body []byte, o *policies.Option) {
	edits, err := r.Call.Rewrite(nil, o.Edit)
	if err != nil {
		t.line("decision", o.Kind.String(), "internal error: %v", err)
		return
	}
	t.line("decision", o.Kind.String(), "%s/%s%s%s", o.Route, o.Model, keyText(t.set, r, o), t.would())
	t.edits(r, body, o, edits)
	t.marks(r, o)
}

// edits shows the bytes that change.
func (t *explanation) edits(r *policies.Request, body []byte, o *policies.Option, edits []provider.Edit) {
	before, after := r.Call.RewritePath(provider.Target{}), r.Call.RewritePath(o.Edit)
	if o.Route != r.Route {
		after = provider.PathAt(o.Vendor, r.Call.API, after)
	}
	if after != before {
		t.line("edit", "path", "%s -> %s", before, after)
	}
	for _, e := range edits {
		old := string(body[e.Start:e.End])
		if old == "" {
			old = "nothing"
		}
		t.line("edit", fmt.Sprintf("byte %d", e.Start), "%s -> %s", old, e.New)
	}
	if len(edits) == 0 {
		t.line("edit", "body", "none: it leaves as it came")
	}
}

// marks says what changes once the provider has seen the prompt.
func (t *explanation) marks(r *policies.Request, now *policies.Option) {
	again := *t.pools
	again.seen = true
	d := t.set.Decide(*r, &again, t.now)
	if o := d.First(); o.Kind == now.Kind && (o.Edit.MarkPrefix || o.Edit.CacheKey) {
		t.line("later", "cache marks", "go on the same prompt when it comes again within the lifetime of %s's cache", o.Route)
	}
}

// keyText says whose key the call carries.
func keyText(set *policies.Set, r *policies.Request, o *policies.Option) string {
	switch file := set.Credential(o.Route).File; {
	case file != "":
		return ", with the key in " + file
	case o.Route != r.Route:
		return ", without the caller's key"
	}
	return ", with the caller's key"
}

// costText says what an option can cost.
func costText(o *policies.Option) string {
	if o.Unbounded {
		return fmt.Sprintf("%s/%s, cost not bounded in advance, about %s", o.Route, o.Model, usd(o.Expected))
	}
	return fmt.Sprintf("%s/%s, at most %s, about %s", o.Route, o.Model, usd(o.Bound), usd(o.Expected))
}

// refusalText says why a call is refused. short is the budget's verdict, if one was asked.
func refusalText(why policies.Refusal, d *policies.Decision, short error) string {
	switch why {
	case policies.RefuseStep:
		return fmt.Sprintf("budget %q: its step at %d%% keeps the rest in reserve", d.Budget, d.Step.Percent)
	case policies.RefuseUnknownModel:
		return "unknown_model: no price is known for the model"
	case policies.RefuseUnpriced:
		return "unpriced: a budget covers the call and its cost is not bounded in advance"
	}
	if short != nil {
		return short.Error()
	}
	return "budget: where no option above fits"
}

func capText(tokens int64) string {
	if tokens == 0 {
		return "no output cap"
	}
	return fmt.Sprintf("output cap %d", tokens)
}

func streamText(stream bool) string {
	if stream {
		return "streamed"
	}
	return "not streamed"
}

// usd prints an amount with all decimals that it has, and at least two.
func usd(m pricing.Money) string {
	s := m.String()
	least := len(s) - len("0000000")
	return s[:max(least, len(strings.TrimRight(s, "0")))] + " USD"
}

// moment prints a time in its own zone, such as the start of a window in that of its budget.
func moment(at time.Time) string { return at.Format("2006-01-02 15:04 MST") }
