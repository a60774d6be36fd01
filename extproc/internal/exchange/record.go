package exchange

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/extproc/internal/sparse"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// ledgerCall is the call as an option serves it.
func (x *Exchange) ledgerCall(o *policies.Option) ledger.Call {
	return ledger.Call{
		ID: x.id, At: x.at, Dims: x.payers, Provider: o.Vendor, API: x.call.API, Route: o.Route,
		Asked: modelLabel(x.call.Model), Model: modelLabel(o.Model), Rule: x.decision.Rule, Tier: x.decision.Tier, Pool: x.decision.Pool,
	}
}

// Count has the metrics count what the ledger tells of: a call that is settled, or released after it was sent, and what
// a late settlement changes about one. Models have the names of the policy and its price list.
func Count(m *metrics.Metrics, set *policies.Set, e *ledger.Entry) {
	switch {
	case e.Outcome == ledger.Adjusted:
		m.Correct(measured(set, e))
	case e.Outcome != ledger.Released || e.Status != 0:
		m.Record(measured(set, e))
	}
}

// measured is an entry as the metrics count it.
func measured(set *policies.Set, e *ledger.Entry) *metrics.Call {
	asked, served, pooled := set.Names(policies.Sent{Route: e.Route, Vendor: e.Provider, Asked: e.Asked, Model: e.Model, At: e.At})
	c := &metrics.Call{
		Provider: e.Route, Vendor: e.Provider, API: e.API, Decision: metrics.Allow, Tier: e.Tier,
		Asked: modelOf(asked), Served: modelOf(served),
		Usage: e.Usage, Cost: e.Cost, Baseline: e.Baseline, Estimated: e.Estimated,
		Stated: e.Stated, ListCost: e.ListCost,
		Overrun: e.Overrun, Lost: e.Outcome == ledger.Lost, Took: e.Took,
	}
	switch {
	case e.Outcome == ledger.CacheHit:
		c.Decision, c.Usage = metrics.Replay, pricing.Usage{}
	case pooled || e.Asked != e.Model:
		c.Decision = metrics.Downgrade
	}
	if e.Status >= 400 {
		c.Error = strconv.Itoa(e.Status)
	}
	for lever, amount := range e.Savings {
		if amount != 0 {
			c.Savings = append(c.Savings, metrics.Saving{Lever: pricing.Lever(lever).String(), Amount: amount})
		}
	}
	return c
}

// modelOf is a model as the metrics know it, by its name in the policy or the price list.
func modelOf(name pricing.ModelName) metrics.Model {
	return metrics.Model{Name: name, Known: name != ""}
}

// logDecision writes what became of a call, for who debugs a policy.
func (x *Exchange) logDecision(r *Reply) {
	ctx := context.Background()
	if !x.c.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	what, route, model := "call refused", x.route, x.call.Model
	if x.served != nil {
		what, route, model = "call forwarded", x.served.Route, x.served.Model
		if r.Answer != nil && r.Answer.Status == 200 {
			what = "call answered from the cache"
		}
	}
	x.c.logger.LogAttrs(ctx, slog.LevelDebug, what,
		slog.String("request_id", x.id.String()), slog.String("provider", string(route)), slog.String("model", visible(string(model))),
		slog.String("tier", string(x.decision.Tier)), slog.String("rule", string(x.decision.Rule)))
}

// logError says that a promise to this call was broken.
func (x *Exchange) logError(message string, err error, more ...slog.Attr) {
	x.c.logger.LogAttrs(context.Background(), slog.LevelError, message,
		append(more, slog.String("request_id", x.id.String()), slog.Any("err", err))...)
}

// logSparsely is logError for what keeps all calls from being served alike.
func (x *Exchange) logSparsely(g *sparse.Gate, message string, err error) {
	if others, ok := g.Pass(x.c.now(), tellEvery); ok {
		x.logError(message, err, slog.Int64("not_logged", others))
	}
}

// logUnwritten is logError for what the ledger did not take. A journal that cannot be written, as on a full disk, is told
// of now and then, not for every call.
func (x *Exchange) logUnwritten(message string, err error) {
	if errors.Is(err, ledger.ErrJournal) {
		x.logSparsely(&x.c.unwritten, message, err)
	} else {
		x.logError(message, err)
	}
}

// refusedCall is a call that no option can serve, as the metrics count it.
func (x *Exchange) refusedCall() *metrics.Call {
	return &metrics.Call{
		Provider: x.route, Vendor: x.vendor, API: x.call.API, Decision: metrics.Refuse, Tier: x.decision.Tier,
	}
}

// maxLabel bounds a text of a client's that ends up in the ledger and in messages, in bytes.
const maxLabel = 256

// modelLabel makes the name of a model, which may be a client's text, fit for the ledger.
func modelLabel(m pricing.ModelName) pricing.ModelName {
	return pricing.ModelName(strings.ToValidUTF8(string(m[:min(len(m), maxLabel)]), ""))
}

// appendCount appends a member to a JSON object, unless it is zero.
func appendCount(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b
	}
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(append(b, '"'), name...), '"', ':')
	return strconv.AppendInt(b, n, 10)
}
