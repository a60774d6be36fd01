package feeds

import (
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
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCSVRefuses(t *testing.T) {
	row := func(cells string) string {
		return "provider,model,input,output,long_input,batch_input,max_output,as_of\n" + cells + "\n"
	}
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "column names: EOF"},
		{"unknown column", "provider,model,input,output,inptu\n", `unknown column "inptu"`},
		{"column twice", "provider,model,input,output,input\n", `column "input" comes twice`},
		{"no output", "provider,model,input\n", `no column "output"`},
		{"short row", row("openai,m"), "record on line 2: wrong number of fields"},
		{"no model", row("openai,,1,1,,,,"), `line 2: model "": name "": want 1 to 300 bytes of text`},
		{"no input", row("openai,m,,1,,,,"), `line 2: model "m": no input rate`},
		{"free by accident", row("openai,m,0,0,,,,"), `line 2: model "m": the input rate is 0: a free model ends in :free`},
		{"rate", row("openai,m,$1,1,,,,"), `line 2: model "m": input: rate "$1": not a decimal number`},
		{"bracket without a threshold", row("openai,m,1,1,2,,,"), `line 2: model "m": long_input without long_threshold`},
		{"half a batch", row("openai,m,1,1,,0.5,,"), `line 2: model "m": batch rates are incomplete or above the others`},
		{"limit", row("openai,m,1,1,,,many,"), `line 2: model "m": max_output: want a number of tokens, got "many"`},
		{"day", row("openai,m,1,1,,,,now"), `line 2: model "m": as_of: "now" is not YYYY-MM or YYYY-MM-DD`},
	} {
		if _, err := CSV(strings.NewReader(tt.text), day); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}
