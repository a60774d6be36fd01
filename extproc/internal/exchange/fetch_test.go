package exchange

import (
	"testing"

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

func TestABackgroundCallKeepsItsReservationUntilItsAnswerIsFetched(t *testing.T) {
	const cost pricing.Money = 3_500_000
	w := newWorld(t, limited)
	w.answer(t, call{path: "/v1/responses", host: "api.openai.com", body: later}, queued)
	good := Status{Code: 200, Details: "via_upstream", Attempts: 2}
	w.fetched(t, "resp_1", queued, good)                    // not ready yet
	w.fetched(t, "resp_2", made, good)                      // another answer, of nobody's call
	w.fetched(t, "resp_1", "{}", Status{Code: 404})         // the provider's own trouble
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
