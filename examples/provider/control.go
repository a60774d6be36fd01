package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	keptRequests = 2000
	keptBytes    = 256 << 20 // bodies held in all
)

// received is one request as it came in.
type received struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`    // raw, with the query
	Headers map[string]string `json:"headers"` // names in lower case, values joined by ", "
	Body    []byte            `json:"body"`    // base64 in JSON
}

// A requestLog keeps the latest requests for byte comparison. The zero value is empty; it is safe for concurrent use.
type requestLog struct {
	mu    sync.Mutex
	list  []received
	bytes int
}

func (l *requestLog) add(r *http.Request, body []byte) {
	headers := make(map[string]string, len(r.Header)+1)
	headers["host"] = r.Host
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if len(r.TransferEncoding) > 0 {
		headers["transfer-encoding"] = strings.Join(r.TransferEncoding, ", ")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, received{r.Method, r.RequestURI, headers, body})
	l.bytes += len(body)
	for len(l.list) > keptRequests || l.bytes > keptBytes {
		l.bytes -= len(l.list[0].Body)
		l.list[0] = received{}
		l.list = l.list[1:]
	}
}

func (l *requestLog) read() []received {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]received(nil), l.list...)
}

func (l *requestLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list, l.bytes = nil, 0
}

// control answers the endpoints under /_/, by which a test reads and steers the provider.
func (s *server) control(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /_/invoice":
		calls, _ := s.invoice.read()
		writeLines(w, calls)
	case "GET /_/total":
		_, sum := s.invoice.read()
		writeLines(w, []totals{sum})
	case "GET /_/requests":
		writeLines(w, s.requests.read())
	case "POST /_/reset":
		s.reset()
		w.WriteHeader(http.StatusNoContent)
	case "POST /_/advance":
		by, err := time.ParseDuration(r.URL.Query().Get("by"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.clock.advance(by)
		w.WriteHeader(http.StatusNoContent)
	case "POST /_/fault":
		s.scriptFault(w, r)
	default:
		http.Error(w, "unknown control endpoint: see README.md", http.StatusNotFound)
	}
}

// scriptFault takes ?next=N&fault=F: F befalls the next N calls.
func (s *server) scriptFault(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	times := 1
	var err error
	if text := query.Get("next"); text != "" {
		times, err = strconv.Atoi(text)
	}
	var f fault
	if err == nil {
		f, err = parseFault(query.Get("fault"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if times < 0 || times > 1_000_000 {
		http.Error(w, "next is not in 0..1000000", http.StatusBadRequest)
		return
	}
	s.faults.push(f, times)
	w.WriteHeader(http.StatusNoContent)
}

func writeLines[T any](w http.ResponseWriter, lines []T) {
	w.Header().Set("content-type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	for _, line := range lines {
		if enc.Encode(line) != nil {
			return // the client has gone
		}
	}
}
