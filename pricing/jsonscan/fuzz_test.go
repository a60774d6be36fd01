package jsonscan_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

func FuzzValidAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `{}`, `[]`, `null`, `{"a":[1,2.5e-3,{"b":"\u00e9\n"}],"c":true}`, `[[[]],{}]`, `{"a":1,}`, `01`, `-`,
		`"\ud800"`, "\"\xff\"", "\"12345678901234567890\x1f\"", strings.Repeat("[", 130), `{"a":{"b":{}}}`, `1 2`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want := json.Valid(body) && utf8.Valid(body) && depth(body) <= jsonscan.MaxDepth
		if err := jsonscan.Valid(body); (err == nil) != want {
			t.Fatalf("Valid(%q) = %v, encoding/json says %v", body, err, want)
		}
		s := jsonscan.New(body)
		root := s.Next()
		for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
			var meaning string
			if err := json.Unmarshal(body[key.Start:key.End], &meaning); err != nil || meaning != s.String(key) {
				t.Fatalf("key %s means %q, encoding/json says %q, %v", body[key.Start:key.End], s.String(key), meaning, err)
			}
		}
		if err := s.Finish(); (err == nil) != want {
			t.Fatalf("reading the members of %q: %v, want valid %v", body, err, want)
		}
	})
}

// depth counts the containers of a valid text that are open at once.
func depth(body []byte) (deepest int) {
	open, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}
