package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// book is a ledger, pools and cache with known content.
type book struct {
	summary ledger.Summary
	err     error
	asked   []time.Duration // lengths of the summaries that were asked for

	balances []ledger.Balance // instead of the usual ones
	topUps   []ledger.TopUp
	shared   *lease.Stats // nil: nothing is shared
}

func (b *book) Shared() (lease.Stats, bool) {
	if b.shared == nil {
		return lease.Stats{}, false
	}
	return *b.shared, true
}

func (b *book) Summary(_ context.Context, since, until time.Time) (*ledger.Summary, error) {
	b.asked = append(b.asked, until.Sub(since))
	s := b.summary
	return &s, b.err
}

func (b *book) Entries(_ context.Context, f ledger.Filter, _ int) ([]ledger.Entry, error) {
	switch {
	case b.summary.Calls == 0:
		return nil, nil
	case !f.Calls:
		return nil, errors.New("the latest calls were asked for with what is no call")
	}
	return []ledger.Entry{{
		Call: ledger.Call{
			At: noon, Route: "openai", Asked: "gpt-6-astra", Model: "<script>alert(1)</script>", Tier: "routing",
			Dims: []ledger.Dim{{Name: "team", Value: "search"}, {Name: "feature", Value: "\"><b>intent"}},
		},
		Outcome: ledger.OK, Usage: pricing.Usage{Input: 1200, CacheRead: 300, Output: 2},
		Cost: 1_234_567, Baseline: 9_000_000, Estimated: true,
	}}, nil
}

func (b *book) Balances(time.Time) []ledger.Balance {
	switch {
	case b.balances != nil:
		return b.balances
	case b.summary.Calls == 0:
		return nil
	}
	return []ledger.Balance{
		{Budget: "company", Limit: 14_200 * pricing.Dollar, Spent: 1_420 * pricing.Dollar, Left: 12_780 * pricing.Dollar, Refills: noon},
		{
			Budget: "every team", Scope: []ledger.Dim{{Name: "team", Value: "search"}}, Limit: 500 * pricing.Dollar,
			Spent: 450 * pricing.Dollar, Reserved: 60 * pricing.Dollar, Refills: noon,
		},
	}
}

func (b *book) Status(time.Time) []upstream.PoolStatus {
	return []upstream.PoolStatus{{
		Name: "gpu", Use: policies.WhenCheaper, APICost24h: 126 * pricing.Dollar, GPUCost24h: 100_800_000_000,
		Tokens24h: 12_345_678, Cheaper: true, Load: upstream.Load{Known: true, Utilisation: 0.4217},
	}, {
		Name: "spare", Use: policies.Never, GPUCost24h: 24 * pricing.Dollar, Load: upstream.Load{Why: "not measured"},
	}}
}

func (b *book) Stats() cache.Stats { return cache.Stats{Entries: 42, Bytes: 3 << 19} }

func sums(calls int64, cost, baseline pricing.Money) ledger.Sums {
	return ledger.Sums{Calls: calls, Cost: cost, Baseline: baseline}
}

// aDay is 10,000 calls that cost $160 instead of $1,000.
func aDay() ledger.Summary {
	s := ledger.Summary{
		Sums:      sums(10_000, 160*pricing.Dollar, 1000*pricing.Dollar),
		Usage:     pricing.Usage{Input: 600_000, CacheRead: 400_000, Output: 50_000, Reasoning: 10_000},
		Estimated: 3, Bound: pricing.Dollar, Overruns: 1,
		Observed: sums(1200, 40*pricing.Dollar, 40*pricing.Dollar), Would: 9 * pricing.Dollar,
		Outcomes: map[ledger.Outcome]int64{ledger.OK: 6000, ledger.CacheHit: 4000},
		Tiers: []ledger.Share{
			{Name: "medium", Sums: sums(7000, 100*pricing.Dollar, 500*pricing.Dollar)},
			{Name: "", Sums: sums(3000, 60*pricing.Dollar, 50*pricing.Dollar)},
		},
		Models: []ledger.Share{{Name: "claude-haiku-5-5", Sums: sums(10_000, 160*pricing.Dollar, 1000*pricing.Dollar)}},
		Dims: map[policies.DimensionName][]ledger.Share{
			"team": {{Name: "search", Sums: sums(10_000, 160*pricing.Dollar, 1000*pricing.Dollar)}},
		},
	}
	s.Savings[pricing.LeverTier] = 600 * pricing.Dollar
	s.Savings[pricing.LeverExactCache] = 250 * pricing.Dollar
	s.Savings[pricing.LeverPromptCache] = -10 * pricing.Dollar
	return s
}

func config(b *book) Config {
	return Config{
		Ledger: b, Pools: b, Cache: b, Gatherer: prometheus.NewRegistry(),
		Policy: func() Policy {
			return Policy{File: "prod.yaml", Mode: policies.Enforce, Text: "version: 1\n", Loaded: noon.Add(-time.Hour)}
		},
		Now: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler), Loopback: true,
	}
}

func get(t *testing.T, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	return send(t, h, http.MethodGet, "127.0.0.1:9901", target)
}

func send(t *testing.T, h http.Handler, method, host, target string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// elements reads a page, fails on tags that do not match, and returns the text of every element with an id,
// white space folded.
func elements(t *testing.T, page string) map[string]string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	type open struct{ name, id string }
	var stack []open
	texts := map[string]string{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("page does not parse: %v\n%s", err, page)
		}
		switch x := token.(type) {
		case xml.StartElement:
			e := open{name: x.Name.Local}
			for _, a := range x.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" {
					t.Errorf("<%s> has the attribute %s, which the content policy forbids", e.name, a.Name.Local)
				}
				if a.Name.Local == "id" {
					e.id = a.Value
				}
			}
			if e.name == "script" || e.name == "b" {
				t.Errorf("<%s> in the page", e.name)
			}
			stack = append(stack, e)
		case xml.EndElement:
			if top := stack[len(stack)-1]; top.name != x.Name.Local {
				t.Fatalf("<%s> is closed by </%s>", top.name, x.Name.Local)
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			for _, e := range stack {
				if e.id != "" {
					texts[e.id] = strings.Join(strings.Fields(texts[e.id]+" "+string(x)), " ")
				}
			}
		}
	}
	if len(stack) != 0 {
		t.Errorf("left open: %+v", stack)
	}
	return texts
}

func TestThePageShowsTheMoney(t *testing.T) {
	w := get(t, New(config(&book{summary: aDay()})), "/")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("status %d, type %q", w.Code, w.Header().Get("Content-Type"))
	}
	got := elements(t, w.Body.String())
	for id, want := range map[string]string{
		"mode": "enforce", "cost": "$160.00", "baseline": "$1,000.00", "saved": "$840.00",
		"saved-share": "84.0% of the baseline", "exact-share": "40.0%", "prompt-share": "40.0%",
		"observed": "In enforce mode, the 1,200 calls that were only observed would have cost $9.00 instead of $40.00.",
		"levers":   "Lever Saved Of the baseline tier $600.00 60.0% exact_cache $250.00 25.0% prompt_cache -$10.00 -1.0%",
		"budgets": "Budget Scope Spent and reserved Spent Reserved Limit Left Refills " +
			"every team team=search 102.0% $450.00 $60.00 $500.00 $0 2026-11-22 12:00 UTC " +
			"company everybody 10.0% $1,420.00 $0 $14,200.00 $12,780.00 2026-11-22 12:00 UTC",
		"pools": "Pool Used Break-even Eligible at the API GPUs Tokens Busy Cheaper " +
			"gpu when cheaper 125.0% $126.00 $100.80 12,345,678 42.2% the pool " +
			"spare never 0.0% $0 $24.00 0 unknown the API",
		"latest": "Time Who Asked for Served by Tier Tokens in out Cost Saved Outcome Nov 22, 12:00:00 " +
			"team=search feature=\"><b>intent gpt-6-astra openai <script>alert(1)</script> routing 1,500 2 " +
			"$0.001235 est. $0.007765 ok",
	} {
		if diff := cmp.Diff(want, got[id]); diff != "" {
			t.Errorf("#%s (-want +got):\n%s", id, diff)
		}
	}
}

func TestThePageOfAnEmptyLedger(t *testing.T) {
	c := config(&book{})
	c.Pools, c.Cache = nil, nil
	w := get(t, New(c), "/")
	got := elements(t, w.Body.String())
	if w.Code != http.StatusOK || got["cost"] != "$0" || !strings.Contains(w.Body.String(), "No calls in this range yet.") {
		t.Errorf("status %d, cost %q, page:\n%s", w.Code, got["cost"], w.Body)
	}
}

func TestARefusedPolicyIsShown(t *testing.T) {
	c := config(&book{})
	c.Policy = func() Policy { return Policy{File: "prod.yaml", Refused: "prod.yaml:14:11: unknown tier"} }
	got := elements(t, get(t, New(c), "/").Body.String())
	if !strings.Contains(got["refused"], "prod.yaml:14:11: unknown tier") {
		t.Errorf("#refused = %q", got["refused"])
	}
}

func TestSummaryIsTheSameInJSON(t *testing.T) {
	w := get(t, New(config(&book{summary: aDay()})), "/api/summary")
	var got struct {
		Range      string
		Cost       string `json:"cost_usd"`
		Saved      string `json:"saved_usd"`
		SavedShare string `json:"saved_share"`
		Levers     []struct {
			Lever string
			Saved string `json:"saved_usd"`
		}
		Breakdowns []struct{ By string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if got.Range != "day" || got.Cost != "160.000000000" || got.Saved != "840.000000000" || got.SavedShare != "0.840" {
		t.Errorf("summary = %+v", got)
	}
	if len(got.Levers) != 3 || got.Levers[2].Saved != "-10.000000000" {
		t.Errorf("levers = %+v", got.Levers)
	}
	var by []string
	for _, b := range got.Breakdowns {
		by = append(by, b.By)
	}
	if diff := cmp.Diff([]string{"tier", "model", "team"}, by); diff != "" {
		t.Errorf("breakdowns (-want +got):\n%s", diff)
	}
	if empty := get(t, New(config(&book{})), "/api/summary").Body.String(); strings.Contains(empty, "null") {
		t.Errorf("null in an empty summary:\n%s", empty)
	}
}

func TestRanges(t *testing.T) {
	b := &book{}
	h := New(config(b))
	for _, q := range []string{"", "?range=hour", "?range=day", "?range=month"} {
		if w := get(t, h, "/"+q); w.Code != http.StatusOK {
			t.Errorf("%q: status %d", q, w.Code)
		}
	}
	// "day" is what no range means: that report is fresh.
	want := []time.Duration{24*time.Hour + 1, time.Hour + 1, 30*24*time.Hour + 1}
	if diff := cmp.Diff(want, b.asked); diff != "" {
		t.Errorf("lengths (-want +got):\n%s", diff)
	}
	if w := get(t, h, "/?range=year"); w.Code != http.StatusBadRequest {
		t.Errorf("unknown range: status %d, want 400", w.Code)
	}
}

func TestReportsAreSharedForASecond(t *testing.T) {
	b, now := &book{}, noon
	c := config(b)
	c.Now = func() time.Time { return now }
	h := New(c)
	for _, step := range []time.Duration{0, freshFor - 1, 1, 0} {
		now = now.Add(step)
		get(t, h, "/")
	}
	if len(b.asked) != 2 {
		t.Errorf("the ledger was asked %d times, want 2", len(b.asked))
	}
	// Pages of different ranges do not push each other out.
	b.asked = nil
	now = now.Add(freshFor)
	for range 3 {
		get(t, h, "/?range=hour")
		get(t, h, "/?range=month")
	}
	if len(b.asked) != 2 {
		t.Errorf("two ranges, and the ledger was asked %d times, want 2", len(b.asked))
	}
}

func TestALedgerThatFailsIsAnnouncedWithoutDetails(t *testing.T) {
	var log bytes.Buffer
	c := config(&book{err: errors.New("disk I/O at sector 7")})
	c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w := get(t, New(c), "/")
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "sector") {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "sector 7") {
		t.Errorf("log = %q, want the cause", log.String())
	}
}

func TestHealthReadyPolicyMetrics(t *testing.T) {
	c := config(&book{})
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "farebox_test"}))
	c.Gatherer = reg
	var notReady error
	c.Ready = func() error { return notReady }
	h := New(c)
	for _, tt := range []struct {
		path string
		code int
		body string
	}{
		{"/healthz", 200, "ok\n"},
		{"/readyz", 200, "ready\n"},
		{"/policy", 200, "version: 1\n"},
		{"/metrics", 200, "farebox_test 0\n"},
		{"/style.css", 200, "body {"},
	} {
		if w := get(t, h, tt.path); w.Code != tt.code || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%s: status %d and %q, want %d and %q", tt.path, w.Code, w.Body, tt.code, tt.body)
		}
	}
	notReady = errors.New("the journal cannot be written")
	if w := get(t, h, "/readyz"); w.Code != 503 || w.Body.String() != "not ready: the journal cannot be written\n" {
		t.Errorf("/readyz: status %d and %q", w.Code, w.Body)
	}
	if w := get(t, h, "/healthz"); w.Code != 200 {
		t.Errorf("/healthz of a server that is not ready: status %d, want 200", w.Code)
	}
}

func TestMethodsAndUnknownPaths(t *testing.T) {
	h := New(config(&book{summary: aDay()}))
	for _, tt := range []struct {
		method, path string
		code         int
	}{
		{"HEAD", "/", 200},
		{"HEAD", "/api/summary", 200},
		{"POST", "/", 405},
		{"DELETE", "/policy", 405},
		{"GET", "/favicon.ico", 404},
		{"GET", "/page.html", 404},
		{"GET", "/api/", 404},
		{"GET", "/style.css/x", 404},
	} {
		if w := send(t, h, tt.method, "localhost", tt.path); w.Code != tt.code {
			t.Errorf("%s %s: status %d, want %d", tt.method, tt.path, w.Code, tt.code)
		}
	}
}
