package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/admin"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/pricing"
)

// maxAnswer bounds what is read from the admin port, in bytes: the balances of some hundred thousand scopes.
const maxAnswer = 256 << 20

const budgetsSynopsis = `budgets [--admin URL | --state DIR --policy FILE] [--json] [--budget NAME]
       farebox budgets topup NAME --amount AMOUNT --reason TEXT --token FILE [flags]`

// budgetsFlags are the flags of farebox budgets.
type budgetsFlags struct {
	admin, state, policy, budget string
	json                         bool

	amount, reason, token, who, until, key string
	scope                                  list
}

func (b *budgetsFlags) define(f *flag.FlagSet) {
	f.StringVar(&b.admin, "admin", "http://127.0.0.1:9902", "`URL` of a server's admin port")
	f.StringVar(&b.state, "state", "", "state `DIR` of a server that does not run; what it left open is settled, as by its next start")
	f.StringVar(&b.policy, "policy", "", "with --state: policy `FILE` with the budgets")
	f.StringVar(&b.budget, "budget", "", "show the budget of this `NAME` only")
	f.BoolVar(&b.json, "json", false, "print JSON")
	f.StringVar(&b.amount, "amount", "", "topup: `AMOUNT` to raise the limit by until the window ends, in dollars")
	f.Var(&b.scope, "scope", "topup: `NAME=VALUE` of a dimension that the budget counts by; may be repeated")
	f.StringVar(&b.until, "until", "", "topup: `TIME` when it ends, in RFC 3339, if before the window does")
	f.StringVar(&b.key, "key", "", "topup: `TEXT` that names it, at most 128 characters: sent again with the same key, to any replica, it counts once")
	f.StringVar(&b.reason, "reason", "", "topup: `TEXT` for the ledger")
	f.StringVar(&b.who, "who", "", "topup: `NAME` for the ledger (default $USER)")
	f.StringVar(&b.token, "token", "", "topup: `FILE`, or file:PATH, with the token of farebox serve --admin-token")
}

// runBudgets shows how budgets stand, or tops one up.
func runBudgets(ctx context.Context, args []string, e env) int {
	var b budgetsFlags
	f := flags("budgets", budgetsSynopsis, e)
	b.define(f)
	topUp := len(args) > 0 && args[0] == "topup"
	if topUp {
		args = args[1:]
	}
	if topUp && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		b.budget, args = args[0], args[1:]
	}
	if status, ok := parse(f, args); !ok {
		return status
	}
	if wrong := b.wrongUse(topUp, f.Args()); wrong != "" {
		return misused(f, wrong)
	}
	do := b.show
	if topUp {
		do = b.topUp
	}
	if err := do(ctx, e); err != nil {
		return e.fail(err)
	}
	return statusOK
}

// wrongUse says what is missing among the flags, or too much, "" if they can be used.
func (b *budgetsFlags) wrongUse(topUp bool, rest []string) string {
	switch {
	case topUp && b.budget == "":
		return "topup: the NAME of a budget is missing; it comes right after topup"
	case topUp && b.amount == "":
		return "topup: --amount AMOUNT is missing"
	case topUp && b.token == "":
		return "topup: --token FILE is missing: the token that farebox serve --admin-token names"
	case topUp && b.state != "":
		return "topup: a server must run: --state cannot be topped up, --admin can"
	case len(rest) > 0:
		return surplus(rest[0])
	case b.state != "" && b.policy == "":
		return "--state needs --policy FILE"
	case b.state == "" && b.policy != "":
		return "--policy is for --state DIR"
	}
	return ""
}

// show prints how budgets stand.
func (b *budgetsFlags) show(ctx context.Context, e env) error {
	read := b.ask
	if b.state != "" {
		read = b.open
	}
	budgets, err := read(ctx, e)
	if err != nil {
		return err
	}
	if len(budgets.Budgets) == 0 && b.budget != "" {
		if err := b.named(ctx, e); err != nil {
			return err
		}
	}
	if b.json {
		out := json.NewEncoder(e.stdout)
		out.SetIndent("", "  ")
		return out.Encode(budgets)
	}
	return printBudgets(e.stdout, budgets)
}

// named reports that there is no budget of the name that was asked for, nil if nobody has spent of it yet.
func (b *budgetsFlags) named(ctx context.Context, e env) error {
	if b.state != "" {
		set, err := load(b.policy, io.Discard)
		if err != nil {
			return err
		}
		return known(b.budget, budgetNames(set.Policy().Budgets))
	}
	at, err := b.url("policy")
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	text, err := answer(request)
	if err != nil {
		return err
	}
	policy, problems := policyfile.Parse("the policy of "+b.admin, text)
	if err := problems.Err(); err != nil {
		return err
	}
	return known(b.budget, budgetNames(policy.Budgets))
}

// ask reads the budgets of a server.
func (b *budgetsFlags) ask(ctx context.Context, _ env) (budgets admin.Budgets, err error) {
	at, err := b.url("api", "budgets")
	if err != nil {
		return budgets, err
	}
	if b.budget != "" {
		at += "?budget=" + url.QueryEscape(b.budget)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return budgets, err
	}
	if err := call(request, &budgets); err != nil {
		return budgets, err
	}
	for i := range budgets.Budgets {
		row := &budgets.Budgets[i]
		row.Since, row.Refills = inZone(row.Since, row.Zone), inZone(row.Refills, row.Zone)
	}
	return budgets, nil
}

// open reads the budgets from the folder of a server that does not run.
func (b *budgetsFlags) open(ctx context.Context, e env) (budgets admin.Budgets, err error) {
	if _, err := ledgerSize(b.state); err != nil {
		return budgets, err
	}
	set, err := load(b.policy, e.stderr)
	if err != nil {
		return budgets, err
	}
	logger := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	l, err := ledger.Open(b.state, ledger.Options{Now: e.now, Logger: logger})
	if errors.Is(err, ledger.ErrInUse) {
		return budgets, fmt.Errorf("%w; ask it with --admin", err)
	}
	if err != nil {
		return budgets, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.SetBudgets(ctx, set.Policy().Budgets, e.now()); err != nil {
		return budgets, err
	}
	other := func(row ledger.Balance) bool { return b.budget != "" && string(row.Budget) != b.budget }
	return admin.NewBudgets(slices.DeleteFunc(l.Balances(e.now()), other), e.now()), nil
}

// topUp raises the limit of a budget of a server.
func (b *budgetsFlags) topUp(ctx context.Context, e env) error {
	order, err := b.order(e.now())
	if err != nil {
		return err
	}
	token, err := readToken(b.token)
	if err != nil {
		return err
	}
	at, err := b.url("api", "budgets", b.budget, "topup")
	if err != nil {
		return err
	}
	body, err := json.Marshal(order)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	if b.key != "" {
		request.Header.Set(admin.KeyHeader, b.key)
	}
	var done admin.TopUp
	if err := call(request, &done); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s topped up by %s for %s until %s\n", b.budget, usd(pricing.Money(done.Amount)), scopeWords(done.Scope), moment(inZone(done.Until, done.Zone)))
	if !order.Until.IsZero() && done.Until.Before(order.Until) {
		fmt.Fprintf(e.stderr, "farebox: the window of the budget ends before %s, and the top-up with it\n", b.until)
	}
	return nil
}

// order is what the flags ask for.
func (b *budgetsFlags) order(now time.Time) (*admin.Order, error) {
	amount, err := pricing.ParseMoney(strings.ReplaceAll(strings.TrimPrefix(b.amount, "$"), ",", ""))
	if err != nil {
		return nil, fmt.Errorf("amount %q: %w", b.amount, err)
	}
	if amount <= 0 {
		return nil, fmt.Errorf("amount %q: amount must be above 0", b.amount)
	}
	if b.key != "" && !admin.CheckKey(b.key) {
		return nil, fmt.Errorf("key %q: want at most 128 visible ASCII characters", b.key)
	}
	o := &admin.Order{Amount: admin.Dollars(amount), Who: cmp.Or(b.who, os.Getenv("USER")), Reason: b.reason}
	for _, s := range b.scope {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("scope %q: want NAME=VALUE", s)
		}
		if err := ledger.CheckValue(value); err != nil {
			return nil, fmt.Errorf("scope %s: %w", name, err)
		}
		if o.Scope == nil {
			o.Scope = map[policies.DimensionName]string{}
		}
		o.Scope[policies.DimensionName(name)] = value
	}
	if b.until != "" {
		if o.Until, err = time.Parse(time.RFC3339, b.until); err != nil {
			return nil, fmt.Errorf("until %q: want a time such as 2026-11-24T18:00:00Z", b.until)
		}
		if !o.Until.After(now) {
			return nil, fmt.Errorf("until %q: that is past", b.until)
		}
	}
	return o, nil
}

// url returns an address on the admin port.
func (b *budgetsFlags) url(path ...string) (string, error) {
	base, err := url.Parse(b.admin)
	if err != nil || base.Host == "" {
		return "", fmt.Errorf("admin %q: want a URL such as http://127.0.0.1:9902", b.admin)
	}
	for i := range path {
		path[i] = url.PathEscape(path[i])
	}
	return base.JoinPath(path...).String(), nil
}

// call sends a request to the admin port and reads the JSON of its answer.
func call(request *http.Request, into any) error {
	text, err := answer(request)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read answer of the admin port: %w", err)
	}
	return nil
}

// answer sends a request to the admin port and returns the body of its answer.
func answer(request *http.Request) ([]byte, error) {
	client := http.Client{Timeout: time.Minute}
	response, err := client.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w; --admin names the port of a server, --state and --policy the files of one that does not run", err)
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read answer of the admin port: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		if json.Unmarshal(text, &refusal) != nil || refusal.Error == "" {
			refusal.Error = strings.TrimSpace(string(text[:min(len(text), 200)]))
		}
		return nil, fmt.Errorf("the admin port answered %s: %s", response.Status, refusal.Error)
	}
	return text, nil
}
