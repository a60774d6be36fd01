package filter

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// record is what is known of a call that left: one JSON object, whose members without a value are left out.
//
//	{"decision":"tier","route":"openai","rule":"r","tier":"t","model":"m","requested_model":"n","would":"tier",
//	 "cost_usd":"0.000000001","baseline_usd":"0.000000002",
//	 "usage":{"input":1,"cache_read":1,"cache_write_short":1,"cache_write_long":1,"output":2,"reasoning":1},
//	 "estimated":true}
//
// Costs are decimal dollars in nine places, in text, so that no reader makes floats of them. would is the decision
// that observe mode did not act on; usage, costs and estimated stand in the final record only.
func (x *Exchange) record() []byte {
	o := x.served
	r := object{'{'}
	r.text("decision", o.Kind.String())
	r.text("route", string(o.Route))
	r.text("rule", string(x.decision.Rule))
	r.text("tier", string(x.decision.Tier))
	r.text("model", string(o.Model))
	r.text("requested_model", string(x.decision.Asked.Model))
	if x.would != nil {
		r.text("would", x.would.Kind.String())
	}
	return append(r, '}')
}

// priced is the record of a call with what it came to.
func (x *Exchange) priced(u pricing.Usage, b policies.Bill, estimated bool) []byte {
	r := object(x.record())
	r = r[:len(r)-1]
	r.text("cost_usd", b.Cost.String())
	r.text("baseline_usd", b.Baseline.String())
	r.key("usage")
	r = append(r, '{')
	r.count("input", u.Input)
	r.count("cache_read", u.CacheRead)
	r.count("cache_write_short", u.CacheWriteShort)
	r.count("cache_write_long", u.CacheWriteLong)
	r.count("output", u.Output)
	r.count("reasoning", u.Reasoning)
	r = append(r, '}')
	if estimated {
		r.key("estimated")
		r = append(r, "true"...)
	}
	return append(r, '}')
}

// refusal is the record of a call that was answered here.
func (x *Exchange) refusal() []byte {
	r := object{'{'}
	r.text("decision", policies.Refuse.String())
	r.text("rule", string(x.decision.Rule))
	r.text("tier", string(x.decision.Tier))
	r.text("requested_model", string(x.decision.Asked.Model))
	r.text("cost_usd", pricing.Money(0).String())
	return append(r, '}')
}

// object appends a JSON object. Its methods write members, and nothing for a zero value.
type object []byte

func (r *object) key(k string) {
	if last := (*r)[len(*r)-1]; last != '{' {
		*r = append(*r, ',')
	}
	*r = append(*r, '"')
	*r = append(*r, k...)
	*r = append(*r, '"', ':')
}

func (r *object) count(key string, n int64) {
	if n != 0 {
		r.key(key)
		*r = strconv.AppendInt(*r, n, 10)
	}
}

// maxText bounds a text that ends up in the access log, in bytes.
const maxText = 256

// text writes a string, cut at maxText bytes: a model's name comes from the client.
func (r *object) text(key, s string) {
	if s == "" {
		return
	}
	r.key(key)
	*r = append(*r, '"')
	if len(s) > maxText {
		s = s[:maxText]
	}
	for _, c := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case c == '"' || c == '\\':
			*r = append(*r, '\\', byte(c))
		case c < ' ' || c == 0x7f:
			const hex = "0123456789abcdef"
			*r = append(*r, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default:
			*r = utf8.AppendRune(*r, c)
		}
	}
	*r = append(*r, '"')
}
