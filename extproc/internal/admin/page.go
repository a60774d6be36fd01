package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	// freshFor is how long a report is shown again instead of being collected again, so that many open pages
	// cost the ledger no more than one for each range.
	freshFor = 100 * time.Millisecond
	// collectWithin bounds the wait for the ledger.
	collectWithin = 10 * time.Second
)

// handler serves what needs a report.
type handler struct {
	Config
	page *template.Template

	mu   sync.Mutex           // also held while a report is collected
	last map[string]collected // guarded by mu: by range
}

// collected is a report and when it was made.
type collected struct {
	report *report
	at     time.Time
}

// parsePage panics if the embedded template is wrong, which the tests would have shown.
func parsePage() *template.Template {
	return template.Must(template.New("page.html").Funcs(template.FuncMap{
		"count": count, "clock": clock, "brief": brief, "meter": meterOf, "megabytes": megabytes, "known": known, "refill": refill, "number": number,
	}).ParseFS(files, "page.html"))
}

// servePage writes the page.
func (h *handler) servePage(w http.ResponseWriter, r *http.Request) {
	rep, ok := h.report(w, r)
	if !ok {
		return
	}
	var page bytes.Buffer
	if err := h.page.Execute(&page, rep); err != nil {
		h.Logger.LogAttrs(r.Context(), slog.LevelError, "admin page not rendered", slog.Any("err", err))
		plain(w, http.StatusInternalServerError, "the page could not be rendered\n")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = page.WriteTo(w) // a client that has gone is not worth a word
}

// serveSummary writes the report as JSON.
func (h *handler) serveSummary(w http.ResponseWriter, r *http.Request) {
	rep, ok := h.report(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(rep) // a client that has gone is not worth a word
}

// report returns what to show, or answers with what is wrong and returns false.
func (h *handler) report(w http.ResponseWriter, r *http.Request) (*report, bool) {
	over, ok := stretchOf(r.URL.Query().Get("range"))
	if !ok {
		plain(w, http.StatusBadRequest, "unknown range: want hour, day or month\n")
		return nil, false
	}
	rep, err := h.collect(r.Context(), over)
	if err != nil {
		h.Logger.LogAttrs(r.Context(), slog.LevelWarn, "ledger not read for the admin page", slog.Any("err", err))
		plain(w, http.StatusServiceUnavailable, "the ledger cannot be read at the moment; the log says why\n")
		return nil, false
	}
	return rep, true
}

// collect builds a report, unless the last one of the range is fresh.
func (h *handler) collect(ctx context.Context, over stretch) (*report, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.Now()
	if last := h.last[over.Name]; last.report != nil {
		if age := now.Sub(last.at); age >= 0 && age < freshFor {
			return last.report, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, collectWithin)
	defer cancel()
	rep, err := h.build(ctx, over, now)
	if err != nil {
		return nil, err
	}
	h.last[over.Name] = collected{rep, now}
	return rep, nil
}
