package exchange

import (
	"bytes"
	"crypto/sha256"
	"strings"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// uncacheable are facts that make an answer depend on more than the request, or change something elsewhere.
const uncacheable = provider.HeldState | provider.Background | provider.Stored | provider.ServerTools | provider.RemoteContent

// lookUp returns the stored answer to the call, if there is one and the budgets admit what is free. Otherwise it
// arranges that the answer to come is kept.
func (x *Exchange) lookUp() (cache.Entry, bool) {
	rule := x.snap.Set.Policy().Exact
	if rule == nil {
		return cache.Entry{}, false
	}
	if !x.cacheable(rule) || !x.admitsFree() {
		x.c.metrics.Lookup(metrics.Bypass)
		return cache.Entry{}, false
	}
	x.key = x.cacheKey(rule)
	entry, hit := x.c.cache.Get(x.key, x.at)
	x.keep = !hit
	return entry, hit
}

// admitsFree reports whether the budgets let a call pass that costs nothing.
func (x *Exchange) admitsFree() bool {
	call := x.ledgerCall(x.decision.First())
	return x.c.ledger.Admit(&call, 0, x.at) == nil
}

// replay answers the call with a stored response.
func (x *Exchange) replay(entry *cache.Entry) Reply {
	x.phase = atEnd
	x.recordHit(entry)
	model := visible(string(entry.Model))
	return Reply{Answer: &Answer{
		Status: 200, ContentType: entry.ContentType, Body: entry.Body, Details: "farebox_cache_hit",
		Headers: []Header{{"x-farebox-cache", "hit"}, {"x-farebox-decision", replayed}, {"x-farebox-model", model}},
	}, Metadata: append(x.metadata(replayed, entry.Model), Header{"cache", "hit"}, Header{"cost_usd", pricing.Money(0).String()})}
}

// cacheable reports whether the answer to a call may be replayed.
func (x *Exchange) cacheable(rule *policies.ExactCache) bool {
	call := &x.call
	control := strings.ToLower(x.in.joined("cache-control"))
	switch {
	case call.Facts.Any(uncacheable), call.Form, call.Selective, x.decision.First().Kind == policies.Refuse:
		return false
	case call.HasTemperature && call.Temperature > rule.MaxTemperature:
		return false
	case strings.Contains(control, "no-store"), strings.Contains(control, "no-cache"), strings.Contains(control, "max-age=0"),
		strings.EqualFold(x.in.header("pragma"), "no-cache"):
		return false
	}
	return rule.All || x.partition(rule) != ""
}

// partition is the verified value that an answer is kept under, "" for none.
func (x *Exchange) partition(rule *policies.ExactCache) string {
	for i := range x.dims {
		if v := &x.dims[i]; v.Name == rule.Per && v.Verified && !rule.All {
			return v.Value
		}
	}
	return ""
}

func (x *Exchange) cacheKey(rule *policies.ExactCache) cache.Key {
	o := x.decision.First()
	route := o.Route
	if !x.enforcing() {
		// What is kept now was answered by another model than the key says: it must never be replayed. No route
		// has a colon in its name.
		route = "observe:" + route
	}
	path, query, _ := strings.Cut(provider.WithoutKey(x.in.Path), "?")
	var body [sha256.Size]byte
	digest := sha256.New()
	_ = x.call.Canonical(digest) // a hash never fails to write
	digest.Sum(body[:0])
	return cache.NewKey(cache.KeyParts{
		Dimension: rule.Per, Partition: x.partition(rule), Route: route, API: x.call.API, Path: path, Query: query,
		AnthropicBeta: x.in.joined("anthropic-beta"), OpenAIBeta: x.in.joined("openai-beta"),
		Version: x.in.joined("anthropic-version"), Model: o.Model, Stream: x.call.Stream,
		IncludeUsage: x.call.Facts.Has(provider.IncludeUsage), MaxOutput: o.Edit.MaxOutput, Body: body,
	})
}

// recordHit notes what the answer would have cost without the cache.
func (x *Exchange) recordHit(entry *cache.Entry) {
	x.id = ledger.NewID(x.at)
	x.served = x.decision.First()
	e := ledger.Entry{
		Call: x.ledgerCall(x.served), Settled: x.at, Responded: modelLabel(entry.Model), Status: 200, Usage: entry.Usage,
		Outcome: ledger.CacheHit, Took: x.at.Sub(x.began),
	}
	bill, err := x.decision.HitBill(entry.Usage)
	if err != nil {
		x.logError("internal error: savings of a hit not computed", err)
	}
	e.Cost, e.Baseline, e.Savings = bill.Cost, bill.Baseline, bill.Savings
	if err := x.c.ledger.Record(e, x.at); err != nil {
		x.logUnwritten("cache hit not recorded yet", err)
	}
	Count(x.c.metrics, x.snap.Set, &e)
}

// collect keeps a copy of an answer for the cache.
func (x *Exchange) collect(piece []byte) {
	if len(x.answer)+len(piece) > maxKept || (x.status.Code != 0 && x.status.Code != 200) {
		x.keep, x.answer = false, nil
		return
	}
	x.answer = append(x.answer, piece...)
}

// store keeps an answer that is whole and good.
func (x *Exchange) store(r provider.Reading, whole bool) {
	rule := x.snap.Set.Policy().Exact
	good := r.Finish == provider.FinishStop || (r.Finish == provider.FinishTools && rule != nil && rule.ToolCalls)
	if !x.keep || rule == nil || !whole || x.status.Code != 200 || !r.Complete || r.Failed || !good {
		return
	}
	contentType, ok := contentTypeOf(x.answer)
	if !ok {
		return
	}
	usage := r.Usage
	if x.served.Edit.MarkPrefix {
		usage = usage.Uncached()
	}
	now := x.c.now()
	err := x.c.cache.Put(x.key, cache.Entry{
		ContentType: contentType, Body: x.answer, Usage: usage, Model: x.served.Model, Stored: now, Expires: now.Add(rule.TTL),
	})
	if err != nil {
		x.logError("internal error: answer not cached", err)
	}
}

// contentTypeOf tells a JSON answer from a stream of events by its first byte. Compressed answers are neither:
// a replay could reach a client that does not take the encoding.
func contentTypeOf(answer []byte) (string, bool) {
	rest := bytes.TrimLeft(answer, " \t\r\n")
	switch {
	case len(rest) == 0 || rest[0] >= 0x80 || rest[0] < ' ':
		return "", false
	case rest[0] == '{' || rest[0] == '[':
		return "application/json", true
	}
	return "text/event-stream", true
}
