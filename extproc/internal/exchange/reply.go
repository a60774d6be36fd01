package exchange

import (
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// Header is a header field; names are in lower case.
type Header struct{ Name, Value string }

// Incoming is what the request headers say.
type Incoming struct {
	Method, Path, Host string
	Headers            []Header
	Claim              func(name string) string // of the token that the proxy verified; may be nil
	PeerURI            string                   // SPIFFE id of the client's certificate, "" if none
	NoBody             bool                     // the request ends with its headers
	Misfit             string                   // how the proxy's configuration is not as expected; "" if it is
}

// header returns the first value of a header, "" if it is missing.
func (in *Incoming) header(name string) string {
	for i := range in.Headers {
		if in.Headers[i].Name == name {
			return in.Headers[i].Value
		}
	}
	return ""
}

// joined returns all values of a header, joined with commas.
func (in *Incoming) joined(name string) string {
	values, several := "", false
	for i := range in.Headers {
		switch {
		case in.Headers[i].Name != name:
		case several:
			values += "," + in.Headers[i].Value
		default:
			values, several = in.Headers[i].Value, true
		}
	}
	return values
}

// Status is what the proxy knows of a response by the time its first byte passes.
type Status struct {
	Code     int    // HTTP status; 0 unknown
	Details  string // who made the response: "via_upstream", or the proxy's own reason
	Attempts int    // how often the request was sent; 0 unknown
	Unsent   bool   // the proxy retries only what was never sent: attempts but the last cost nothing
}

// Reply is what the proxy is to do after a phase. The zero Reply goes on and changes nothing.
type Reply struct {
	Answer   *Answer  // answer the client now; all else is ignored
	Metered  bool     // after the headers: send the request body buffered and the response as it streams
	Fetched  bool     // after the headers: send the response as it streams; the request has no body
	Headers  bool     // after the headers: send those of the response too
	Set      []Header // request headers to set
	Remove   []string // request headers to remove
	Body     []byte   // replaces the request body, if not nil
	Reroute  bool     // the route must be chosen anew
	Metadata []Header // of the namespace "farebox": matched by the route table, shown to client and access log
}

// Answer is a response made here.
type Answer struct {
	Status      int
	ContentType string
	Headers     []Header
	Body        []byte
	Details     string // for the access log
}

// refuse makes an answer in the shape of the vendor's own errors.
func (x *Exchange) refuse(kind provider.ErrorKind, message, param, details string) Reply {
	return x.refuseFor(provider.Fault{Kind: kind, Message: message, Param: param}, details)
}

func (x *Exchange) refuseFor(f provider.Fault, details string) Reply {
	f.ID = visible(x.in.header("x-request-id"))
	r := provider.Refuse(x.endpoint.API, x.vendor, f)
	a := &Answer{Status: r.Status, ContentType: r.ContentType, Body: r.Body, Details: details}
	for _, h := range r.Headers {
		a.Headers = append(a.Headers, Header{h[0], h[1]})
	}
	a.Headers = append(a.Headers, Header{"x-farebox-decision", "refuse"})
	return Reply{Answer: a, Metadata: []Header{{"decision", "refuse"}}}
}

// refuseSpending refuses a call for a budget, and says when that really refills, as the hint to retry is bounded. Envoy
// takes farebox's headers from responses and adds its own from metadata, so what a client is to see stands in both.
func (x *Exchange) refuseSpending(message string, refills time.Time) Reply {
	r := x.refuseFor(provider.Fault{
		Kind: provider.BudgetExhausted, Message: message, Wait: refills.Sub(x.at), Status: x.snap.Set.Policy().Refusal,
	}, "farebox_budget")
	at := refills.UTC().Format(time.RFC3339)
	r.Answer.Headers = append(r.Answer.Headers, Header{"x-farebox-refills", at})
	r.Metadata = append(r.Metadata, Header{"refills", at})
	return r
}

// atMost prints an amount for people as dollars does, but rounded up: what a call could cost must not look like what
// is left where it is more.
func atMost(m pricing.Money) string {
	step := pricing.Dollar / 100
	if m < step {
		for step > 1 && m < step*10 { // two digits stay
			step /= 10
		}
	}
	return dollars(pricing.AddCapped(m, step-1))
}

// dollars prints an amount for people, rounded down: two decimals, or two digits where it is less than a cent.
func dollars(m pricing.Money) string {
	s := m.String()
	cut := len(s) - 7
	if -pricing.Dollar/100 < m && m < pricing.Dollar/100 && m != 0 {
		for cut < len(s) && s[cut-1] == '0' {
			cut++
		}
		cut = min(cut+1, len(s))
	}
	return "$" + s[:cut]
}
