package exchange

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
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
	for _, name := range []string{"authorization", "x-api-key", "api-key", "x-goog-api-key", "ocp-apim-subscription-key"} {
		in := Incoming{Path: "/v1/messages", Headers: []Header{{name, "junk"}}}
		if got := Account("", in.joined, in.Path); got == "" {
			t.Errorf("one %s has no account", name)
		}
		in.Headers = append(in.Headers, Header{name, "Bearer sk-1"})
		if got := Account("", in.joined, in.Path); got != "" {
			t.Errorf("two of %s: account %q, want none", name, got)
		}
	}
}

// Whoever could send a second key of which the provider takes no notice would have a fresh budget on every call.
func TestAnAccountIsOneKey(t *testing.T) {
	const openAI, anthropic, google, azure, bedrock = provider.OpenAI, provider.Anthropic, provider.Google, "azure_openai", provider.Bedrock
	const path = "/v1/chat/completions"
	type headers map[string]string
	bearer, plain := headers{"authorization": "Bearer sk-1"}, headers{"x-api-key": "sk-1"}
	account := func(vendor pricing.ProviderName, h headers, path string) string {
		return Account(vendor, func(name string) string { return h[name] }, path)
	}
	one, junk := account(openAI, bearer, path), account(openAI, headers{"authorization": "Bearer junk"}, path)
	if len(one) != 16 || strings.Contains(one, "sk-1") || one == junk {
		t.Fatalf("accounts %q and %q, want hashes of two keys", one, junk)
	}
	for _, tt := range []struct {
		name    string
		vendor  pricing.ProviderName
		headers headers
		path    string
		want    string
	}{
		{"nothing", "", nil, path, ""},
		{"an empty key", openAI, headers{"authorization": "Bearer ", "x-api-key": ""}, path, ""},
		{"the scheme in other letters", openAI, headers{"authorization": "bearer  sk-1 "}, path, one},
		{"a tab behind the scheme", openAI, headers{"authorization": "Bearer\tsk-1"}, path, one},
		{"no scheme", openAI, headers{"authorization": "sk-1"}, path, one},
		{"another scheme", "fal", headers{"authorization": "Key sk-1"}, path, one},
		{"a scheme of nobody's", openAI, headers{"authorization": "junk sk-1"}, path, ""},
		{"a name and a password", openAI, headers{"authorization": "Basic anVuazpzay0x"}, path, ""},
		{"a word behind it", openAI, headers{"authorization": "Bearer sk-1 junk"}, path, ""},
		{"another key", openAI, headers{"authorization": "Bearer junk"}, path, junk},
		{"two keys in one header", openAI, headers{"authorization": "Bearer sk-1, Bearer junk"}, path, ""},
		{"a comma and no key", openAI, headers{"x-api-key": "sk-1,"}, path, ""},
		{"a cookie beside it", openAI, headers{"authorization": "Bearer sk-1", "cookie": "a=b"}, path, one},

		{"a compatible server's key", openAI, plain, path, one},
		{"a compatible server's two keys", openAI, headers{"authorization": "Bearer sk-1", "x-api-key": "junk"}, path, ""},
		{"the same key twice", openAI, headers{"authorization": "Bearer sk-1", "api-key": "sk-1"}, path, one},
		{"a parameter that OpenAI does not read", openAI, bearer, path + "?key=junk", one},

		{"Anthropic's key", anthropic, plain, path, one},
		{"Anthropic's token", anthropic, bearer, path, one},
		{"a token beside Anthropic's key", anthropic, headers{"authorization": "Bearer junk", "x-api-key": "sk-1"}, path, ""},
		{"Azure's header at Anthropic", anthropic, headers{"api-key": "junk"}, path, ""},
		{"Google's header beside Anthropic's key", anthropic, headers{"x-goog-api-key": "junk", "x-api-key": "sk-1"}, path, one},

		{"Google's key", google, headers{"x-goog-api-key": "sk-1"}, path, one},
		{"Google's token", google, bearer, path, one},
		{"a key that Google does not read", google, headers{"x-api-key": "junk"}, path, ""},
		{"a key that Google does not read beside one", google, headers{"x-goog-api-key": "sk-1", "x-api-key": "junk"}, path, one},
		{"Google's key and a token", google, headers{"x-goog-api-key": "sk-1", "authorization": "Bearer junk"}, path, ""},
		{"Google's key twice", google, headers{"x-goog-api-key": "sk-1"}, path + "?key=sk-1", one},
		{"Google's key and another one", google, headers{"x-goog-api-key": "junk"}, path + "?key=sk-1", ""},
		{"headers in a parameter", google, headers{"x-goog-api-key": "junk"}, path + "?%24httpHeaders=X-Goog-Api-Key:sk-1", ""},
		{"two in the query", google, nil, path + "?key=sk-1&key=junk", ""},
		{"two in the query under two names", google, nil, path + "?key=sk-1&%24key=junk", ""},
		{"the same one under two names", google, nil, path + "?key=sk-1&%24key=sk%2D1", one},
		{"an empty one in the query", google, bearer, path + "?key=", one},
		{"a query that cannot be read", google, bearer, path + "?a=%zz", ""},
		{"a query that servers read in two ways", google, nil, path + "?key=sk-1;key=junk", ""},

		{"Azure's key", azure, headers{"api-key": "sk-1"}, path, one},
		{"Azure's key as a token", azure, bearer, path, one},
		{"Azure's key where Anthropic's clients send it", azure, plain, path, one},
		{"a subscription", azure, headers{"ocp-apim-subscription-key": "sk-1"}, path, one},
		{"a subscription in the query", azure, nil, path + "?api-version=1&subscription-key=sk-1", one},
		{"a subscription and junk", azure, headers{"ocp-apim-subscription-key": "sk-1", "x-api-key": "junk"}, path, ""},
		{"a subscription in the query and junk", azure, headers{"x-api-key": "junk"}, path + "?subscription-key=sk-1", ""},
		{"Google's parameter at Azure", azure, headers{"api-key": "sk-1"}, path + "?key=junk", one},

		{"Bedrock's key", bedrock, bearer, path, one},
		{"one of the keys that a key of AWS makes", bedrock, headers{"authorization": "Bearer bedrock-api-key-c2stMQ=="}, path, ""},
		{"a signature in the query", bedrock, headers{"authorization": "Bearer junk"}, path + "?X-Amz-Credential=AKIA1%2F20261122", ""},

		{"another vendor's key", "groq", bearer, path, one},
		{"where another vendor may read it", "groq", headers{"authorization": "Bearer junk", "x-api-key": "sk-1"}, path, ""},
		{"Google, unknown to the policy", "", headers{"authorization": "Bearer junk"}, path + "?key=sk-1", ""},
		{"Azure, unknown to the policy", "", headers{"x-api-key": "junk", "ocp-apim-subscription-key": "sk-1"}, path, ""},
	} {
		if got := account(tt.vendor, tt.headers, tt.path); got != tt.want {
			t.Errorf("%s: account %q, want %q; sk-1 has %q", tt.name, got, tt.want, one)
		}
	}
	for _, query := range []string{"key", "$key", "%24key", "%6bey", "Key", "access_token", "$access_token", "oauth_token", "$oauth_token", "bearer_token"} {
		at := path + "?alt=sse&" + query + "=sk-1"
		if got := account(google, headers{"x-api-key": "junk"}, at); got != one {
			t.Errorf("%s: account %q, want %q", at, got, one)
		}
		if got := account(google, headers{"authorization": "junk"}, at); got != "" {
			t.Errorf("%s and a token: account %q, want none", at, got)
		}
	}
}

// A key is held to its budget whatever stands beside it, and wherever it stands.
func TestJunkKeysMintNoBudgets(t *testing.T) {
	const gemini = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":1500}}`
	const at = "/v1beta/models/gemini-2.5-pro:generateContent"
	const ask = `{"model":"gpt-4o","max_tokens":1500,"messages":[{"role":"user","content":"hi"}]}`
	const deployment = "/openai/deployments/gpt-4o/chat/completions?api-version=1"
	const policy = `mode: enforce
providers:
  google: {hosts: [generativelanguage.googleapis.com], credential: caller}
  azure_openai: {hosts: [shop.openai.azure.com], credential: caller}
budgets:
  - {name: each key, per: key, limit: $0.02 per day}
`
	for _, tt := range []struct {
		name, host, path, body string
		real, junk             string // headers
	}{
		{"Google's $key", "generativelanguage.googleapis.com", at + "?%24key=sk-1", gemini, "", "x-api-key"},
		{"Google's access_token", "generativelanguage.googleapis.com", at + "?access_token=sk-1", gemini, "", "x-goog-api-key"},
		{"a subscription", "shop.openai.azure.com", deployment, ask, "ocp-apim-subscription-key", "x-api-key"},
		{"a subscription in the query", "shop.openai.azure.com", deployment + "&subscription-key=sk-1", ask, "", "api-key"},
		{"Google's form of OpenAI's API on an unknown host", "localhost:10000", "/v1beta/openai/chat/completions?key=sk-1", ask, "", "authorization"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, policy)
			allowed := 0
			for i := range 4 {
				c := call{host: tt.host, path: tt.path, body: tt.body, headers: []Header{{tt.junk, fmt.Sprint("junk", i)}}}
				if tt.real != "" {
					c.headers = append(c.headers, Header{tt.real, "sk-1"})
				}
				if _, reply := w.send(t, c); reply.Answer == nil {
					allowed++ // and holds what it may cost
				}
			}
			if allowed != 1 {
				t.Errorf("%d of 4 calls passed, want one: a second one is above the budget of its key", allowed)
			}
		})
	}
}

// A signature of AWS names the key that made it, and is otherwise another one on every call.
func TestASignatureHasTheAccountOfItsKey(t *testing.T) {
	account := func(authorization string) string {
		return Account(provider.Bedrock, func(name string) string { return map[string]string{"authorization": authorization}[name] }, "/model/m/converse")
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
