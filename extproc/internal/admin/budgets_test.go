package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// TopUp knows the budget "every team", and takes no more than $100.
func (b *book) TopUp(t ledger.TopUp, now time.Time) (ledger.TopUp, error) {
	switch {
	case t.Budget != "every team":
		return t, fmt.Errorf("%w: %q", ledger.ErrNoBudget, t.Budget)
	case t.Amount > 100*pricing.Dollar:
		return t, ledger.ErrBadOrder
	case t.Key == "taken":
		return t, ledger.ErrTaken
	case t.Key == "away":
		return t, ledger.ErrAway
	case t.Amount == 99*pricing.Dollar:
		return t, ledger.ErrJournal
	}
	t.From, t.Until = now, now.Add(time.Hour)
	b.topUps = append(b.topUps, t)
	return t, nil
}

func TestBudgetsAreShownAsJSON(t *testing.T) {
	b := &book{summary: aDay(), balances: []ledger.Balance{{
		Budget: "every team", Limit: 100 * pricing.Dollar, Spent: 80 * pricing.Dollar, Reserved: pricing.Dollar, Left: 19 * pricing.Dollar,
		Scope: []ledger.Dim{{Name: "team", Value: "search", Verified: true}}, Start: noon, Refills: noon.Add(time.Hour),
		Steps:  []policies.Step{{Percent: 81, Do: policies.StepAlert}, {Percent: 90, Do: policies.StepCapTier, Tier: "medium"}},
		TopUps: []ledger.TopUp{{Amount: 50 * pricing.Dollar, From: noon, Until: noon.Add(time.Hour), Who: "ada", Reason: "launch"}},
	}}}
	w := get(t, New(config(b)), "/api/budgets?budget=every+team")
	want := `{
  "at": "2026-11-22T12:00:00Z",
  "budgets": [
    {
      "budget": "every team",
      "scope": {
        "team": "search"
      },
      "limit_usd": "100.000000000",
      "spent_usd": "80.000000000",
      "reserved_usd": "1.000000000",
      "left_usd": "19.000000000",
      "since": "2026-11-22T12:00:00Z",
      "refills": "2026-11-22T13:00:00Z",
      "zone": "UTC",
      "steps": [
        {
          "percent": 81,
          "do": "alert",
          "passed": true
        },
        {
          "percent": 90,
          "do": "cap tier",
          "tier": "medium",
          "passed": false
        }
      ],
      "top_ups": [
        {
          "amount_usd": "50.000000000",
          "from": "2026-11-22T12:00:00Z",
          "until": "2026-11-22T13:00:00Z",
          "who": "ada",
          "reason": "launch"
        }
      ]
    }
  ]
}
`
	if diff := cmp.Diff(want, w.Body.String()); w.Code != http.StatusOK || diff != "" {
		t.Errorf("status %d (-want +got):\n%s", w.Code, diff)
	}
	var read Budgets
	if err := json.Unmarshal(w.Body.Bytes(), &read); err != nil || read.Budgets[0].Limit != Dollars(100*pricing.Dollar) {
		t.Errorf("read back %+v, %v", read, err)
	}
}

func TestSharedBalancesSayWhatIsOfAllReplicas(t *testing.T) {
	shared := ledger.Balance{Budget: "company", Limit: 100 * pricing.Dollar, Spent: 3 * pricing.Dollar, Left: 41 * pricing.Dollar, Shared: true}
	told := shared
	told.Known, told.Granted, told.Leased = true, 60*pricing.Dollar, pricing.Dollar
	raised := told
	raised.Elsewhere = 20 * pricing.Dollar
	for _, tt := range []struct {
		name                 string
		balance              ledger.Balance
		down                 bool
		json, page, unwanted string
	}{
		{"told", told, false, `"left_usd": "41.000000000"`, `<td class="n">$41.00</td>`, `id="outage"`},
		{"granted", told, false, `"granted_usd": "60.000000000"`, `<td class="n">$1.00</td><td class="n">$60.00</td>`, "?</td>"},
		{"topped up elsewhere", raised, false, `"topped_up_elsewhere_usd": "20.000000000"`, `topped up at another replica by $20.00`, `id="outage"`},
		{"since when", told, true, `"shared_out_of_reach_since": "2026-11-22T11:00:00Z"`, "since 2026-11-22 11:00:00 UTC: numbers are as last known", "?</td>"},
		{"never told", shared, false, `"shared": true`, `<td class="n">?</td>`, "left_usd"},
		{"out of reach", told, true, `"leased_usd": "1.000000000"`, `id="outage"`, "?</td>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := New(config(&book{summary: aDay(), balances: []ledger.Balance{tt.balance}, shared: &lease.Stats{Down: tt.down, Since: noon.Add(-time.Hour)}}))
			api, summary, page := get(t, h, "/api/budgets").Body.String(), get(t, h, "/api/summary").Body.String(), get(t, h, "/").Body.String()
			if !strings.Contains(api, tt.json) || !strings.Contains(summary, tt.json) {
				t.Errorf("want %s in %s\nand in %s", tt.json, api, summary)
			}
			if want := fmt.Sprintf(`"shared_out_of_reach": %t`, tt.down); !strings.Contains(summary, want) {
				t.Errorf("want %s in %s", want, summary)
			}
			if got := strings.Contains(api, `"shared_out_of_reach": true`); got != tt.down {
				t.Errorf("out of reach %t, want %t: %s", got, tt.down, api)
			}
			if !strings.Contains(page, tt.page) || !strings.Contains(page, SharedNote) || strings.Contains(api+page, tt.unwanted) {
				t.Errorf("want %q, not %q, in %s", tt.page, tt.unwanted, page)
			}
		})
	}
}

func TestATopUpNeedsTheTokenAndJSON(t *testing.T) {
	const order = `{"amount_usd": "50", "scope": {"team": "search", "user": "(none)"}, "reason": "launch"}`
	for _, tt := range []struct {
		name, budget, token, kind, body string
		key                             string
		off                             bool
		want                            int
		says                            string
	}{
		{name: "granted", want: 200},
		{name: "switched off", off: true, want: 404, says: "--admin-token"},
		{name: "no token", token: "-", want: 401, says: "token"},
		{name: "wrong token", token: "Bearer guess", want: 401, says: "token"},
		{name: "other scheme", token: "Basic s3cret", want: 401, says: "token"},
		{name: "form", kind: "text/plain", want: 415, says: "application/json"},
		{name: "unknown budget", budget: "nobody", want: 404, says: "nobody"},
		{name: "unknown field", body: `{"amount": "50", "reason": "x"}`, want: 400, says: "amount"},
		{name: "two orders", body: order + order, want: 400, says: "follows"},
		{name: "no reason", body: `{"amount_usd": "50"}`, want: 400, says: "reason"},
		{name: "too much", body: `{"amount_usd": "101", "reason": "x"}`, want: 400},
		{name: "no UTF-8", body: "{\"amount_usd\": \"50\", \"scope\": {\"team\": \"\xff\"}, \"reason\": \"x\"}", want: 400, says: "UTF-8"},
		{name: "longer than orders are", body: `{"amount_usd": "50", "reason": "` + strings.Repeat("x", maxOrder) + `"}`, want: 413, says: "more than"},
		{name: "key of another order", key: "taken", want: 409},
		{name: "key while balances are out of reach", key: "away", want: 503, says: "without a key"},
		{name: "long key", key: strings.Repeat("x", 129), want: 400, says: "Idempotency-Key"},
		{name: "strange key", key: "é", want: 400, says: "Idempotency-Key"},
		{name: "journal not written", body: `{"amount_usd": "99", "reason": "x"}`, want: 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &book{}
			c := config(b)
			if !tt.off {
				c.Token = NewToken("s3cret")
			}
			r := httptest.NewRequest("POST", "/api/budgets/every%20team/topup", strings.NewReader(order))
			if tt.budget != "" {
				r = httptest.NewRequest("POST", "/api/budgets/"+tt.budget+"/topup", strings.NewReader(order))
			}
			if tt.body != "" {
				r = httptest.NewRequest("POST", "/api/budgets/every%20team/topup", strings.NewReader(tt.body))
			}
			r.Host = "localhost"
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer s3cret")
			if tt.kind != "" {
				r.Header.Set("Content-Type", tt.kind)
			}
			if tt.token != "" {
				r.Header.Set("Authorization", strings.TrimPrefix(tt.token, "-"))
			}
			if tt.key != "" {
				r.Header.Set("Idempotency-Key", tt.key)
			}
			w := httptest.NewRecorder()
			New(c).ServeHTTP(w, r)
			if w.Code != tt.want || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("got status %d, want %d, with %q in %s", w.Code, tt.want, tt.says, w.Body)
			}
			if (len(b.topUps) > 0) != (tt.want == 200) {
				t.Errorf("got top-ups %+v", b.topUps)
			}
			if tt.want != 200 {
				return
			}
			want := ledger.TopUp{
				Budget: "every team", Scope: []ledger.Dim{{Name: "team", Value: "search", Verified: true}, {Name: "user", Value: ledger.None}},
				Amount: 50 * pricing.Dollar, From: noon, Until: noon.Add(time.Hour), Who: "operator", Reason: "launch",
			}
			if diff := cmp.Diff([]ledger.TopUp{want}, b.topUps); diff != "" {
				t.Errorf("top-ups (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATopUpIsNotToBeHadByGET(t *testing.T) {
	c := config(&book{})
	c.Token = NewToken("s3cret")
	if w := get(t, New(c), "/api/budgets/every%20team/topup"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("got status %d, want 405", w.Code)
	}
}
