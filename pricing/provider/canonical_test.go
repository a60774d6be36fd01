package provider_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/farebox-mesh/farebox/pricing/provider"
)

// digest is how a cache uses Canonical.
func digest(tb testing.TB, r *provider.Request) (sum [sha256.Size]byte) {
	tb.Helper()
	h := sha256.New()
	if err := r.Canonical(h); err != nil {
		tb.Fatalf("Canonical: %v", err)
	}
	h.Sum(sum[:0])
	return sum
}

func TestCanonicalTellsApartOnlyWhatShapesTheAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, path, a, b string
		same             bool
	}{
		{"order and white space", chatPath, `{"model":"m","temperature":0.5,"messages":[{"role":"user","content":"a b"}]}`,
			"{ \"messages\" : [ {\"role\":\"user\",\n\"content\":\"a b\"} ] , \"model\":\"n\",\"temperature\":0.5 } ", true},
		{"what is left out", chatPath, `{"model":"m","messages":[]}`, `{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true},"user":"u","metadata":{"a":"b"},
			"safety_identifier":"s","prompt_cache_key":"k","prompt_cache_retention":"24h","prompt_cache_options":{},"service_tier":"flex","store":true}`, true},
		{"cache marks", messagesPath, `{"model":"m","system":[{"type":"text","text":"s"}],"messages":[]}`,
			`{"model":"m","cache_control":{"type":"ephemeral"},"system":[{"cache_control":{"type":"ephemeral"},"type":"text","text":"s"}],"messages":[],"metadata":{"user_id":"u"}}`, true},
		{"a tool's argument of that name", messagesPath, `{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"cache_control":1}}]}]}`,
			`{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"cache_control":2}}]}]}`, false},
		{"a tool's schema", messagesPath, `{"model":"m","tools":[{"name":"f","input_schema":{"properties":{"cache_control":{}}}}]}`, `{"model":"m","tools":[{"name":"f","input_schema":{"properties":{}}}]}`, false},
		{"white space in strings", chatPath, `{"model":"m","messages":[{"content":"a b"}]}`, `{"model":"m","messages":[{"content":"a  b"}]}`, false},
		{"the spelling of a number", chatPath, `{"model":"m","seed":1}`, `{"model":"m","seed":1.0}`, false},
		{"order of what is nested", chatPath, `{"model":"m","messages":[{"content":"a"},{"content":"b"}]}`, `{"model":"m","messages":[{"content":"b"},{"content":"a"}]}`, false},
		{"numbers that run together", chatPath, `{"model":"m","stop":[1,23]}`, `{"model":"m","stop":[12,3]}`, false},
		{"members that swap values", chatPath, `{"model":"m","a":1,"b":2}`, `{"model":"m","a":2,"b":1}`, false},
		{"order of an unknown key's two values", chatPath, `{"model":"m","x":1,"x":2}`, `{"model":"m","x":2,"x":1}`, false},
		{"a cap", chatPath, `{"model":"m","max_tokens":5}`, `{"model":"m"}`, false},
		{"a response's user, which its answer repeats", responsesPath, `{"model":"m","user":"a"}`, `{"model":"m","user":"b"}`, false},
		{"an interaction's labels, which its answer repeats", interactionsPath, `{"model":"m","input":"q","labels":{"a":"b"}}`, `{"model":"m","input":"q"}`, false},
		{"two agents", interactionsPath, `{"agent":"a","input":"q"}`, `{"agent":"b","input":"q"}`, false},
		{"a long text", chatPath, `{"model":"m","messages":[{"content":"` + string(bytes.Repeat([]byte("x"), 3000)) + `a"}]}`,
			`{"model":"m","messages":[{"content":"` + string(bytes.Repeat([]byte("x"), 3000)) + `b"}]}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := parse(t, tt.path, tt.a), parse(t, tt.path, tt.b)
			if same := digest(t, &a) == digest(t, &b); same != tt.same {
				t.Errorf("same digest: %v, want %v\n%s\n%s", same, tt.same, tt.a, tt.b)
			}
		})
	}
}

func TestCanonicalKeepsTheFormatsApart(t *testing.T) {
	const body = `{"model":"m"}`
	a, b := parse(t, chatPath, body), parse(t, messagesPath, body)
	if digest(t, &a) == digest(t, &b) {
		t.Error("calls in two formats have the same digest")
	}
}

// full is a writer that takes no more.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

func TestCanonicalReturnsTheErrorOfItsWriter(t *testing.T) {
	r := parse(t, chatPath, `{"model":"m"}`)
	if err := r.Canonical(full{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Canonical = %v, want the writer's error", err)
	}
}
