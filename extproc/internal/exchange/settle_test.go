package exchange

import (
	"errors"
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/pricing"
)

const (
	failed = `{"error":{"message":"no","type":"server_error"}}`
	// bound is the most that ask can cost: a token for each of its 79 bytes, 64 for the call, 16 for the message, and
	// 100 out, at 2.50 and 10 USD per million.
	bound = (79+64+16)*2500 + 100*10_000
	// guess is 79 bytes at four to a token.
	guess = 19 * 2500
	// expected is that, and the cap of 100 out.
	expected = guess + 100*10_000
)

func TestWhatIsReleasedAndWhatIsSettled(t *testing.T) {
	const whole, estimate = 3_500_000, guess
	for _, tt := range []struct {
		name    string
		status  Status
		body    string
		outcome ledger.Outcome
		cost    pricing.Money
		counted pricing.Money // by a budget
	}{
		{"an answer", Status{Code: 200, Details: "via_upstream", Attempts: 1}, said, ledger.OK, whole, whole},
		{"an answer of unknown status", Status{}, said, ledger.OK, whole, whole},
		{"an answer of the second attempt", Status{Code: 200, Details: "via_upstream", Attempts: 2}, said, ledger.OK, whole + expected, whole + expected},
		{"an answer of the first attempt that was sent", Status{Code: 200, Details: "via_upstream", Attempts: 2, Unsent: true}, said, ledger.OK, whole, whole},
		{"a rate limit of the third attempt", Status{Code: 429, Details: "via_upstream", Attempts: 3}, failed, ledger.Failed, 2 * expected, 2 * expected},
		{"an error that reports usage", Status{Code: 500, Details: "via_upstream", Attempts: 1}, said, ledger.Failed, whole, whole},
		{"a bad request", Status{Code: 400, Details: "via_upstream", Attempts: 1}, failed, ledger.Released, 0, 0},
		{"a rate limit", Status{Code: 429, Details: "via_upstream", Attempts: 1}, failed, ledger.Released, 0, 0},
		{"a failure of the provider", Status{Code: 529, Details: "via_upstream", Attempts: 1}, failed, ledger.Released, 0, 0},
		{"an error without details", Status{Code: 429, Details: "", Attempts: 0}, failed, ledger.Released, 0, 0},
		{"a gateway's error without details", Status{Code: 504, Details: "", Attempts: 0}, failed, ledger.Failed, estimate, bound},
		{"a timeout without details", Status{Code: 408, Details: "", Attempts: 0}, "", ledger.Failed, estimate, bound},
		{"no endpoint", Status{Code: 503, Details: "no_healthy_upstream", Attempts: 0}, "down", ledger.Released, 0, 0},
		{"no connection", Status{Code: 503, Details: "upstream_reset_before_response_started{remote_connection_failure|refused}", Attempts: 1}, "down", ledger.Released, 0, 0},
		{"no connection in time", Status{Code: 503, Details: "upstream_reset_before_response_started{connection_timeout}", Attempts: 1}, "down", ledger.Released, 0, 0},
		{"too many waiting", Status{Code: 503, Details: "upstream_reset_before_response_started{overflow}", Attempts: 1}, "down", ledger.Released, 0, 0},
		{"no cluster", Status{Code: 503, Details: "cluster_not_found", Attempts: 0}, "down", ledger.Released, 0, 0},
		{"a limit of the proxy", Status{Code: 429, Details: "request_rate_limited", Attempts: 0}, "down", ledger.Released, 0, 0},
		{"a reset after the call was sent", Status{Code: 503, Details: "upstream_reset_before_response_started{connection_termination}", Attempts: 1}, "down", ledger.Failed, estimate, bound},
		{"a timeout of the answer", Status{Code: 504, Details: "response_timeout", Attempts: 1}, "late", ledger.Failed, estimate, bound},
		{"an error in an answer that began well", Status{Code: 200, Details: "via_upstream", Attempts: 1}, failed, ledger.Failed, estimate, bound},
		{"an error of unknown status", Status{}, failed, ledger.Failed, estimate, bound},
		{"not JSON", Status{Code: 200, Details: "via_upstream", Attempts: 1}, "<html>", ledger.Cut, estimate, bound},
		{"nothing", Status{Code: 200, Details: "via_upstream", Attempts: 1}, "", ledger.Cut, estimate, bound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, limited)
			x, _ := w.send(t, chat(ask))
			x.ResponseStatus(tt.status)
			end, err := x.ResponseBody([]byte(tt.body), true)
			must(t, err)
			x.End(StreamEnded)
			x.NeverSent()
			e := w.entry(t)
			if e.Outcome != tt.outcome || e.Cost != tt.cost || e.Counted != tt.counted {
				t.Errorf("%s, %s USD, counted %s; want %s, %s, counted %s", e.Outcome, e.Cost, e.Counted, tt.outcome, tt.cost, tt.counted)
			}
			if got := fields(end.Metadata)["cost_usd"]; got != tt.cost.String() {
				t.Errorf("cost_usd %s, want %s", got, tt.cost)
			}
			b := w.books.Balances(noon)[0]
			if b.Spent != tt.counted || b.Reserved != 0 {
				t.Errorf("budget: %s USD spent, %s reserved, want %s and none", b.Spent, b.Reserved, tt.counted)
			}
			if got := w.books.Stats().Duplicates; got != 0 {
				t.Errorf("settled again %d times", got)
			}
		})
	}
}

// begun is the start of a stream of messages: 90 tokens in and, so far, none out.
const begun = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-sonnet-4-6\",\"usage\":{\"input_tokens\":90,\"output_tokens\":1}}}\n\n" +
	"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"12345678\"}}\n\n"

func TestAStreamThatIsCutIsSettledAtWhatItSaid(t *testing.T) {
	c := call{path: "/v1/messages", body: `{"model":"claude-sonnet-4-6","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`}
	for why, detail := range map[Reason]string{StreamEnded: "", Leaving: "farebox shut down before the answer ended"} {
		w := newWorld(t, limited)
		x, _ := w.send(t, c)
		x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
		for at := 0; at < len(begun); at += 7 {
			_, err := x.ResponseBody([]byte(begun[at:min(at+7, len(begun))]), false)
			must(t, err)
		}
		x.End(why)
		e := w.entry(t)
		if e.Usage.Input != 90 || e.Usage.Output != 2 {
			t.Errorf("usage %+v, want 90 tokens in and 8 bytes as 2 out", e.Usage)
		}
		if e.Outcome != ledger.Cancelled || e.Detail != detail || !e.Estimated || e.Counted != e.Bound {
			t.Errorf("entry %+v", e)
		}
	}
}

func TestACallThatNeverLeft(t *testing.T) {
	for policy, want := range map[string]ledger.Outcome{limited: ledger.Released, strings.Replace(limited, "enforce", "observe", 1): ledger.Cancelled} {
		w := newWorld(t, policy)
		x, _ := w.send(t, chat(ask))
		x.NeverSent()
		x.End(StreamEnded)
		if e := w.entry(t); e.Outcome != want {
			t.Errorf("%q: %s, want %s", policy, e.Outcome, want)
		}
	}
}

// Google lets clients choose what of an answer they are sent, its usage included.
func TestAnAnswerOfWhichPartsWereChosenCountsAtItsBound(t *testing.T) {
	const body = `{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":1000}}`
	const answer = `{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"totalTokenCount":1}}`
	const gemini, googleHost = "/v1beta/models/gemini-2.5-pro:generateContent", "generativelanguage.googleapis.com"
	masked := call{path: gemini + "?fields=candidates,usageMetadata.promptTokenCount", host: googleHost, body: body}
	header := call{path: gemini, host: googleHost, body: body, headers: []Header{{Name: "x-goog-fieldmask", Value: "candidates"}}}
	for _, c := range []call{masked, header} {
		w := newWorld(t, limited)
		x, _ := w.send(t, c)
		bound := w.books.Balances(noon)[0].Reserved
		x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
		_, err := x.ResponseBody([]byte(answer), true)
		must(t, err)
		if e := w.entry(t); !e.Estimated || w.books.Balances(noon)[0].Spent < bound || bound < 1_000_000 {
			t.Errorf("%s: %+v, spent %s USD of the %s reserved", c.path, e, w.books.Balances(noon)[0].Spent, bound)
		}
	}
}

func TestAbortedCallsSpendWhatTheyMayHaveCost(t *testing.T) {
	// Ten calls of the bound fit, and half of another one.
	w := newWorld(t, "mode: enforce\nbudgets:\n  - {name: company, limit: $"+pricing.Money(10*bound+bound/2).String()+" per day}\n")
	admitted := 0
	for range 100 {
		x, reply := w.send(t, chat(ask))
		if reply.Answer == nil {
			admitted++
		}
		x.End(StreamEnded)
	}
	if admitted != 10 {
		t.Errorf("%d aborted calls were admitted, want 10", admitted)
	}
	if b := w.books.Balances(noon)[0]; b.Spent != 10*bound || b.Reserved != 0 {
		t.Errorf("%s USD spent, %s reserved, want %s", b.Spent, b.Reserved, pricing.Money(10*bound))
	}
}

func TestACallWithoutAPriceOverrunsNothing(t *testing.T) {
	w := newWorld(t, "mode: enforce\nunknown_model: {charge: $30 per 1M}\n")
	w.answer(t, chat(`{"model":"unheard-of","messages":[]}`), strings.Replace(said, "gpt-4o-2024-08-06", "unheard-of", 1))
	e := w.entry(t)
	if e.Cost != 33_000_000 || e.Overrun || e.PriceSource != unknownModel || w.books.Stats().Overruns != 0 {
		t.Errorf("entry %+v, want 1,100 tokens at 30 USD per million and no overrun", e)
	}
}

func TestAUsageThatNoCallComesToIsAnEstimate(t *testing.T) {
	w := newWorld(t, "mode: observe\nunknown_model: {charge: $100000 per 1M}\n")
	w.answer(t, chat(`{"model":"unheard-of","max_tokens":100,"messages":[]}`),
		strings.NewReplacer("gpt-4o-2024-08-06", "unheard-of", ":1000,", ":50000000,", "1100", "50000100").Replace(said))
	if e := w.entry(t); !e.Estimated || e.Cost != 21_700_000_000 {
		t.Errorf("entry %+v, want an estimate of 21.70 USD, what was reserved", e)
	}
}

func TestACapThatNoModelWritesMakesNoAmountOfBillions(t *testing.T) {
	observe := strings.Replace(limited, "enforce", "observe", 1)
	for _, policy := range []string{"mode: observe\n", observe} {
		w := newWorld(t, policy)
		for range 3 {
			x, _ := w.send(t, chat(`{"model":"gpt-4o","n":1000,"max_tokens":500000000000}`))
			x.End(StreamEnded)
		}
		must(t, w.books.SetBudgets(t.Context(), compile(t, observe).Policy().Budgets, noon))
		var counted pricing.Money
		list := w.entries(t)
		for _, e := range list {
			counted += e.Counted
		}
		if b := w.books.Balances(noon)[0]; len(list) != 3 || counted <= 0 || counted > pricing.MaxCost || b.Spent != counted {
			t.Errorf("%q: %d entries of %s USD, spent %s, want three of what contexts cost", policy, len(list), counted, b.Spent)
		}
	}
}

func TestAReservationSaysWhatALostCallIsTakenToHaveCost(t *testing.T) {
	w := newWorld(t, limited)
	x, _ := w.send(t, chat(ask))
	if got := x.reservation(x.served); got.Estimate != expected || got.Bound != bound {
		t.Errorf("estimate %s USD of at most %s, want %s of %s", got.Estimate, got.Bound, pricing.Money(expected), pricing.Money(bound))
	}
}

func TestAnAbandonedExchange(t *testing.T) {
	for _, tt := range []struct {
		name    string
		policy  string
		body    bool // the body was read
		status  int  // of the answer; 0 lets pass
		outcome ledger.Outcome
	}{
		{"enforce, before the decision", limited, false, 503, ""},
		{"enforce, after it left", limited, true, 0, ledger.Lost},
		{"observe, before the decision", "mode: observe\n", false, 0, ""},
		{"observe, after it left", "mode: observe\n", true, 0, ledger.Lost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.policy)
			x := w.Begin()
			_, err := x.RequestHeaders(chat("").incoming())
			must(t, err)
			if tt.body {
				_, err := x.RequestBody([]byte(ask))
				must(t, err)
			}
			reply := x.Abandon(errors.New("bug"))
			x.End(StreamEnded)
			if refused := reply.Answer != nil; refused != (tt.status != 0) || (refused && reply.Answer.Status != tt.status) {
				t.Errorf("answer %+v, want status %d", reply.Answer, tt.status)
			}
			if list := w.entries(t); (tt.outcome == "" && len(list) != 0) || (tt.outcome != "" && (len(list) != 1 || list[0].Outcome != tt.outcome)) {
				t.Errorf("entries %+v, want %q", list, tt.outcome)
			}
			if open := w.books.Stats().Open; open != 0 {
				t.Errorf("%d reservations left open", open)
			}
		})
	}
}
