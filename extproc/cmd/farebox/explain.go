package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// explainFlags are the flags of farebox explain.
type explainFlags struct {
	policy, path, host, state string
	headers, spent            list
	guessed                   bool // the path
}

func runExplain(_ context.Context, args []string, e env) int {
	var x explainFlags
	f := flags("explain", "explain --policy FILE [flags] < body", e)
	f.StringVar(&x.policy, "policy", "", "policy `FILE`")
	f.StringVar(&x.path, "path", "", "request `PATH`; guessed where the body tells the API and names the model, else required")
	f.StringVar(&x.host, "host", "", "`HOST` that the client addresses")
	f.StringVar(&x.state, "state", "", "state `DIR` of a server: whether its pools are cheaper")
	f.Var(&x.headers, "header", "request header `NAME:VALUE`; a claim is jwt.CLAIM:VALUE, a certificate's part mtls.namespace:VALUE; may be repeated")
	f.Var(&x.spent, "spent", "what the scopes of this call have spent of a budget, `BUDGET=$AMOUNT`; may be repeated")
	if status, ok := parse(f, args); !ok {
		return status
	}
	if wrong := onlyFlags(f, "policy"); wrong != "" {
		return misused(f, wrong)
	}
	view, err := viewOf(x.policy, e.stderr)
	if err != nil {
		return e.fail(err)
	}
	body, err := io.ReadAll(e.stdin)
	if err != nil {
		return e.fail(fmt.Errorf("read request: %w", err))
	}
	if x.path == "" {
		if x.path, err = guessPath(body); err != nil {
			return misused(f, err.Error())
		}
		x.guessed = true
	}
	if err := x.explain(view, body, e); err != nil {
		return e.fail(err)
	}
	return statusOK
}

// explain writes what would become of the call. The error is about the command line or the state folder: a call
// that would be refused is explained.
func (x *explainFlags) explain(view priceView, body []byte, e env) error {
	set := view.set
	headers, err := x.headerValues()
	if err != nil {
		return err
	}
	spent, err := x.amounts(set)
	if err != nil {
		return err
	}
	pools, err := x.pools(set, e)
	if err != nil {
		return err
	}
	pools.spent = spent
	t := newExplanation(x.policy, view, pools, e)
	if x.guessed {
		t.line("path", "guessed", "%s; --path says which it is", x.path)
	}
	endpoint := provider.ParsePath(x.path)
	if !endpoint.IsCall() {
		t.uncovered(x.path)
		return t.w.Flush()
	}
	call, err := provider.ParseCall(endpoint, x.path, headers.Header("content-type"), headers.Header, body)
	var bad *provider.RequestError
	if errors.As(err, &bad) {
		t.unreadable(bad)
		return t.w.Flush()
	}
	t.call(x.request(set, &call, headers), body)
	return t.w.Flush()
}

// headerValues reads the --header flags.
func (x *explainFlags) headerValues() (signals, error) {
	headers := signals{}
	for _, h := range x.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, fmt.Errorf("header %q: want NAME:VALUE", h)
		}
		headers[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return headers, nil
}

// request is the call as the server would see it.
func (x *explainFlags) request(set *policies.Set, call *provider.Request, given signals) *policies.Request {
	path, _, _ := strings.Cut(x.path, "?")
	r := &policies.Request{Call: call, Path: path, Header: given.Header}
	r.Route, r.Vendor = set.Identify(x.host, x.path, call.API, r.Header)
	from := caller{signals: given, path: x.path}
	if set.Addressed(x.host, x.path) {
		from.vendor = r.Vendor
	}
	r.Dims = set.Payers(from)
	return r
}

// caller is who makes the call that is explained.
type caller struct {
	signals
	vendor pricing.ProviderName // that the policy says is addressed; "" where the path alone tells
	path   string
}

// Account implements policies.Signals.
func (c caller) Account() string { return exchange.Account(c.vendor, c.Header, c.path) }

// signals are the headers given, by name in lower case. As the command line has no token and no certificate, their
// values are headers as well, named after the source: "jwt.team", "mtls.namespace".
type signals map[string]string

// Header implements policies.Signals.
func (s signals) Header(name string) string { return s[name] }

// Claim implements policies.Signals.
func (s signals) Claim(name string) string { return s["jwt."+strings.ToLower(name)] }

// PeerURI implements policies.Signals. Where only parts of the certificate's id are given, it is made of them.
func (s signals) PeerURI() string {
	if uri := s["mtls.uri"]; uri != "" {
		return uri
	}
	uri := ""
	for _, part := range [...]struct{ label, name string }{{"ns", "namespace"}, {"sa", "workload"}} {
		if v := s["mtls."+part.name]; v != "" {
			uri += "/" + part.label + "/" + v
		}
	}
	if uri == "" {
		return ""
	}
	return "spiffe://cluster.local" + uri
}
