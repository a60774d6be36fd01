package extproc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// gateway is a server on a connection in memory, and what it works with.
type gateway struct {
	*Server
	client extprocv3.ExternalProcessorClient
	books  *ledger.Ledger
	log    *lockedBuffer
}

// lockedBuffer is a log that streams write to together.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// newGateway serves a policy. wrap may put something between the exchanges and their ledger.
func newGateway(t testing.TB, policy string, wrap func(exchange.Ledger) exchange.Ledger) *gateway {
	t.Helper()
	p, problems := policyfile.Parse("test.yaml", []byte("version: 1\n"+policy))
	ok(t, problems.Err())
	set, err := policies.Compile(*p, catalog.Table())
	ok(t, err)
	g := &gateway{log: &lockedBuffer{}}
	logger, now := slog.New(slog.NewTextHandler(g.log, nil)), func() time.Time { return noon }
	g.books, err = ledger.Open(t.TempDir(), ledger.Options{Now: now, Logger: logger})
	ok(t, err)
	t.Cleanup(func() { ok(t, g.books.Close()) })
	ok(t, g.books.SetBudgets(t.Context(), set.Policy().Budgets, noon))
	measured := metrics.New(nil)
	parts := exchange.Parts{
		Ledger: g.books, Prefixes: cache.NewPrefixes(), Pools: upstream.Open("", noon, logger),
		Metrics: measured, Logger: logger, Now: now,
	}
	credentials, err := upstream.LoadCredentials(set.Policy(), logger)
	ok(t, err)
	if wrap != nil {
		parts.Ledger = wrap(g.books)
	}
	g.Server = New(exchange.NewConductor(parts, &exchange.Snapshot{Set: set, Credentials: credentials}), measured)
	g.client = connect(t, g.Server)
	return g
}

func connect(t testing.TB, s *Server) extprocv3.ExternalProcessorClient {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.ForceServerCodecV2(Codec{}), grpc.WaitForHandlers(true), grpc.MaxRecvMsgSize(MaxMessage))
	extprocv3.RegisterExternalProcessorServer(server, s)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); ok(t, <-done) })
	conn, err := grpc.NewClient("passthrough:memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	ok(t, err)
	t.Cleanup(func() { conn.Close() })
	return extprocv3.NewExternalProcessorClient(conn)
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// envoy is a stream as Envoy holds one.
type envoy struct {
	t  testing.TB
	st extprocv3.ExternalProcessor_ProcessClient
}

func (g *gateway) open(t testing.TB, ctx context.Context) *envoy {
	t.Helper()
	st, err := g.client.Process(ctx)
	ok(t, err)
	return &envoy{t, st}
}

// ask sends a message and returns the answer to it.
func (e *envoy) ask(m *extprocv3.ProcessingRequest) *extprocv3.ProcessingResponse {
	e.t.Helper()
	ok(e.t, e.st.Send(m))
	r, err := e.st.Recv()
	ok(e.t, err)
	return r
}

// ends waits for the end of the stream and returns its status.
func (e *envoy) ends() codes.Code {
	e.t.Helper()
	m, err := e.st.Recv()
	if err == nil {
		e.t.Fatalf("another answer: %v", m)
	}
	if errors.Is(err, io.EOF) {
		return codes.OK
	}
	return status.Code(err)
}

const (
	asked = `{"model":"gpt-4o","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`
	said  = `{"model":"gpt-4o","choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100}}`

	enforcing = "mode: enforce\nbudgets:\n  - {name: company, limit: $10 per day}\n"
	observing = "mode: observe\nbudgets:\n  - {name: company, limit: $10 per day}\n"
)

// headers are those of a call, or of what pairs say: ":path", "/v1/models".
func headers(pairs ...string) *extprocv3.ProcessingRequest {
	list := append([]string{":method", "POST", ":path", "/v1/chat/completions", ":authority", "api.openai.com", "authorization", "Bearer k"}, pairs...)
	h := &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{}}
	for i := 0; i < len(list); i += 2 {
		h.Headers.Headers = append(h.Headers.Headers, &corev3.HeaderValue{Key: list[i], RawValue: []byte(list[i+1])})
	}
	return &extprocv3.ProcessingRequest{
		Request:        &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: h},
		ProtocolConfig: modes(filterv3.ProcessingMode_BUFFERED, filterv3.ProcessingMode_STREAMED),
	}
}

func modes(request, response filterv3.ProcessingMode_BodySendMode) *extprocv3.ProtocolConfiguration {
	return &extprocv3.ProtocolConfiguration{RequestBodyMode: request, ResponseBodyMode: response}
}

func body(text string, end bool) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
		RequestBody: &extprocv3.HttpBody{Body: []byte(text), EndOfStream: end},
	}}
}

func piece(text string, end bool) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{
		ResponseBody: &extprocv3.HttpBody{Body: []byte(text), EndOfStream: end},
	}}
}

// telling adds what Envoy knows of the response.
func telling(m *extprocv3.ProcessingRequest, code any, details string) *extprocv3.ProcessingRequest {
	fields, err := structpb.NewStruct(map[string]any{"response.code": code, "response.code_details": details, "upstream.request_attempt_count": 1})
	if err != nil {
		panic(err)
	}
	m.Attributes = map[string]*structpb.Struct{attributesKey: fields}
	return m
}

// noted is the dynamic metadata of an answer.
func noted(r *extprocv3.ProcessingResponse) map[string]any {
	return r.GetDynamicMetadata().GetFields()[metadataNamespace].GetStructValue().AsMap()
}

// settled waits until nothing is reserved and returns the entries.
func (g *gateway) settled(t testing.TB) []ledger.Entry {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); g.books.Stats().Open > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a reservation was never settled")
		}
	}
	list, err := g.books.Entries(t.Context(), ledger.Filter{}, 100)
	ok(t, err)
	return list
}

func TestACallFromHeadersToCost(t *testing.T) {
	for _, policy := range []string{enforcing, observing} {
		g := newGateway(t, policy, nil)
		e := g.open(t, t.Context())
		r := e.ask(headers())
		want := profile(&exchange.Reply{Metered: true})
		if r.ModeOverride.String() != want.String() || r.GetRequestHeaders() == nil {
			t.Errorf("headers answered with %v", r)
		}
		// The body of a request with trailers does not claim to be the end.
		r = e.ask(body(asked, false))
		if m := noted(r); m["route"] != "openai" || m["decision"] != "asked" || !r.GetRequestBody().Response.ClearRouteCache ||
			r.GetRequestBody().Response.HeaderMutation == nil || r.GetRequestBody().Response.BodyMutation != nil {
			t.Errorf("body answered with %v", r)
		}
		e.ask(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestTrailers{RequestTrailers: &extprocv3.HttpTrailers{}}})
		e.ask(telling(piece(said[:20], false), 200, "via_upstream"))
		r = e.ask(piece(said[20:], true))
		if m := noted(r); m["cost_usd"] != "0.003500000" || m["usage"] != `{"input":1000,"output":100}` {
			t.Errorf("metadata %v", m)
		}
		if got := e.ends(); got != codes.OK {
			t.Errorf("the stream ended with %s", got)
		}
		if list := g.settled(t); len(list) != 1 || list[0].Outcome != ledger.OK || list[0].Status != 200 || list[0].Attempts != 1 {
			t.Errorf("entries %+v", list)
		}
	}
}

func TestAnUncoveredRequestCostsOneMessage(t *testing.T) {
	g := newGateway(t, enforcing, nil)
	e := g.open(t, t.Context())
	r := e.ask(headers(":method", "GET", ":path", "/v1/models", "x-farebox-route", "gpu"))
	if m := noted(r); r.ModeOverride.String() != profile(&exchange.Reply{}).String() || m["route"] != "openai" {
		t.Errorf("answered with %v", r)
	}
	if got := r.GetRequestHeaders().Response.HeaderMutation.RemoveHeaders; len(got) != 1 || got[0] != "x-farebox-route" {
		t.Errorf("removed %v", got)
	}
	if got := e.ends(); got != codes.OK {
		t.Errorf("the stream ended with %s", got)
	}
}

func TestARefusalEndsTheStream(t *testing.T) {
	g := newGateway(t, enforcing, nil)
	e := g.open(t, t.Context())
	e.ask(headers())
	r := e.ask(body("{", true)).GetImmediateResponse()
	if r == nil || r.Status.Code != 400 || !strings.HasPrefix(r.Details, "farebox") || string(r.Headers.SetHeaders[0].Header.RawValue) != "application/json" {
		t.Errorf("answered with %v", r)
	}
	if got := e.ends(); got != codes.OK {
		t.Errorf("the stream ended with %s", got)
	}
}

func TestMessagesOutOfOrder(t *testing.T) {
	for _, tt := range []struct {
		name     string
		messages []*extprocv3.ProcessingRequest // all but the last are answered
		outcome  ledger.Outcome
	}{
		{"a body first", []*extprocv3.ProcessingRequest{body(asked, true)}, ""},
		{"a response first", []*extprocv3.ProcessingRequest{piece(said, true)}, ""},
		{"a piece of a response first", []*extprocv3.ProcessingRequest{piece(said, false)}, ""},
		{"headers twice", []*extprocv3.ProcessingRequest{headers(), headers()}, ""},
		{"a body twice", []*extprocv3.ProcessingRequest{headers(), body(asked, true), body(asked, true)}, ledger.Cancelled},
		{"headers after the call left", []*extprocv3.ProcessingRequest{headers(), body(asked, true), piece(said[:9], false), headers()}, ledger.Cancelled},
		{"nothing in it", []*extprocv3.ProcessingRequest{headers(), body(asked, true), {}}, ledger.Cancelled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, enforcing, nil)
			e := g.open(t, t.Context())
			last := len(tt.messages) - 1
			for _, m := range tt.messages[:last] {
				e.ask(m)
			}
			ok(t, e.st.Send(tt.messages[last]))
			_, err := e.st.Recv()
			if err == nil { // a piece passes before it is read
				_, err = e.st.Recv()
			}
			if got := status.Code(err); got != codes.FailedPrecondition {
				t.Errorf("ended with %v, want FailedPrecondition", err)
			}
			list := g.settled(t)
			if (tt.outcome == "") != (len(list) == 0) || (len(list) > 0 && list[0].Outcome != tt.outcome) {
				t.Errorf("entries %+v, want %q", list, tt.outcome)
			}
		})
	}
}

func TestAStreamThatEndsEarlyIsSettled(t *testing.T) {
	for _, tt := range []struct {
		name     string
		messages []*extprocv3.ProcessingRequest
		outcome  ledger.Outcome
	}{
		{"before anything", nil, ""},
		{"after the headers", []*extprocv3.ProcessingRequest{headers()}, ""},
		{"after the body", []*extprocv3.ProcessingRequest{headers(), body(asked, true)}, ledger.Cancelled},
		{"in the response", []*extprocv3.ProcessingRequest{headers(), body(asked, true), telling(piece(said[:9], false), 200, "via_upstream")}, ledger.Cancelled},
		{"in an error", []*extprocv3.ProcessingRequest{headers(), body(asked, true), telling(piece("{", false), "500", "via_upstream")}, ledger.Released},
		{"after all but the end of stream", []*extprocv3.ProcessingRequest{headers(), body(asked, true), telling(piece(said, false), 200, "via_upstream")}, ledger.OK},
	} {
		for _, how := range []string{"half-closed", "reset"} {
			t.Run(tt.name+", "+how, func(t *testing.T) {
				g := newGateway(t, enforcing, nil)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				e := g.open(t, ctx)
				for _, m := range tt.messages {
					e.ask(m)
				}
				if how == "reset" {
					cancel()
				} else {
					ok(t, e.st.CloseSend())
					if got := e.ends(); got != codes.OK {
						t.Errorf("the stream ended with %s", got)
					}
				}
				list := g.settled(t)
				if (tt.outcome == "") != (len(list) == 0) || (len(list) > 0 && list[0].Outcome != tt.outcome) {
					t.Errorf("entries %+v, want %q", list, tt.outcome)
				}
			})
		}
	}
}

func TestResponseHeadersAndTrailersThatNobodyAskedForAreHeard(t *testing.T) {
	responseHeaders := func(status string, end bool) *extprocv3.ProcessingRequest {
		return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: &extprocv3.HttpHeaders{
			Headers: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: ":status", RawValue: []byte(status)}}}, EndOfStream: end,
		}}}
	}
	trailers := &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseTrailers{ResponseTrailers: &extprocv3.HttpTrailers{}}}
	for _, tt := range []struct {
		name     string
		messages []*extprocv3.ProcessingRequest
		status   int
		outcome  ledger.Outcome
	}{
		{"headers, then a body", []*extprocv3.ProcessingRequest{responseHeaders("200", false), piece(said, true)}, 200, ledger.OK},
		{"headers of an error without a body", []*extprocv3.ProcessingRequest{responseHeaders("429", true)}, 429, ledger.Released},
		{"a body, then trailers", []*extprocv3.ProcessingRequest{telling(piece(said, false), 200, "via_upstream"), trailers}, 200, ledger.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, enforcing, nil)
			e := g.open(t, t.Context())
			e.ask(headers())
			e.ask(body(asked, true))
			var last *extprocv3.ProcessingResponse
			for _, m := range tt.messages {
				last = e.ask(m)
			}
			if noted(last)["cost_usd"] == nil {
				t.Errorf("the end has no cost: %v", last)
			}
			if got := e.ends(); got != codes.OK {
				t.Errorf("the stream ended with %s", got)
			}
			if list := g.settled(t); len(list) != 1 || list[0].Outcome != tt.outcome || list[0].Status != tt.status {
				t.Errorf("entries %+v, want %s", list, tt.outcome)
			}
		})
	}
}

func TestLeavingEndsStreamsBetweenPieces(t *testing.T) {
	g := newGateway(t, enforcing, nil)
	e := g.open(t, t.Context())
	e.ask(headers())
	g.Leave()
	e.ask(body(asked, true))
	e.ask(piece(said[:9], false))
	if got := e.ends(); got != codes.OK {
		t.Errorf("the stream ended with %s", got)
	}
	if list := g.settled(t); len(list) != 1 || !list[0].Estimated || !strings.Contains(list[0].Detail, "shut down") {
		t.Errorf("entries %+v", list)
	}
}

// faulty panics where it says so.
type faulty struct {
	exchange.Ledger
	reserve, settle bool
}

func (f faulty) Reserve(r ledger.Reservation, now time.Time) error {
	if f.reserve {
		panic("bug in Reserve")
	}
	return f.Ledger.Reserve(r, now)
}

func (f faulty) Book(r ledger.Reservation, now time.Time) (*ledger.LimitError, error) {
	if f.reserve {
		panic("bug in Book")
	}
	return f.Ledger.Book(r, now)
}

func (f faulty) Settle(e ledger.Entry) error {
	if f.settle && e.Outcome != ledger.Lost {
		panic("bug in Settle")
	}
	return f.Ledger.Settle(e)
}

func TestAPanicEndsItsExchangeOnly(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy string
		bug    faulty
		status int // of the answer to the body; 0: it passes
	}{
		{"before the call leaves", enforcing, faulty{reserve: true}, 503},
		{"before the call leaves, in observe mode", observing, faulty{reserve: true}, 0},
		{"at the end", enforcing, faulty{settle: true}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, tt.policy, func(l exchange.Ledger) exchange.Ledger { tt.bug.Ledger = l; return tt.bug })
			for range 2 {
				e := g.open(t, t.Context())
				e.ask(headers())
				r := e.ask(body(asked, true))
				if got := int(r.GetImmediateResponse().GetStatus().GetCode()); got != tt.status {
					t.Errorf("answered with %v, want status %d", r, tt.status)
				}
				if tt.bug.settle {
					e.ask(telling(piece(said, true), 200, "via_upstream"))
				} else if tt.status == 0 && noted(r)["route"] != "openai" {
					t.Errorf("no way out: %v", r)
				}
				if got := e.ends(); got != codes.OK {
					t.Errorf("the stream ended with %s", got)
				}
			}
			list := g.settled(t)
			if tt.bug.settle && (len(list) != 2 || list[0].Outcome != ledger.Lost) {
				t.Errorf("entries %+v, want two lost ones", list)
			}
			if !strings.Contains(g.log.String(), "panic: bug in") {
				t.Errorf("log %s", g.log)
			}
		})
	}
}

func TestAMisfitIsReportedOnce(t *testing.T) {
	g := newGateway(t, observing, nil)
	for range 3 {
		for _, c := range []*extprocv3.ProtocolConfiguration{nil, modes(filterv3.ProcessingMode_BUFFERED, filterv3.ProcessingMode_STREAMED), modes(filterv3.ProcessingMode_STREAMED, filterv3.ProcessingMode_NONE)} {
			m := headers()
			m.ProtocolConfig = c
			e := g.open(t, t.Context())
			e.ask(m)
			ok(t, e.st.CloseSend())
			e.ends()
		}
	}
	if got := strings.Count(g.log.String(), "request body STREAMED, want BUFFERED; response body NONE, want STREAMED"); got != 1 {
		t.Errorf("%d warnings, want 1: %s", got, g.log)
	}
}
