package exchange

import (
	"strings"
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

// Some proxies leave the values of a header apart: the second one counts as much as the first.
func TestAKeyThatIsSentTwiceHasNoAccount(t *testing.T) {
	for _, name := range []string{"authorization", "x-api-key", "api-key", "x-goog-api-key"} {
		in := Incoming{Path: "/v1/messages", Headers: []Header{{name, "junk"}}}
		if got := (signals{&in}).Account(); got == "" {
			t.Errorf("one %s has no account", name)
		}
		in.Headers = append(in.Headers, Header{name, "Bearer sk-1"})
		if got := (signals{&in}).Account(); got != "" {
			t.Errorf("two of %s: account %q, want none", name, got)
		}
	}
}

// Whoever could send a second key of which the provider takes no notice would have a fresh budget on every call.
func TestAnAccountIsOneKey(t *testing.T) {
	bearer := map[string]string{"authorization": "Bearer sk-1"}
	one := Account(func(name string) string { return bearer[name] }, "/v1/messages")
	if len(one) != 16 || strings.Contains(one, "sk-1") {
		t.Fatalf("account %q, want a hash", one)
	}
	for _, tt := range []struct {
		name    string
		headers map[string]string
		path    string
		same    bool // as the first; otherwise none
		other   bool // an account of its own
	}{
		{"nothing", nil, "/v1/messages", false, false},
		{"the scheme in other letters", map[string]string{"authorization": "bearer  sk-1 "}, "/", true, false},
		{"a tab behind the scheme", map[string]string{"authorization": "Bearer\tsk-1"}, "/", true, false},
		{"another key", map[string]string{"authorization": "Bearer sk-2"}, "/", false, true},
		{"two keys in one header", map[string]string{"authorization": "Bearer sk-1, Bearer junk"}, "/", false, false},
		{"a comma and no key", map[string]string{"x-api-key": "sk-1,"}, "/", false, false},
		{"two keys", map[string]string{"authorization": "Bearer sk-1", "x-api-key": "k"}, "/", false, false},
		{"a cookie beside it", map[string]string{"authorization": "Bearer sk-1", "cookie": "a=b"}, "/", true, false},
		{"a key in the query", nil, "/v1beta/models/m:generateContent?key=k&alt=sse", false, true},
		{"and one in a header", bearer, "/?key=k", false, false},
		{"two in the query", nil, "/?key=k&key=l", false, false},
		{"a query that cannot be read", bearer, "/?a=%zz", false, false},
	} {
		got := Account(func(name string) string { return tt.headers[name] }, tt.path)
		if (got == one) != tt.same || (got != "" && got != one) != tt.other {
			t.Errorf("%s: account %q, the first is %q", tt.name, got, one)
		}
	}
}

// A signature of AWS names the key that made it, and is otherwise another one on every call.
func TestASignatureHasTheAccountOfItsKey(t *testing.T) {
	account := func(authorization string) string {
		return Account(func(name string) string { return map[string]string{"authorization": authorization}[name] }, "/model/m/converse")
	}
	const one = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=aa"
	want := account(one)
	for text, same := range map[string]bool{
		strings.Replace(one, "Signature=aa", "Signature=bb", 1):    true,
		strings.Replace(one, "20261122", "20261123", 1):            true,
		strings.ReplaceAll(one, ", ", ","):                         true,
		strings.Replace(one, "AKIAEXAMPLE", "AKIAOTHER", 1):        false,
		strings.Replace(one, "AKIAEXAMPLE", "ASIAEXAMPLE", 1):      false,
		one + ", Bearer sk-1":                                      false,
		one + " Bearer sk-1":                                       false,
		strings.Replace(one, "Signature=", "Credential=AKIAX/", 1): false,
	} {
		if got := account(text); want == "" || (got == want) != same {
			t.Errorf("%s: account %q, the first is %q", text, got, want)
		}
	}
	for _, none := range []string{"ASIAEXAMPLE", "AKIAEXAMPLE, Credential=AKIAEXAMPLE"} {
		if got := account(strings.Replace(one, "AKIAEXAMPLE", none, 1)); got != "" {
			t.Errorf("%s: account %q, want none", none, got)
		}
	}
}
