package exchange

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
)

func TestAModelIsMeasuredByTheNameInThePriceList(t *testing.T) {
	for model, want := range map[string]metrics.Model{
		"gpt-4o":          {Name: "gpt-4o", Known: true},
		"gpt-4o-20240101": {Name: "gpt-4o", Known: true},
		"gpt-4o-20240102": {Name: "gpt-4o", Known: true},
		"unheard-of":      {},
	} {
		w := newWorld(t, "mode: enforce\nunknown_model: {charge: $30 per 1M}\n")
		x, _ := w.send(t, chat(`{"model":"`+model+`","max_tokens":9,"messages":[]}`))
		c := measured(w.snapshot.Load().Set, &ledger.Entry{Call: x.ledgerCall(x.served)})
		if diff := cmp.Diff([]metrics.Model{want, want}, []metrics.Model{c.Asked, c.Served}); diff != "" {
			t.Errorf("%s, asked and served (-want +got):\n%s", model, diff)
		}
	}
}

func TestAPoolsModelIsMeasuredByItsOwnName(t *testing.T) {
	w := newWorld(t, moving)
	x, _ := w.send(t, chat(ask, feature("own")))
	c := measured(w.snapshot.Load().Set, &ledger.Entry{Call: x.ledgerCall(x.served)})
	if diff := cmp.Diff(metrics.Model{Name: "llama", Known: true}, c.Served); diff != "" {
		t.Errorf("served (-want +got):\n%s", diff)
	}
}

func TestWhatTheLedgerTellsIsCountedOnceForEachCall(t *testing.T) {
	for _, tt := range []struct {
		name     string
		entry    ledger.Entry
		calls    float64
		overruns float64
	}{
		{"an answer", ledger.Entry{Outcome: ledger.OK, Overrun: true}, 1, 1},
		{"a call that was lost", ledger.Entry{Outcome: ledger.Lost}, 1, 0},
		{"what its owner says of it later", ledger.Entry{Outcome: ledger.Adjusted, Overrun: true}, 0, 1},
		{"a refusal by the provider", ledger.Entry{Outcome: ledger.Released, Status: 429}, 1, 0},
		{"a call that was never sent", ledger.Entry{Outcome: ledger.Released}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, limited)
			Count(w.metrics, w.snapshot.Load().Set, &tt.entry)
			if calls, overruns := w.metric(t, "farebox_requests_total"), w.metric(t, "farebox_overruns_total"); calls != tt.calls || overruns != tt.overruns {
				t.Errorf("%g calls and %g overruns, want %g and %g", calls, overruns, tt.calls, tt.overruns)
			}
		})
	}
}
