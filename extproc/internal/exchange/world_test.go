package exchange

import (
	"bytes"
	"compress/gzip"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// world is a conductor with a real ledger, cache and credentials, and a clock of its own.
type world struct {
	*Conductor
	parts    Parts
	state    string // folder of the ledger
	options  ledger.Options
	books    *ledger.Ledger
	pool     *upstream.Pools
	clock    clock
	registry *prometheus.Registry
}

// clock is read by what runs in the background, too.
type clock struct{ at atomic.Pointer[time.Time] }

func (c *clock) now() time.Time { return *c.at.Load() }

func (c *clock) set(now time.Time) { c.at.Store(&now) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// newWorld puts a policy in force; DIR in it is a folder that holds second.key. "version: 1" is added.
func newWorld(t testing.TB, policy string) *world {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "second.key"), []byte("sk-second\n"), 0o600))
	set := compile(t, strings.ReplaceAll(policy, "DIR", dir))
	w := &world{state: dir, registry: prometheus.NewRegistry()}
	w.clock.set(noon)
	now := w.clock.now
	logger := slog.New(slog.DiscardHandler)
	measured := metrics.New(w.registry)
	w.options = ledger.Options{Now: now, Logger: logger, OnSettle: func(e *ledger.Entry) { Count(measured, set, e) }}
	t.Cleanup(func() { must(t, w.books.Close()) })
	w.open(t, set)
	answers, err := cache.New(8, measured)
	must(t, err)
	t.Cleanup(func() { answers.Close() })
	w.pool = upstream.Open("", noon, logger)
	t.Cleanup(func() { must(t, w.pool.Close()) })
	w.pool.SetPools(set.Policy().Pools)
	w.parts = Parts{
		Ledger: w.books, Cache: answers, Prefixes: cache.NewPrefixes(), Pools: w.pool,
		Metrics: measured, Logger: logger, Now: now,
	}
	w.Conductor = NewConductor(w.parts, snapshot(t, set))
	return w
}

// open opens the ledger.
func (w *world) open(t testing.TB, set *policies.Set) {
	t.Helper()
	var err error
	w.books, err = ledger.Open(w.state, w.options)
	must(t, err)
	must(t, w.books.SetBudgets(t.Context(), set.Policy().Budgets, noon))
}

// reopen ends the process, and starts it again at a moment.
func (w *world) reopen(t testing.TB, now time.Time) {
	t.Helper()
	must(t, w.books.Close())
	w.clock.set(now)
	s := w.snapshot.Load()
	w.open(t, s.Set)
	w.parts.Ledger = w.books
	w.Conductor = NewConductor(w.parts, s)
}

// metric is a sample's value, summed over its labels.
func (w *world) metric(t testing.TB, name string) (sum float64) {
	t.Helper()
	families, err := w.registry.Gather()
	must(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func snapshot(t testing.TB, set *policies.Set) *Snapshot {
	t.Helper()
	credentials, err := upstream.LoadCredentials(set.Policy(), slog.New(slog.DiscardHandler))
	must(t, err)
	return &Snapshot{Set: set, Credentials: credentials}
}

func compile(t testing.TB, policy string) *policies.Set {
	t.Helper()
	p, problems := policyfile.Parse("test.yaml", []byte("version: 1\n"+policy))
	must(t, problems.Err())
	set, err := policies.Compile(*p, catalog.Table())
	must(t, err)
	return set
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// call is a request: a POST of a chat completion unless it says otherwise.
type call struct {
	method, path, host string
	headers            []Header
	body               string
	claims             map[string]string
	peer               string
	noBody             bool
}

func chat(body string, headers ...Header) call { return call{body: body, headers: headers} }

func (c call) incoming() Incoming {
	in := Incoming{Method: c.method, Path: c.path, Host: c.host, Headers: c.headers, PeerURI: c.peer, NoBody: c.noBody}
	if in.Method == "" {
		in.Method = "POST"
	}
	if in.Path == "" {
		in.Path = "/v1/chat/completions"
	}
	if c.claims != nil {
		in.Claim = func(name string) string { return c.claims[name] }
	}
	return in
}

// send drives a request until its call leaves or is answered.
func (w *world) send(t testing.TB, c call) (*Exchange, Reply) {
	t.Helper()
	x := w.Begin()
	reply, err := x.RequestHeaders(c.incoming())
	must(t, err)
	if !reply.Metered {
		return x, reply
	}
	body, err := x.RequestBody([]byte(c.body))
	must(t, err)
	body.Remove = append(reply.Remove, body.Remove...)
	return x, body
}

// answer sends a call and its whole answer in one piece, and returns the metadata of the end.
func (w *world) answer(t testing.TB, c call, body string) map[string]string {
	t.Helper()
	x, reply := w.send(t, c)
	if reply.Answer != nil {
		t.Fatalf("answered with %d: %s", reply.Answer.Status, reply.Answer.Body)
	}
	x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
	end, err := x.ResponseBody([]byte(body), true)
	must(t, err)
	return fields(end.Metadata)
}

// entries are what the ledger holds, newest first.
func (w *world) entries(t testing.TB) []ledger.Entry {
	t.Helper()
	list, err := w.books.Entries(t.Context(), ledger.Filter{}, 1000)
	must(t, err)
	return list
}

// entry is the only one that the ledger holds.
func (w *world) entry(t testing.TB) ledger.Entry {
	t.Helper()
	list := w.entries(t)
	if len(list) != 1 {
		t.Fatalf("%d entries, want 1: %+v", len(list), list)
	}
	return list[0]
}

// fields are headers by name.
func fields(list []Header) map[string]string {
	m := map[string]string{}
	for _, h := range list {
		m[h.Name] = h.Value
	}
	return m
}

func zip(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

const (
	ask = `{"model":"gpt-4o","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`
	// said used 1,000 tokens in and 100 out: $0.0035 of gpt-4o at 2.50 and 10 USD per million.
	said = `{"id":"c","object":"chat.completion","model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}`
)

// spend books an amount that somebody spent before.
func (w *world) spend(t testing.TB, amount pricing.Money) {
	t.Helper()
	id := ledger.NewID(noon)
	must(t, w.books.Reserve(ledger.Reservation{Call: ledger.Call{ID: id}, Bound: amount, Charge: amount}, noon))
	must(t, w.books.Settle(ledger.Entry{Call: ledger.Call{ID: id}, Settled: noon, Outcome: ledger.OK, Cost: amount, Charge: amount, Baseline: amount}))
}
