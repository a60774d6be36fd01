package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// silent are streams whose clients do not ask for their usage, and whose provider does not tell it unasked.
var silent = []traffic{
	{"without options", chat(`{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hi"}]}`)},
	{"with other options", chat(`{"model":"gpt-4o","stream":true,"stream_options":{"include_obfuscation":false},"messages":[{"role":"user","content":"Hi"}]}`)},
	{"with options that are null", chat(`{"stream_options":null,"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hi"}]}`)},
	{"with empty options", chat(`{"stream_options": {} ,"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hi"}]}`)},
	{"that says no", chat(`{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":false},"messages":[{"role":"user","content":"Hi"}]}`)},
	{"of two choices", chat(`{"model":"gpt-4o","n":2,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`)},
	{"of completions", post("/v1/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":["Hi","Ho"],"max_tokens":9,"stream":true}`, "authorization", "Bearer k")},
	{"that is compressed", chat(`{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hi"}]}`).with("x-test-gzip", "1").with("accept-encoding", "gzip")},
}

// chunk is the part of a streamed chunk that the tests look at.
type chunk struct {
	Choices []struct {
		Index int    `json:"index"`
		Text  string `json:"text"`
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
		Finish string `json:"finish_reason"`
	} `json:"choices"`
	Usage json.RawMessage `json:"usage"`
}

// chunks are those of a whole stream, which must end as the API ends it.
func chunks(t *testing.T, a answer) []chunk {
	t.Helper()
	text, ok := strings.CutSuffix(string(a.body), "data: [DONE]\n\n")
	if !ok || a.status != 200 || a.err != nil {
		t.Fatalf("status %d, %v: %s; want a stream with an end", a.status, a.err, a.body)
	}
	var list []chunk
	for event := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok {
			t.Fatalf("event %q", event)
		}
		var c chunk
		decode(t, data, &c)
		list = append(list, c)
	}
	return list
}

func TestUsageIsAskedForAndTakenOutAgain(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		s := newStack(t, setup{envoy: r, policy: "version: 1\nmode: enforce\n"})
		// Another provider of the same seed gives the same answers.
		twin := startVendor(t, "twin")
		for i, tt := range silent {
			t.Run("a stream "+tt.name, func(t *testing.T) {
				want := chunks(t, sendTo(t, twin.url, tt.call.with("accept-encoding", "identity")))
				got := chunks(t, s.send(t, tt.call))
				for i, c := range got {
					if string(c.Usage) == "null" {
						got[i].Usage = nil
					}
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("chunks (-without farebox +with):\n%s", diff)
				}
				wantAsked(t, s.provider.last(t), tt.call)
				sum, total := s.settled(t, int64(i+1)), s.provider.total(t)
				if sum.Cost != total.CostNanos || sum.Estimated != 0 {
					t.Errorf("ledger %s USD, %d estimated; invoice %s USD", sum.Cost, sum.Estimated, total.CostNanos)
				}
			})
		}
		s.quiet(t)
	})
}

// wantAsked checks that the provider was asked for the usage, and for nothing else that the client did not ask for.
func wantAsked(t *testing.T, got received, asked call) {
	t.Helper()
	var sent, reached map[string]any
	decode(t, string(asked.body), &sent)
	decode(t, string(got.Body), &reached)
	options, _ := sent["stream_options"].(map[string]any)
	if options == nil {
		options = map[string]any{}
	}
	options["include_usage"] = true
	sent["stream_options"] = options
	if diff := gocmp.Diff(sent, reached); diff != "" {
		t.Errorf("body at the provider (-want +got):\n%s", diff)
	}
}

func TestAClientThatAsksForUsageGetsIt(t *testing.T) {
	s := newStack(t, setup{policy: "version: 1\nmode: enforce\n"})
	c := chat(askStream("gpt-4o", "Hi"))
	list := chunks(t, s.send(t, c))
	if last := list[len(list)-1]; len(last.Choices) != 0 || len(last.Usage) == 0 {
		t.Errorf("last chunk %+v, want one with usage and no choice", last)
	}
	if got := s.provider.last(t).Body; string(got) != string(c.body) {
		t.Errorf("body at the provider %s, want the client's", got)
	}
}

func TestUsageIsNotAskedForWhereNothingMayBeChanged(t *testing.T) {
	for _, policy := range []string{"version: 1\nmode: observe\n", "version: 1\nmode: enforce\nmetering: passive\n"} {
		t.Run(policy, func(t *testing.T) {
			s := newStack(t, setup{policy: policy})
			c := silent[0].call
			for _, chunk := range chunks(t, s.send(t, c)) {
				if len(chunk.Usage) > 0 {
					t.Errorf("a chunk says usage %s", chunk.Usage)
				}
			}
			if got := s.provider.last(t).Body; string(got) != string(c.body) {
				t.Errorf("body at the provider %s, want the client's", got)
			}
			if sum := s.settled(t, 1); sum.Estimated != 1 || sum.Cost == 0 {
				t.Errorf("%d estimated, %s USD; want one estimate, and not of nothing", sum.Estimated, sum.Cost)
			}
		})
	}
}

// TestAStreamCutBeforeItsUsageIsAnEstimate: what the provider would have said last, it never said.
func TestAStreamCutBeforeItsUsageIsAnEstimate(t *testing.T) {
	s := newStack(t, setup{policy: "version: 1\nmode: enforce\n"})
	a := s.send(t, silent[0].call.with("x-test-fault", "cut=20"))
	if a.err == nil {
		t.Errorf("the stream ended well: %s", a.body)
	}
	total := s.provider.total(t)
	if sum := s.settled(t, 1); sum.Estimated != 1 || sum.Bound < total.CostNanos || sum.Cost == 0 {
		t.Errorf("%d estimated, %s USD, bound %s; invoice %s USD", sum.Estimated, sum.Cost, sum.Bound, total.CostNanos)
	}
}
