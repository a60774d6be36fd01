package jsonscan_test

import (
	"encoding/json"
	"testing"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

func TestAppendStringEscapesWhatJSONCannotHold(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", `""`},
		{`say "hi" \ bye`, `"say \"hi\" \\ bye"`},
		{"a\n\t\x00\x1f\x7fb", `"a\u000a\u0009\u0000\u001f\u007fb"`},
		{"über 😀 <&>", `"über 😀 <&>"`},
		{"cut \xf0\x9f off", `"cut ` + "\uFFFD\uFFFD" + ` off"`},
	} {
		got := string(jsonscan.AppendString([]byte("x:"), tt.text))
		if got != "x:"+tt.want {
			t.Errorf("AppendString(%q) = %s, want x:%s", tt.text, got, tt.want)
		}
	}
}

func FuzzAppendStringMeansTheText(f *testing.F) {
	f.Add("a\"\\\x00é😀\xff")
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		if err := json.Unmarshal(jsonscan.AppendString(nil, text), &got); err != nil {
			t.Fatal(err)
		}
		if want := string([]rune(text)); got != want {
			t.Errorf("AppendString(%q) means %q, want %q", text, got, want)
		}
	})
}
