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
