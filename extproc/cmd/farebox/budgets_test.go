package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/farebox-mesh/farebox/extproc/internal/admin"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// spend leaves a call in the ledger of a folder: spend DIR NAME=VALUE DOLLARS
func spend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: spend DIR NAME=VALUE DOLLARS")
	}
	cost, err := pricing.ParseMoney(args[2])
	ts.Check(err)
	name, value, _ := strings.Cut(args[1], "=")
	l, err := ledger.Open(ts.MkAbs(args[0]), ledger.Options{Now: scriptClock})
	ts.Check(err)
	id := ledger.NewID(scriptClock())
	call := ledger.Call{ID: id, Dims: []ledger.Dim{{Name: policies.DimensionName(name), Value: value, Verified: true}}}
	ts.Check(l.Reserve(ledger.Reservation{Call: call, Bound: cost, Charge: cost}, scriptClock()))
	ts.Check(l.Settle(ledger.Entry{
		Call: ledger.Call{ID: id}, Settled: scriptClock(), Outcome: ledger.OK, Cost: cost, Baseline: cost, Charge: cost,
	}))
	ts.Check(l.Close())
}

const teamPolicy = `version: 1
mode: enforce
dimensions:
  team: {from: [header:x-team], trusted: true}
budgets:
  - {name: every team, limit: $500 per month, per: team, zone: Europe/Berlin}
`

// farebox runs a command and returns its exit status and what it printed.
func farebox(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out strings.Builder
	status := run(t.Context(), args, env{strings.NewReader(""), &out, &out, time.Now})
	return status, out.String()
}

func TestAnOperatorTopsUpABudget(t *testing.T) {
	dir := shortDir(t)
	token, guess := filepath.Join(dir, "token"), filepath.Join(dir, "guess")
	check(t, os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(teamPolicy), 0o600))
	check(t, os.WriteFile(token, []byte("correct horse battery\n"), 0o600))
	check(t, os.WriteFile(guess, []byte("correct horse battery staple\n"), 0o600))
	s := startServiceIn(t, dir)
	admin := "http://" + s.admin
	topUp := []string{"budgets", "topup", "every team", "--admin", admin, "--amount", "$50", "--reason", "launch", "--who", "ada"}
	status, out := farebox(t, append(topUp, "--token", guess, "--scope", "team=search")...)
	if status != statusFailed || !strings.Contains(out, "401") || !strings.Contains(out, "operator's token") {
		t.Errorf("with a wrong token: exit status %d, %s", status, out)
	}
	status, out = farebox(t, append(topUp, "--token", token, "--scope", "user=ada")...)
	if status != statusFailed || !strings.Contains(out, `does not count by "user"`) {
		t.Errorf("with a scope that is none: exit status %d, %s", status, out)
	}
	status, out = farebox(t, append(topUp, "--token", token)...)
	if status != statusFailed || !strings.Contains(out, `counts per team: add --scope team=VALUE, or --scope 'team=(none)'`) {
		t.Errorf("without a scope: exit status %d, %s", status, out)
	}
	status, out = farebox(t, append(topUp, "--token", token, "--scope", "team=(none)")...)
	if status != statusOK || !strings.Contains(out, "every team topped up by 50.00 USD for team=(none) until ") {
		t.Errorf("for calls without a team: exit status %d, %s", status, out)
	}
	status, out = farebox(t, append(topUp, "--token", token, "--scope", "team=search", "--until", "2999-01-01T00:00:00Z")...)
	if status != statusOK || !strings.Contains(out, "every team topped up by 50.00 USD for team=search until ") ||
		!strings.Contains(out, "ends before 2999-01-01T00:00:00Z, and the top-up with it") {
		t.Errorf("exit status %d, %s", status, out)
	}
	status, out = farebox(t, "budgets", "--admin", admin)
	if status != statusOK || !strings.Contains(out, "team=search     550.00") || !strings.Contains(out, "by ada: launch") ||
		!regexp.MustCompile(` 00:00 CES?T `).MatchString(out) {
		t.Errorf("exit status %d, budgets:\n%s", status, out)
	}
	if status, out = farebox(t, "budgets", "--state", filepath.Join(dir, "state"), "--policy", s.policy); status != statusFailed ||
		!strings.Contains(out, "ask it with --admin") {
		t.Errorf("beside a running server: exit status %d, %s", status, out)
	}
	if status, out = farebox(t, "budgets", "--admin", admin, "--budget", "x"); status != statusFailed ||
		!strings.Contains(out, `no such budget: "x"; known: "every team"`) {
		t.Errorf("a budget that there is not: exit status %d, %s", status, out)
	}
	s.stop()
	s.wait(t)
	s = startServiceIn(t, dir)
	if status, out = farebox(t, "budgets", "--admin", "http://"+s.admin, "--budget", "every team"); status != statusOK ||
		!strings.Contains(out, "team=search     550.00") {
		t.Errorf("after a restart: exit status %d, budgets:\n%s", status, out)
	}
}

func TestATopUpThatIsNoneSaysWhy(t *testing.T) {
	dir := shortDir(t)
	token := filepath.Join(dir, "token")
	check(t, os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(teamPolicy), 0o600))
	check(t, os.WriteFile(token, []byte("correct horse battery\n"), 0o600))
	s := startServiceIn(t, dir)
	post := func(key, amount, scope string) (int, string) {
		t.Helper()
		body := `{"amount_usd": "` + amount + `", "scope": {` + scope + `}, "reason": "launch"}`
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.admin+"/api/budgets/every%20team/topup", strings.NewReader(body))
		check(t, err)
		r.Header.Set("Authorization", "Bearer correct horse battery")
		r.Header.Set("Content-Type", "application/json")
		if key != "" {
			r.Header.Set(admin.KeyHeader, key)
		}
		answer, err := http.DefaultClient.Do(r)
		check(t, err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		check(t, err)
		return answer.StatusCode, string(text)
	}
	for _, tt := range []struct {
		key, amount, scope string
		status             int
		says               string
	}{
		{"", "0", `"team": "a"`, 400, "amount must be above 0"},
		{"", "-5", `"team": "a"`, 400, "amount must be above 0"},
		{"", "5", `"team": ""`, 400, "scope team: the value is empty"},
		{"", "5", `"team": "` + strings.Repeat("x", 513) + `"`, 400, "no call has one of more than 512"},
		{"", "5", `"team": "a\u0000"`, 400, "control character"},
		{"", "5", "\"team\": \"\xff\"", 400, "no valid UTF-8"},
		{"", "5", `"user": "a"`, 400, `does not count by \"user\"`},
		{"ticket 7", "5", `"team": "a"`, 200, "5.000000000"},
		{"ticket 7", "5", `"team": "a"`, 200, "5.000000000"},
		{"ticket 7", "6", `"team": "a"`, 409, "key is taken"},
	} {
		if status, text := post(tt.key, tt.amount, tt.scope); status != tt.status || !strings.Contains(text, tt.says) {
			t.Errorf("%s for %s: status %d, want %d with %q in %s", tt.amount, tt.scope, status, tt.status, tt.says, text)
		}
	}
	for want, args := range map[string][]string{
		"amount must be above 0":         {"--amount", "0", "--scope", "team=a"},
		"scope team: the value is empty": {"--amount", "5", "--scope", "team="},
		"no valid UTF-8":                 {"--amount", "5", "--scope", "team=\xff"},
		"every team topped up by 5.00":   {"--amount", "5", "--scope", "team=a", "--key", "ticket 8", "--who", "ada"},
		"key is taken":                   {"--amount", "5", "--scope", "team=a", "--key", "ticket 7", "--who", "ada"},
		"at most 128":                    {"--amount", "5", "--scope", "team=a", "--key", "\n"},
	} {
		args = append([]string{"budgets", "topup", "every team", "--admin", "http://" + s.admin, "--reason", "launch", "--token", token}, args...)
		if _, out := farebox(t, args...); !strings.Contains(out, want) {
			t.Errorf("%q: want %q in %s", args, want, out)
		}
	}
	if status, out := farebox(t, "budgets", "--admin", "http://"+s.admin); status != statusOK || !strings.Contains(out, "team=a     510.00") {
		t.Errorf("exit status %d, want two top-ups: %s", status, out)
	}
}

func TestATokenForTheAdminPortIsAFile(t *testing.T) {
	for _, tt := range []struct{ source, want string }{
		{"correct horse battery", "it is a file with a line of at least 16 random bytes"},
		{"file:" + filepath.Join(t.TempDir(), "none"), "no such file"},
	} {
		if _, err := adminToken(tt.source); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.source, err, tt.want)
		}
	}
	path := filepath.Join(t.TempDir(), "token")
	check(t, os.WriteFile(path, []byte("correct horse battery\n"), 0o600))
	for _, source := range []string{path, "file:" + path} {
		if _, err := adminToken(source); err != nil {
			t.Errorf("%q: %v", source, err)
		}
	}
}

func TestSharedBudgetsHaveColumnsOfTheirOwn(t *testing.T) {
	one, sixty, left := admin.Dollars(pricing.Dollar), admin.Dollars(60*pricing.Dollar), admin.Dollars(41*pricing.Dollar)
	var out strings.Builder
	twenty := admin.Dollars(20*pricing.Dollar + 1)
	check(t, printBudgets(&out, admin.Budgets{Outage: true, Since: scriptClock(), Budgets: []admin.Budget{
		{Budget: "company", Limit: admin.Dollars(100 * pricing.Dollar), Shared: true, Leased: &one, Granted: &sixty, Left: &left},
		{Budget: "new", Shared: true, Spent: twenty, Elsewhere: &twenty},
		{Budget: "own", Left: &left},
	}}))
	if !strings.Contains(out.String(), "topped up at another replica by 20.000000001 USD") {
		t.Errorf("want the top-up of another replica in\n%s", &out)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{"LEASED USD GRANTED USD LEFT USD", "1.00 60.00 41.00", "? ? ?", "- - 41.00", admin.SharedNote,
		"Redis is out of reach, or hands nothing out, since 2026-11-24 12:00:00 UTC: numbers are as last known."} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.Contains(got, want) {
			t.Errorf("line %d is %q, want %q in it", i, got, want)
		}
	}
}

func TestAmountsStandBelowEachOther(t *testing.T) {
	got := alignAmounts([]string{"SPENT USD", "1.00", "14200.000000001", "?", "-3.50"})
	want := []string{"      SPENT USD", "    1.000000000", "14200.000000001", "              ?", "   -3.500000000"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("column (-want +got):\n%s", diff)
	}
}
