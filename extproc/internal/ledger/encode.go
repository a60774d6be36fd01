package ledger

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// payload is what a record carries. Its encoding is that of encoding/json, byte for byte but for the counts of a usage
// that are zero, without the reflection and the allocations: a call is encoded twice while its client waits.
type payload interface {
	appendJSON(b []byte) ([]byte, error)
}

// object appends the members of a JSON object and keeps the first error.
type object struct {
	b   []byte
	err error
}

// key appends a member's name, which must need no escape.
func (o *object) key(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), `":`...)
}

func (o *object) str(name, value string) {
	o.key(name)
	o.b = appendString(o.b, value)
}

func (o *object) strIfAny(name, value string) {
	if value != "" {
		o.str(name, value)
	}
}

func (o *object) num(name string, value int64) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, value, 10)
}

func (o *object) numIfAny(name string, value int64) {
	if value != 0 {
		o.num(name, value)
	}
}

func (o *object) trueIf(name string, value bool) {
	if value {
		o.key(name)
		o.b = append(o.b, "true"...)
	}
}

func (o *object) idIfAny(name string, value ID) {
	if value != (ID{}) {
		o.key(name)
		o.b, _ = value.AppendText(append(o.b, '"'))
		o.b = append(o.b, '"')
	}
}

func (o *object) time(name string, value time.Time) {
	o.key(name)
	o.b = append(o.b, '"')
	b, err := value.AppendText(o.b)
	if err != nil {
		o.err = fmt.Errorf("%w: moment %q: %v", ErrInvalid, name, err)
		return
	}
	o.b = append(b, '"')
}

// appendString appends a string as encoding/json does.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(s) // no string is refused
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendDims appends dimensions as a JSON array, null for none.
func appendDims(b []byte, dims []Dim) []byte {
	if len(dims) == 0 {
		return append(b, "null"...)
	}
	o := object{b: append(b, '[')}
	for i := range dims {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = append(o.b, '{')
		o.str("n", string(dims[i].Name))
		o.str("v", dims[i].Value)
		o.trueIf("ok", dims[i].Verified)
		o.b = append(o.b, '}')
	}
	return append(o.b, ']')
}

// call appends the members of a Call.
func (o *object) call(c *Call) {
	o.b = append(o.b, idPrefix...)
	o.b, _ = c.ID.AppendText(o.b)
	o.b = append(o.b, '"')
	o.time("at", c.At)
	if len(c.Dims) > 0 {
		o.key("dims")
		o.b = appendDims(o.b, c.Dims)
	}
	o.strIfAny("prov", string(c.Provider))
	o.strIfAny("api", string(c.API))
	o.strIfAny("route", string(c.Route))
	o.strIfAny("ask", string(c.Asked))
	o.strIfAny("model", string(c.Model))
	o.strIfAny("rule", string(c.Rule))
	o.strIfAny("tier", string(c.Tier))
	o.strIfAny("pool", string(c.Pool))
	o.trueIf("obs", c.Observed)
}

func (r *Reservation) appendJSON(b []byte) ([]byte, error) {
	o := object{b: b}
	o.call(&r.Call)
	o.num("bound", int64(r.Bound))
	o.numIfAny("charge", int64(r.Charge))
	o.numIfAny("est", int64(r.Estimate))
	o.numIfAny("tries", int64(r.Attempts))
	if r.Facts != (policies.BillFacts{}) { // only of parked calls, which are few
		text, err := json.Marshal(&r.Facts)
		if err != nil {
			return nil, err
		}
		o.key("facts")
		o.b = append(o.b, text...)
	}
	return append(o.b, '}'), o.err
}

func (e *Entry) appendJSON(b []byte) ([]byte, error) {
	o := object{b: b}
	o.call(&e.Call)
	o.time("end", e.Settled)
	o.strIfAny("resp", string(e.Responded))
	o.numIfAny("status", int64(e.Status))
	o.str("out", string(e.Outcome))
	o.strIfAny("detail", e.Detail)
	o.numIfAny("tries", int64(e.Attempts))
	o.idIfAny("adj", e.Adjusts)
	o.usage(&e.Usage)
	o.strIfAny("svc", string(e.Service))
	o.strIfAny("reg", e.Region)
	o.money(e)
	return append(o.b, '}'), o.err
}

// usageKeys are the names of the fields of Usage, which the journal has, in the order of Usage.All.
var usageKeys = func() (keys []string) {
	for kind := range (pricing.Usage{}).All() {
		key := ""
		for word := range strings.SplitSeq(kind, "_") {
			key += strings.ToUpper(word[:1]) + word[1:]
		}
		keys = append(keys, key)
	}
	return keys
}()

// usage appends the counts of an entry that are not zero.
func (o *object) usage(u *pricing.Usage) {
	o.key("use")
	o.b = append(o.b, '{')
	i := 0
	for _, count := range u.All() {
		o.numIfAny(usageKeys[i], count)
		i++
	}
	o.numIfAny("LongestPrompt", u.LongestPrompt)
	o.b = append(o.b, '}')
}

// money appends what an entry came to.
func (o *object) money(e *Entry) {
	o.num("cost", int64(e.Cost))
	o.numIfAny("extra", int64(e.Extra))
	o.num("base", int64(e.Baseline))
	o.savings(&e.Savings)
	o.numIfAny("elig", int64(e.Eligible))
	o.strIfAny("price", e.PriceSource)
	o.trueIf("stated", e.Stated)
	o.numIfAny("list", int64(e.ListCost))
	o.trueIf("est", e.Estimated)
	o.strIfAny("would", e.Would)
	o.strIfAny("wmodel", string(e.WouldModel))
	o.numIfAny("wcost", int64(e.WouldCost))
	o.numIfAny("charge", int64(e.Charge))
	o.numIfAny("bound", int64(e.Bound))
	o.numIfAny("count", int64(e.Counted))
	o.trueIf("over", e.Overrun)
}

// savings appends what each lever saved.
func (o *object) savings(s *pricing.Savings) {
	o.key("save")
	for i, m := range s {
		before := byte(',')
		if i == 0 {
			before = '['
		}
		o.b = strconv.AppendInt(append(o.b, before), int64(m), 10)
	}
	o.b = append(o.b, ']')
}
