package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const maxBody = 64 << 20 // bytes of a request

// serverRole is what the server pretends to be.
type serverRole string

const (
	roleVendor serverRole = "vendor"
	rolePool   serverRole = "pool"
)

type config struct {
	role    serverRole
	seed    uint64
	delay   time.Duration // before each event of a stream
	first   time.Duration // before the first byte
	overrun int           // tokens generated after a client has gone
	houses  []house       // with an address of their own
}

// A server is one vendor, or one pool. It is safe for concurrent use.
type server struct {
	cfg        config
	models     map[string]*model
	list       []*model
	count      *counter
	clock      clock
	cache      *promptCache
	invoice    invoice
	faults     faultScript
	requests   requestLog
	stored     responseStore
	jobs       jobStore
	interacted jobStore
	number     atomic.Uint64 // of requests so far
}

func newServer(cfg config) (*server, error) {
	models, list, err := loadModels()
	if err != nil {
		return nil, err
	}
	count, err := newCounter()
	if err != nil {
		return nil, err
	}
	s := &server{cfg: cfg, models: models, list: list, count: count}
	s.cache = newPromptCache(&s.clock, cfg.seed)
	return s, nil
}

// An inbound is one request on its way through the server.
type inbound struct {
	w      http.ResponseWriter
	r      *http.Request
	body   []byte
	vendor vendor
	house  house
	number uint64
	fault  fault
	id     string // the vendor's name for this request
}

// A handler answers one endpoint; an apiError is written in the vendor's shape.
type handler func(*inbound) *apiError

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve("", w, r) }

// serve answers at the address of one house.
func (s *server) serve(h house, w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_/") {
		s.control(w, r)
		return
	}
	in := &inbound{w: w, r: r, house: h, number: s.number.Add(1)}
	in.id = "req_" + s.token(in.number, "request")[:24]
	var handle handler
	in.vendor, handle = s.route(h, r)
	var err error
	in.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	s.requests.add(r, in.body)
	if s.cfg.role == rolePool && leaks(r) {
		s.invoice.leak()
	}
	s.setHeaders(in)
	if problem := s.admit(in, err); problem != nil {
		writeError(in, problem)
		return
	}
	if problem := handle(in); problem != nil {
		writeError(in, problem)
	}
}

// admit applies what comes before any endpoint: the body's size, credentials, and faults that answer at once.
func (s *server) admit(in *inbound, read error) *apiError {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(read, &tooLarge) {
		return statusError(in.vendor, http.StatusRequestEntityTooLarge)
	}
	if read != nil {
		return invalid(in.vendor, "could not read the request body: %v", read)
	}
	if in.r.URL.Path == "/" {
		return nil
	}
	if s.cfg.role == roleVendor {
		if problem := checkCredentials(in); problem != nil {
			return problem
		}
	}
	var err error
	if text := in.r.Header.Get("x-test-fault"); text != "" {
		if in.fault, err = parseFault(text); err != nil {
			return invalid(in.vendor, "x-test-fault: %v", err)
		}
	} else if in.r.Method == http.MethodPost {
		in.fault = s.faults.pop()
	}
	in.fault.noUsage = in.r.Header.Get("x-test-no-usage") == "1"
	in.fault.compress = in.r.Header.Get("x-test-gzip") == "1" && strings.Contains(in.r.Header.Get("accept-encoding"), "gzip")
	if in.fault.status != 0 {
		return statusError(in.vendor, in.fault.status)
	}
	return nil
}

// setHeaders writes what the vendors put on every answer.
func (s *server) setHeaders(in *inbound) {
	h := in.w.Header()
	switch in.vendor {
	case anthropic:
		h.Set("request-id", in.id)
		h.Set("anthropic-organization-id", "00000000-0000-4000-8000-000000000001")
	case google:
		h.Set("server", "scaffolding on HTTPServer2")
		h.Set("vary", "Origin, X-Origin, Referer")
	case bedrock:
		h.Set("x-amzn-requestid", in.id)
	case cohere, ollama:
	default:
		h.Set("x-request-id", in.id)
		h.Set("openai-version", "2020-10-01")
		h.Set("openai-processing-ms", "12")
	}
}

func contentType(v vendor) string {
	if v == google {
		return "application/json; charset=UTF-8"
	}
	return "application/json"
}

func writeError(in *inbound, e *apiError) {
	body := e.body(in.vendor, in.id)
	in.w.Header().Set("content-type", contentType(in.vendor))
	if in.vendor == bedrock {
		in.w.Header().Set("x-amzn-errortype", e.kind)
	}
	if e.status == http.StatusTooManyRequests {
		in.w.Header().Set("retry-after", "1")
	}
	in.w.Header().Set("content-length", strconv.Itoa(len(body)))
	in.w.WriteHeader(e.status)
	// The client may have gone; there is nobody to tell.
	_, _ = in.w.Write(body)
}

// writeJSON answers a call that is not billed.
func writeJSON(in *inbound, body []byte) {
	in.w.Header().Set("content-type", contentType(in.vendor))
	in.w.Header().Set("content-length", strconv.Itoa(len(body)))
	_, _ = in.w.Write(body) // the client may have gone
}

// token derives an opaque name from the seed, so that runs with one seed are alike. It is 64 hexadecimal digits.
func (s *server) token(number uint64, purpose string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%d/%s", s.cfg.seed, number, purpose))
	return hex.EncodeToString(sum[:])
}

func (s *server) reset() {
	s.clock.reset()
	s.cache.reset()
	s.invoice.reset()
	s.faults.reset()
	s.requests.reset()
	s.stored.reset()
	s.jobs.reset()
	s.interacted.reset()
	s.number.Store(0)
}
