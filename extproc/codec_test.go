package extproc

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
)

// words are those that decide something, and some that do not.
var words = []string{
	"", "sub", "ü", "200", "POST", ":method", ":path", ":authority", ":status", "authorization",
	"connection.uri_san_peer_certificate", "response.code", "response.code_details", "upstream.request_attempt_count",
	attributesKey, attributesKey, jwtNamespace, jwtNamespace, strings.Repeat("long ", 50),
}

// fill sets about half of all fields, known to this package or not.
func fill(r *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if o := f.ContainingOneof(); o != nil {
			if m.WhichOneof(o) != nil || r.IntN(o.Fields().Len()) > 0 {
				continue
			}
		} else if r.IntN(2) == 0 {
			continue
		}
		if depth == 0 && (f.Message() != nil) {
			continue
		}
		switch {
		case f.IsMap():
			for range r.IntN(3) {
				value := m.Mutable(f).Map().NewValue()
				fill(r, value.Message(), depth-1)
				m.Mutable(f).Map().Set(scalar(r, f.MapKey()).MapKey(), value)
			}
		case f.IsList():
			for range r.IntN(5) {
				if list := m.Mutable(f).List(); f.Message() != nil {
					fill(r, list.AppendMutable().Message(), depth-1)
				} else {
					list.Append(scalar(r, f))
				}
			}
		case f.Message() != nil:
			fill(r, m.Mutable(f).Message(), depth-1)
		default:
			m.Set(f, scalar(r, f))
		}
	}
}

func scalar(r *rand.Rand, f protoreflect.FieldDescriptor) protoreflect.Value {
	word := words[r.IntN(len(words))]
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(word)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(word))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(r.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(r.IntN(6) - 1))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(r.IntN(600)))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(r.Int64())
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(r.Uint32())
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(r.Int32())
	}
	panic("internal error: no random " + f.Kind().String())
}

// heard is all that the server takes from a message.
type heard struct {
	Kind     string
	In       exchange.Incoming
	Claims   []string
	Told     exchange.Status
	Answered bool
	Status   int
	Body     []byte
	End      bool
}

func hear(m *extprocv3.ProcessingRequest) heard {
	out := heard{Kind: fmt.Sprintf("%T", m.Request)}
	out.Told, out.Answered = responseStatus(m)
	switch r := m.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		out.In = incoming(m, r.RequestHeaders)
		if claim := out.In.Claim; claim != nil {
			for _, name := range words {
				out.Claims = append(out.Claims, claim(name))
			}
			out.In.Claim = nil
		}
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		out.Status, out.End = statusOf(r.ResponseHeaders), r.ResponseHeaders.EndOfStream
	case *extprocv3.ProcessingRequest_RequestBody:
		out.Body, out.End = r.RequestBody.Body, r.RequestBody.EndOfStream
	case *extprocv3.ProcessingRequest_ResponseBody:
		out.Body, out.End = r.ResponseBody.Body, r.ResponseBody.EndOfStream
	}
	if len(out.Body) == 0 {
		out.Body = nil
	}
	return out
}

// decode reads wire in n pieces, which are then overwritten as a pool would do it.
func decode(wire []byte, n int) (*extprocv3.ProcessingRequest, error) {
	lent, m := bytes.Clone(wire), new(extprocv3.ProcessingRequest)
	err := Codec{}.Unmarshal(pieces(lent, n), m)
	for i := range lent {
		lent[i] = '#'
	}
	return m, err
}

// agree compares the codec with the standard one. What the codec skips may be malformed.
func agree(t *testing.T, wire []byte) {
	t.Helper()
	want := new(extprocv3.ProcessingRequest)
	invalid := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(wire, want)
	for n := range 4 {
		if n == 0 && len(wire) > 0 {
			continue
		}
		got, err := decode(wire, n)
		if invalid != nil {
			continue
		}
		if err != nil {
			t.Fatalf("%x: %v", wire, err)
		}
		if diff := cmp.Diff(hear(want), hear(got)); diff != "" {
			t.Fatalf("%x: (-want +got)\n%s", wire, diff)
		}
		if a, b := (&extprocv3.ProcessingRequest{Attributes: want.Attributes}), (&extprocv3.ProcessingRequest{Attributes: got.Attributes}); !proto.Equal(a, b) {
			t.Fatalf("%x: attributes %v, want %v", wire, b, a)
		}
	}
	only := prune(wire, whole)
	_, err := decode(only, 1)
	if invalid = proto.Unmarshal(only, want); (err != nil) != (invalid != nil) {
		t.Fatalf("%x: got %v, want %v", only, err, invalid)
	}
}

// part is what the codec reads of a message: nil of a scalar, nothing of a message of which only the presence counts.
type part map[protowire.Number]part

var (
	headerMap  = part{1: {1: {1: nil, 2: nil, 3: nil}}, 3: nil}
	httpBody   = part{1: nil, 2: nil}
	attributes = part{1: nil, 2: {1: {1: nil, 2: {1: nil, 2: nil, 3: nil, 4: nil}}}}
	// whole has no metadata_context, as a namespace decides whether that is read.
	whole = part{2: headerMap, 3: headerMap, 4: httpBody, 5: httpBody, 6: {}, 7: {}, 9: attributes, 11: {1: nil, 2: nil}}
)

// prune leaves out the fields that the codec does not read, but nothing from where a message is malformed.
func prune(b []byte, p part) (out []byte) {
	for len(b) > 0 && len(p) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		size := protowire.ConsumeFieldValue(number, kind, b[max(n, 0):])
		if n < 0 || size < 0 || number > protowire.MaxValidNumber {
			return append(out, b...)
		}
		inner, read := p[number]
		switch content, _ := protowire.ConsumeBytes(b[n:]); {
		case read && inner != nil && kind == protowire.BytesType:
			out = protowire.AppendBytes(append(out, b[:n]...), prune(content, inner))
		case read && inner == nil:
			out = append(out, b[:n+size]...)
		}
		b = b[n+size:]
	}
	return out
}

func TestCodecHearsWhatTheStandardOneHears(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		m := new(extprocv3.ProcessingRequest)
		fill(r, m.ProtoReflect(), 7)
		wire, err := proto.Marshal(m)
		ok(t, err)
		agree(t, wire)
	}
}

// field writes a field with a length, whose content is its arguments.
func field(number protowire.Number, content ...string) string {
	b := protowire.AppendTag(nil, number, protowire.BytesType)
	return string(protowire.AppendString(b, strings.Join(content, "")))
}

// scalars is a field that is a number below 128.
func scalars(number protowire.Number, v byte) string {
	return string(append(protowire.AppendTag(nil, number, protowire.VarintType), v))
}

// corners are messages that no library writes and all have to read, or to refuse, alike.
var corners = []struct {
	name, wire string
	valid      bool
}{
	{"nothing", "", true},
	{"empty headers", field(2), true},
	{"headers in parts", field(2, field(1, field(1, field(1, ":path"), field(3, "/a")))) +
		field(2, scalars(3, 1), field(1, field(1, field(1, ":method"), field(3, "GET")))), true},
	{"a header's parts twice", field(2, field(1, field(1, field(1, "a"), field(3, "raw"), field(1, ":path"), field(3, "/"), field(2, "old")))), true},
	{"a raw value taken back", field(2, field(1, field(1, field(1, ":path"), field(3, "raw"), field(2, "/old"), field(3)))), true},
	{"one kind after the other", field(2, field(1, field(1, field(1, ":path"), field(3, "/")))) + field(4, field(1, "body")) + field(5, scalars(2, 1)), true},
	{"back to the first kind", field(4, field(1, "body")) + field(2) + field(4, scalars(2, 1)), true},
	{"a body in parts", field(4, field(1, "first")) + field(4, scalars(2, 1)) + field(4, field(1, "last")), true},
	{"a body taken back", field(5, field(1, "first"), field(1)), true},
	{"trailers with rubbish inside", field(6), true},
	{"modes in parts", field(2) + field(11, scalars(1, 2)) + field(11, scalars(2, 1)), true},
	{"a mode that nobody knows", field(2) + field(11, scalars(1, 99), scalars(2, 1)), true},
	{"fields of another wire type", field(2, scalars(1, 1), field(3, "x")) + scalars(4, 1) + field(11, field(1, "x")), true},
	{"a group that nobody knows", "\xa3\x06" + scalars(1, 1) + "\xa4\x06" + field(4, field(1, "body")), true},
	{"a tag that is longer than need be", "\xa2\x80\x00" + "\x03" + field(1, "b"), true},
	{"attributes with the value first", field(9, field(2, field(1, field(2, field(3, "500")), field(1, "response.code"))), field(1, attributesKey)), true},
	{"an attribute in parts", field(9, field(1, attributesKey), field(2, field(1, field(1, "response.code_details"), field(2, field(3, "a")), field(2, field(3, "b"))))), true},
	{"an attribute that becomes a list", field(9, field(1, attributesKey), field(2, field(1, field(1, "response.code"), field(2, field(3, "a"), field(6, field(1)))))), true},
	{"a list with a field that nobody knows", field(9, field(2, field(1, field(2, field(6, scalars(6, 1)), field(8, "x"))))), true},
	{"an attribute that was a struct", field(9, field(1, attributesKey), field(2, field(1, field(1, "response.code"), field(2, field(5), field(3, "200"))))), true},
	{"a struct in parts", field(9, field(2, field(1, field(1, "n"), field(2, field(5, field(1, field(1, "a")))), field(2, field(5, field(1, field(1, "b"))))))), true},
	{"attributes twice", field(9, field(1, attributesKey), field(2, field(1, field(1, "response.code")))) + field(9, field(1, attributesKey)), true},
	{"attributes without a name or a value", field(9), true},
	{"attributes with two values", field(9, field(1, attributesKey), field(2, field(1, field(1, "a"))), field(2, field(1, field(1, "b")))), true},
	{"claims with the value first", field(2) + field(8, field(1, field(2, field(1, field(1, "issuer"), field(2, field(5, field(1, field(1, "sub"), field(2, field(3, "me"))))))), field(1, jwtNamespace))), true},
	{"claims twice", field(2) + field(8, field(1, field(1, jwtNamespace), field(2, field(1, field(1, "issuer"))))) + field(8, field(1, field(1, jwtNamespace))), true},
	{"metadata of another filter", field(2) + field(8, field(1, field(1, "other"), field(2, field(1, field(1, "a"))))), true},

	{"an empty tag", "\x00", false},
	{"a field number of zero", "\x02\x00", false},
	{"a field number that is too large", "\x80\x80\x80\x80\x10\x00", false},
	{"half a tag", "\x80", false},
	{"half a length", "\x22\x80", false},
	{"a length past the end", "\x22\x05body", false},
	{"a length of 2^64-1", "\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01body", false},
	{"a length that does not fit", "\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", false},
	{"half a message in a whole one", field(4, "\x0a\x05b"), false},
	{"half a number", field(2, "\x18\x80"), false},
	{"half a fixed number", field(9, field(2, field(1, field(2, "\x11\x00")))), false},
	{"an end without a group", "\x0c", false},
	{"a group without an end", "\x0b", false},
	{"a wire type that is not in use", "\x0e", false},
	{"a header's name that is not UTF-8", field(2, field(1, field(1, field(1, "\xff")))), false},
	{"a header's old value that is not UTF-8", field(2, field(1, field(1, field(2, "\xff"), field(3, "/")))), false},
	{"a raw value that is not UTF-8", field(2, field(1, field(1, field(1, ":path"), field(3, "\xff")))), true},
	{"a namespace that is not UTF-8", field(9, field(1, "\xff")), false},
	{"an attribute's name that is not UTF-8", field(9, field(2, field(1, field(1, "\xff")))), false},
	{"an attribute that is not UTF-8", field(9, field(2, field(1, field(2, field(3, "\xff"))))), false},
	{"malformed claims", field(8, field(1, field(1, jwtNamespace), field(2, "\x0a"))), false},
	{"metadata whose name is not UTF-8", field(8, field(1, field(1, "\xff"))), false},
}

func TestCodecOnCorners(t *testing.T) {
	for _, tt := range corners {
		t.Run(tt.name, func(t *testing.T) {
			agree(t, []byte(tt.wire))
			if invalid := proto.Unmarshal([]byte(tt.wire), new(extprocv3.ProcessingRequest)); (invalid == nil) != tt.valid {
				t.Errorf("the standard codec says %v", invalid)
			}
			if _, err := decode([]byte(tt.wire), 1); (err == nil) != tt.valid {
				t.Errorf("got %v, want valid %t", err, tt.valid)
			}
		})
	}
}

func TestCodecSkipsWhatItDoesNotRead(t *testing.T) {
	for name, wire := range map[string]string{
		"trailers":                   field(6, "\xff"),
		"metadata of another filter": field(8, field(1, field(1, "other"), field(2, "\xff"))),
		"typed metadata":             field(8, field(2, "\xff")),
		"window updates":             field(13, "\xff"),
	} {
		if _, err := decode([]byte(wire), 1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodecForgetsWhatTheMessageHeld(t *testing.T) {
	m := telling(headers(), 200, "via_upstream")
	ok(t, Codec{}.Unmarshal(pieces([]byte(field(6)), 1), m))
	if m.GetRequestTrailers() == nil || m.Attributes != nil || m.ProtocolConfig != nil {
		t.Errorf("got %v", m)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, tt := range corners {
		f.Add([]byte(tt.wire))
	}
	for _, m := range []*extprocv3.ProcessingRequest{browsing(), body(asked, true), telling(piece(said, true), 200, "via_upstream")} {
		wire, err := proto.Marshal(m)
		ok(f, err)
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) { agree(t, wire) })
}

// replies are of every form that messages.go builds.
func replies() []*extprocv3.ProcessingResponse {
	list := []exchange.Header{{Name: "route", Value: "openai"}, {Name: "empty"}, {Name: "not text", Value: "a\xff"}}
	out := []*extprocv3.ProcessingResponse{pass, pieceReply(&exchange.Piece{Edited: true}), pieceReply(&exchange.Piece{Metadata: list}), requestTrailersReply(), responseHeadersReply(nil),
		responseHeadersReply(list), responseTrailersReply(nil), responseTrailersReply(list)}
	for _, r := range []exchange.Reply{
		{},
		{Metered: true, Headers: true},
		{Fetched: true},
		{Reroute: true, Metadata: list},
		{Set: []exchange.Header{{Name: "a", Value: "1"}, {Name: "b"}, {Name: "a", Value: "\xff"}}, Remove: []string{"c", "d"}, Metadata: list},
		{Body: []byte{}},
		{Answer: &exchange.Answer{Status: 429, ContentType: "application/json", Details: "farebox_refused", Body: []byte("{}"), Headers: list}, Metadata: list},
		{Answer: &exchange.Answer{Status: 200}},
	} {
		out = append(out, headersReply(&r), bodyReply(&r))
	}
	// Lengths around those at which a length takes another byte, and at which a buffer comes from the pool.
	for _, n := range []int{1, 100, 126, 127, 128, 129, 900, 950, 990, 1000, 1010, 1012, 1013, 1014, 1015, 1016, 1024, 1025, 16383, 16384, 1 << 20} {
		text := strings.Repeat("x", n)
		out = append(out,
			bodyReply(&exchange.Reply{Body: []byte(text), Metadata: list, Reroute: true}),
			bodyReply(&exchange.Reply{Body: []byte(text)}),
			pieceReply(&exchange.Piece{Edited: true, Body: []byte(text), Metadata: []exchange.Header{{Name: "usage", Value: text}}}),
			bodyReply(&exchange.Reply{Set: []exchange.Header{{Name: text, Value: text}}}))
	}
	return out
}

// sameReply says how what the codec wrote differs from m.
func sameReply(m *extprocv3.ProcessingResponse) error {
	out, err := Codec{}.Marshal(m)
	if _, invalid := proto.Marshal(m); invalid != nil || err != nil {
		if (invalid == nil) != (err == nil) {
			return fmt.Errorf("got %v, want %v", err, invalid)
		}
		return nil
	}
	defer out.Free()
	got := new(extprocv3.ProcessingResponse)
	if err := proto.Unmarshal(out.Materialize(), got); err != nil {
		return err
	}
	if !proto.Equal(m, got) {
		return fmt.Errorf("got %v", got)
	}
	return nil
}

func TestCodecWritesRepliesItself(t *testing.T) {
	for _, m := range replies() {
		if err := sameReply(m); err != nil {
			t.Errorf("%.500s: %.500s", m, err)
		}
		out, own := encodeReply(m)
		if !own {
			t.Errorf("left to the standard codec: %.500s", m)
		}
		if got, want := out.Len(), proto.Size(m); got != want {
			t.Errorf("%d bytes, want %d: %.500s", got, want, m)
		}
		out.Free()
	}
}

func TestCodecWritesEveryReply(t *testing.T) {
	r, own := rand.New(rand.NewPCG(3, 4)), 0
	for range 3000 {
		m := new(extprocv3.ProcessingResponse)
		fill(r, m.ProtoReflect(), 7)
		if err := sameReply(m); err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		if _, ok := encodeReply(m); ok {
			own++
		}
	}
	if own == 0 {
		t.Error("all were left to the standard codec")
	}
}

// Every field of every message in the replies is set on its own, so that none is lost unless another one is odd.
func TestCodecLosesNoField(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, base := range replies() {
		if proto.Size(base) > scratch {
			continue
		}
		for i, at := range within(base.ProtoReflect()) {
			for j := range at.Descriptor().Fields().Len() {
				m := proto.CloneOf(base)
				put(r, within(m.ProtoReflect())[i], j)
				if err := sameReply(m); err != nil {
					t.Fatalf("%v: %v", m, err)
				}
			}
		}
	}
}

// within returns m and all messages in it.
func within(m protoreflect.Message) []protoreflect.Message {
	all := []protoreflect.Message{m}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsMap():
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				all = append(all, within(v.Message())...)
				return true
			})
		case f.IsList():
			for i := range v.List().Len() {
				all = append(all, within(v.List().Get(i).Message())...)
			}
		default:
			all = append(all, within(v.Message())...)
		}
		return true
	})
	return all
}

// put sets the i-th field of m, if there is one, to what is not its default.
func put(r *rand.Rand, m protoreflect.Message, i int) {
	if i >= m.Descriptor().Fields().Len() {
		return // Ranging over fields and maps has no order, so this may be another message than was counted.
	}
	f := m.Descriptor().Fields().Get(i)
	switch {
	case f.IsMap() || f.IsList():
		for other := m.New(); !m.Has(f); fill(r, other, 3) {
			m.Set(f, other.Mutable(f))
		}
	case f.Message() != nil:
		m.Mutable(f)
	case f.Kind() == protoreflect.BoolKind:
		m.Set(f, protoreflect.ValueOfBool(true))
	default:
		m.Set(f, scalar(r, f))
	}
}

func TestCodecRefusesTextThatIsNotUTF8(t *testing.T) {
	for _, r := range []exchange.Reply{
		{Remove: []string{"\xff"}},
		{Set: []exchange.Header{{Name: "\xff"}}},
		{Metadata: []exchange.Header{{Name: "\xff"}}},
		{Answer: &exchange.Answer{Status: 400, Details: "\xff"}},
	} {
		if _, err := (Codec{}).Marshal(bodyReply(&r)); err == nil {
			t.Errorf("wrote %+v", r)
		}
	}
}

// serveCodec serves with the codec on a connection in memory.
func serveCodec(t *testing.T, s *Server) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.ForceServerCodecV2(Codec{}), grpc.WaitForHandlers(true), grpc.MaxRecvMsgSize(MaxMessage))
	extprocv3.RegisterExternalProcessorServer(server, s)
	healthv1.RegisterHealthServer(server, health.NewServer())
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); ok(t, <-done) })
	conn, err := grpc.NewClient("passthrough:memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	ok(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestCodecOnAConnection(t *testing.T) {
	g := newGateway(t, enforcing, nil)
	conn := serveCodec(t, g.Server)
	checked, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	ok(t, err)
	if checked.Status != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health is %v", checked)
	}
	_, err = healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: "nobody"})
	if got := status.Code(err); got != codes.NotFound {
		t.Errorf("health of nobody is %v, want NotFound", err)
	}

	g.client = extprocv3.NewExternalProcessorClient(conn)
	e := g.open(t, t.Context())
	if r := e.ask(headers()); r.ModeOverride.String() != profile(&exchange.Reply{Metered: true}).String() {
		t.Errorf("headers answered with %v", r)
	}
	// The body comes in many frames.
	long := strings.Replace(asked, "{", "{"+strings.Repeat(" ", 200_000), 1)
	if m := noted(e.ask(body(long, true))); m["route"] != "openai" || m["decision"] != "asked" {
		t.Errorf("body answered with %v", m)
	}
	e.ask(telling(piece(said[:20], false), 200, "via_upstream"))
	if m := noted(e.ask(piece(said[20:], true))); m["cost_usd"] != "0.003500000" {
		t.Errorf("metadata %v", m)
	}
	if got := e.ends(); got != codes.OK {
		t.Errorf("the stream ended with %s", got)
	}
}
