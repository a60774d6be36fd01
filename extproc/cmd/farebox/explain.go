package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// explainFlags are the flags of farebox explain.
type explainFlags struct {
	policy, path, host, state string
	headers, spent            list
}

func runExplain(_ context.Context, args []string, e env) int {
	var x explainFlags
	f := flags("explain", "explain --policy FILE [flags] < body", e)
	f.StringVar(&x.policy, "policy", "", "policy `FILE`")
	f.StringVar(&x.path, "path", "", "request path; by default the API's own, guessed from the body")
	f.StringVar(&x.host, "host", "", "host that the client addresses")
	f.StringVar(&x.state, "state", "", "state `DIR` of a server: whether its pools are cheaper")
	f.Var(&x.headers, "header", "request header `NAME:VALUE`; may be repeated")
	f.Var(&x.spent, "spent", "what is spent of a budget, `BUDGET=$AMOUNT`; may be repeated")
	if status, ok := parse(f, args); !ok {
		return status
	}
	if x.policy == "" || f.NArg() > 0 {
		f.Usage()
		return statusUsage
	}
	set, err := load(x.policy, e.stderr)
	if err != nil {
		return e.fail(err)
	}
	body, err := io.ReadAll(e.stdin)
	if err != nil {
		return e.fail(fmt.Errorf("read request: %w", err))
	}
	if err := x.explain(set, body, e); err != nil {
		return e.fail(err)
	}
	return statusOK
}

func (x *explainFlags) explain(set *policies.Set, body []byte, e env) error {
	spent, err := x.amounts(set)
	if err != nil {
		return err
	}
	r, call, err := x.request(set, body)
	var bad *provider.RequestError
	if errors.As(err, &bad) {
		fmt.Fprintf(e.stdout, "decision  refuse: %s\n", bad.Message)
		return nil
	}
	if err != nil {
		return err
	}
	pools, err := x.pools(set, e)
	if err != nil {
		return err
	}
	now := e.now()
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	d := set.Decide(*r, pools, now)
	fmt.Fprintf(w, "call\t%s to %s\tmodel %s, about %d input tokens, %s, stream %t\n",
		call.API, r.Route, call.Model, call.InputEstimate(), capText(call.MaxOutput), call.Stream)
	for _, t := range set.Trace(*r) {
		verdict := "no: " + t.Why
		if t.Matched {
			verdict = "matches"
		}
		fmt.Fprintf(w, "rule\t%s\t%s\n", t.Name, verdict)
	}
	if d.Kept != "" {
		fmt.Fprintf(w, "tier\t%s\tnot used: %s\n", d.Tier, d.Kept)
	} else if d.Tier != "" {
		fmt.Fprintf(w, "tier\t%s\tused\n", d.Tier)
	}
	for _, s := range pools.status(now) {
		fmt.Fprintf(w, "pool\t%s\t%s\n", s.Name, poolText(s))
	}
	chosen, refused := d.Choose(func(o *policies.Option) error { return spent.bear(set, r, o) })
	for _, o := range d.Options() {
		fmt.Fprintf(w, "option\t%s\t%s\n", o.Kind, optionText(&o))
	}
	for i := range set.Policy().Budgets {
		b := &set.Policy().Budgets[i]
		fmt.Fprintf(w, "budget\t%s\t%s USD a %s, %s USD spent, refills %s\n",
			b.Name, b.Limit, b.Window, spent[b.Name], b.End(now).Format("2006-01-02 15:04 MST"))
	}
	if refused != nil {
		fmt.Fprintf(w, "limit\t\t%v\n", refused)
	}
	fmt.Fprintf(w, "decision\t%s\t%s\n", chosen.Kind, outcomeText(set, r, chosen))
	return w.Flush()
}

// request reads the call as the server would.
func (x *explainFlags) request(set *policies.Set, body []byte) (*policies.Request, *provider.Request, error) {
	if x.path == "" {
		x.path = guessPath(body)
	}
	endpoint := provider.ParsePath(x.path)
	if endpoint.API == "" {
		return nil, nil, fmt.Errorf("path %q is no API that farebox reads: such calls pass untouched", x.path)
	}
	call, err := provider.ParseRequest(endpoint, x.path, body)
	if err != nil {
		return nil, nil, err
	}
	headers := map[string]string{}
	for _, h := range x.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, nil, fmt.Errorf("header %q: want NAME:VALUE", h)
		}
		headers[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	path, _, _ := strings.Cut(x.path, "?")
	r := &policies.Request{Call: &call, Path: path, Header: func(n string) string { return headers[n] }}
	r.Route, r.Vendor = set.Identify(x.host, path, endpoint.API)
	for i := range set.Policy().Dimensions {
		r.Dims = append(r.Dims, dimension(&set.Policy().Dimensions[i], headers))
	}
	return r, &call, nil
}

// dimension reads a value from the headers given. Claims and certificates are given as headers named after the
// source, "jwt:team" or "mtls:namespace", as the command line has no token.
func dimension(d *policies.Dimension, headers map[string]string) policies.Value {
	v := policies.Value{Name: d.Name}
	for _, s := range d.Sources {
		name := s.Key
		if s.Kind != policies.FromHeader {
			name = string(s.Kind) + "." + s.Key
		}
		if value := headers[name]; value != "" {
			v.Value, v.Verified = value, d.Verified(s.Kind)
			return v
		}
	}
	return v
}

// guessPath tells the APIs apart by what only one of them has.
func guessPath(body []byte) string {
	switch {
	case bytes.Contains(body, []byte(`"contents"`)):
		return "/v1beta/models/unknown:generateContent"
	case bytes.Contains(body, []byte(`"input"`)) && !bytes.Contains(body, []byte(`"messages"`)):
		return "/v1/responses"
	case bytes.Contains(body, []byte(`"claude-`)):
		return "/v1/messages"
	}
	return "/v1/chat/completions"
}

// balances is what is spent of each budget.
type balances map[policies.BudgetName]pricing.Money

func (x *explainFlags) amounts(set *policies.Set) (balances, error) {
	spent := balances{}
	for _, s := range x.spent {
		name, amount, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("spent %q: want BUDGET=$AMOUNT", s)
		}
		m, err := pricing.ParseMoney(strings.ReplaceAll(strings.TrimPrefix(amount, "$"), ",", ""))
		if err != nil {
			return nil, err
		}
		known := false
		for i := range set.Policy().Budgets {
			known = known || set.Policy().Budgets[i].Name == policies.BudgetName(name)
		}
		if !known {
			return nil, fmt.Errorf("spent %q: the policy has no budget %q", s, name)
		}
		spent[policies.BudgetName(name)] = m
	}
	return spent, nil
}

// bear reports whether the budgets can reserve an option, as the ledger would.
func (b balances) bear(set *policies.Set, _ *policies.Request, o *policies.Option) error {
	for i := range set.Policy().Budgets {
		budget := &set.Policy().Budgets[i]
		left := budget.Limit - b[budget.Name]
		if need := o.Charge(); need > left || (left <= 0 && !budget.FreeOnly) {
			return fmt.Errorf("budget %q: the call may cost %s USD, %s USD are left", budget.Name, need, max(left, 0))
		}
	}
	return nil
}

// poolState is the break-even of a server's pools; without a state folder no pool is cheaper yet.
type poolState struct {
	policies.NoState
	pools *upstream.Pools
	env   env
}

func (x *explainFlags) pools(set *policies.Set, e env) (*poolState, error) {
	s := &poolState{env: e}
	if x.state == "" || len(set.Policy().Pools) == 0 {
		return s, nil
	}
	pools, err := upstream.Read(x.state, e.now())
	if err != nil {
		return nil, err
	}
	pools.SetPools(set.Policy().Pools)
	s.pools = pools
	return s, nil
}

// Cheaper implements policies.State.
func (s *poolState) Cheaper(pool policies.RouteName) bool {
	return s.pools != nil && s.pools.Cheaper(pool, s.env.now())
}

// status lists the pools' break-even, empty without a state folder.
func (s *poolState) status(now time.Time) []upstream.PoolStatus {
	if s.pools == nil {
		return nil
	}
	return s.pools.Status(now)
}

func poolText(s upstream.PoolStatus) string {
	verdict := "dearer than the API"
	if s.Cheaper {
		verdict = "cheaper than the API"
	}
	return fmt.Sprintf("use %s: last 24 h %s USD at the API, %s USD of GPUs, %d tokens: %s",
		s.Use, s.APICost24h, s.GPUCost24h, s.Tokens24h, verdict)
}

func optionText(o *policies.Option) string {
	switch {
	case o.Kind == policies.Refuse:
		return o.Refusal.String()
	case o.Unbounded:
		return fmt.Sprintf("%s/%s, cost not bounded in advance", o.Route, o.Model)
	}
	return fmt.Sprintf("%s/%s, at most %s USD", o.Route, o.Model, o.Bound)
}

func capText(tokens int64) string {
	if tokens == 0 {
		return "no output cap"
	}
	return fmt.Sprintf("output cap %d", tokens)
}

// outcomeText says what the provider would receive.
func outcomeText(set *policies.Set, r *policies.Request, o *policies.Option) string {
	if o.Kind == policies.Refuse {
		return o.Refusal.String()
	}
	text := fmt.Sprintf("%s/%s", o.Route, o.Model)
	edits, err := r.Call.Rewrite(nil, o.Edit)
	switch {
	case err != nil:
		return text + ", not rewritten: " + err.Error()
	case !set.Enforcing():
		return text + " in enforce mode; this policy observes and changes nothing"
	}
	return fmt.Sprintf("%s, %d edits", text, len(edits))
}
