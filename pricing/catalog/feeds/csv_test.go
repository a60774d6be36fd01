package feeds

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/google/go-cmp/cmp"
)

const columns = "provider,model,input,cached_read,cache_write_short,output,batch_input,batch_output,long_threshold,long_input,long_output,context_window,effective,notes,source,as_of\n"

func TestCSV(t *testing.T) {
	got, err := CSV(strings.NewReader(columns+
		`openai,m,2,0.2,2.5,10,1,5,1000,4,15,9000,2026-08-16T16:00Z,"a, b",page,2026-10`+"\n"+
		`openai,embed,0.1,,0,,,,,,,,since spring,,,`+"\n"), day)
	if err != nil {
		t.Fatal(err)
	}
	standard := bracketed(text(2e9, 2e8, 25e8, 25e8, 10e9), 1000, text(4e9, 4e8, 5e9, 5e9, 15e9))
	batch := bracketed(text(1e9, 1e8, 125e7, 125e7, 5e9), 1000, text(2e9, 2e8, 25e8, 25e8, 75e8))
	want := []pricing.Listing{
		{Provider: "openai", Model: "m", Price: standard, Variants: []pricing.Variant{{Service: pricing.Batch, Price: batch}},
			Limits: pricing.Limits{Context: 9000, MaxOutput: 9000}, From: time.Date(2026, 8, 16, 16, 0, 0, 0, time.UTC), Source: "page", AsOf: "2026-10", Note: "a, b"},
		{Provider: "openai", Model: "embed", Price: text(1e8, 1e8, 1e8, 1e8, 0), Source: "list@2026-08-01", AsOf: "2026-08-01", Note: "effective: since spring"},
	}
	if diff := cmp.Diff(want, got.Listings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCSVRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "column names: EOF"},
		{"column twice", "provider,model,input,output,input\n", `line 1: column "input" comes twice`},
		{"no output", "provider,model,input\n", `line 1: no column "output"`},
		{"quotes", "provider,model,input,output\nopenai,\"m\"x,1,1\n", `parse error on line 2, column 10: extraneous or missing " in quoted-field`},
	} {
		if _, err := CSV(strings.NewReader(tt.text), day); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestCSVLeavesOutRowsWithMistakes(t *testing.T) {
	for _, tt := range []struct{ name, row, want string }{
		{"short", "openai,m", `2 values for 9 columns`},
		{"no model", "openai,,1,1,,,,,", `model "": name "": want 1 to 300 bytes of text`},
		{"no input", "openai,m,,1,,,,,", `model "m": no input rate`},
		{"free by accident", "openai,m,0,0,,,,,", `model "m": the input rate is 0: a free model ends in :free`},
		{"rate", "openai,m,$1,1,,,,,", `model "m": input: rate "$1": not a decimal number`},
		{"negative", "openai,m,1,1,-2,,,,", `model "m": cached_read: rate "-2": negative`},
		{"bracket without a threshold", "openai,m,1,1,,2,,,", `model "m": long_input without long_threshold`},
		{"half a batch", "openai,m,1,1,,,0.5,,", `model "m": batch rates are incomplete or above the others`},
		{"limit", "openai,m,1,1,,,,many,", `model "m": max_output: want a number of tokens, got "many"`},
		{"day", "openai,m,1,1,,,,,now", `model "m": as_of: "now" is not YYYY-MM or YYYY-MM-DD`},
	} {
		got, err := CSV(strings.NewReader("provider,model,input,output,cached_read,long_input,batch_input,max_output,as_of\nopenai,good,1,2,,,,,\n"+tt.row+"\n"), day)
		want := List{Listings: got.Listings, Rows: 1, Warnings: []Warning{{Lines: []int{3}, Text: "row left out: " + tt.want}}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" || len(got.Listings) != 1 || got.Whole() {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
}

func TestCSVSaysWhatItTakesOtherwise(t *testing.T) {
	got, err := CSV(strings.NewReader("provider,model,input,output,cached_read,cache_write_short,long_threshold,long_input,long_cache_write,status\n"+
		"openai,a,1,2,0,,,,,old\nopenai,b,1,2,,3,100,2,7,\nopenai,c,1,2,0.0,,,,8,\n"), day)
	var lines []string
	for i := range got.Warnings {
		lines = append(lines, got.Warnings[i].String())
	}
	want := []string{
		`lines 2, 4: cached_read of 0 is taken as not offered: such tokens cost what the input does`,
		`lines 3, 4: value left out: nothing reads a column "long_cache_write"`,
		`line 3: no column has the long-context rates of cache writes: they grow as the input does`,
	}
	if diff := cmp.Diff(want, lines); err != nil || diff != "" || got.Values != 2 || got.Rows != 0 || len(got.Listings) != 3 {
		t.Errorf("%d values, %d rows, %d listings, %v, warnings (-want +got):\n%s", got.Values, got.Rows, len(got.Listings), err, diff)
	}
	w := Warning{Lines: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, Text: "x"}
	if got, want := w.String(), "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more: x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Each row is looked up among the warnings before it: a walk through them would take minutes here.
func TestCSVWarnsOfManyRows(t *testing.T) {
	const rows = 200_000
	var text strings.Builder
	text.WriteString("provider,model,input,output\n")
	for i := range rows {
		fmt.Fprintf(&text, "a,%d,,1\n", i)
	}
	text.WriteString("a,7,,1\n")
	got, err := CSV(strings.NewReader(text.String()), day)
	if err != nil || len(got.Warnings) != rows || got.Rows != rows+1 {
		t.Fatalf("%d warnings of %d rows, %v, want %d of %d", len(got.Warnings), got.Rows, err, rows, rows+1)
	}
	if w := &got.Warnings[7]; w.String() != fmt.Sprintf(`lines 9, %d: row left out: model "7": no input rate`, rows+2) {
		t.Errorf("got %s", w)
	}
}
