package exchange

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

func TestWhoPays(t *testing.T) {
	const policy = `mode: enforce
dimensions:
  team: [jwt:team, mtls:namespace]
  job: [mtls:workload]
  feature: [header:x-feature]
  session: {from: [header:x-session-id], trusted: true}
`
	for _, tt := range []struct {
		name string
		call call
		want []ledger.Dim
	}{
		{"nobody", chat(ask), nil},
		{
			"a token before a certificate", call{body: ask, claims: map[string]string{"team": "search"}, peer: "spiffe://cluster.local/ns/shop/sa/checkout"},
			[]ledger.Dim{{Name: "team", Value: "search", Verified: true}, {Name: "job", Value: "checkout", Verified: true}},
		},
		{
			"a certificate", call{body: ask, claims: map[string]string{}, peer: "spiffe://cluster.local/ns/shop/sa/checkout"},
			[]ledger.Dim{{Name: "team", Value: "shop", Verified: true}, {Name: "job", Value: "checkout", Verified: true}},
		},
		{
			"headers", chat(ask, Header{"x-feature", "intent"}, Header{"x-feature", "other"}, Header{"x-session-id", "7"}, Header{"team", "forged"}),
			[]ledger.Dim{{Name: "feature", Value: "intent"}, {Name: "session", Value: "7", Verified: true}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, policy)
			x, _ := w.send(t, tt.call)
			x.End(StreamEnded)
			if diff := cmp.Diff(tt.want, w.entry(t).Dims); diff != "" {
				t.Errorf("who pays (-want +got):\n%s", diff)
			}
		})
	}
}
