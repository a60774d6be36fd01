package policyfile

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// FuzzParse checks that Parse says what is wrong or returns a policy, which survives the way to the filter.
func FuzzParse(f *testing.F) {
	for _, data := range files(f, "*.yaml") {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		policy, problems := Parse("p.yaml", data)
		if (policy == nil) != (problems.Err() != nil) {
			t.Fatalf("policy %v, problems %v", policy != nil, problems)
		}
		checkOrder(t, problems)
		if text := problems.Error(); !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\x1b\r") {
			t.Fatalf("problems cannot be printed: %q", text)
		}
		if policy == nil {
			return
		}
		once := policies.AppendJSON(nil, policy, catalog.Table().Listings())
		decoded, listings, err := policies.DecodeJSON(once)
		if err != nil {
			t.Fatalf("%v in %s", err, once)
		}
		if twice := policies.AppendJSON(nil, decoded, listings); string(twice) != string(once) {
			t.Fatalf("once  %s\ntwice %s", once, twice)
		}
	})
}

func checkOrder(t *testing.T, problems Problems) {
	t.Helper()
	for i, p := range problems {
		if p.Code == "" || p.Message == "" || p.File != "p.yaml" {
			t.Fatalf("problem %d is not complete: %+v", i, p)
		}
		if i > 0 && (p.Line < problems[i-1].Line || p.Line == problems[i-1].Line && p.Column < problems[i-1].Column) {
			t.Fatalf("problem %d is out of order:\n%v", i, problems)
		}
	}
}
