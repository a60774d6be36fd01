package exchange

import (
	"errors"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/pricing"
)

const (
	later  = `{"model":"gpt-4o","background":true,"max_output_tokens":100,"input":"Hi"}`
	queued = `{"id":"resp_1","object":"response","status":"queued","model":"gpt-4o","usage":null,"output":[]}`
	made   = `{"id":"resp_1","object":"response","status":"completed","model":"gpt-4o","usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100},"output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]}]}`
)

// fetched answers a GET of the answer under an id.
func (w *world) fetched(t *testing.T, id, body string, status Status) {
	t.Helper()
	x := w.Begin()
	reply, err := x.RequestHeaders(call{method: "GET", path: "/v1/responses/" + id, host: "api.openai.com", noBody: true}.incoming())
	must(t, err)
	if reply.Answer != nil {
		t.Fatalf("the fetch was answered with %d: %s", reply.Answer.Status, reply.Answer.Body)
	}
	if !reply.Fetched {
		x.End(StreamEnded)
		return
	}
	x.ResponseStatus(status)
	_, err = x.ResponseBody([]byte(body), true)
	must(t, err)
	x.End(StreamEnded)
}

// posted sends a call whose answer is made in the background, in so many attempts.
func (w *world) posted(t *testing.T, attempts int) {
	t.Helper()
	x, _ := w.send(t, call{path: "/v1/responses", host: "api.openai.com", body: later})
	x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: attempts})
	_, err := x.ResponseBody([]byte(queued), true)
	must(t, err)
}

var good = Status{Code: 200, Details: "via_upstream", Attempts: 2} // of a fetch, which costs nothing however often it is sent

func TestABackgroundCallKeepsItsReservationUntilItsAnswerIsFetched(t *testing.T) {
	const cost pricing.Money = 3_500_000
	w := newWorld(t, limited)
	w.posted(t, 1)
	w.fetched(t, "resp_1", queued, good)                    // not ready yet
	w.fetched(t, "resp_2", made, good)                      // another answer, of nobody's call
	w.fetched(t, "resp_1", "{}", Status{Code: 404})         // the provider's own trouble
	w.fetched(t, "resp_1?fields=id,status", made, good)     // parts of it
	if s := w.books.Stats(); s.Open != 1 || s.Parked != 1 { // nothing of that settled it
		t.Fatalf("%+v, want one call that is parked", s)
	}
	w.fetched(t, "resp_1", made, good)
	w.fetched(t, "resp_1", made, good)
	if e := w.entry(t); e.Cost != cost || e.Estimated || e.Outcome != ledger.OK || !e.At.Equal(noon) {
		t.Errorf("entry %+v, want the answer's %s USD, once", e, cost)
	}
	if s := w.books.Stats(); s.Open != 0 || s.Parked != 0 {
		t.Errorf("%+v, want nothing left open", s)
	}
}

func TestFurtherAttemptsOfABackgroundCallAreCharged(t *testing.T) {
	const cost, fetched, lost = 3_500_000, false, true
	for _, how := range []bool{fetched, lost} {
		w := newWorld(t, limited)
		w.posted(t, 3)
		id, _ := w.books.Parked("openai resp_1")
		r, _ := w.books.Reservation(id)
		want := ledger.Entry{Cost: cost + 2*r.Estimate, Counted: r.Charge, Outcome: ledger.OK}
		if how == lost {
			w.reopen(t, noon.Add(48*time.Hour))
			want.Cost, want.Outcome = 3*r.Estimate, ledger.Lost
		} else {
			w.fetched(t, "resp_1", made, good)
		}
		want.Counted = max(want.Cost, r.Charge)
		e := w.entry(t)
		if e.Cost != want.Cost || e.Counted != want.Counted || e.Outcome != want.Outcome || e.Extra != 2*r.Estimate || e.Attempts != 3 || !e.Estimated {
			t.Errorf("entry %+v, want %+v", e, want)
		}
	}
}

// TestEveryCallIsMeasuredOnce: whoever settles it, and however often that is tried.
func TestEveryCallIsMeasuredOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*world)
	}{
		{"an answer", func(w *world) { w.answer(t, chat(ask), said) }},
		{"a refusal by the provider", func(w *world) {
			x, _ := w.send(t, chat(ask))
			x.ResponseStatus(Status{Code: 429, Details: "via_upstream", Attempts: 1})
			_, err := x.ResponseBody([]byte(failed), true)
			must(t, err)
			x.End(StreamEnded)
		}},
		{"a fetched answer", func(w *world) {
			w.posted(t, 1)
			w.fetched(t, "resp_1", queued, good)
			w.fetched(t, "resp_1", made, good)
			w.fetched(t, "resp_1", made, good)
		}},
		{"an answer that nobody fetched", func(w *world) {
			w.posted(t, 1)
			w.reopen(t, noon.Add(48*time.Hour))
		}},
		{"a call that a restart lost", func(w *world) {
			w.send(t, chat(ask))
			w.reopen(t, noon)
		}},
		{"a bug of ours", func(w *world) {
			x, _ := w.send(t, chat(ask))
			x.Abandon(errors.New("bug"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, limited)
			tt.end(w)
			cost := float64(w.entry(t).Cost) / float64(pricing.Dollar)
			if n, sum := w.metric(t, "farebox_requests_total"), w.metric(t, "farebox_cost_dollars_total"); n != 1 || sum != cost {
				t.Errorf("%g calls for %g USD, want one for %g", n, sum, cost)
			}
		})
	}
}

// TestTheBillOfAFetchedAnswerIsThatOfItsRequest: OpenAI states cache writes of either lifetime alike.
func TestTheBillOfAFetchedAnswerIsThatOfItsRequest(t *testing.T) {
	const written = `{"id":"resp_1","object":"response","status":"completed","model":"gpt-6.1-terra","usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":900},"output_tokens":100,"total_tokens":1100},"output":[]}`
	request := func(more string) call {
		return call{path: "/v1/responses", host: "api.openai.com", body: `{"model":"gpt-6.1-terra","prompt_cache_retention":"24h","max_output_tokens":100,"input":"Hi"` + more + `}`}
	}
	w := newWorld(t, limited)
	w.answer(t, request(""), written)
	w.send(t, request(`,"background":true`))
	x, _ := w.send(t, request(`,"background":true`))
	x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
	_, err := x.ResponseBody([]byte(queued), true)
	must(t, err)
	w.reopen(t, noon) // what is kept outlives the process
	w.fetched(t, "resp_1", written, good)
	var direct, fetched *ledger.Entry
	for _, e := range w.entries(t) {
		switch {
		case e.Outcome == ledger.OK && direct == nil:
			direct = &e
		case e.Outcome == ledger.OK:
			fetched = &e
		}
	}
	if direct == nil || fetched == nil || direct.Usage.CacheWriteLong != 900 || direct.Usage != fetched.Usage || direct.Cost != fetched.Cost {
		t.Errorf("at once %+v, fetched %+v, want the same cost", direct, fetched)
	}
}
