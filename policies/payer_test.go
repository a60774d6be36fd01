package policies

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// signals are the headers, claims and certificate of one request.
type signals struct {
	headers, claims map[string]string
	peer            string
}

func (s signals) Header(name string) string { return s.headers[name] }
func (s signals) Claim(name string) string  { return s.claims[name] }
func (s signals) PeerURI() string           { return s.peer }
func (s signals) Account() string           { return s.headers["authorization"] }

func TestPayersPreferVerifiedSources(t *testing.T) {
	header, claim := Source{FromHeader, "x-team"}, Source{FromJWT, "team"}
	namespace, workload := Source{FromMTLS, "namespace"}, Source{FromMTLS, "workload"}
	both := signals{headers: map[string]string{"x-team": "forged"}, claims: map[string]string{"team": "shop"}}
	for _, tt := range []struct {
		name    string
		sources []Source
		trusted bool
		from    signals
		want    Value
	}{
		{"nothing", []Source{header, claim}, false, signals{}, Value{}},
		{"a label alone", []Source{header, claim}, false, signals{headers: both.headers}, Value{Value: "forged"}},
		{"a claim alone", []Source{header, claim}, false, signals{claims: both.claims}, Value{Value: "shop", Verified: true}},
		{"a label before a claim", []Source{header, claim}, false, both, Value{Value: "shop", Verified: true}},
		{"a claim before a label", []Source{claim, header}, false, both, Value{Value: "shop", Verified: true}},
		{"a label of the mesh's before a claim", []Source{header, claim}, true, both, Value{Value: "forged", Verified: true}},
		{
			"the first of two labels", []Source{header, {FromHeader, "x-other"}}, false,
			signals{headers: map[string]string{"x-team": "a", "x-other": "b"}}, Value{Value: "a"},
		},
		{
			"the first of two verified ones", []Source{header, namespace, claim}, false,
			signals{both.headers, both.claims, "spiffe://cluster.local/ns/prod/sa/checkout"}, Value{Value: "prod", Verified: true},
		},
		{"a workload", []Source{workload}, false, signals{peer: "spiffe://cluster.local/ns/prod/sa/checkout"}, Value{Value: "checkout", Verified: true}},
		{"a certificate of another kind", []Source{workload}, false, signals{peer: "https://cluster.local/ns/prod/sa/checkout"}, Value{}},
		{"too long", []Source{claim}, false, signals{claims: map[string]string{"team": strings.Repeat("x", MaxValue+1)}}, Value{}},
		{"no UTF-8", []Source{claim}, false, signals{claims: map[string]string{"team": "\xff"}}, Value{}},
		{
			"a claim that is too long, and a label", []Source{claim, header}, false,
			signals{both.headers, map[string]string{"team": strings.Repeat("x", MaxValue+1)}, ""}, Value{Value: "forged"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := testPolicy()
			p.Dimensions = []Dimension{{Name: "team", Sources: tt.sources, Trusted: tt.trusted}, {Name: "feature"}}
			tt.want.Name = "team"
			want := []Value{tt.want, {Name: "feature"}}
			if diff := cmp.Diff(want, mustCompile(t, p).Payers(tt.from)); diff != "" {
				t.Errorf("payers (-want +got):\n%s", diff)
			}
		})
	}
	if got := mustCompile(t, testPolicy()).Payers(both); got != nil {
		t.Errorf("payers of a policy without dimensions: %v, want none", got)
	}
}

func TestStrippedHeadersAreThoseThatOnlyFareboxSets(t *testing.T) {
	p := testPolicy()
	p.Dimensions = []Dimension{{Name: "team", Sources: []Source{{FromHeader, "x-farebox-team"}, {FromJWT, "x-farebox-claim"}}}}
	p.Rules[0].When.Headers = append(p.Rules[0].When.Headers, Condition{Key: "x-farebox-feature", Values: []string{"*"}})
	s := mustCompile(t, p)
	for name, want := range map[string]bool{
		"x-farebox-route":        true,
		"x-farebox-team":         false, // the policy reads it
		"x-farebox-feature":      false,
		"x-farebox-claim":        true, // a claim's name is no header's
		"x-http-method-override": true,
		"x-http-method":          true,
		"x-method-override":      true,
		"x-fareboxes":            false,
		"x-tier":                 false,
		"authorization":          false,
	} {
		if got := s.Stripped(name); got != want {
			t.Errorf("Stripped(%q) = %t, want %t", name, got, want)
		}
	}
}
