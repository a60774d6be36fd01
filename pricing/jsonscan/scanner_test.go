package jsonscan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

func TestNextHandsOutEveryTokenWithItsSpan(t *testing.T) {
	body := []byte(" {\"a\\n\" : [1, -2.5e+3,true ,false,null,\"é\"],\"b\":{}} \n")
	names := []string{"invalid", "end", "{", "}", "[", "]", "key", "string", "number", "true", "false", "null"}
	want := []string{
		`0 { {`, `1 key "a\n"`, `1 [ [`, `2 number 1`, `2 number -2.5e+3`, `2 true true`, `2 false false`,
		`2 null null`, `2 string "é"`, `1 ] ]`, `1 key "b"`, `1 { {`, `1 } }`, `0 } }`,
	}
	var got []string
	s := jsonscan.New(body)
	tok := s.Next()
	for ; tok.Kind != jsonscan.End && tok.Kind != jsonscan.Invalid; tok = s.Next() {
		got = append(got, fmt.Sprintf("%d %s %s", tok.Depth, names[tok.Kind], body[tok.Start:tok.End]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	if tok.Kind != jsonscan.End || s.Err() != nil {
		t.Errorf("scan ended in kind %d, %v; want the end", tok.Kind, s.Err())
	}
}

func TestErrorsNameTheirPlace(t *testing.T) {
	for _, tt := range []struct {
		body, problem string
		offset        int
	}{
		{``, jsonscan.ProblemEnd, 0},
		{`{"a":1`, jsonscan.ProblemEnd, 6},
		{`{"a":1} x`, jsonscan.ProblemTrailing, 8},
		{`{} {}`, jsonscan.ProblemTrailing, 3},
		{`{"a" 1}`, "expected a colon", 5},
		{`{"a":1,}`, "expected a string as the key", 7},
		{`{a:1}`, "expected a string as the key", 1},
		{`[1 2]`, "expected a comma or ]", 3},
		{`[1,]`, "expected a value", 3},
		{`[1}`, "expected a comma or ]", 2},
		{`[01]`, "expected a comma or ]", 2},
		{`[1.]`, "expected a digit", 3},
		{`[-]`, "expected a digit", 2},
		{`[1e+]`, "expected a digit", 4},
		{`-`, jsonscan.ProblemEnd, 1},
		{`tru`, "expected a value", 0},
		{`"a`, jsonscan.ProblemEnd, 2},
		{`"a\`, "invalid escape in a string", 2},
		{`"\x"`, "invalid escape in a string", 1},
		{`"\u12g4"`, "invalid escape in a string", 1},
		{"\"a\tb\"", "control character in a string", 2},
		{"\"12345678\xff\"", jsonscan.ProblemUTF8, 9},
		{"\"\xed\xa0\x80\"", jsonscan.ProblemUTF8, 1}, // a surrogate in raw bytes
		{"\ufeff{}", "expected a value", 0},           // a byte order mark
		{strings.Repeat("[", 129), jsonscan.ProblemDepth, 128},
	} {
		err := jsonscan.Valid([]byte(tt.body))
		var e *jsonscan.Error
		if !errors.As(err, &e) {
			t.Errorf("Valid(%q) = %v, want an *Error", tt.body, err)
			continue
		}
		if want := (jsonscan.Error{Offset: tt.offset, Problem: tt.problem}); *e != want {
			t.Errorf("Valid(%q) = %+v, want %+v", tt.body, *e, want)
		}
	}
}

func TestDepthIsAllowedUpToItsLimit(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, jsonscan.MaxDepth/2) + strings.Repeat(`]}`, jsonscan.MaxDepth/2)
	if err := jsonscan.Valid([]byte(deep)); err != nil {
		t.Errorf("Valid of %d levels = %v, want nil", jsonscan.MaxDepth, err)
	}
}

func TestMemberPassesOverWhatWasNotRead(t *testing.T) {
	body := []byte(`{"a":{"x":[1,{"y":2}]},"b":[[1],[2,3],{}],"c":"s","d":4}`)
	s := jsonscan.New(body)
	var got []string
	root := s.Next()
	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
		got = append(got, s.String(key))
		if !s.Equal(key, "b") {
			continue // the value is left unread
		}
		list := s.Next()
		for v, ok := s.Element(list); ok; v, ok = s.Element(list) {
			got = append(got, string(body[v.Start:v.End])) // containers are left open
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "[", "[", "{", "c", "d"}, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if err := s.Finish(); err != nil {
		t.Errorf("Finish = %v, want nil", err)
	}
}

func TestMemberOfAnotherKindIsNone(t *testing.T) {
	s := jsonscan.New([]byte(`[{"a":1}]`))
	list := s.Next()
	if key, ok := s.Member(list); ok {
		t.Errorf("Member of an array = %+v, want none", key)
	}
	if v, ok := s.Element(list); !ok || v.Kind != jsonscan.Object {
		t.Errorf("Element after that = %+v, %v, want the object", v, ok)
	}
	if err := s.Finish(); err != nil {
		t.Errorf("Finish = %v, want nil", err)
	}
}

func TestWholeEndsAfterTheClosingBracket(t *testing.T) {
	body := []byte(`[ {"a": [1, "]}"] } , 2 ]`)
	s := jsonscan.New(body)
	list := s.Next()
	first, _ := s.Element(list)
	s.Member(first)
	whole := s.Whole(first)
	if got, want := string(body[whole.Start:whole.End]), `{"a": [1, "]}"] }`; got != want {
		t.Errorf("Whole = %q, want %q", got, want)
	}
	if next := s.Skip(); string(s.Text(next)) != "2" {
		t.Errorf("Skip after it = %q, want 2", s.Text(next))
	}
}

func TestErrorsAreSticky(t *testing.T) {
	s := jsonscan.New([]byte(`{"a":[1,x],"b":2}`))
	root := s.Next()
	n := 0
	for _, ok := s.Member(root); ok; _, ok = s.Member(root) {
		n++
	}
	if n != 1 || s.Err() == nil || s.Finish() == nil || s.Skip().Kind != jsonscan.Invalid {
		t.Errorf("after %d members Err is %v; want an error after one that stays", n, s.Err())
	}
}
