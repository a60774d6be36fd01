package main

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTrafficIsRepeatable(t *testing.T) {
	a, b, other := traffic(7, 200), traffic(7, 200), traffic(8, 200)
	if !reflect.DeepEqual(a, b) {
		t.Error("the same seed gave other calls")
	}
	if reflect.DeepEqual(a, other) {
		t.Error("another seed gave the same calls")
	}
}

// TestTrafficHasThePublishedShape checks what README.md says of the traffic.
func TestTrafficHasThePublishedShape(t *testing.T) {
	const n = 3000
	all := traffic(1, n)
	features, apis := map[feature]float64{}, map[api]float64{}
	var repeats, streams, known, input float64
	seen := map[string]bool{}
	for day, calls := range all {
		for _, c := range calls {
			features[c.Feature]++
			apis[c.API]++
			text := c.Team + c.Prompt.User
			if c.Repeat {
				repeats++
			}
			if c.Repeat != seen[text] {
				t.Fatalf("a call of %s says repeat %t, but it was sent before: %t", c.Team, c.Repeat, !c.Repeat)
			}
			seen[text] = true
			if c.Stream {
				streams++
			}
			if c.Feature == runaway {
				if day != days-1 || c.Team != runawayTeam {
					t.Errorf("a runaway of team %s on day %d", c.Team, day)
				}
				continue
			}
			known += float64(len(c.Prompt.System))
			input += float64(len(c.Prompt.System) + len(c.Prompt.User))
		}
	}
	for _, tt := range []struct {
		name     string
		got      float64
		from, to float64
	}{
		{"classifications", features[intent] / n, 0.76, 0.84},
		{"replies", features[reply] / n, 0.13, 0.21},
		{"escalations", features[escalation] / n, 0.02, 0.04},
		{"runaways", features[runaway] / n, 0.019, 0.021},
		{"repeats", repeats / n, 0.36, 0.42},
		{"streams", streams / n, 0.05, 0.15},
		{"Anthropic", apis[anthropic] / n, 0.50, 0.60},
		{"OpenAI", apis[openai] / n, 0.35, 0.45},
		{"Gemini", apis[google] / n, 0.02, 0.08},
		{"identical system prompt of the input", known / input, 0.48, 0.56},
	} {
		if tt.got < tt.from || tt.got > tt.to {
			t.Errorf("%s: a share of %.3f, want %.3f to %.3f", tt.name, tt.got, tt.from, tt.to)
		}
	}
}

// TestFewRunawaysStillSpendTheirBudget: a short run shows refusals as well.
func TestFewRunawaysStillSpendTheirBudget(t *testing.T) {
	all := traffic(1, 200)
	n := 0
	for _, c := range slices.Concat(all[:]...) {
		if c.Feature == runaway {
			n++
		}
	}
	if n != fewestRunaways {
		t.Errorf("%d runaways, want %d", n, fewestRunaways)
	}
}

func TestSystemPrompts(t *testing.T) {
	all := systems()
	for what, text := range all {
		// 4,096 tokens at four bytes each is what farebox asks of a prefix whose minimum it does not know.
		if len(text) < 4096*4 {
			t.Errorf("%s: system prompt of %d bytes, too short for markers", what, len(text))
		}
		if strings.Contains(text, "intent") != (what == intent) {
			t.Errorf("%s: the word that orders labels from the test provider is where it should not be, or missing", what)
		}
	}
	if !maps.Equal(all, systems()) {
		t.Error("system prompts change from one call to the next")
	}
}

func TestRequests(t *testing.T) {
	p := prompt{System: "be brief", User: `say "hi"`, MaxTokens: 64}
	for _, tt := range []struct {
		api        api
		stream     bool
		path, body string
	}{
		{anthropic, false, "/v1/messages",
			`{"model":"claude-opus-5-5","max_tokens":64,"system":"be brief","messages":[{"role":"user","content":"say \"hi\""}]}`},
		{openai, true, "/v1/chat/completions",
			`{"model":"gpt-6-sol","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"say \"hi\""}],` +
				`"max_completion_tokens":64,"stream":true,"stream_options":{"include_usage":true}}`},
		{google, true, "/v1beta/models/gemini-3.1-pro-preview:streamGenerateContent?alt=sse",
			`{"systemInstruction":{"parts":[{"text":"be brief"}]},"contents":[{"role":"user","parts":[{"text":"say \"hi\""}]}],` +
				`"generationConfig":{"maxOutputTokens":64}}`},
	} {
		path, body := tt.api.request(p, tt.stream)
		if path != tt.path {
			t.Errorf("%s: path %q, want %q", tt.api, path, tt.path)
		}
		if diff := cmp.Diff(tt.body, string(body)); diff != "" || !json.Valid(body) {
			t.Errorf("%s: body (-want +got):\n%s", tt.api, diff)
		}
	}
}

func TestWholeAnswers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		api    api
		answer string
		stream bool
		want   bool
	}{
		{"JSON", openai, `{"id":"x"}`, false, true},
		{"cut JSON", openai, `{"id":"x`, false, false},
		{"stream", openai, "data: {}\n\ndata: [DONE]\n\n", true, true},
		{"cut stream", openai, "data: {}\n\n", true, false},
		{"events", anthropic, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", true, true},
		{"cut events", anthropic, "event: message_start\ndata: {\"type\":\"message_start\"}\n\n", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.api.whole([]byte(tt.answer), tt.stream); got != tt.want {
				t.Errorf("whole(%q) = %t, want %t", tt.answer, got, tt.want)
			}
		})
	}
}
