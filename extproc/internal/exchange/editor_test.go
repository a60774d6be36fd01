package exchange

import (
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

// long is a stream of more text than a call with a cap of 100 can have, in events of a hundred words.
func long() []string {
	event := `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"` +
		strings.Repeat("word ", 100) + `"},"finish_reason":null}]}` + "\n\n"
	events := make([]string, 20)
	for i := range events {
		events[i] = event
	}
	return events
}

func TestAStreamEndsWhereABudgetThatCoversItSaysSo(t *testing.T) {
	const limits = "mode: enforce\nproviders: {openai: {hosts: [api.openai.com], credential: caller}}\n"
	const stream = `{"model":"gpt-4o","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	for _, tt := range []struct {
		name, budgets, model string
		ends                 bool
	}{
		{"a budget that says so", "budgets: [{name: a, limit: $1 per day, stop_on_budget: true}]\n", "gpt-4o", true},
		{"one that does not", "budgets: [{name: a, limit: $1 per day}]\n", "gpt-4o", false},
		{"one for other calls", "budgets: [{name: a, limit: $1 per day, stop_on_budget: true, for: {provider: anthropic}}]\n", "gpt-4o", false},
		{"none that knows the call's bound", "budgets: [{name: a, limit: $1 per day, stop_on_budget: true, for: {provider: anthropic}}]\n", "unheard-of", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, limits+tt.budgets)
			x, reply := w.send(t, call{host: "api.openai.com", body: strings.Replace(stream, "gpt-4o", tt.model, 1)})
			if reply.Answer != nil {
				t.Fatalf("answered with %d: %s", reply.Answer.Status, reply.Answer.Body)
			}
			x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
			var passed strings.Builder
			for i, event := range long() {
				p, err := x.ResponseBody([]byte(event), i == len(long())-1)
				must(t, err)
				if p.Edited {
					passed.Write(p.Body)
				} else {
					passed.WriteString(event)
				}
			}
			x.End(StreamEnded)
			got := passed.String()
			if ends := strings.HasSuffix(strings.TrimSpace(got), "data: [DONE]") && strings.Contains(got, `"finish_reason":"length"`); ends != tt.ends {
				t.Errorf("ended: %t, want %t; passed %d bytes ending %q", ends, tt.ends, len(got), got[max(0, len(got)-80):])
			}
			if whole := strings.Join(long(), ""); !tt.ends && got != whole {
				t.Errorf("%d of %d bytes passed, want all", len(got), len(whole))
			}
		})
	}
}

// TestAStreamThatComesAtOnceEndsToo: a fast provider's answer is one piece.
func TestAStreamThatComesAtOnceEndsToo(t *testing.T) {
	const stream = `{"model":"gpt-4o","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	w := newWorld(t, "mode: enforce\nproviders: {openai: {hosts: [api.openai.com], credential: caller}}\n"+
		"budgets: [{name: a, limit: $1 per day, stop_on_budget: true}]\n")
	x, _ := w.send(t, call{host: "api.openai.com", body: stream})
	x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
	p, err := x.ResponseBody([]byte(strings.Join(long(), "")+"data: [DONE]\n\n"), true)
	must(t, err)
	passed, whole := string(p.Body), len(strings.Join(long(), ""))
	if !strings.Contains(passed, `"finish_reason":"length"`) || strings.Count(passed, "[DONE]") != 1 || len(passed) > whole/2 {
		t.Errorf("%d of %d bytes passed, ending %q, want a stream that ends soon", len(passed), whole, passed[max(0, len(passed)-80):])
	}
	if got := fields(p.Metadata)["ended"]; got != "spend limit" {
		t.Errorf("metadata %v", p.Metadata)
	}
}

func TestAnEndedStreamStatesTheUsageAsItsVendorDoes(t *testing.T) {
	const policy = "mode: enforce\nproviders: {openai: {hosts: [api.openai.com], credential: caller}, deepseek: {hosts: [api.deepseek.com], credential: caller}}\n" +
		"budgets: [{name: a, limit: $1 per day, stop_on_budget: true}]\n"
	const text = `,"stream":true,"max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`
	for host, want := range map[string]struct {
		model string
		usage bool
	}{
		"api.openai.com":   {"gpt-4o", false},
		"api.deepseek.com": {"deepseek-chat", true},
	} {
		w := newWorld(t, policy)
		x, reply := w.send(t, call{host: host, body: `{"model":"` + want.model + `"` + text})
		if reply.Answer != nil {
			t.Fatalf("%s: answered with %d: %s", host, reply.Answer.Status, reply.Answer.Body)
		}
		x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
		var passed strings.Builder
		for i, event := range long() {
			p, err := x.ResponseBody([]byte(event), i == len(long())-1)
			must(t, err)
			passed.Write(p.Body)
		}
		x.End(StreamEnded)
		_, end, ended := strings.Cut(passed.String(), `"finish_reason":"length"`)
		if usage := strings.Contains(end, `"usage":{"prompt_tokens":`); !ended || usage != want.usage {
			t.Errorf("%s: ended %t with %q, want its usage: %t", host, ended, end, want.usage)
		}
	}
}

// TestUsageThatNobodyAskedForIsTakenOut also sees that what an edit holds back is not lost when the server leaves.
func TestUsageThatNobodyAskedForIsTakenOut(t *testing.T) {
	const stream = `{"model":"gpt-4o","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	const text = `data: {"id":"c","model":"gpt-4o","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}],"usage":null}` + "\n\n"
	const usage = `data: {"id":"c","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}` + "\n\n"
	const done = "data: [DONE]\n\n"
	w := newWorld(t, "mode: enforce\n")
	x, reply := w.send(t, call{host: "api.openai.com", body: stream})
	if !strings.Contains(string(reply.Body), `"stream_options":{"include_usage":true}`) || !x.Edits() {
		t.Fatalf("sent %s, edits %t: want usage asked for and taken out again", reply.Body, x.Edits())
	}
	x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
	var passed strings.Builder
	whole := text + usage + done
	for i := range len(whole) {
		p, err := x.ResponseBody([]byte(whole[i:i+1]), i == len(whole)-1)
		must(t, err)
		passed.Write(p.Body)
	}
	if passed.String() != text+done {
		t.Errorf("passed %q, want %q", passed.String(), text+done)
	}
	if e := w.entry(t); e.Estimated || e.Cost != 3_500_000 {
		t.Errorf("entry %+v, want the usage that the stream stated", e)
	}
	x, _ = w.send(t, call{host: "api.openai.com", body: stream})
	first, err := x.ResponseBody([]byte(text+usage[:30]), false)
	must(t, err)
	held := string(first.Body)
	x.StopEditing()
	rest, err := x.ResponseBody([]byte(usage[30:]), false)
	must(t, err)
	if held += string(rest.Body); held != text && held != text+usage {
		t.Errorf("passed %q when the server left, want whole events", held)
	}
	if x.Edits() {
		t.Error("the response is still edited after the server left")
	}
	x.End(Leaving)
}

// TestAStreamThatWasEndedIsChargedForWhatWasSent: at what the provider bills if it says so, else at an estimate that no
// cap limits, as the answer went beyond it.
func TestAStreamThatWasEndedIsChargedForWhatWasSent(t *testing.T) {
	const stream = `{"model":"gpt-4o","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	const bill = `data: {"id":"c","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2000,"total_tokens":2010}}` + "\n\ndata: [DONE]\n\n"
	for _, tt := range []struct {
		name, aborted string
		seen          bool // the provider's end
	}{{"its end is seen", "", true}, {"its client left", "", false}, {"its client left, and its estimate counts", ", aborted: estimate", false}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "mode: enforce\nproviders: {openai: {hosts: [api.openai.com], credential: caller}}\n"+
				"budgets: [{name: a, limit: $1 per day, stop_on_budget: true"+tt.aborted+"}]\n")
			x, _ := w.send(t, call{host: "api.openai.com", body: stream})
			x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
			sent := 0
			for _, event := range long() {
				if x.editor != nil && x.editor.stopped && !tt.seen {
					break
				}
				_, err := x.ResponseBody([]byte(event), false)
				must(t, err)
				sent++
			}
			if tt.seen {
				_, err := x.ResponseBody([]byte(bill), true)
				must(t, err)
			}
			x.End(StreamEnded)
			e := w.entry(t)
			if e.Outcome != ledger.Cut || e.Detail != "ended at the spend limit" || e.Estimated == tt.seen {
				t.Fatalf("entry %+v", e)
			}
			// A hundred words of four letters and a space are 500 bytes: 125 tokens.
			output := int64(sent) * 125
			if tt.seen {
				output = 2000
			}
			counted := e.Charge
			if !tt.seen && tt.aborted == "" {
				counted = max(counted, e.Bound)
			}
			if e.Usage.Output != output || e.Cost < e.Bound || !e.Overrun || w.books.Balances(noon)[0].Spent != counted {
				t.Errorf("entry %+v, want %d tokens out, more than was reserved, and %s counted", e, output, counted)
			}
			if got := w.metric(t, "farebox_overruns_total"); got != 1 || w.books.Stats().Overruns != 1 {
				t.Errorf("%g overruns in the metrics, %d in the ledger, want one", got, w.books.Stats().Overruns)
			}
		})
	}
}
