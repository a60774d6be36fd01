package extproc_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/farebox-mesh/farebox/extproc"
	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/policies/policytest"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// TestVectors sends the corpus through the server over gRPC, as Envoy does, and compares what it replies and what
// the ledger then holds.
func TestVectors(t *testing.T) {
	vectors, err := policytest.Load("../policies/testdata/vectors", policytest.ExtProc)
	if err != nil {
		t.Fatal(err)
	}
	for i := range vectors {
		v := &vectors[i]
		t.Run(v.Name, func(t *testing.T) {
			d := newDoor(t, v)
			if v.Prefix || v.Answered {
				d.call(t, v) // the same call, a moment before
			}
			got := d.call(t, v)
			want := v.Want.Without(policytest.Kept, policytest.Refusal, policytest.Step, policytest.ListCost)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", v.Title, diff)
			}
		})
	}
}

// door is a server of one vector's policy, with everything that farebox serve gives it.
type door struct {
	client extprocv3.ExternalProcessorClient
	ledger *ledger.Ledger
	set    *policies.Set
}

func newDoor(t *testing.T, v *policytest.Vector) *door {
	t.Helper()
	dir := t.TempDir()
	now := func() time.Time { return v.At }
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	d := &door{set: compile(t, v, dir)}
	policy := d.set.Policy()
	measured := metrics.New(nil)
	parts := exchange.Parts{Prefixes: cache.NewPrefixes(), Metrics: measured, Logger: logger, Now: now}
	answers, err := cache.New(1, measured)
	must(t, err)
	t.Cleanup(func() { answers.Close() })
	d.ledger, err = ledger.Open(dir, ledger.Options{Now: now, Logger: logger})
	must(t, err)
	t.Cleanup(func() { must(t, d.ledger.Close()) })
	must(t, d.ledger.SetBudgets(t.Context(), policy.Budgets, v.At))
	d.spend(t, v)
	pools := upstream.Open("", v.At, logger)
	t.Cleanup(func() { must(t, pools.Close()) })
	pools.SetPools(policy.Pools)
	pools.Observe(policies.RouteName(v.Cheaper), 1_000_000*pricing.Dollar, 1, v.At)
	credentials, err := upstream.LoadCredentials(policy, logger)
	must(t, err)
	parts.Ledger, parts.Cache, parts.Pools = d.ledger, answers, pools
	snapshot := &exchange.Snapshot{Set: d.set, Credentials: credentials}
	d.serve(t, extproc.New(exchange.NewConductor(parts, snapshot), measured))
	return d
}

// compile reads the vector's policy, with its credential files below dir.
func compile(t *testing.T, v *policytest.Vector, dir string) *policies.Set {
	t.Helper()
	for name, key := range v.Secrets {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(key), 0o600))
	}
	text := strings.ReplaceAll(v.Policy, policytest.SecretsDir, dir)
	p, problems := policyfile.Parse(v.Name, []byte(text))
	must(t, problems.Err())
	set, err := policies.Compile(*p, catalog.Table())
	must(t, err)
	return set
}

// spend books what the vector says is spent.
func (d *door) spend(t *testing.T, v *policytest.Vector) {
	t.Helper()
	for _, amount := range v.Spent {
		id := ledger.NewID(v.At)
		must(t, d.ledger.Reserve(ledger.Reservation{Call: ledger.Call{ID: id}, Bound: amount, Charge: amount}, v.At))
		must(t, d.ledger.Settle(ledger.Entry{Call: ledger.Call{ID: id}, Settled: v.At, Outcome: ledger.OK,
			Cost: amount, Charge: amount, Baseline: amount}))
	}
}

// serve starts the server on a connection in memory.
func (d *door) serve(t *testing.T, s extprocv3.ExternalProcessorServer) {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.ForceServerCodecV2(extproc.Codec{}))
	extprocv3.RegisterExternalProcessorServer(server, s)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); must(t, <-done) })
	conn, err := grpc.NewClient("passthrough:memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	d.client = extprocv3.NewExternalProcessorClient(conn)
}

// call sends the vector's call and returns what became of it.
func (d *door) call(t *testing.T, v *policytest.Vector) policytest.Result {
	t.Helper()
	stream, err := d.client.Process(t.Context())
	must(t, err)
	out := policytest.Result{Facts: map[policytest.Fact]string{}}
	up := forwarded{path: v.Request.Path, body: v.Request.Wire()}
	for _, m := range []*extprocv3.ProcessingRequest{requestHeaders(v), requestBody(v)} {
		must(t, stream.Send(m))
		reply, err := stream.Recv()
		must(t, err)
		if reply.OverrideMessageTimeout != nil { // more time is asked for before the reply comes
			reply, err = stream.Recv()
			must(t, err)
		}
		up.note(reply)
		if a := reply.GetImmediateResponse(); a != nil {
			answered(t, stream, a, up.metadata, &out)
			break
		}
		up.edit(v, reply)
	}
	if out.Answer == nil {
		up.result(&out)
		respond(t, stream, v)
	}
	d.book(t, &out)
	return out
}

// forwarded is a request as Envoy would send it on.
type forwarded struct {
	path         string
	body         []byte
	set, removed []string
	metadata     map[string]*structpb.Value
}

func (f *forwarded) note(reply *extprocv3.ProcessingResponse) {
	if m := reply.GetDynamicMetadata().GetFields()["farebox"].GetStructValue(); m != nil {
		f.metadata = m.GetFields()
	}
}

// edit makes a reply's edits.
func (f *forwarded) edit(v *policytest.Vector, reply *extprocv3.ProcessingResponse) {
	common := reply.GetRequestHeaders().GetResponse()
	if body := reply.GetRequestBody(); body != nil {
		common = body.GetResponse()
	}
	for _, name := range common.GetHeaderMutation().GetRemoveHeaders() {
		if v.Request.Get(name) != "" && name != "content-encoding" {
			f.removed = append(f.removed, name)
		}
	}
	for _, h := range common.GetHeaderMutation().GetSetHeaders() {
		switch name, value := h.Header.Key, string(h.Header.RawValue); name {
		case ":path":
			f.path = value
		case "content-length", "accept-encoding":
		default:
			f.set = append(f.set, name+" "+value)
		}
	}
	if b := common.GetBodyMutation(); b != nil {
		f.body = b.GetBody()
	}
}

func (f *forwarded) result(out *policytest.Result) {
	for fact, key := range map[policytest.Fact]string{
		policytest.Decision: "decision", policytest.Would: "would", policytest.Route: "route",
		policytest.Model: "model", policytest.Rule: "rule", policytest.Tier: "tier",
	} {
		out.Note(fact, f.metadata[key].GetStringValue())
	}
	slices.Sort(f.removed)
	out.Note(policytest.Path, f.path)
	out.Note(policytest.Removed, strings.Join(f.removed, ", "))
	out.Note(policytest.Set, strings.Join(f.set, ", "))
	out.Body = f.body
}

// answered notes an answer in place of the provider's, after which the stream ends.
func answered(t *testing.T, stream extprocv3.ExternalProcessor_ProcessClient, a *extprocv3.ImmediateResponse, metadata map[string]*structpb.Value, out *policytest.Result) {
	t.Helper()
	decision := "refuse"
	for _, h := range a.Headers.GetSetHeaders() {
		if h.Header.Key == "x-farebox-decision" {
			decision = string(h.Header.RawValue)
		}
	}
	out.Note(policytest.Decision, decision)
	out.Note(policytest.Model, metadata["model"].GetStringValue())
	out.Note(policytest.Status, strconv.Itoa(int(a.Status.Code)))
	out.Answer = a.Body
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after an answer: got %v, want the end of the stream", err)
	}
}

func requestHeaders(v *policytest.Vector) *extprocv3.ProcessingRequest {
	var list []*corev3.HeaderValue
	add := func(name, value string) {
		list = append(list, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	add(":method", v.Request.Method)
	add(":path", v.Request.Path)
	for _, h := range v.Request.Header {
		if h[0] == "host" {
			h[0] = ":authority"
		}
		add(h[0], h[1])
	}
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{Headers: list}},
	}}
}

func requestBody(v *policytest.Vector) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
		RequestBody: &extprocv3.HttpBody{Body: v.Request.Wire(), EndOfStream: true},
	}}
}

// respond sends the response in small pieces. The first message of a response carries the attributes.
func respond(t *testing.T, stream extprocv3.ExternalProcessor_ProcessClient, v *policytest.Vector) {
	t.Helper()
	const size = 37 // bytes: no event fits
	pieces := append(slices.Collect(slices.Chunk(v.Response.Wire(), size)), nil)
	for i, piece := range pieces {
		m := &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{
			ResponseBody: &extprocv3.HttpBody{Body: piece, EndOfStream: i == len(pieces)-1},
		}}
		if i == 0 {
			m.Attributes = map[string]*structpb.Struct{"envoy.filters.http.ext_proc": {Fields: map[string]*structpb.Value{
				"response.code":                  structpb.NewNumberValue(float64(v.Response.Status)),
				"response.code_details":          structpb.NewStringValue("via_upstream"),
				"upstream.request_attempt_count": structpb.NewNumberValue(1),
			}}}
		}
		must(t, stream.Send(m))
		reply, err := stream.Recv()
		must(t, err)
		if b := reply.GetResponseBody(); b == nil || b.GetResponse().GetBodyMutation() != nil {
			t.Fatalf("reply to a piece of the response: %v, want one that lets it pass", reply)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the last piece: got %v, want the end of the stream", err)
	}
}

// book notes what the ledger holds of the last call.
func (d *door) book(t *testing.T, out *policytest.Result) {
	t.Helper()
	entries, err := d.ledger.Entries(t.Context(), ledger.Filter{}, 1)
	must(t, err)
	if out.Facts[policytest.Decision] == "refuse" {
		return
	}
	if len(entries) == 0 {
		t.Fatal("the ledger has no entry")
	}
	e := entries[0]
	out.Note(policytest.Rule, string(e.Rule))
	out.Note(policytest.Tier, string(e.Tier))
	out.Note(policytest.Pool, string(e.Pool))
	out.Note(policytest.Route, string(e.Route))
	if e.Bound > 0 {
		out.Note(policytest.Bound, e.Bound.String())
	}
	out.Money(e.Usage, e.Cost, e.Baseline, e.Savings, e.Estimated)
	for _, b := range d.ledger.Balances(e.At) {
		if b.Reserved != 0 {
			t.Errorf("budget %q still holds %s USD", b.Budget, b.Reserved)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
