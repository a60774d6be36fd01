package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// dear are calls whose cost is easily underestimated in advance.
func dear() []traffic {
	long := prose(5000, "You answer for the shop.")
	schema := `{"type":"object","properties":{"a":{"type":"string","enum":["x","y"]}}}`
	var tools []string
	for i := range 40 {
		tools = append(tools, fmt.Sprintf(`{"type":"function","function":{"name":"t%d","description":"Does %d","parameters":%s}}`, i, i, schema))
	}
	return []traffic{
		{"many short messages", chat(`{"model":"gpt-4o","max_tokens":1,"messages":[` + strings.Repeat(`{"role":"user","content":"a"},`, 500) + `{"role":"user","content":"b"}]}`)},
		{"text of few bytes a token", chat(ask("gpt-4o", strings.Repeat("!?;:", 2000)))},
		{"text of many bytes a character", chat(ask("gpt-4o", strings.Repeat("ꙮ𒀀", 800)))},
		{"tools", chat(`{"model":"gpt-4o","max_tokens":1,"messages":[{"role":"user","content":"Hi"}],"tools":[` + strings.Join(tools, ",") + `]}`)},
		{"an image of few bytes", chat(`{"model":"gpt-4o-mini","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"high"}}]}]}`)},
		{"three answers of full length", chat(`{"model":"gpt-4o","max_tokens":100,"n":3,"messages":[{"role":"user","content":"[[tokens=100]]"}]}`)},
		{"reasoning up to the cap", chat(`{"model":"gpt-5","max_completion_tokens":700,"messages":[{"role":"user","content":"[[reasoning=690]] [[tokens=90]]"}]}`)},
		{"a write to the cache of an hour", messages(fmt.Sprintf(`{"model":"claude-sonnet-5","max_tokens":1,"system":[{"type":"text","text":%q,"cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":"Hi"}]}`, long))},
		{"automatic caching", messages(fmt.Sprintf(`{"model":"claude-sonnet-5","max_tokens":1,"cache_control":{"type":"ephemeral"},"system":%q,"messages":[{"role":"user","content":"Hi"}]}`, long))},
		{"a write that nobody asked for", chat(fmt.Sprintf(`{"model":"gpt-6-sol","max_completion_tokens":1,"messages":[{"role":"system","content":%q},{"role":"user","content":"Hi"}]}`, long))},
		{"a write for twelve hours", responses(fmt.Sprintf(`{"model":"gpt-6.2-sol","max_output_tokens":16,"store":false,"prompt_cache_options":{"ttl":"12h"},"instructions":%q,"input":"Hi"}`, long))},
		{"the price of long prompts", messages(fmt.Sprintf(`{"model":"claude-haiku-5-5","max_tokens":9,"messages":[{"role":"user","content":%q}]}`, prose(101_000, "Read.")))},
		{"thoughts of Gemini", gemini("gemini-2.5-flash", `{"contents":[{"parts":[{"text":"[[reasoning=900]]"}]}],"generationConfig":{"maxOutputTokens":1000}}`)},
		{"no cap at all", gemini("gemini-2.5-pro", `{"contents":[{"parts":[{"text":"[[tokens=4000]]"}]}]}`)},
	}
}

func TestNoCallCostsMoreThanWasReserved(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(1_000_000_000_000)})
	for i, tt := range append(dear(), billable()...) {
		t.Run(tt.name, func(t *testing.T) {
			booked, billed := s.summary(t), s.provider.total(t)
			s.ok(t, tt.call)
			sum := s.settled(t, int64(i+1))
			cost := s.provider.total(t).CostNanos - billed.CostNanos
			if most := bound(t, tt.call); cost > most {
				t.Errorf("the call cost %s USD, and could cost at most %s", cost, most)
			}
			if got := sum.Cost - booked.Cost; got != cost || sum.Overruns != 0 {
				t.Errorf("ledger %s USD, invoice %s USD, %d overruns", got, cost, sum.Overruns)
			}
		})
	}
}

func TestRenamingABudgetKeepsWhatWasSpent(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi"))
	policy := limitedTo(bound(t, c))
	s := newStack(t, setup{policy: policy, provider: slowly})
	stream := streaming(t, s)
	before := s.summary(t).budget(t)
	s.reload(t, strings.Replace(policy, "name: company", "name: everybody", 1))
	after := s.summary(t).budget(t)
	if after.Budget != "everybody" || after.Reserved != before.Reserved || after.Reserved == 0 {
		t.Errorf("budget %+v before, %+v after: want the same reserved", before, after)
	}
	runsToItsEnd(t, stream)
	sum, total := s.settled(t, 1), s.provider.total(t)
	if b := sum.budget(t); b.Spent != total.CostNanos || b.Reserved != 0 {
		t.Errorf("budget %+v, invoice %s USD", b, total.CostNanos)
	}
	s.reload(t, limitedTo(bound(t, c))+"  - name: added\n    limit: $"+total.CostNanos.String()+" per month\n")
	wantRefused(t, s.send(t, c))
}
