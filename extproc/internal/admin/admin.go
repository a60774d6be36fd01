// Package admin shows a person, and the machines around, how farebox stands.
//
//	GET /             a page: money, savings, budgets, caches, pools, latest calls; ?range=hour, day or month
//	GET /api/summary  the same as JSON, money in dollars as decimal strings
//	GET /api/budgets  how every budget stands, as JSON; ?budget=NAME for one
//	GET /policy       the policy in force, as text
//	GET /metrics      Prometheus metrics
//	GET /healthz      200 while the process answers
//	GET /readyz       200 when it can serve calls, else 503 and the reason
//
//	POST /api/budgets/{name}/topup  raises a limit until the window ends; with an Idempotency-Key once, however often it is sent
//
// To read, nobody is asked who they are, so the port belongs on loopback. A top-up needs JSON and the bearer token of
// Config.Token; without one it is off. Nothing else can be changed. A handler that
// is bound to loopback refuses requests by any other host name: otherwise a web page elsewhere could point a
// name of its own at 127.0.0.1 and read along (DNS rebinding).
package admin

import (
	"context"
	"embed"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
)

// Ledger says what was spent. All methods may run together.
type Ledger interface {
	Summary(ctx context.Context, since, until time.Time) (*ledger.Summary, error)
	Entries(ctx context.Context, f ledger.Filter, limit int) ([]ledger.Entry, error)
	Balances(now time.Time) []ledger.Balance
	// Shared says how balances stand that replicas share, and whether there are any.
	Shared() (lease.Stats, bool)
	TopUp(t ledger.TopUp, now time.Time) (ledger.TopUp, error)
}

// Pools says how own pools stand.
type Pools interface {
	Status(now time.Time) []upstream.PoolStatus
}

// Cache says how full the exact cache is.
type Cache interface {
	Stats() cache.Stats
}

// Policy is the policy in force.
type Policy struct {
	File   string // as named on the command line
	Mode   policies.Mode
	Text   string // as written; it names credential files and holds no credential
	Loaded time.Time
	// Refused is what was wrong with a newer version of the file, "" if there is none.
	Refused string
}

// Config is what a handler shows. Ledger, Policy, Gatherer, Now and Logger are needed; functions may be called
// from several goroutines.
type Config struct {
	Ledger   Ledger
	Pools    Pools // nil: no pools
	Cache    Cache // nil: no exact cache
	Policy   func() Policy
	Ready    func() error // why calls cannot be served; its text is shown. nil: always ready
	Gatherer prometheus.Gatherer
	Now      func() time.Time
	Logger   *slog.Logger
	Loopback bool  // the port is bound to loopback only
	Token    Token // that an operator shows to top up budgets; zero: nobody can
}

//go:embed page.html style.css
var files embed.FS

// New returns the handler of the admin port.
func New(c Config) http.Handler {
	h := &handler{Config: c, page: parsePage(), last: map[string]collected{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.servePage)
	mux.HandleFunc("GET /api/summary", h.serveSummary)
	mux.HandleFunc("GET /api/budgets", h.serveBudgets)
	mux.HandleFunc("POST /api/budgets/{name}/topup", h.serveTopUp)
	mux.HandleFunc("GET /policy", h.servePolicy)
	mux.HandleFunc("GET /healthz", serveHealth)
	mux.HandleFunc("GET /readyz", h.serveReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /style.css", serveStyle)
	return guard(mux, c.Loopback)
}

func serveHealth(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }

func (h *handler) serveReady(w http.ResponseWriter, _ *http.Request) {
	if h.Ready != nil {
		if err := h.Ready(); err != nil {
			plain(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
			return
		}
	}
	plain(w, http.StatusOK, "ready\n")
}

func (h *handler) servePolicy(w http.ResponseWriter, _ *http.Request) {
	plain(w, http.StatusOK, h.Policy().Text)
}

func serveStyle(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, files, "style.css")
}

// plain answers with text. A client that has gone is not worth a word.
func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
