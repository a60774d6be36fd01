package pricefile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMistakesSayWhere pins the text that each mistake marks.
func TestMistakesSayWhere(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a rate", "{\"provider\": \"acmé\", \"listings\": [\n  {\"model\": \"m\", \"input\": \"2,5\", \"output\": \"8\", \"source\": \"s\", \"as_of\": \"2026-11\"}]}",
			`2:27 "2,5"`},
		{"all listings", "{\"provider\": \"a\", \"listings\": [\n{\"model\": \"\", \"input\": \"1\", \"output\": \"1\", \"as_of\": \"2026-11\", \"source\": \"s\"},\n{\"model\": \"é\", \"input\": \"1\", \"output\": \"1\", \"as_of\": \"2026\", \"source\": \"s\"}]}",
			`2:11 ""; 3:54 "2026"`},
		{"all values of a row", "{\"listings\": [\n{\"model\": \"\", \"provider\": \"p\", \"input\": \"2,5\", \"output\": 10, \"as_of\": \"2026-13\", \"source\": \"\", \"from\": \"soon\", \"aliases\": [\"\"]}]}",
			`2:11 ""; 2:41 "2,5"; 2:58 10; 2:71 "2026-13"; 2:92 ""; 2:104 "soon"; 2:124 ""`},
		{"a word that is no JSON", one(`, "context": tru`), `1:125 tru`},
		{"a comma that is missing", one(` "context": 1`), `1:113 "`},
		{"text that does not end", one(`, "note": "a` + "\n"), `1:122 "`},
		{"a bracket of a variant", one(`, "variants": {"batch": {"input": "1", "output": "2", "brackets": [{"above": 9, "input": "x", "output": "4"}]}}`), `1:201 "x"`},
		{"a fee", one(`, "fees": {"image": "1", "web_search": "-1"}`), `1:151 "-1"`},
		{"a rival's rate", one(`, "rival": {"price": {"input": "1", "output": "1"}, "other": {"input": "1", "output": ""}, "source": "s", "as_of": "2026-11"}`), `1:198 ""`},
		{"what lacks something", one(`, "brackets": [{"above": 1, "input": "4"}]`), `1:127 {`},
		{"a number for text, and a list for a number", one(`, "cache_read": 0.2, "context": [1]`), `1:128 0.2; 1:144 [`},
		{"a fraction of a token", one(`, "context": 1.5`), `1:125 1.5`},
		{"a moment", one(`, "from": "soon", "until": null`), `1:122 "soon"; 1:139 null`},
		{"misspelled keys", one(`, "inptu": {"a": [1, {}]}, "Model": "m"`), `1:114 "inptu"; 1:139 "Model"`},
		{"a key that stands twice", one(`, "note": "a", "note": "b"`), `1:127 "note"`},
		{"a comma too many", `{"listings": [],}`, `1:17 }`},
		{"no quotes", "{\n  listings: []}", `2:3 listings`},
		{"a file that ends early", "{\"listings\": [{\n\"model\": \"m\"\n", `2:13 `},
		{"nothing", "", `1:1 `},
		{"another format", "provider,model\n", `1:1 provider`},
		{"two documents", "{\"listings\": []}\n{}", `2:1 {`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(strings.NewReader(tt.text))
			mistakes, ok := errors.AsType[Mistakes](err)
			if !ok {
				t.Fatalf("%v: no Mistakes", err)
			}
			var got []string
			for i := range mistakes {
				m := &mistakes[i]
				line := []rune(strings.Split(tt.text, "\n")[m.Line-1])
				got = append(got, fmt.Sprintf("%d:%d %s", m.Line, m.Column, string(line[m.Column-1:min(len(line), m.Column-1+m.Width)])))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestMistakesSayWhatToWrite(t *testing.T) {
	_, err := Parse(strings.NewReader(one(`, "input": "-2"`)))
	mistakes, _ := errors.AsType[Mistakes](err)
	if want := `dollars per million tokens in quotes: "2.5"`; len(mistakes) != 1 || mistakes[0].Hint != want {
		t.Errorf("got %+v, want the hint %s", mistakes, want)
	}
	_, err = Parse(strings.NewReader(`{"listing": []}`))
	mistakes, _ = errors.AsType[Mistakes](err)
	if diff := cmp.Diff([]string{"calendars", "hosts", "listings", "provider"}, mistakes[0].Known); diff != "" || mistakes[0].Key != "listing" {
		t.Errorf("key %q, known (-want +got):\n%s", mistakes[0].Key, diff)
	}
}

func TestManyMistakesEndWithAWord(t *testing.T) {
	keys, listings := strings.Repeat(`, "x": {"a": []}`, 40_000), strings.Repeat(`, {"model": "m"}`, 40_000)
	for name, text := range map[string]string{
		"keys":     one(keys),
		"types":    `{"hosts": [1` + strings.Repeat(", 1", 40_000) + `]}`,
		"listings": `{"provider": "a", "listings": [{"model": "m"}` + listings + `]}`,
	} {
		_, err := Parse(strings.NewReader(text))
		mistakes, _ := errors.AsType[Mistakes](err)
		if len(mistakes) != 21 {
			t.Fatalf("%s: %d mistakes, want 20 and a word", name, len(mistakes))
		}
		for i, m := range mistakes {
			if last := m.Message == "and more, from here on"; last != (i == 20) || (i > 0 && m.Column < mistakes[i-1].Column) {
				t.Errorf("%s: mistake %d: %+v", name, i, m)
			}
		}
	}
}

func TestExactlyTheMostMistakesAreAll(t *testing.T) {
	_, err := Parse(strings.NewReader(one(strings.Repeat(`, "x": 1`, 20))))
	if mistakes, _ := errors.AsType[Mistakes](err); len(mistakes) != 20 || mistakes[19].Key != "x" {
		t.Errorf("got %v", err)
	}
}

// The usual error: a list of another format as an overlay.
func TestListsOfOtherFormatsAreOneMistake(t *testing.T) {
	const litellm = `{"sample_spec": {"mode": "chat"}, "gpt-4o": {"input_cost_per_token": 2.5e-06}, "gpt-5": {}}`
	for text, message := range map[string]string{
		litellm:            `1:2: "sample_spec" is no key of an overlay: this is another kind of list`,
		`[{"id": "a"}]`:    "1:1: want an object: {...}",
		"provider,model\n": `1:1: "provider" is no JSON`,
	} {
		_, err := Parse(strings.NewReader(text))
		mistakes, _ := errors.AsType[Mistakes](err)
		if len(mistakes) != 1 || mistakes[0].String() != message || mistakes[0].Hint != formatHint {
			t.Errorf("%s: %+v", text, mistakes)
		}
	}
	for _, text := range []string{`{"listing": []}`, `{"listings": [], "calendar": {}}`} {
		_, err := Parse(strings.NewReader(text))
		if mistakes, _ := errors.AsType[Mistakes](err); len(mistakes) != 1 || mistakes[0].Key == "" {
			t.Errorf("%s: %+v", text, mistakes)
		}
	}
}
