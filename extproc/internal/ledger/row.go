package ledger

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// labels is what many calls have in common.
type labels struct {
	provider               pricing.ProviderName
	api                    provider.API
	route                  policies.RouteName
	asked, model, response pricing.ModelName
	rule                   policies.RuleName
	tier                   policies.TierName
	pool                   policies.RouteName
	service                pricing.Service
	region                 string
	outcome                Outcome
	priceSource            string
	would                  string
	wouldModel             pricing.ModelName
	status, attempts       int
	observed, estimated    bool
	stated                 bool
}

// labelColumns are the columns of labels, in the order of labelFields.
var labelColumns = []string{
	"provider", "api", "route", "asked", "model", "responded", "rule", "tier", "pool", "service", "region", "outcome",
	"price_source", "would", "would_model", "status", "attempts", "observed", "estimated", "stated",
}

func labelsOf(e *Entry) labels {
	return labels{
		provider: e.Provider, api: e.API, route: e.Route, asked: e.Asked, model: e.Model, response: e.Responded,
		rule: e.Rule, tier: e.Tier, pool: e.Pool, service: e.Service, region: e.Region, outcome: e.Outcome,
		priceSource: e.PriceSource, would: e.Would, wouldModel: e.WouldModel, status: e.Status, attempts: e.Attempts,
		observed: e.Observed, estimated: e.Estimated, stated: e.Stated,
	}
}

// values returns what the columns hold, in the order of labelColumns.
func (l *labels) values() []any {
	return []any{
		string(l.provider), string(l.api), string(l.route), string(l.asked), string(l.model), string(l.response),
		string(l.rule), string(l.tier), string(l.pool), string(l.service), l.region, string(l.outcome),
		l.priceSource, l.would, string(l.wouldModel), int64(l.status), int64(l.attempts), l.observed, l.estimated, l.stated,
	}
}

// labelFields returns pointers to the fields in the order of labelColumns.
func labelFields(e *Entry) []any {
	return []any{
		&e.Provider, &e.API, &e.Route, &e.Asked, &e.Model, &e.Responded, &e.Rule, &e.Tier, &e.Pool, &e.Service, &e.Region,
		&e.Outcome, &e.PriceSource, &e.Would, &e.WouldModel, &e.Status, &e.Attempts, &e.Observed, &e.Estimated, &e.Stated,
	}
}

// plainColumns are the columns of entries that a number of Entry maps to as it is, in the order of plainFields.
var plainColumns = []string{"input", "cache_read", "output", "cost", "baseline", "charge", "bound", "counted"}

// plainFields returns pointers to the fields in the order of plainColumns.
func plainFields(e *Entry) []any {
	return []any{&e.Usage.Input, &e.Usage.CacheRead, &e.Usage.Output, &e.Cost, &e.Baseline, &e.Charge, &e.Bound, &e.Counted}
}

// insertEntry takes what appendValues made of an entry.
var insertEntry = fmt.Sprintf("INSERT INTO entries (seq, id, at, settled, scope, label, %s, more) VALUES (?%s) ON CONFLICT (id) DO NOTHING",
	list(plainColumns), strings.Repeat(", ?", len(plainColumns)+6))

// appendValues appends the parameters of insertEntry.
func appendValues(values []any, e Numbered, scope, label int64, more string) []any {
	u := &e.Usage
	return append(values, e.After.Seq, e.ID[:], e.At.UnixNano(), e.Settled.UnixNano(), scope, label,
		u.Input, u.CacheRead, u.Output, int64(e.Cost), int64(e.Baseline), int64(e.Charge), int64(e.Bound), int64(e.Counted), more)
}

// AppendMore appends what an entry says beyond its labels, dimensions, moments, amounts and its counts of input,
// cache_read and output: the members of the journal's JSON, so that they can be read into an Entry that has the
// others. It appends nothing where there is none.
func (e *Entry) AppendMore(b []byte) []byte {
	o := object{b: append(b, '{')}
	o.strIfAny("detail", e.Detail)
	o.idIfAny("adj", e.Adjusts)
	if u := e.rareUsage(); u != (pricing.Usage{}) {
		o.usage(&u)
	}
	o.numIfAny("extra", int64(e.Extra))
	if e.Savings != (pricing.Savings{}) {
		o.savings(&e.Savings)
	}
	o.numIfAny("elig", int64(e.Eligible))
	o.numIfAny("list", int64(e.ListCost))
	o.numIfAny("wcost", int64(e.WouldCost))
	o.trueIf("over", e.Overrun)
	if len(o.b) == len(b)+1 {
		return b
	}
	return append(o.b, '}')
}

// rareUsage returns the counts that have no column.
func (e *Entry) rareUsage() pricing.Usage {
	u := e.Usage
	u.Input, u.CacheRead, u.Output = 0, 0, 0
	return u
}

// readMore reads what AppendMore wrote.
func (e *Entry) readMore(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, e); err != nil {
		return fmt.Errorf("read entry %s: %w", e.ID, err)
	}
	return nil
}

// selectEntries begins a query whose rows scanEntry reads. The order of its joins is fixed, so that the latest
// entries are found by time whatever the condition on labels.
var selectEntries = fmt.Sprintf("SELECT e.seq, e.id, e.at, e.settled, s.dims, e.more, l.%s, e.%s FROM entries AS e "+
	"CROSS JOIN scopes AS s ON s.id = e.scope CROSS JOIN labels AS l ON l.id = e.label",
	strings.Join(labelColumns, ", l."), strings.Join(plainColumns, ", e."))

// scanEntry reads a row of selectEntries. Of the position it knows the sequence number.
func scanEntry(rows *sql.Rows) (Numbered, error) {
	e := Numbered{Entry: new(Entry)}
	var at, settled int64
	var id, dims, more sql.RawBytes
	fields := append([]any{&e.After.Seq, &id, &at, &settled, &dims, &more}, labelFields(e.Entry)...)
	if err := rows.Scan(append(fields, plainFields(e.Entry)...)...); err != nil {
		return e, fmt.Errorf("read entry: %w", err)
	}
	copy(e.ID[:], id)
	e.At, e.Settled = time.Unix(0, at).UTC(), time.Unix(0, settled).UTC()
	if err := json.Unmarshal(dims, &e.Dims); err != nil {
		return e, fmt.Errorf("read entry %s: %w", e.ID, err)
	}
	return e, e.readMore(more)
}
