package exchange

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// apiCalls is a call of every API with the place of the message in its errors.
var apiCalls = []struct {
	name string
	call call
	at   func(map[string]any) any
}{
	{"chat", chat(ask), inError},
	{"responses", call{path: "/v1/responses", body: `{"model":"gpt-4o","input":"Hi","max_output_tokens":100}`}, inError},
	{"messages", call{path: "/v1/messages", body: `{"model":"claude-sonnet-4-6","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`}, inError},
	{"Gemini", call{path: "/v1beta/models/gemini-2.5-pro:generateContent", body: `{"contents":[],"generationConfig":{"maxOutputTokens":100}}`}, inError},
}

func inError(body map[string]any) any {
	e, _ := body["error"].(map[string]any)
	return e["message"]
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name    string
		policy  string
		body    func(string) string // what is sent in place of a good body
		spent   pricing.Money
		status  int
		details string
		says    string
	}{
		{
			name: "budget", policy: limited, spent: 10*pricing.Dollar - 1, status: 429, details: "farebox_budget",
			says: `budget "company" has $0.000000001 left of $10.00`,
		},
		{
			name: "unknown model", policy: "mode: enforce\nunknown_model: refuse\n", status: 403, details: "farebox_unknown_model",
			body: strings.NewReplacer("gpt-4o", "unheard-of", "claude-sonnet-4-6", "unheard-of").Replace, says: "unheard-of",
		},
		{
			name: "unpriced", policy: limited + "unknown_model: {charge: $30 per 1M}\n", status: 403, details: "farebox_unpriced",
			body: strings.NewReplacer("gpt-4o", "unheard-of", "claude-sonnet-4-6", "unheard-of", "100", "null").Replace, says: "cannot be bounded",
		},
		{name: "malformed", policy: limited, body: func(s string) string { return s[:len(s)-1] }, status: 400, details: "farebox_bad_request", says: ""},
		{
			name: "a key twice", policy: limited, status: 400, details: "farebox_bad_request", says: "",
			body: func(s string) string { return strings.Replace(s, "{", `{"stream":true,"stream":false,`, 1) },
		},
	} {
		for _, api := range apiCalls {
			t.Run(tt.name+" of "+api.name, func(t *testing.T) {
				if api.name == "Gemini" && (tt.name == "unknown model" || tt.name == "unpriced") {
					api.call.path = "/v1beta/models/unheard-of:generateContent"
				}
				if api.name == "Gemini" && tt.name == "a key twice" {
					api.call.body = `{"contents":[],"contents":[]}`
				} else if tt.body != nil {
					api.call.body = tt.body(api.call.body)
				}
				w := newWorld(t, tt.policy)
				w.spend(t, tt.spent)
				x, reply := w.send(t, api.call)
				a := reply.Answer
				if a == nil || a.Status != tt.status || a.Details != tt.details {
					t.Fatalf("got %+v, want status %d, %s", a, tt.status, tt.details)
				}
				var body map[string]any
				must(t, json.Unmarshal(a.Body, &body))
				if message, _ := api.at(body).(string); message == "" || !strings.Contains(message, tt.says) {
					t.Errorf("message %q, want %q in it: %s", message, tt.says, a.Body)
				}
				h := fields(a.Headers)
				if h["x-should-retry"] != "false" || h["x-farebox-decision"] != "refuse" || (h["retry-after"] == "60") != (tt.status == 429) ||
					(h["x-farebox-refills"] == "") != (tt.details != "farebox_budget") {
					t.Errorf("headers %v", h)
				}
				x.End(StreamEnded)
				if open := w.books.Stats().Open; open != 0 {
					t.Errorf("%d reservations left open", open)
				}
			})
		}
	}
}

// full is a ledger whose journal cannot be written.
type full struct{ Ledger }

func (full) Reserve(ledger.Reservation, time.Time) error { return ledger.ErrJournal }
func (full) Book(ledger.Reservation, time.Time) (*ledger.LimitError, error) {
	return nil, ledger.ErrClosed
}

func TestAJournalThatCannotBeWrittenLetsNothingOut(t *testing.T) {
	w := newWorld(t, limited)
	w.ledger = full{w.books}
	_, reply := w.send(t, chat(ask))
	if a := reply.Answer; a == nil || a.Status != 503 || a.Details != "farebox_journal" {
		t.Errorf("got %+v, want status 503", a)
	}
	w = newWorld(t, "mode: observe\n")
	w.ledger = full{w.books}
	x, reply := w.send(t, chat(ask))
	if reply.Answer != nil {
		t.Errorf("observe mode answered: %+v", reply.Answer)
	}
	if _, err := x.ResponseBody([]byte(said), true); err != nil {
		t.Error(err)
	}
	if got := w.books.Stats().Duplicates; got != 0 {
		t.Errorf("settled %d times what was never booked", got)
	}
}

// A full disk would else fill another one.
func TestAJournalThatCannotBeWrittenIsLoggedSeldom(t *testing.T) {
	for _, policy := range []string{limited, "mode: observe\n"} {
		var log strings.Builder
		w := newWorld(t, policy)
		w.ledger, w.logger = unwritable{full{w.books}}, slog.New(slog.NewTextHandler(&log, nil))
		for range 5 {
			x, _ := w.send(t, chat(ask))
			x.End(StreamEnded)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%sfive calls: %d errors, want one:\n%s", policy, n, log.String())
		}
		w.clock.set(noon.Add(tellEvery))
		x, _ := w.send(t, chat(ask))
		x.End(StreamEnded)
		if n := strings.Count(log.String(), "level=ERROR"); n != 2 || !strings.Contains(log.String(), "not_logged=4 ") {
			t.Errorf("%slater: %d errors, want two, the second of five calls:\n%s", policy, n, log.String())
		}
	}
}

// unwritable is a ledger whose journal cannot be written in observe mode either.
type unwritable struct{ full }

func (unwritable) Book(ledger.Reservation, time.Time) (*ledger.LimitError, error) {
	return nil, ledger.ErrJournal
}

func TestACredentialThatIsGoneLetsNothingOut(t *testing.T) {
	w := newWorld(t, moving)
	w.Publish(&Snapshot{Set: w.snapshot.Load().Set, Credentials: noCredentials{}})
	_, reply := w.send(t, chat(ask, feature("second")))
	if a := reply.Answer; a == nil || a.Status != 503 || a.Details != "farebox_credential" {
		t.Errorf("got %+v, want status 503", a)
	}
	if e := w.entry(t); e.Outcome != ledger.Released {
		t.Errorf("outcome %s, want released", e.Outcome)
	}
}

func TestAReloadTakesNoCredentialFromACallUnderWay(t *testing.T) {
	w := newWorld(t, moving)
	x := w.Begin()
	_, err := x.RequestHeaders(chat("", feature("second")).incoming())
	must(t, err)
	w.Publish(&Snapshot{Set: compile(t, "mode: enforce\n"), Credentials: noCredentials{}})
	reply, err := x.RequestBody([]byte(ask))
	must(t, err)
	if got := fields(reply.Set)["authorization"]; got != "Bearer sk-second" {
		t.Errorf("authorization %q, answer %+v; want the key of the policy that the call began with", got, reply.Answer)
	}
}

// noCredentials has lost all keys.
type noCredentials struct{}

func (noCredentials) Get(policies.RouteName) (upstream.Secret, bool) { return upstream.Secret{}, false }

// outOfReach is a ledger whose shared balances cannot be reached.
type outOfReach struct{ Ledger }

func (outOfReach) Reserve(ledger.Reservation, time.Time) error {
	return &ledger.LimitError{Budget: "company", Outage: true}
}

func TestAnOutageIsNotLoggedForEveryCall(t *testing.T) {
	w := newWorld(t, limited)
	var log strings.Builder
	w.ledger, w.logger = outOfReach{w.ledger}, slog.New(slog.NewTextHandler(&log, nil))
	for _, after := range []time.Duration{0, time.Second, 8 * time.Second, 2 * time.Second, 3 * time.Second} {
		w.clock.set(w.clock.now().Add(after))
		w.send(t, chat(ask))
	}
	if got := strings.Count(log.String(), "shared balances out of reach"); got != 2 {
		t.Errorf("5 refused calls in 14 seconds were logged %d times, want 2:\n%s", got, log.String())
	}
}

// counting counts the reservations that are tried.
type counting struct {
	Ledger
	tried *int
}

func (c counting) Reserve(r ledger.Reservation, now time.Time) error {
	*c.tried++
	return c.Ledger.Reserve(r, now)
}

// TestACallIsDecidedAgainOnlyForABudgetThatFitsAnswers: a shorter answer helps with no other.
func TestACallIsDecidedAgainOnlyForABudgetThatFitsAnswers(t *testing.T) {
	for fits, want := range map[string]int{"a": 1, "b": maxFits} {
		policy := "mode: enforce\nproviders: {openai: {hosts: [api.openai.com], credential: caller}}\nbudgets:\n"
		for _, b := range []string{"{name: a, limit: $1 per day, for: {provider: anthropic}", "{name: b, limit: $0.000000001 per day"} {
			if strings.Contains(b, "name: "+fits) {
				b += ", fit_output: down to 1 tokens"
			}
			policy += "  - " + b + "}\n"
		}
		w, tried := newWorld(t, policy), 0
		w.ledger = counting{w.ledger, &tried}
		if _, reply := w.send(t, chat(`{"model":"gpt-4o","max_tokens":100,"messages":[]}`)); reply.Answer == nil || tried != want {
			t.Errorf("budget %s fits: %d tries, want %d", fits, tried, want)
		}
	}
}
