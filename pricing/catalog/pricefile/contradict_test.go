package pricefile

import (
	"strings"
	"testing"
)

func TestListingsThatContradictEachOther(t *testing.T) {
	const origin = `, "output": "2", "source": "x", "as_of": "2026-11"}`
	for _, tt := range []struct {
		name, first, second string
		want                string // the place and some of the message; "" for none
	}{
		{"two prices", `"model": "a", "input": "1"`, `"model": "a", "input": "3"`, `3:13: listing 2, model "a": another price of it holds`},
		{"the same twice", `"model": "a", "input": "1"`, `"model": "a", "input": "1"`, ""},
		{"other models", `"model": "a", "input": "1"`, `"model": "b", "input": "3"`, ""},
		{"other providers", `"model": "a", "input": "1"`, `"provider": "p", "model": "a", "input": "3"`, ""},
		{"a later one", `"model": "a", "input": "1"`, `"model": "a", "input": "3", "from": "2026-01-01T00:00:00Z"`, ""},
		{"one that ends", `"model": "a", "input": "1"`, `"model": "a", "input": "3", "until": "2026-01-01T00:00:00Z"`, "3:13: "},
		{"the same start", `"model": "a", "input": "1", "from": "2026-01-01T00:00:00Z"`, `"model": "a", "input": "3", "from": "2026-01-01T01:00:00+01:00"`, "3:13: "},
		{"hours of its own", `"model": "a", "input": "1"`, `"model": "a", "input": "3", "windows": [{"days": ["mon"], "start": "01:00", "end": "02:00"}]`, ""},
		{
			"other hours", `"model": "a", "input": "1", "windows": [{"days": ["mon"], "start": "02:00", "end": "03:00"}, {"days": ["tue"], "start": "00:00", "end": "24:00"}]`,
			`"model": "a", "input": "3", "windows": [{"days": ["mon"], "start": "01:00", "end": "02:00"}]`, "",
		},
		{
			"common hours", `"model": "a", "input": "1", "windows": [{"days": ["mon"], "start": "01:30", "end": "03:00"}]`,
			`"model": "a", "input": "3", "windows": [{"days": ["sun", "mon"], "start": "01:00", "end": "02:00"}]`, "3:13: ",
		},
		{"an alias of two", `"model": "a", "aliases": ["c"], "input": "1"`, `"model": "b", "aliases": ["c"], "input": "3"`, "3:29: "},
		{"a model before an alias", `"model": "a", "input": "1"`, `"model": "b", "aliases": ["a"], "input": "3"`, ""},
		{"another limit", `"model": "a", "input": "1"`, `"model": "a", "input": "1", "context": 9`, "3:13: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := "{\"provider\": \"openai\", \"listings\": [\n  {" + tt.first + origin + ",\n  {" + tt.second + origin + "]}"
			listings, err := Overlay(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			got := Contradictions([]byte(text), listings).Error()
			if (got == "") != (tt.want == "") || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
