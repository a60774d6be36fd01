package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// What the server does not take for a payer's name, explain must not take either.
func TestExplainReadsPayersAsTheServerDoes(t *testing.T) {
	l, err := compile("p.yaml", sources{text: []byte("version: 1\ndimensions:\n  team: [jwt:team, header:x-team]\n")}, t.Output())
	check(t, err)
	for _, tt := range []struct {
		name  string
		given signals
		want  policies.Value
	}{
		{"a claim", signals{"jwt.team": "search"}, policies.Value{Name: "team", Value: "search", Verified: true}},
		{"a label", signals{"x-team": "search"}, policies.Value{Name: "team", Value: "search"}},
		{"too long", signals{"jwt.team": strings.Repeat("x", 10_000)}, policies.Value{Name: "team"}},
		{"no UTF-8", signals{"jwt.team": "\xff"}, policies.Value{Name: "team"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := new(explainFlags).request(l.set, &provider.Request{}, tt.given)
			if diff := cmp.Diff([]policies.Value{tt.want}, r.Dims); diff != "" {
				t.Errorf("payers (-want +got):\n%s", diff)
			}
		})
	}
}
