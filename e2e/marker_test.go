package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const markingPolicy = "version: 1\nmode: enforce\ncaches: {prompt: auto}\n"

// shop is a call of a service whose system prompt is always the same.
func shop(system, text string) call {
	return messages(fmt.Sprintf(`{"model":"claude-sonnet-5-5","max_tokens":50,"system":%q,"messages":[{"role":"user","content":%q}]}`, system, text))
}

// shopChat is the same for OpenAI's API.
func shopChat(system, text string) call {
	return chat(fmt.Sprintf(`{"model":"gpt-5-mini","messages":[{"role":"system","content":%q},{"role":"user","content":%q}]}`, system, text))
}

// repeats are twenty questions under one system prompt.
func repeats(of func(system, text string) call) []call {
	system := prose(6000, "You answer for the shop.")
	var list []call
	for i := range 20 {
		list = append(list, of(system, fmt.Sprint("Question ", i)))
	}
	return list
}

// oneOffs are calls that have nothing in common.
func oneOffs(of func(system, text string) call) []call {
	var list []call
	for i := range 20 {
		list = append(list, of(prose(6000, fmt.Sprint("Assistant number ", i)), "Hi"))
	}
	return list
}

// compare sends calls through farebox and, to a vendor of its own, without it. It returns both invoices.
func compare(t *testing.T, s *stack, list []call) (with, without nanos) {
	t.Helper()
	twin := startVendor(t, "twin")
	s.provider.reset(t)
	for _, c := range list {
		s.ok(t, c)
		sendTo(t, twin.url, c)
	}
	return s.provider.total(t).CostNanos, twin.total(t).CostNanos
}

func TestARepeatedPromptIsMarkedAndGetsCheaper(t *testing.T) {
	s := newStack(t, setup{policy: markingPolicy})
	with, without := compare(t, s, repeats(shop))
	if with > without/3 {
		t.Errorf("20 calls cost %s USD, without farebox %s", with, without)
	}
	for i, r := range s.provider.requests(t) {
		marked := bytes.Contains(r.Body, []byte(`"cache_control"`))
		if marked != (i > 0) {
			t.Errorf("call %d is marked: %t; want all but the first", i, marked)
		}
	}
	sum := s.settled(t, 20)
	if sum.Cost != with {
		t.Errorf("ledger %s USD, invoice %s USD", sum.Cost, with)
	}
	if saved := sum.lever("prompt_cache"); saved != without-with {
		t.Errorf("the prompt cache saved %s USD, want %s", saved, without-with)
	}
	s.quiet(t)
}

func TestARepeatedPromptOfOpenAIGetsAKeyAndGetsCheaper(t *testing.T) {
	s := newStack(t, setup{policy: markingPolicy})
	with, without := compare(t, s, repeats(shopChat))
	if with >= without {
		t.Errorf("20 calls cost %s USD, without farebox %s", with, without)
	}
	keys := map[string]int{}
	for _, r := range s.provider.requests(t) {
		var body struct {
			Key string `json:"prompt_cache_key"`
		}
		decode(t, string(r.Body), &body)
		keys[body.Key]++
	}
	if len(keys) != 2 || keys[""] != 1 {
		t.Errorf("keys %v, want none on the first call and one and the same on the others", keys)
	}
	if sum := s.settled(t, 20); sum.Cost != with {
		t.Errorf("ledger %s USD, invoice %s USD", sum.Cost, with)
	}
}

func TestOneOffTrafficCostsTheSame(t *testing.T) {
	s := newStack(t, setup{policy: markingPolicy})
	for name, of := range map[string]func(system, text string) call{"messages": shop, "chat": shopChat} {
		t.Run(name, func(t *testing.T) {
			if with, without := compare(t, s, oneOffs(of)); with != without {
				t.Errorf("20 calls cost %s USD, without farebox %s", with, without)
			}
		})
	}
}

func TestAMarkerChangesNothingElse(t *testing.T) {
	system := prose(6000, "You answer for the shop.")
	tools := `[{"name":"find","description":"Finds","input_schema":{"type":"object"}},{"name":"buy","input_schema":{ "type" : "object" }}]`
	body := `{"model":"claude-sonnet-5-5", "max_tokens":50,"tools":%s,"system":%s,"messages":[{"role":"user","content":"Hi \u0041"}] }`
	s := newStack(t, setup{policy: markingPolicy})
	for name, text := range map[string]string{
		"system prompt as text":   fmt.Sprintf(body, tools, fmt.Sprintf("%q", system)),
		"system prompt in blocks": fmt.Sprintf(body, tools, fmt.Sprintf(`[{"type":"text","text":"Be kind."}, {"text":%q,"type":"text"}]`, system)),
	} {
		t.Run(name, func(t *testing.T) {
			s.ok(t, messages(text))
			s.ok(t, messages(text))
			got := s.provider.last(t).Body
			if n := bytes.Count(got, []byte(`"cache_control"`)); n < 1 || n > 4 {
				t.Errorf("%d markers, want 1 to 4", n)
			}
			if diff := cmp.Diff(unmarked(t, []byte(text)), unmarked(t, got)); diff != "" {
				t.Errorf("body at the provider, markers apart (-want +got):\n%s", diff)
			}
			for _, part := range []string{`"messages":[{"role":"user","content":"Hi \u0041"}] }`, `{"model":"claude-sonnet-5-5", "max_tokens":50,"tools":`, `{ "type" : "object" }`} {
				if !bytes.Contains(got, []byte(part)) {
					t.Errorf("%s is not as it was:\n%s", part, got)
				}
			}
		})
	}
}

// unmarked decodes a request and takes out what markers bring along.
func unmarked(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	if text, ok := m["system"].(string); ok {
		m["system"] = []any{map[string]any{"type": "text", "text": text}}
	}
	for _, list := range []string{"system", "tools"} {
		blocks, _ := m[list].([]any)
		for _, b := range blocks {
			delete(b.(map[string]any), "cache_control")
		}
	}
	return m
}

func TestOwnMarkersOfTheClientAreLeftAlone(t *testing.T) {
	system := prose(6000, "You answer for the shop.")
	s := newStack(t, setup{policy: markingPolicy})
	for _, tt := range []traffic{
		{"a marker in the messages", messages(fmt.Sprintf(`{"model":"claude-sonnet-5-5","max_tokens":50,"system":%q,"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}`, system))},
		{"automatic caching", messages(fmt.Sprintf(`{"model":"claude-sonnet-5-5","max_tokens":50,"cache_control":{"type":"ephemeral"},"system":%q,"messages":[{"role":"user","content":"Hi"}]}`, system))},
		{"a key", chat(fmt.Sprintf(`{"model":"gpt-6-luna","prompt_cache_key":"mine","messages":[{"role":"system","content":%q},{"role":"user","content":"Hi"}]}`, system))},
		{"a short prompt", shop("You answer for the shop.", "Hi")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 3 {
				s.ok(t, tt.call)
				if diff := cmp.Diff(string(tt.call.body), string(s.provider.last(t).Body)); diff != "" {
					t.Fatalf("body at the provider (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestAnotherCallersPrefixIsNotSeen(t *testing.T) {
	s := newStack(t, setup{policy: markingPolicy})
	c := shop(prose(6000, "You answer for the shop."), "Hi")
	s.ok(t, c)
	s.ok(t, c.with("x-api-key", "sk-ant-another"))
	if body := s.provider.last(t).Body; strings.Contains(string(body), "cache_control") {
		t.Error("the first call of another account is marked: it cannot read what the first one wrote")
	}
}

// TestABurstUnderOnePromptCostsNoMore: what one call writes another can read only when the first one's answer has
// begun, so marking all calls of a burst would let each of them pay for the write.
func TestABurstUnderOnePromptCostsNoMore(t *testing.T) {
	s := newStack(t, setup{policy: markingPolicy, provider: []string{"-first", "1s"}})
	twin := startVendor(t, "twin", "-first", "1s")
	list := repeats(shop)
	var wait sync.WaitGroup
	for _, c := range list {
		for _, base := range []string{s.url, twin.url} {
			wait.Go(func() {
				if a := try(base, c); a.status != http.StatusOK {
					t.Errorf("status %d, %v: %s", a.status, a.err, a.body)
				}
			})
		}
	}
	wait.Wait()
	with, without := s.provider.total(t).CostNanos, twin.total(t).CostNanos
	if with > without+without/20 {
		t.Errorf("%d calls at once cost %s USD, without farebox %s", len(list), with, without)
	}
}
